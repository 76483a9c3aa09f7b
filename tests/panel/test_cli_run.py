"""`perennial run`, `forecast` and `audit`, from the demo's first day on, with a mock processor that really answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from gateways.mock import DEMO_API_KEY
from gateways.mock.process import RunningProcessor, running_processor
from panel.cli import cli
from panel.database import Database
from panel.records import Attempt, GatewayMode, Invoice, Run
from tests import cast


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcessor]:
    with running_processor(tmp_path_factory.mktemp("processor")) as processor:
        yield processor


@pytest.fixture
def settings(settings: dict, processor: RunningProcessor) -> dict:
    return settings | {"MOCK_URL": processor.url}


@pytest.fixture
def perennial(app: Flask) -> Callable[..., Result]:
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def said(perennial: Callable[..., Result]) -> Callable[..., dict[str, Any]]:
    """The one object that a command with --json prints on standard output."""

    def ask(*arguments: object) -> dict[str, Any]:
        answer = perennial(*arguments, "--json")
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    return ask


@pytest.fixture
def demo(perennial: Callable[..., Result]) -> None:
    answer = perennial("demo-data", "--accounts", 8, "--domains", 240, "--start", "2027-01-01")
    assert answer.exit_code == 0, answer.output


def _count(database: Database, model: type) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


@pytest.mark.usefixtures("demo")
def test_a_day_is_run_once_and_the_books_are_right(
    said: Callable[..., dict[str, Any]], database: Database, processor: RunningProcessor
) -> None:
    counts = said("run", "--as-of", "2027-01-01")
    assert {"due", "issued", "charged", "declined", "unknown", "extended", "suspended"} <= set(counts)
    assert counts["charged"] > 0
    assert counts["extended"] == counts["charged"] == _count(database, Invoice)
    taken = [item for item in processor.ledger() if item["status"] == "succeeded"]
    assert len(taken) == counts["charged"]

    again = said("run", "--as-of", "2027-01-01")
    assert (again["charged"], again["issued"], again["extended"]) == (0, 0, 0)
    assert said("audit")["violations"] == []
    with database.read() as session:
        assert {run.day for run in session.scalars(sa.select(Run))} == {date(2027, 1, 1)}


@pytest.mark.usefixtures("demo")
def test_a_table_is_printed_for_people(perennial: Callable[..., Result]) -> None:
    answer = perennial("run", "--as-of", "2027-01-01")
    assert answer.exit_code == 0, answer.output
    assert "Renewal run of 2027-01-01" in answer.output
    assert "action required" in answer.output


@pytest.mark.parametrize("day", ["tomorrow", "2027-02-30", "20270101", "2027-1-1", "", "９９９９-01-01"])
def test_a_malformed_day_is_refused(perennial: Callable[..., Result], database: Database, day: str) -> None:
    answer = perennial("run", "--as-of", day)
    assert answer.exit_code == 2
    assert "is not a day; write it as 2026-12-31" in answer.output
    assert _count(database, Run) == 0


def test_a_simulated_day_is_refused_beside_a_live_gateway(
    perennial: Callable[..., Result], database: Database
) -> None:
    cast.make_gateway_account(database, label="Real money", mode=GatewayMode.LIVE)
    answer = perennial("run", "--as-of", "2027-01-01")
    assert answer.exit_code == 2
    assert "Real money" in answer.output
    assert _count(database, Run) == 0


def test_a_live_gateway_that_is_switched_off_stops_no_simulation(
    perennial: Callable[..., Result], database: Database
) -> None:
    cast.make_gateway_account(
        database, gateway="acme", label="Real money", mode=GatewayMode.LIVE, enabled=False
    )
    assert perennial("run", "--as-of", "2027-01-01").exit_code == 0


def test_an_unreachable_mock_processor_is_named(perennial: Callable[..., Result], database: Database) -> None:
    nowhere = {"base_url": "http://127.0.0.1:1", "api_key": DEMO_API_KEY}
    cast.make_gateway_account(database, settings=nowhere)
    answer = perennial("run", "--as-of", "2027-01-01")
    assert answer.exit_code == 2
    assert "http://127.0.0.1:1" in answer.output
    assert _count(database, Run) == 0


@pytest.mark.usefixtures("demo")
def test_without_a_day_the_real_one_is_run(said: Callable[..., dict[str, Any]], database: Database) -> None:
    said("run")
    with database.read() as session:
        run = session.scalars(sa.select(Run)).one()
    assert not run.simulated


@pytest.mark.usefixtures("demo")
def test_the_forecast_says_what_the_run_then_does(
    said: Callable[..., dict[str, Any]], perennial: Callable[..., Result], app: Flask
) -> None:
    from panel.clock import SimulatedClock

    app.extensions["perennial"].clock = SimulatedClock(date(2027, 1, 1), "Europe/Vienna")
    forecast = said("forecast", "--days", 1)
    assert (forecast["from"], forecast["until"]) == ("2027-01-01", "2027-01-02")
    today = [line for line in forecast["lines"] if line["day"] <= "2027-01-01"]
    assert today
    assert len(today) == said("run", "--as-of", "2027-01-01")["due"]
    line = today[0]
    assert line["currency"] in {"EUR", "RON", "USD"}
    assert line["net_minor"] > 0
    assert perennial("forecast", "--days", 30).exit_code == 0
    assert perennial("forecast", "--account", 4711).exit_code == 2
    assert perennial("forecast", "--days", 0).exit_code == 2


@pytest.mark.usefixtures("demo")
def test_the_audit_shows_the_offending_row_and_ends_with_1(
    said: Callable[..., dict[str, Any]], perennial: Callable[..., Result], database: Database
) -> None:
    said("run", "--as-of", "2027-01-01")
    with database.write() as session:
        number = session.scalars(sa.select(Invoice.number).order_by(Invoice.number)).first()
        session.execute(sa.update(Invoice).where(Invoice.number == number).values(number=4711))
    answer = perennial("audit", "--json")
    assert answer.exit_code == 1
    violations = json.loads(answer.stdout)["violations"]
    assert violations
    assert {"invariant", "subject", "text"} == set(violations[0])
    table = perennial("audit")
    assert table.exit_code == 1
    assert violations[0]["text"] in table.output


def test_standard_output_has_the_object_alone_while_mail_goes_to_the_console(
    settings: dict, tmp_path: Path
) -> None:
    from panel import create_app
    from panel.database import db

    app = create_app(
        settings | {"MAIL_URL": "console", "DATABASE_URL": f"sqlite:///{tmp_path / 'console.db'}"}
    )
    runner = app.test_cli_runner()
    with app.app_context():
        db.create_all()
    runner.invoke(cli, ["demo-data", "--start", "2027-01-01"])
    answer = runner.invoke(cli, ["run", "--as-of", "2027-01-01", "--json"])
    assert json.loads(answer.stdout)["mailed"] > 0
    assert "Subject: " in answer.stderr
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Attempt)) > 0
        db.session.remove()
        db.engine.dispose()
