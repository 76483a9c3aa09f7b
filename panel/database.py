"""The database: column types, engine set-up and units of work.

SQLite and PostgreSQL are both first-class. What differs between them is said here and nowhere else.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from cryptography.fernet import MultiFernet
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Session

BUSY_TIMEOUT_MS = 15_000


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC. Accepts aware datetimes only, returns aware ones, on both databases."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sealed(sa.TypeDecorator[dict[str, Any]]):
    """A JSON object encrypted at rest with the keys that `prepare_engine` was given (first key seals, all open)."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: sa.Dialect) -> bytes | None:
        if value is None:
            return None
        return cipher_of(dialect).encrypt(json.dumps(value).encode())

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> dict[str, Any] | None:
        if value is None:
            return None
        opened: dict[str, Any] = json.loads(cipher_of(dialect).decrypt(value))
        return opened


def cipher_of(dialect: sa.Dialect) -> MultiFernet:
    """The cipher of the engine that this dialect belongs to; two apps in one process keep theirs apart."""
    cipher: MultiFernet = dialect.perennial_cipher  # type: ignore[attr-defined]
    return cipher


def choice(states: type[enum.StrEnum], constraint: str = "") -> sa.Enum:
    """A column type for one of `states`, stored by value and checked by the database.

    A table that has two columns of the same states names the second one's `constraint`.
    """
    return sa.Enum(
        states,
        native_enum=False,
        length=32,
        create_constraint=True,
        name=constraint or states.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


db = SQLAlchemy(
    metadata=sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)

if TYPE_CHECKING:

    class Model(DeclarativeBase):
        """What type checkers see of Flask-SQLAlchemy's own base class."""
else:
    Model = db.Model

Model.registry.update_type_annotation_map(
    {
        # SQLite numbers rows by itself only for INTEGER, which is 64 bits wide there.
        int: sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        datetime: Instant(),
        dict[str, Any]: sa.JSON(),
        list[Any]: sa.JSON(),
    }
)


def prepare_engine(engine: sa.Engine, cipher: MultiFernet) -> None:
    """Gives a new engine its cipher and, on SQLite, durability and honest transactions. Once for each engine."""
    engine.dialect.perennial_cipher = cipher  # type: ignore[attr-defined]
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions behind our back: `_begin_sqlite` does, in the mode that was asked for.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -32000")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when another writer was faster; an immediate
    # one waits its turn. Readers stay deferred, so that they never wait.
    immediate = connection.get_execution_options().get("write_unit", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class Database:
    """Units of work on one engine, for verbs that need several of them or a session of their own."""

    def __init__(self, engine: sa.Engine):
        self.engine = engine
        self._writing = engine.execution_options(write_unit=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a fresh write transaction: committed at the end, rolled back on any error.

        Never a session that has read before: on SQLite that one could not become a writer safely.
        """
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            session.connection()
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading one consistent picture; nothing it changes is kept. Rows stay readable after it."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def assert_durable(self) -> None:
        """Raises RuntimeError where a commit might not survive a power cut."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                level = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
                if level == "off":
                    raise RuntimeError("PostgreSQL runs with synchronous_commit = off: set it to on")
            else:
                level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
                if int(level) < 2:
                    raise RuntimeError("SQLite runs without synchronous = FULL")
