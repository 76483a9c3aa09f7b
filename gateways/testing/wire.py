"""Sessions that send everything to the fake, whichever host it was meant for, and remember what was sent."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import BaseAdapter

from gateways.http import make_session


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as the gateway made it, before it was led to the fake."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def whole(self) -> str:
        """Everything that left: address, headers, body."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return f"{self.method} {self.url}\n{headers}\n\n{self.body.decode('utf-8', 'replace')}"

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    def numbers(self) -> list[str]:
        """The numbers in the body, plain and with decimals, as they stand there."""
        return re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", self.body.decode("utf-8", "replace"))


class Wire:
    """The requests of one account or one check; `before` is called with each before it goes on."""

    def __init__(self, to: str) -> None:
        self.sent: list[Sent] = []
        self.before: Callable[[Sent], None] | None = None
        self._lock = threading.Lock()
        self._to = to

    def session(self, to: str | None = None) -> requests.Session:
        """Leads to the fake, or `to` another address."""
        session = make_session(8)
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Rerouted(session.get_adapter(scheme), self, to or self._to))
        return session

    def writes(self) -> list[Sent]:
        """The requests that may have changed something."""
        return [sent for sent in self.sent if sent.method not in ("GET", "HEAD")]

    def note(self, sent: Sent) -> None:
        with self._lock:
            self.sent.append(sent)
        if self.before is not None:
            self.before(sent)


class _Rerouted(BaseAdapter):
    def __init__(self, inner: BaseAdapter, wire: Wire, to: str) -> None:
        super().__init__()
        self._inner = inner
        self._wire = wire
        self._to = to

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self._wire.note(
            Sent(
                method=request.method or "",
                url=request.url or "",
                headers={name: _text(value) for name, value in request.headers.items()},
                body=_bytes(request.body),
            )
        )
        _, _, path, query, _ = urlsplit(request.url or "")
        scheme, host, *_ = urlsplit(self._to)
        request.url = urlunsplit((scheme, host, path, query, ""))
        return self._inner.send(request, *args, **kwargs)

    def close(self) -> None:
        self._inner.close()


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: object) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else str(body).encode()
