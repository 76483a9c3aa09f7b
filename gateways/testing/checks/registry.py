"""The list of checks: each a function of a bench, with the sentence that its failure says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateways.testing.bench import Bench

Run = Callable[[Bench], None]


@dataclass(frozen=True, kw_only=True)
class Check:
    """`remedy` tells the author what to do. `run` raises Nonconforming, NotOffered, or what the gateway
    raised."""

    group: str
    name: str
    remedy: str
    run: Run

    @property
    def full_name(self) -> str:
        return f"{self.group}.{self.name}"


REGISTERED: Final[dict[str, Check]] = {}


def check(remedy: str) -> Callable[[Run], Run]:
    """Registers a function under its module's name (the group) and its own."""

    def register(run: Run) -> Run:
        group = run.__module__.rpartition(".")[2]
        found = Check(group=group, name=run.__name__, remedy=remedy, run=run)
        REGISTERED[found.full_name] = found
        return run

    return register
