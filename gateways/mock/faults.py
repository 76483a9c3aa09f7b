"""Faults on demand: which call gets one, whether the call is executed all the same, and the answer it
spoils."""

from __future__ import annotations

import gzip
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from werkzeug.wrappers import Response


class FaultKind(StrEnum):
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    RESET_MID_BODY = "reset_mid_body"
    ERROR_BEFORE = "500_before"
    ERROR_AFTER = "500_after"
    PAGE_502 = "502_page"
    GARBAGE = "garbage"
    EMPTY = "empty"
    SLOW_DRIP = "slow_drip"
    LATE_LANDING = "late_landing"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_ID = "wrong_id"
    TOO_MANY = "429"
    UNAUTHORISED = "401"
    HUGE_BODY = "huge_body"
    GZIP_BOMB = "gzip_bomb"
    REDIRECT = "redirect"
    NAN = "nan"
    DUPLICATE_KEYS = "duplicate_keys"


_NEVER_EXECUTED: Final = {
    FaultKind.TIMEOUT_BEFORE,
    FaultKind.RESET_BEFORE,
    FaultKind.ERROR_BEFORE,
    FaultKind.LATE_LANDING,
    FaultKind.TOO_MANY,
    FaultKind.UNAUTHORISED,
}
_EITHER: Final = {
    FaultKind.PAGE_502: False,
    FaultKind.REDIRECT: False,
    FaultKind.GARBAGE: True,
    FaultKind.EMPTY: True,
    FaultKind.HUGE_BODY: True,
    FaultKind.GZIP_BOMB: True,
}
"""Kinds whose answer tells nothing of the effect, with what a scripted fault does unless it says `effect`."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`effect`: the call is executed. A late landing takes effect `after_s` seconds, by the `processor`'s
    clock or the `real` one, after a look-up has been told that there is nothing; meanwhile it answers 500
    or `timeout`."""

    kind: FaultKind
    effect: bool
    after_s: float = 30.0
    clock: str = "processor"
    answer: str = "500"


@dataclass
class _Script:
    kind: FaultKind
    times: int
    method: str | None
    path_prefix: str
    key: str | None
    effect: bool
    after_s: float
    clock: str
    answer: str

    def matches(self, method: str, path: str, key: str | None) -> bool:
        return (
            self.times > 0
            and self.method in (None, method)
            and path.startswith(self.path_prefix)
            and self.key in (None, key)
        )


class FaultPlan:
    """Scripted faults first, in their order; then random ones at a rate, from a seed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._scripts: list[_Script] = []
            self._rate = 0.0
            self._kinds: list[FaultKind] = []
            self._random = random.Random(0)
            self._drawn: Counter[str] = Counter()

    def add_scripts(self, scripts: list[Mapping[str, Any]]) -> None:
        """Raises ValueError for an unknown kind or a malformed entry."""
        read = [_script(entry) for entry in scripts]
        with self._lock:
            self._scripts += read

    def set_rate(self, rate: float, kinds: list[str], seed: int) -> None:
        """`rate` of all calls get a fault of one of `kinds` (of all kinds when empty)."""
        if not 0.0 <= rate <= 1.0:
            raise ValueError("rate is between 0 and 1")
        chosen = [FaultKind(kind) for kind in kinds] or list(FaultKind)
        with self._lock:
            self._rate, self._kinds, self._random = rate, chosen, random.Random(seed)

    def drawn(self) -> dict[str, int]:
        with self._lock:
            return dict(self._drawn)

    def draw(self, method: str, path: str, key: str | None) -> Fault | None:
        with self._lock:
            fault = self._scripted(method, path, key) or self._by_chance()
            if fault is not None:
                self._drawn[fault.kind] += 1
            return fault

    def _scripted(self, method: str, path: str, key: str | None) -> Fault | None:
        for script in self._scripts:
            if script.matches(method, path, key):
                script.times -= 1
                return Fault(
                    kind=script.kind,
                    effect=script.effect,
                    after_s=script.after_s,
                    clock=script.clock,
                    answer=script.answer,
                )
        return None

    def _by_chance(self) -> Fault | None:
        if self._rate == 0.0 or self._random.random() >= self._rate:
            return None
        kind = self._random.choice(self._kinds)
        effect = self._random.random() < 0.5 if kind in _EITHER else kind not in _NEVER_EXECUTED
        answer = self._random.choice(["500", "timeout"])
        return Fault(kind=kind, effect=effect, answer=answer)


def _script(entry: Mapping[str, Any]) -> _Script:
    kind = FaultKind(entry["kind"])
    match = entry.get("match") or {}
    effect = kind not in _NEVER_EXECUTED
    if kind in _EITHER:
        effect = bool(entry.get("effect", _EITHER[kind]))
    return _Script(
        kind=kind,
        times=int(entry.get("times", 1)),
        method=match.get("method"),
        path_prefix=str(match.get("path_prefix", "/")),
        key=match.get("key"),
        effect=effect,
        after_s=float(entry.get("after_s", 30.0)),
        clock=str(entry.get("clock", "processor")),
        answer=str(entry.get("answer", "500")),
    )


def spoiled(fault: Fault, response: Response) -> Response:
    """The answer as the client gets it; what happens to the connection itself is in `delivery`."""
    match fault.kind:
        case FaultKind.ERROR_BEFORE | FaultKind.ERROR_AFTER | FaultKind.LATE_LANDING:
            return _json('{"error": {"type": "api_error", "code": "internal", "message": "try later"}}', 500)
        case FaultKind.PAGE_502:
            return Response("<html><h1>502 Bad Gateway</h1></html>", 502, mimetype="text/html")
        case FaultKind.TOO_MANY:
            return _json(
                '{"error": {"type": "rate_limit", "code": "rate_limit", "message": "slow down"}}', 429
            )
        case FaultKind.UNAUTHORISED:
            return _json(
                '{"error": {"type": "authentication", "code": "invalid_api_key", "message": ""}}', 401
            )
        case FaultKind.GARBAGE:
            return Response(b"\xff\xfe{]not json", 200, mimetype="application/json")
        case FaultKind.EMPTY:
            return Response(b"", 200, mimetype="application/json")
        case FaultKind.REDIRECT:
            return Response(b"", 302, headers={"Location": "/elsewhere"})
        case FaultKind.GZIP_BOMB:
            headers = {"Content-Encoding": "gzip"}
            return Response(_bomb(), 200, mimetype="application/json", headers=headers)
        case FaultKind.NAN:
            return _prefixed(response, '"score": NaN')
        case FaultKind.DUPLICATE_KEYS:
            return _prefixed(response, '"object": "charge", "object": "charge"')
    return response


def falsified(fault: Fault, body: Any) -> Any:
    """The body with every charge, refund and renewal in it wrong in one respect; their records stay right."""
    if isinstance(body, list):
        return [falsified(fault, item) for item in body]
    if not isinstance(body, dict):
        return body
    body = {name: falsified(fault, value) for name, value in body.items()}
    if body.get("object") == "renewal" and fault.kind in (FaultKind.WRONG_AMOUNT, FaultKind.WRONG_ID):
        name = "domain" if fault.kind is FaultKind.WRONG_ID else "new_expiry"
        body[name] = "elsewhere.example" if name == "domain" else "2001-01-01T00:00:00+00:00"
    if body.get("object") not in ("charge", "refund"):
        return body
    if fault.kind is FaultKind.WRONG_AMOUNT:
        body["amount"] += 100
    if fault.kind is FaultKind.WRONG_CURRENCY:
        body["currency"] = "USD" if body["currency"] != "USD" else "EUR"
    if fault.kind is FaultKind.WRONG_ID:
        body["reference"] += "x"
    return body


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * (64 * 1024 * 1024))


def _json(text: str, status: int) -> Response:
    return Response(text, status, mimetype="application/json")


def _prefixed(response: Response, member: str) -> Response:
    text = response.get_data(as_text=True)
    return _json("{" + member + ", " + text.removeprefix("{"), response.status_code)
