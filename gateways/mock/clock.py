"""The processor's own clock: real, or set by a control call and running on from there."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from gateways.mock.database import Database


class Clock:
    """Remembers what it was set to across restarts, so that keys and records do not age backwards."""

    def __init__(self, database: Database) -> None:
        self._database = database
        saved = database.row("SELECT value FROM state WHERE name = 'clock'")
        self._set_to = datetime.fromisoformat(saved["value"]) if saved is not None else None
        self._since = time.monotonic()

    def now(self) -> datetime:
        if self._set_to is None:
            return datetime.now(UTC)
        return self._set_to + timedelta(seconds=time.monotonic() - self._since)

    def set(self, now: datetime | None) -> None:
        with self._database.writing():
            self._database.rows("DELETE FROM state WHERE name = 'clock'")
            if now is not None:
                self._database.insert("state", name="clock", value=stamp(now))
            self._set_to = now.astimezone(UTC) if now is not None else None
            self._since = time.monotonic()


def stamp(at: datetime) -> str:
    """UTC with microseconds: of one width, so that the order of texts is the order of times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
