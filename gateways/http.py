"""One bounded HTTP request, and the only question that matters when it fails: could it have been executed?

What `requests` calls a timeout bounds each read, so a server that sends a byte a second is never late.
Here the time left is set on the socket before every read, also of the status line and the headers. A
connection notes when the first byte of a request is handed over: a failure before that is `NotSent`, any
other is `Ambiguous`.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, NoReturn

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from gateways.contract import Context
from gateways.deadline import Deadline
from gateways.errors import Ambiguous, NotSent, Unreachable

BODY_LIMIT: Final = 1024 * 1024
"""Bytes, both as received and after decompression."""

# Long enough for a distant handshake, short enough that a dead host leaves time for a second attempt.
_CONNECT_TIMEOUT_S: Final = 5.0
_CHUNK: Final = 64 * 1024


class _Call(threading.local):
    """The call that this thread is making."""

    deadline: Deadline | None = None
    observed = False
    sent = False


_call = _Call()


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, allowing each read no more than what is left of the whole call."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.remaining()
        if left == 0.0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if _call.deadline is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_DeadlineReader(sock, _call.deadline))


class _NotingConnection(HTTPConnection):
    """Notes the hand-over of the first byte, and reads under the deadline."""

    response_class = _DeadlineResponse

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if _call.deadline is not None:
            # A kept-alive socket still has what was left to the request before this one.
            self.sock.settimeout(max(_call.deadline.remaining(), 0.001))
        _call.sent = True
        super().send(data)


class _NotingSecureConnection(_NotingConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _NotingConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _NotingSecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _call.observed = True
        return super().send(*args, **kwargs)


def make_session(connections: int = 10) -> requests.Session:
    """A session for many threads: keeps `connections` alive, never retries, stores no cookie, and reads
    neither proxies nor credentials from the environment (a netrc entry would replace the API key)."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=connections, pool_maxsize=connections, max_retries=0))
    return session


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, whole and decompressed; `status` may be anything, a redirect included."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Strict JSON: UTF-8, no NaN or Infinity, no duplicate keys; fractions are Decimal. Raises
        Ambiguous."""
        return strict_json(self.body)


def send(
    ctx: Context,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    body: Any = None,
    content: Mapping[str, str] | bytes | None = None,
) -> Answer:
    """One request, under the deadline of `ctx` from connecting to the last byte, without following
    redirects.

    `body` is sent as JSON; `content` as a form, or as it is. Raises NotSent when provably no byte was
    handed over, and Ambiguous for everything else that is not a whole answer of at most BODY_LIMIT. Name
    resolution alone is not bounded: the system's resolver has its own limit, and nothing is sent before it
    answers.
    """
    try:
        with watching(ctx.deadline):
            response = ctx.http.request(
                method,
                url,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                params=params,
                json=body,
                data=content,
                stream=True,
                allow_redirects=False,
                timeout=_timeout(ctx.deadline),
            )
            with response:
                received = _read(response, ctx.deadline)
                return Answer(
                    status=response.status_code,
                    headers=response.headers,
                    body=_decoded(received, response.headers.get("Content-Encoding", "")),
                )
    except (requests.RequestException, HTTPError, OSError, http.client.HTTPException) as error:
        raise classified(error) from error


@contextmanager
def watching(deadline: Deadline) -> Iterator[None]:
    """Puts every request that this thread makes through `make_session` under one deadline; for processors'
    own client libraries, whose errors `classified` then sorts. Raises NotSent when the deadline has
    already passed."""
    if deadline.passed:
        raise NotSent("no time was left to send the request")
    _call.deadline, _call.observed, _call.sent = deadline, False, False
    try:
        yield
    finally:
        _call.deadline = None


def classified(error: BaseException) -> Unreachable:
    """NotSent if the failed request of this thread provably never left, else Ambiguous."""
    reason = _plain(error)
    return NotSent(reason) if _never_left(error) else Ambiguous(reason)


def strict_json(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except (ValueError, RecursionError) as error:
        raise Ambiguous(f"the answer is not strict JSON: {error}") from error


def _timeout(deadline: Deadline) -> tuple[float, float]:
    # Zero means "no waiting at all" to a socket, and urllib3 refuses it; time may pass between two looks.
    left = max(deadline.remaining(), 0.001)
    return min(left, _CONNECT_TIMEOUT_S), left


def _never_left(error: BaseException) -> bool:
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return True
    if isinstance(error, requests.exceptions.MissingSchema | requests.exceptions.InvalidSchema):
        return True
    if _call.observed:
        return not _call.sent
    # The session is not ours: only what the library itself tells apart is proof.
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, urllib3.exceptions.MaxRetryError) and isinstance(
        cause.reason, NewConnectionError
    )


def _plain(error: BaseException) -> str:
    """The reason in the system's words, not in the library's, which print object addresses and pools."""
    pending: list[object] = [error]
    while pending:
        cause = pending.pop(0)
        if isinstance(cause, TimeoutError | requests.exceptions.Timeout):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, BaseException):
            pending += [getattr(cause, "reason", None), *cause.args, cause.__cause__]
    return type(error).__name__


def _read(response: requests.Response, deadline: Deadline) -> bytes:
    received = bytearray()
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        received += chunk
        if len(received) > BODY_LIMIT:
            raise Ambiguous(f"the answer is longer than {BODY_LIMIT} bytes")
        if deadline.passed:
            raise Ambiguous("the deadline passed while the answer came in")
    return bytes(received)


def _decoded(received: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return received
    if encoding not in ("gzip", "deflate"):
        raise Ambiguous(f"the answer has the unknown encoding {encoding!r}")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        body = inflater.decompress(received, BODY_LIMIT + 1)
    except zlib.error as error:
        raise Ambiguous(f"the answer cannot be decompressed: {error}") from error
    if len(body) > BODY_LIMIT:
        raise Ambiguous(f"the answer unfolds to more than {BODY_LIMIT} bytes")
    if not inflater.eof:
        raise Ambiguous("the compressed answer is cut off")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object repeats a key")
    return found
