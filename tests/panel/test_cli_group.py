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


@pytest.mark.parametrize("name", ["users", "roles", "limiter", "shell", "rnu"])
def test_there_are_no_others(name: str) -> None:
    answer = CliRunner().invoke(cli, [name])
    assert answer.exit_code == 2
    assert f"No such command '{name}'" in answer.output


def test_flask_offers_them_too(app: Flask) -> None:
    assert {command.name for command in COMMANDS} <= set(app.cli.commands)


@pytest.fixture
def perennial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command as it is typed on a new machine: the environment says all, nothing was made before."""
    for name in list(os.environ):
        if name.startswith("PERENNIAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PERENNIAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PERENNIAL_SECRET_KEY", SECRET_KEY)
    return lambda *arguments: CliRunner().invoke(cli, list(arguments))


def _one_line(answer: Result, *, code: int) -> str:
    assert answer.exit_code == code, answer.output
    assert answer.stdout == ""
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer.stderr
    return lines[0]


def test_from_nothing_to_a_panel_with_demo_data(perennial: Callable[..., Result], tmp_path: Path) -> None:
    assert "run `perennial db upgrade`" in _one_line(perennial("audit"), code=1)
    assert perennial("db", "upgrade").exit_code == 0
    assert "no seller yet" in _one_line(perennial("run"), code=2)
    made = perennial("demo-data", "--domains", "20")
    assert made.exit_code == 0, made.output
    assert "Password: " in perennial("user", "create", "olga@example.com", "--role", "admin").stdout
    with sqlite3.connect(tmp_path / "data" / "perennial.db") as connection:
        assert connection.execute("SELECT count(*) FROM domains").fetchone() == (20,)
        assert connection.execute("SELECT count(*) FROM roles").fetchone() == (4,)


def test_an_upgrade_leaves_a_database_that_loses_no_commit(
    perennial: Callable[..., Result], tmp_path: Path
) -> None:
    perennial("db", "upgrade")
    with sqlite3.connect(tmp_path / "data" / "perennial.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_missing_setting_is_one_line_that_names_it(
    perennial: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_SECRET_KEY", "")
    assert "PERENNIAL_SECRET_KEY is missing" in _one_line(perennial("audit"), code=2)


def test_an_unreachable_database_is_one_line(
    perennial: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=3"
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", nowhere)
    assert "The database can't be used" in _one_line(perennial("gateways"), code=1)


def test_a_process_of_its_own_fails_in_one_line_too(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    answer = subprocess.run(
        [sys.executable, "-m", "panel", "audit"],
        env=environment | {"PERENNIAL_DATA_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "PERENNIAL_SECRET_KEY is missing" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


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
    assert (
        answer.output
        == "Error: The database is locked by another process; try again when that has finished.\n"
    )


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
