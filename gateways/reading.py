"""Reads fields out of a processor's answer: what has not the agreed shape raises Ambiguous, never a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gateways.errors import Ambiguous, Rejected

Shown = Mapping[str, Any]
"""A JSON object as the processor shows it."""

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")


def text(shown: Shown, name: str) -> str:
    value = shown.get(name)
    if not isinstance(value, str) or not value:
        raise Ambiguous(f"the answer has no {name}")
    return value


def optional_text(shown: Shown, name: str) -> str | None:
    value = shown.get(name)
    if value is not None and not isinstance(value, str):
        raise Ambiguous(f"{name} in the answer is not a text")
    return value or None


def whole(shown: Shown, name: str) -> int:
    value = shown.get(name)
    if type(value) is not int:
        raise Ambiguous(f"{name} in the answer is not a whole number")
    return value


def optional_whole(shown: Shown, name: str) -> int | None:
    return None if shown.get(name) is None else whole(shown, name)


def part(shown: Shown, name: str) -> Shown:
    value = shown.get(name)
    if not isinstance(value, Mapping):
        raise Ambiguous(f"the answer has no {name}")
    return value


def optional_part(shown: Shown, name: str) -> Shown:
    """The object under `name`, an empty one when it is absent, null, or only an id."""
    value = shown.get(name)
    return value if isinstance(value, Mapping) else {}


def parts(shown: Shown, name: str) -> list[Shown]:
    value = shown.get(name)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise Ambiguous(f"{name} in the answer is not a list of objects")
    return value


def is_ref(ref: str) -> bool:
    """Safe as one segment of a path: references also come from webhooks."""
    return _REF.fullmatch(ref) is not None


def segment(ref: str, what: str) -> str:
    """`ref`, for use in a path. Raises Rejected for what cannot be a reference."""
    if not is_ref(ref):
        raise Rejected(f"{ref[:80]!r} is not a {what} reference", code="not_found", http_status=404)
    return ref


def web_address(shown: Shown, name: str) -> str:
    url = text(shown, name)
    if not url.startswith(("http://", "https://")):
        raise Ambiguous(f"{name} in the answer is not a web address")
    return url
