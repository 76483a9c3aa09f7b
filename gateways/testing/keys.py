"""A fake's memory of idempotency keys: one execution each, for as long as the processor's clock allows."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateways.testing.calls import Call, Refused, Reply


@dataclass(frozen=True)
class _Saved:
    digest: str
    reply: Reply
    at: datetime


class Keys:
    """Raises Refused 409 `key_in_use` and 400 `key_reused`. A route that raises Refused leaves its key
    unused."""

    def __init__(self, window_s: int, now: Callable[[], datetime]) -> None:
        self._window = timedelta(seconds=window_s)
        self._now = now
        self._lock = threading.Lock()
        self._saved: dict[str, _Saved] = {}
        self._in_use: set[str] = set()

    def answered_once(self, call: Call, effect: Callable[[], Reply]) -> Reply:
        if call.key is None:
            return effect()
        digest = hashlib.sha256(f"{call.method} {call.path}\n".encode() + call.raw).hexdigest()
        saved = self._begin(call.key, digest)
        if saved is not None:
            return saved
        try:
            reply = effect()
            with self._lock:
                self._saved[call.key] = _Saved(digest, reply, self._now())
            return reply
        finally:
            with self._lock:
                self._in_use.discard(call.key)

    def _begin(self, key: str, digest: str) -> Reply | None:
        with self._lock:
            if key in self._in_use:
                raise Refused(409, "key_in_use", "a request with this key is in progress")
            saved = self._saved.get(key)
            if saved is not None and self._now() - saved.at <= self._window:
                if saved.digest != digest:
                    raise Refused(400, "key_reused", "this key was used with other parameters")
                return saved.reply
            self._in_use.add(key)
            return None
