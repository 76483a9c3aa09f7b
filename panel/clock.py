"""Where the time comes from. Rules take `now`; only what runs for long takes a clock."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

# A simulated day's run starts at this hour of the seller's zone, as a scheduled one would.
RUN_HOUR = time_of_day(6, 0)


class Clock:
    """The real clock, in UTC."""

    simulated = False

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock(Clock):
    """Starts at six in the morning of `day` in `zone` and goes on at the pace of real time."""

    simulated = True

    def __init__(self, day: date, zone: str):
        self._start = datetime.combine(day, RUN_HOUR, ZoneInfo(zone)).astimezone(UTC)
        self._since = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._since)


def real_now() -> datetime:
    """Real time even in a simulation: for leases, which are about processes."""
    return datetime.now(UTC)
