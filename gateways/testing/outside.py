"""Notes what code reaches for beyond its arguments: the network, a database, another program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

_EVENTS: Final = {
    "socket.connect": "a connection",
    "socket.getaddrinfo": "a name's address",
    "sqlite3.connect": "a database",
    "subprocess.Popen": "another program",
}


class _Watched(threading.local):
    reached: list[str] | None = None


_watched = _Watched()


@contextmanager
def reached_outside() -> Iterator[list[str]]:
    """What this thread asks for within the block, in words."""
    _install()
    reached: list[str] = []
    _watched.reached = reached
    try:
        yield reached
    finally:
        _watched.reached = None


@cache
def _install() -> None:
    # An audit hook stays for the life of the process; without a watcher it costs one look-up.
    sys.addaudithook(_noted)


def _noted(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and _watched.reached is not None:
        _watched.reached.append(_EVENTS[event])
