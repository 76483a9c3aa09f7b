"""A fake's webhooks: sent at once, late, several times, or in the wrong order, always signed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from gateways.contract import Context
from gateways.deadline import Deadline
from gateways.errors import Unreachable
from gateways.http import make_session, send

_WAITS_S: Final = (0.0, 0.2, 1.0)

Written = Callable[[], tuple[bytes, Mapping[str, str]]]
"""Makes body and headers when the delivery is sent: a signature bears the time of its sending."""


class Deliveries:
    """`copies` of each event are sent, `delay_s` seconds late; between `hold` and `release` none is."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.copies = 1
        self.delay_s = 0.0
        self._now = now
        self._session = make_session(2)
        self._url: str | None = None
        self._held: list[Written] | None = None
        self._queue: queue.SimpleQueue[tuple[str, Written] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def point_at(self, url: str | None) -> None:
        """Raises ValueError for an address that is not an http one of this machine."""
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
                raise ValueError("webhooks go to an http address of this machine only")
            self._start()
        self._url = url

    @property
    def wanted(self) -> bool:
        return self._url is not None

    def put(self, written: Written) -> None:
        if self._held is not None:
            self._held.append(written)
        elif self._url is not None:
            for _ in range(self.copies):
                self._queue.put((self._url, written))

    def hold(self) -> None:
        self._held = []

    def release(self, *, reverse: bool = False) -> None:
        """Sends what was held back, the last one first when `reverse`."""
        held, self._held = self._held or [], None
        for written in reversed(held) if reverse else held:
            self.put(written)

    def stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver_all, daemon=True)
            self._thread.start()

    def _deliver_all(self) -> None:
        while (item := self._queue.get()) is not None:
            url, written = item
            time.sleep(self.delay_s)
            self._deliver(url, written)

    def _deliver(self, url: str, written: Written) -> None:
        for wait in _WAITS_S:
            time.sleep(wait)
            body, headers = written()
            ctx = Context(http=self._session, deadline=Deadline.after(5.0), now=self._now())
            try:
                if 200 <= send(ctx, "POST", url, headers=headers, content=body).status < 300:
                    return
            except Unreachable:
                continue
