"""The command line as a whole: what it offers, and how it fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import Flask

from panel.cli import COMMANDS, cli
from panel.database import db

SECRET_KEY = "kP7rVt2mXq9wLz4nBc6sHd8fGj1yTu3e"


def _every_command(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    # Those of `db` are Flask-Migrate's, and want an application even for their help.
    if isinstance(command, click.Group) and command.name != "db":
        for name, inner in command.commands.items():
            yield from _every_command(inner, (*path, name))


@pytest.mark.parametrize("path", list(_every_command(cli)), ids=" ".join)
def test_every_command_says_what_it_does_without_a_configuration(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERENNIAL_SECRET_KEY", raising=False)
    answer = CliRunner().invoke(cli, [*path, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output
    assert len(answer.output.splitlines()) > 4


def test_the_commands_are_those_that_are_promised() -> None:
    assert {command.name for command in COMMANDS} == {
        "serve", "web", "worker", "run", "forecast", "audit", "gateways", "user", "demo-data", "db",
    }  # fmt: skip


def test_flask_offers_them_too(app: Flask) -> None:
    assert {command.name for command in COMMANDS} <= set(app.cli.commands)


@pytest.fixture
def perennial(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A process of its own, on a database of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    environment |= {"PERENNIAL_DATA_DIR": str(tmp_path / "data"), "PERENNIAL_SECRET_KEY": SECRET_KEY}

    def run(*arguments: str, input: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "panel", *arguments],
            env=environment | changes,
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def _one_line(answer: subprocess.CompletedProcess[str], *, code: int) -> str:
    assert answer.returncode == code, answer.stderr
    assert answer.stdout == ""
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer.stderr
    return lines[0]


def test_from_nothing_to_a_panel_with_demo_data(
    perennial: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert "run `perennial db upgrade`" in _one_line(perennial("audit"), code=1)
    assert perennial("db", "upgrade").returncode == 0
    assert "no seller yet" in _one_line(perennial("run"), code=2)
    made = perennial("demo-data", "--domains", "20")
    assert made.returncode == 0, made.stderr
    created = perennial("user", "create", "olga@example.com", "--role", "admin")
    assert "Password: " in created.stdout
    with sqlite3.connect(tmp_path / "data" / "perennial.db") as connection:
        assert connection.execute("SELECT count(*) FROM domains").fetchone() == (20,)
        assert connection.execute("SELECT count(*) FROM roles").fetchone() == (4,)


def test_a_missing_setting_is_one_line_that_names_it(
    perennial: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    said = _one_line(perennial("audit", PERENNIAL_SECRET_KEY=""), code=2)
    assert "PERENNIAL_SECRET_KEY is missing" in said


def test_an_unreachable_database_is_one_line(
    perennial: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=3"
    said = _one_line(perennial("gateways", PERENNIAL_DATABASE_URL=nowhere), code=1)
    assert "The database can't be used" in said


@pytest.fixture
def typed(app: Flask) -> Callable[..., Result]:
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(cli, list(arguments))


def test_a_locked_database_is_one_line(
    app: Flask, typed: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.database.BUSY_TIMEOUT_MS", 50)
    with app.app_context():
        db.engine.dispose()
    other = sqlite3.connect(tmp_path / "panel.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = typed("user", "create", "olga@example.com", "--role", "admin")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert answer.exit_code == 1
    assert answer.output == "Error: The database is locked by another process; try again when that has finished.\n"


def test_a_read_only_database_is_one_line_and_nothing_is_changed(
    app: Flask, typed: Callable[..., Result]
) -> None:
    with app.app_context():
        sa.event.listen(
            db.engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only = ON")
        )
        db.engine.dispose()
    answer = typed("demo-data", "--domains", "10")
    assert answer.exit_code == 1
    assert answer.output == "Error: The database is read-only: see who owns its file and folder.\n"
