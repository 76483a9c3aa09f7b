"""Threads that talk to processors and registrars, and the one loop that claims work for them and commits results.

Threads never touch the database. The loop's own thread claims jobs in chunks and settles results in groups, so that a
charge costs a small part of a durable commit instead of two.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger()

CHUNK = 200
GROUP = 200
# Beyond the deadline that a call is given: what takes longer ignores its deadline, and its thread is given up.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Job:
    """Work for a thread: `call` runs there and returns what `settle` is given with the same `tag`."""

    tag: Any
    call: Callable[[], Any]
    seconds: float


@dataclass(frozen=True)
class Done:
    """A job's result. `hung` when it failed or its thread was given up: nothing is known of what it did."""

    tag: Any
    value: Any
    hung: bool = False


@dataclass(frozen=True)
class Note:
    """Something a thread must have durable before it goes on; `durable` is set after the commit."""

    tag: Any
    value: Any
    durable: threading.Event


class Crew:
    """`size` daemon threads fed from a queue. A thread that hangs is written off and replaced."""

    def __init__(self, size: int):
        self._jobs: queue.SimpleQueue[tuple[int, Job] | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[tuple[int, Done] | Note] = queue.SimpleQueue()
        self._started: dict[int, tuple[float, Job]] = {}
        self._waiting: dict[int, Job] = {}
        self._lock = threading.Lock()
        self._serial = 0
        self._size = size
        for _ in range(size):
            self._hire()

    def _hire(self) -> None:
        threading.Thread(target=self._work, daemon=True, name="perennial-crew").start()

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            serial, job = given
            with self._lock:
                self._started[serial] = (time.monotonic(), job)
            try:
                done = Done(job.tag, job.call())
            except Exception as error:  # a job answers for what it foresees; of the rest nothing is known
                log.error("crew.job_failed", error=repr(error)[:500])
                done = Done(job.tag, None, hung=True)
            self._out.put((serial, done))

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        self._serial += 1
        self._waiting[self._serial] = job
        self._jobs.put((self._serial, job))

    def note(self, tag: Any, value: Any) -> None:
        """From inside a job: returns once the loop has committed `value`. RuntimeError when it can't be in time."""
        note = Note(tag, value, threading.Event())
        self._out.put(note)
        if not note.durable.wait(timeout=PATIENCE_S):
            raise RuntimeError("the reference could not be made durable in time")

    def collect(self, wait: float) -> list[Done | Note]:
        """What came back: blocks up to `wait` seconds for the first one, then takes what is there."""
        items: list[Done | Note] = []
        timeout: float | None = wait
        while len(items) < GROUP:
            try:
                item = self._out.get(timeout=timeout) if timeout else self._out.get_nowait()
            except queue.Empty:
                break
            timeout = None
            if isinstance(item, Note):
                items.append(item)
            elif self._waiting.pop(item[0], None) is not None:
                with self._lock:
                    self._started.pop(item[0], None)
                items.append(item[1])
        return items + self._given_up()

    def _given_up(self) -> list[Done]:
        now = time.monotonic()
        with self._lock:
            hung = [
                (serial, job)
                for serial, (began, job) in self._started.items()
                if now - began > job.seconds + PATIENCE_S
            ]
            for serial, _ in hung:
                del self._started[serial]
        for serial, _ in hung:
            self._waiting.pop(serial, None)
            self._hire()
        return [Done(job.tag, None, hung=True) for _, job in hung]

    def dismiss(self) -> None:
        """Lets the threads end; one that hangs is a daemon and keeps nobody from leaving."""
        for _ in range(self._size):
            self._jobs.put(None)


def pump(
    crew: Crew,
    *,
    claim: Callable[[], Sequence[Job]],
    settle: Callable[[list[Done | Note]], None],
    low_water: int,
) -> None:
    """Claims chunks ahead of the threads and settles groups behind them, until a claim brings nothing more."""
    exhausted = False
    while True:
        while not exhausted and crew.in_flight < low_water:
            jobs = claim()
            exhausted = not jobs
            for job in jobs:
                crew.submit(job)
        if exhausted and crew.in_flight == 0:
            return
        if items := crew.collect(wait=0.5):
            settle(items)
            for item in items:
                if isinstance(item, Note):
                    item.durable.set()
