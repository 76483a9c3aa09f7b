"""How the mock gateway and the mock registrar call the processor: address, key, JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateways.contract import Context
from gateways.errors import Ambiguous, NotSent, Rejected
from gateways.http import Answer, send
from gateways.secret import Secret
from gateways.setting_fields import FieldKind, SettingField, SettingValue

ADDRESS_FIELD: Final = SettingField(
    key="base_url",
    label="Address",
    kind=FieldKind.URL,
    pattern=r"https?://[^/?#]+/?",
    help="Where the mock processor listens, such as http://127.0.0.1:4100",
)
API_KEY_FIELD: Final = SettingField(key="api_key", label="API key", kind=FieldKind.SECRET)

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")


def call(
    ctx: Context,
    settings: Mapping[str, SettingValue],
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Raises NotSent or Ambiguous; any HTTP status is an answer."""
    api_key = settings.get("api_key")
    if not isinstance(api_key, Secret):
        raise NotSent("the API key is not set")
    headers = {"Authorization": f"Bearer {api_key.reveal()}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    url = str(settings.get("base_url", "")).rstrip("/") + path
    return send(ctx, method, url, headers=headers, params=params, body=body)


def body_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer with status 200. Raises Rejected for a readable refusal, else
    Ambiguous."""
    if 300 <= answer.status < 400 or answer.status >= 500:
        raise Ambiguous(f"HTTP status {answer.status}")
    found = answer.json()
    if not isinstance(found, dict):
        raise Ambiguous("the answer is not a JSON object")
    if answer.status == 200:
        return found
    code, message = error_in(found)
    raise Rejected(message or f"HTTP status {answer.status}", code=code, http_status=answer.status)


def error_in(body: Mapping[str, Any]) -> tuple[str, str]:
    """The processor's code and message, "" for what is not there."""
    error = body.get("error")
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("code"), error.get("message")
    return (code if isinstance(code, str) else "", message if isinstance(message, str) else "")


def is_ref(text: str) -> bool:
    """Safe as one segment of a path: references also come from webhooks."""
    return _REF.fullmatch(text) is not None


def text(body: Mapping[str, Any], name: str) -> str:
    """Raises Ambiguous when the answer has not the shape that was agreed."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Ambiguous(f"the answer has no {name}")
    return value


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Ambiguous(f"{name} in the answer is not a text")
    return value


def whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise Ambiguous(f"{name} in the answer is not a whole number")
    return value


def optional_whole(body: Mapping[str, Any], name: str) -> int | None:
    return None if body.get(name) is None else whole(body, name)


def instant(body: Mapping[str, Any], name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text(body, name))
    except ValueError as error:
        raise Ambiguous(f"{name} in the answer is not a time") from error
    if at.tzinfo is None:
        raise Ambiguous(f"{name} in the answer has no time zone")
    return at
