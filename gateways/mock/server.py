"""Serves the processor with kept-alive connections, and misdelivers answers where a fault says so."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from gateways.mock.delivery import way_of
from gateways.mock.faults import Fault

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FAULT: Final = "mock.fault"
"""The environ key under which the application leaves the fault of this call."""

_BODY_LIMIT: Final = 1024 * 1024


class _KeepAlive(WSGIRequestHandler):
    """Werkzeug's own server closes after each answer because bodies may be left unread; here they never
    are."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def run_wsgi(self) -> None:
        body = self._whole_body()
        if body is None:
            self.close_connection = True
            self.connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
            return
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        head, payload = _answered(self.server.app, environ)
        fault: Fault | None = environ.get(FAULT)
        misdeliver = way_of(fault) if fault is not None else None
        if misdeliver is None:
            self.connection.sendall(head + payload)
            return
        self.close_connection = True
        with suppress(OSError):  # the client has gone away, which is what most of these faults wait for
            misdeliver(self.connection, head, payload)

    def _whole_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _BODY_LIMIT:
            return None
        return self.rfile.read(int(length))

    def log(self, type: str, message: str, *args: Any) -> None:
        """Silent: the ledger says what happened."""


def _answered(app: WSGIApplication, environ: dict[str, Any]) -> tuple[bytes, bytes]:
    lines: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        lines[:] = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        return None

    chunks: Iterable[bytes] = app(environ, start_response)
    payload = b"".join(chunks)
    if not any(line.lower().startswith("content-length:") for line in lines):
        lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1"), payload


def serve(app: WSGIApplication, port: int) -> BaseWSGIServer:
    """Bound to 127.0.0.1 and a free port when `port` is 0; the caller runs `serve_forever()`."""
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=_KeepAlive)
