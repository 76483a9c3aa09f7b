"""Ticks that stay while the list is searched, sorted and paged: they travel in its address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from panel.web import ids_of

# What fits into an address together with a page of new ticks: web servers take about 4,000 characters.
MOST_CARRIED = 200


@dataclass(frozen=True)
class Ticks:
    """`here` are on the page that is shown, `elsewhere` on others; `left_out` didn't fit any more."""

    here: frozenset[int]
    elsewhere: tuple[int, ...]
    left_out: int

    @classmethod
    def read(cls, texts: Iterable[str], shown: set[int]) -> Ticks:
        ticked = ids_of(texts)
        elsewhere = [domain_id for domain_id in ticked if domain_id not in shown]
        return cls(
            here=frozenset(ticked) & shown,
            elsewhere=tuple(elsewhere[:MOST_CARRIED]),
            left_out=max(0, len(elsewhere) - MOST_CARRIED),
        )

    @property
    def count(self) -> int:
        return len(self.here) + len(self.elsewhere)
