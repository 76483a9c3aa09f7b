"""Walks a list that is newest first from its oldest end: by slices of time that fit into one page each."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateways.errors import Rejected

_CURSOR: Final = re.compile(r"([0-9]{1,12})\+([0-9]{1,12})")


@dataclass(frozen=True)
class Slice:
    """[start, end) in seconds since the epoch; `last` is where the walk ends."""

    start: int
    end: int
    last: int

    @property
    def shortest(self) -> bool:
        return self.end - self.start <= 1

    def narrower(self) -> Slice:
        return replace(self, end=self.start + max((self.end - self.start) // 4, 1))

    def cursor_after(self, found: int, page: int) -> str | None:
        """Where the next call goes on, with a longer slice when this one was nearly empty."""
        if self.end >= self.last:
            return None
        length = self.end - self.start
        return f"{self.end}+{length * 4 if found < page // 8 else length}"


def slice_at(since: datetime, until: datetime, cursor: str | None) -> Slice:
    """The first slice, or the one that `cursor` names. Raises Rejected for a cursor that is none of ours."""
    # Stripe shows whole seconds: rather a charge twice, in two lists that meet within a second, than never.
    start, last = math.floor(since.timestamp()), math.ceil(until.timestamp())
    if cursor is None:
        return Slice(start, last, last)
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Rejected(f"{cursor[:80]!r} is not a cursor", code="cursor", http_status=400)
    start = int(found[1])
    return Slice(start, min(start + int(found[2]), last), last)
