"""Signed events to the address that was configured by a control call: best effort, a few tries."""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Final

from gateways.contract import Context
from gateways.deadline import Deadline
from gateways.errors import Unreachable
from gateways.http import make_session, send
from gateways.mock.clock import Clock, stamp
from gateways.mock.database import Database
from gateways.mock.signing import HEADER, sign
from gateways.secret import Secret

_WAITS_S: Final = (0.0, 0.5, 2.0)


@dataclass(frozen=True)
class _Target:
    url: str
    secrets: tuple[Secret, ...]


class Webhooks:
    """`announce` returns at once; a thread of its own delivers, in the order of the announcements."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._target: _Target | None = None
        self._queue: queue.SimpleQueue[tuple[_Target, bytes]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def point_at(self, url: str | None, keys: tuple[Secret, ...] = ()) -> None:
        """None switches them off; several keys sign side by side while one replaces another."""
        self._target = _Target(url, keys) if url else None
        if self._target is not None and self._thread is None:
            self._thread = threading.Thread(target=self._deliver_all, daemon=True)
            self._thread.start()

    def announce(self, kind: str, ref: str) -> None:
        if self._target is None:
            return
        event = {
            "id": f"evt_{secrets.token_hex(10)}",
            "type": kind,
            "ref": ref,
            "mode": "test",
            "created": stamp(self._clock.now()),
        }
        self._queue.put((self._target, json.dumps(event).encode()))

    def _deliver_all(self) -> None:
        session = make_session(2)
        while True:
            target, body = self._queue.get()
            with self._database.writing():
                pass  # the change is announced inside its transaction: wait for the commit
            for wait in _WAITS_S:
                time.sleep(wait)
                now = self._clock.now()
                ctx = Context(http=session, deadline=Deadline.after(5.0), now=now)
                signature = sign(body, target.secrets, int(now.timestamp()))
                headers = {HEADER: signature, "Content-Type": "application/json"}
                try:
                    if 200 <= send(ctx, "POST", target.url, headers=headers, content=body).status < 300:
                        break
                except Unreachable:
                    continue
