"""One request as a fake processor reads it, and what its routes may answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from gateways.errors import Ambiguous
from gateways.http import strict_json

Reply = tuple[int, Mapping[str, Any]] | Response
"""HTTP status and JSON body, or a ready response (a page, an empty 204)."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Reply])


class Refused(Exception):
    """Raised by a route before it has any effect: answered as `Fake.error` says it; the key stays unused."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code
        self.message = message or code


@dataclass(frozen=True, kw_only=True)
class Call:
    """`key` is the idempotency key; `host_url` ends with a slash; header names keep no particular case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    key: str | None
    host_url: str

    @classmethod
    def read(cls, request: Request, key_header: str | None) -> Call:
        return cls(
            method=request.method,
            path=request.path,
            query=dict(request.args),
            headers={name.lower(): value for name, value in request.headers},
            raw=request.get_data(),
            key=request.headers.get(key_header) if key_header is not None else None,
            host_url=request.host_url,
        )

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    @cached_property
    def body(self) -> dict[str, Any]:
        """A JSON object, or a form whose `a[b]=c` is {"a": {"b": "c"}}. Raises Refused for what is neither."""
        if self.header("Content-Type").startswith("application/x-www-form-urlencoded"):
            return nested(parse_qsl(self.raw.decode("utf-8", "replace"), keep_blank_values=True))
        if not self.raw:
            return {}
        try:
            found = strict_json(self.raw)
        except Ambiguous as error:
            raise Refused(400, "body", "the body is not strict JSON") from error
        if not isinstance(found, dict):
            raise Refused(400, "body", "the body is not a JSON object")
        return found


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][c]=d` as {"a": {"b": {"c": "d"}}}; lists stay mappings by their index ("0", "1", or "" for
    `a[]`)."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        head, *inner = re.split(r"\[", name.replace("]", ""))
        at = found
        for part, following in zip([head, *inner], inner, strict=False):
            inside = at.setdefault(part, {})
            if not isinstance(inside, dict):
                raise Refused(400, "body", f"{name} is both a value and a group, before {following}")
            at = inside
        at[inner[-1] if inner else head] = value
    return found


def route(method: str, path: str) -> Callable[[Endpoint], Endpoint]:
    """Marks a method of a Fake as the answer to one call of the API: `def answer(self, call, **parts)`.

    `path` is a Werkzeug rule ("/payments/<id>"). Keys, faults and the API key are seen to before it runs.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.api_route = (method, path)  # type: ignore[attr-defined]
        return endpoint

    return mark


def page(path: str) -> Callable[[Endpoint], Endpoint]:
    """Marks a method as a page for the customer's browser: GET and POST, no API key, no faults."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.page_route = path  # type: ignore[attr-defined]
        return endpoint

    return mark
