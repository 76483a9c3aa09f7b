"""Scratch panels: migrated databases with demo data that vanish when the measuring ends."""

from __future__ import annotations

import random
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from panel import create_app
from panel.billing.calendar import seller_of
from panel.clock import SimulatedClock
from panel.database import Database
from panel.demo.labels import word
from panel.web import Parts

# Nothing listens there, and none of the measured pages asks.
NO_PROCESSOR = "http://127.0.0.1:9"
START = date(2026, 11, 23)
_SECRET_KEY = "only for yardsticks: Zk3v9QxW7pLr2TnB8sHd"
_TLDS = ("com", "net", "org", "eu", "de", "fr", "ro")


@dataclass
class Scratch:
    """A folder, and with `server` the databases on a PostgreSQL server beside it."""

    folder: Path
    server: str | None = None
    _made: list[str] = field(default_factory=list)

    def new(self, name: str, *, copy_of: str | None = None) -> str:
        """The address of a new database: empty, or a copy of one that nobody is connected to."""
        if self.server is None:
            path = self.folder / f"{name}.db"
            if copy_of:
                shutil.copyfile(copy_of.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        unique = f"perennial_bench_{name}_{uuid.uuid4().hex[:8]}"
        template = f' TEMPLATE "{sa.make_url(copy_of).database}"' if copy_of else ""
        self._on_server(f'CREATE DATABASE "{unique}"{template}')
        self._made.append(unique)
        return _postgres(self.server).set(database=unique).render_as_string(hide_password=False)

    def drop(self) -> None:
        for name in self._made:
            self._on_server(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _on_server(self, statement: str) -> None:
        assert self.server is not None
        engine = sa.create_engine(_postgres(self.server), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


def _postgres(address: str) -> sa.URL:
    return sa.make_url(address).set(drivername="postgresql+psycopg")


@contextmanager
def scratch(server: str | None = None) -> Iterator[Scratch]:
    """Everything that was made in it is gone afterwards."""
    warnings.simplefilter("ignore", DeprecationWarning)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        place = Scratch(Path(folder), server)
        try:
            yield place
        finally:
            place.drop()


@contextmanager
def panel_on(database_url: str, folder: Path, mock_url: str = NO_PROCESSOR) -> Iterator[Flask]:
    """The application on this database; disconnected afterwards.

    Not inside its context: requests would share one, and with it what belongs to a single request.
    """
    app = create_app(
        {
            "DATA_DIR": folder,
            "DATABASE_URL": database_url,
            "SECRET_KEY": _SECRET_KEY,
            "MOCK_URL": mock_url,
            "RATELIMIT_ENABLED": False,
        }
    )
    yield app
    database_of(app).engine.dispose()


@contextmanager
def fresh_panel(place: Scratch, name: str) -> Iterator[tuple[Flask, str]]:
    """An application on a new, migrated database, inside its context, and the database's address.

    Afterwards the database can be copied, and a server's planner knows it as well as it would the next day.
    """
    url = place.new(name)
    with panel_on(url, place.folder) as app, app.app_context():
        upgrade()
        yield app, url
        engine = database_of(app).engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            postgres = engine.dialect.name == "postgresql"
            connection.exec_driver_sql("ANALYZE" if postgres else "PRAGMA wal_checkpoint(TRUNCATE)")


def parts_of(app: Flask) -> Parts:
    parts: Parts = app.extensions["perennial"]
    return parts


def database_of(app: Flask) -> Database:
    return parts_of(app).database


def clock_on(app: Flask, day: date) -> SimulatedClock:
    """Six in the morning of `day` where the seller is."""
    with database_of(app).read() as session:
        return SimulatedClock(day, seller_of(session).zone)


def invented_names(count: int, seed: int) -> list[str]:
    """So many different names."""
    dice = random.Random(seed)
    return [f"{word(dice)}{number}.{dice.choice(_TLDS)}" for number in range(count)]
