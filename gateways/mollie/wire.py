"""One request to Mollie: key, JSON, and what its error statuses leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateways.contract import Context
from gateways.errors import Ambiguous, NotSent, Rejected
from gateways.http import Answer, send
from gateways.reading import Shown
from gateways.secret import Secret, redact

_ADDRESS: Final = "https://api.mollie.com"


class Refusal(Rejected):
    """Mollie's readable "no"; `field` names the parameter at fault, "" when none is named."""

    def __init__(self, message: str, *, http_status: int, title: str, field: str) -> None:
        super().__init__(message, code=field or title, http_status=http_status)
        self.field = field

    @property
    def at_the_door(self) -> bool:
        """The key was refused, or may not do this: nothing was looked at, let alone processed."""
        return self.http_status in (401, 403)

    @property
    def is_gone(self) -> bool:
        return self.http_status in (404, 410)


class Calls:
    """Mollie's API for one call of ours."""

    def __init__(self, ctx: Context, api_key: Secret) -> None:
        if not api_key.reveal().isascii() or not api_key.reveal().isprintable():
            # A header that cannot be sent would be quoted, key and all, in the error about it.
            raise NotSent("the API key is not one")
        self._ctx = ctx
        self._key = api_key

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Shown:
        """Raises NotSent, Ambiguous or Refusal, as do the next two."""
        return self._shown(self._sent("GET", path, params=params))

    def post(self, path: str, body: Mapping[str, Any], key: str) -> Shown:
        """`key` is honoured for an hour."""
        return self._shown(self._sent("POST", path, body=body, key=key))

    def delete(self, path: str) -> Shown:
        """Empty where Mollie says no more than that it was done."""
        return self._shown(self._sent("DELETE", path))

    def _sent(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._key.reveal()}", "Accept": "application/hal+json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return send(self._ctx, method, _ADDRESS + path, headers=headers, params=params, body=body)

    def _shown(self, answer: Answer) -> Shown:
        if 300 <= answer.status < 400 or answer.status >= 500 or answer.status in (408, 409):
            raise Ambiguous(f"HTTP status {answer.status}")
        if answer.status == 204:
            return {}
        shown = answer.json()
        if not isinstance(shown, dict):
            raise Ambiguous("the answer is not a JSON object")
        if 200 <= answer.status < 300:
            return shown
        said = redact(_said(shown, "detail") or f"HTTP status {answer.status}", [self._key])
        raise Refusal(
            said[:500],
            http_status=answer.status,
            title=_said(shown, "title").lower().replace(" ", "_"),
            field=_said(shown, "field"),
        )


def _said(shown: Shown, name: str) -> str:
    value = shown.get(name)
    return value if isinstance(value, str) else ""
