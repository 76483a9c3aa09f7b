"""Run by Alembic: one transaction on the application's own engine, so that a migration happens whole or not at all."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app

import panel.records  # noqa: F401  (so that the metadata knows every table)
from panel.database import BUSY_TIMEOUT_MS, Database, Instant, db

# Any number that nothing else locks: two machines that upgrade at once take turns.
UPGRADE_LOCK = 7354


def render_type(kind: str, column_type: Any, autogen: Any) -> str | bool:
    """How our own column types are written into a migration; the names stand in script.py.mako."""
    if kind != "type":
        return False
    if isinstance(column_type, Instant):
        return "INSTANT"
    if isinstance(column_type, sa.BigInteger):
        return "WHOLE"
    if isinstance(column_type, sa.TypeDecorator):
        return f"sa.{column_type.impl!r}"
    return False


def run_migrations() -> None:
    engine = current_app.extensions["migrate"].db.engine
    Database(engine).assert_durable()
    with engine.execution_options(write_unit=True).connect() as connection:
        if engine.dialect.name == "sqlite":
            # Alembic changes SQLite's tables by making them anew, which must not cascade; checked below instead.
            # A pragma works outside a transaction alone.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        try:
            # Ours, and so one for all steps; on SQLite too it holds changes of tables.
            with connection.begin():
                _migrate(connection)
        finally:
            if engine.dialect.name == "sqlite":
                connection.connection.driver_connection.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_item=render_type,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(
                f"the migration would leave {len(broken)} rows that point nowhere; nothing was changed"
            )


if context.is_offline_mode():
    raise RuntimeError("migrations need a database: there is no --sql mode")
run_migrations()
