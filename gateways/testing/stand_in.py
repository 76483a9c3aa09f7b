"""A copy of a gateway class under an id that nobody has, for loading it as a stranger's plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateways.contract import Gateway

ID: Final = "stand_in_of_the_kit"

_offered: list[type[Gateway]] = []


def offered() -> list[type[Gateway]]:
    """What the plugin file that the check writes registers."""
    return list(_offered)


@contextmanager
def offering(original: type[Gateway]) -> Iterator[None]:
    _offered[:] = [type(original.__name__, (original,), {"id": ID})]
    try:
        yield
    finally:
        _offered.clear()
