"""`perennial demo-data`: what it makes, from what, and what it refuses."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from panel.billing.calendar import bill_date
from panel.cli import cli
from panel.database import Database
from panel.demo.logins import DEMO_LOGINS
from panel.records import (
    Account,
    Card,
    CardStatus,
    Consent,
    Contact,
    Domain,
    DomainStatus,
    GatewayAccount,
    Recurrence,
    Seller,
    Series,
    Tld,
    TldPrice,
    User,
)
from tests import cast

Command = Callable[..., Result]


@pytest.fixture
def perennial(app: Flask) -> Command:
    """Runs a command as if it had been typed."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def demo_data(perennial: Command) -> Command:
    return lambda *arguments: perennial("demo-data", *arguments)


def _all(database: Database, *columns: object) -> list[sa.Row]:
    with database.read() as session:
        return list(session.execute(sa.select(*columns).order_by(columns[0])).all())


def _count(database: Database, model: type, *conditions: object) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0


def test_as_many_accounts_and_domains_are_made_as_were_asked_for(
    demo_data: Command, database: Database
) -> None:
    answer = demo_data("--accounts", 5, "--domains", 120, "--start", "2027-01-01")
    assert answer.exit_code == 0, answer.output
    assert _count(database, Account) == 5
    assert _count(database, Domain) == 120
    assert "invented" in answer.output


def test_expiries_are_spread_over_the_year_from_the_start_and_billed_by_the_terms(
    demo_data: Command, database: Database
) -> None:
    demo_data("--accounts", 3, "--domains", 200, "--start", "2027-01-01")
    rows = _all(database, Domain.expires_at, Domain.expires_on, Domain.bills_on, Domain.base_expires_at)
    start = datetime(2027, 1, 1, tzinfo=UTC)
    assert start < rows[0].expires_at < start + timedelta(days=30)
    assert start + timedelta(days=330) < rows[-1].expires_at < start + timedelta(days=367)
    assert len({row.expires_at.hour for row in rows}) > 12
    for row in rows:
        assert row.base_expires_at == row.expires_at
        assert row.expires_on == row.expires_at.date()
        assert row.bills_on == bill_date(row.expires_at, "Europe/Vienna", 14)


def test_the_same_seed_makes_the_same_data(settings: dict, tmp_path: Path) -> None:
    from panel import create_app
    from panel.database import db

    made = []
    for place in ("one", "two"):
        app = create_app(settings | {"DATABASE_URL": f"sqlite:///{tmp_path / place}.db"})
        with app.app_context():
            db.create_all()
            app.test_cli_runner().invoke(cli, ["demo-data", "--seed", "7", "--start", "2027-01-01"])
            database = app.extensions["perennial"].database
            made.append(
                [
                    _all(database, Domain.name, Domain.expires_at, Domain.status, Domain.account_id),
                    _all(database, Recurrence.domain_id, Recurrence.card_id, Recurrence.agreed_minor),
                    _all(database, Contact.id, Contact.name, Contact.company, Contact.vat_id),
                    _all(database, Card.instrument_ref, Card.exp_month, Card.exp_year, Card.holder_name),
                ]
            )
            db.engine.dispose()
    assert made[0] == made[1]
    assert all(made[0])


def test_the_demo_client_begins_without_a_card_and_with_two_contacts(
    demo_data: Command, database: Database
) -> None:
    demo_data()
    with database.read() as session:
        client = session.scalars(sa.select(User).where(User.email == "client@example.com")).one()
    assert client.account_id is not None
    assert _count(database, Card, Card.account_id == client.account_id) == 0
    assert _count(database, Contact, Contact.account_id == client.account_id) == 2
    assert _count(database, Domain, Domain.account_id == client.account_id) == 12


def test_most_domains_have_recurring_payment_that_hangs_together(
    demo_data: Command, database: Database
) -> None:
    demo_data("--accounts", 10, "--domains", 500)
    assert 250 < _count(database, Recurrence) < 400
    with database.read() as session:
        rows = session.execute(
            sa.select(Recurrence, Domain, Card, Contact, Consent, TldPrice.minor, Account.currency)
            .join(Domain, Domain.id == Recurrence.domain_id)
            .join(Account, Account.id == Domain.account_id)
            .join(Card, Card.id == Recurrence.card_id)
            .join(Contact, Contact.id == Recurrence.contact_id)
            .join(Consent, Consent.id == Recurrence.consent_id)
            .join(
                TldPrice,
                sa.and_(
                    TldPrice.tld == Domain.tld,
                    TldPrice.currency == Account.currency,
                    TldPrice.kind == "renewal",
                ),
            )
        ).all()
        for recurrence, domain, card, contact, consent, minor, currency in rows:
            assert domain.account_id == card.account_id == contact.account_id == consent.account_id
            assert (consent.card_id, consent.contact_id) == (card.id, contact.id)
            assert (recurrence.agreed_minor, recurrence.agreed_currency) == (minor, currency)
            assert domain.status is DomainStatus.ACTIVE
    assert len(rows) == _count(database, Recurrence)


def test_some_cards_die_within_the_year_and_some_will_be_declined(
    demo_data: Command, database: Database
) -> None:
    demo_data("--accounts", 40, "--domains", 100, "--start", "2027-01-01")
    cards = _all(database, Card.instrument_ref, Card.exp_year, Card.exp_month, Card.status, Card.holder_name)
    assert {row.status for row in cards} == {CardStatus.VALIDATED}
    assert any((row.exp_year, row.exp_month) < (2027, 12) for row in cards)
    behaviours = {row.instrument_ref.removeprefix("pm_test_").rpartition("_")[0] for row in cards}
    assert {"ok", "insufficient_funds", "authentication", "flaky30", "lost"} <= behaviours
    assert "merchant" not in behaviours  # it would stop the whole gateway
    assert any(row.holder_name is None for row in cards)


def test_clients_come_from_several_countries_with_their_letters(
    demo_data: Command, database: Database
) -> None:
    demo_data("--accounts", 14, "--domains", 50)
    contacts = _all(database, Contact.id, Contact.country, Contact.name, Contact.city, Contact.vat_id)
    assert len({row.country for row in contacts}) >= 6
    assert any(not row.name.isascii() for row in contacts)
    assert {row.currency for row in _all(database, Account.currency)} == {"EUR", "RON", "USD"}


def test_a_seller_that_is_there_is_left_alone(demo_data: Command, database: Database) -> None:
    demo_data()
    assert [row.name for row in _all(database, Seller.name)] == ["Evergreen Domains"]
    assert _count(database, Series) == 2


def test_terms_and_prices_of_every_tld_come_along(demo_data: Command, database: Database) -> None:
    demo_data()
    assert _count(database, Tld) >= 60
    assert _count(database, TldPrice, TldPrice.kind == "renewal") == 3 * _count(database, Tld)


def test_a_database_with_accounts_is_refused_and_left_as_it_was(
    demo_data: Command, database: Database
) -> None:
    cast.make_account(database, "Real Client")
    answer = demo_data()
    assert answer.exit_code == 2
    assert "--add" in answer.output
    assert (_count(database, Account), _count(database, Tld), _count(database, User)) == (1, 0, 0)


def test_adding_to_it_takes_no_name_and_no_log_in_twice(demo_data: Command, database: Database) -> None:
    demo_data("--domains", 50)
    answer = demo_data("--add", "--accounts", 2, "--domains", 30)
    assert answer.exit_code == 0, answer.output
    assert _count(database, Account) == 8
    assert _count(database, Domain) == 80
    assert _count(database, User) == len(DEMO_LOGINS)
    assert _count(database, GatewayAccount) == 1


def test_names_that_the_same_dice_gave_before_are_not_taken_again(
    demo_data: Command, database: Database
) -> None:
    # 21 accounts are a round: after them countries and cards come again in the same order.
    for accounts in (21, 42, 63):
        answer = demo_data("--add", "--accounts", 21, "--domains", 63)
        assert answer.exit_code == 0, answer.output
        assert _count(database, Account) == accounts
    assert _count(database, Domain) == 189


def test_the_mock_processor_is_where_the_settings_say(
    settings: dict, database: Database, demo_data: Command
) -> None:
    demo_data("--domains", 10)
    with database.read() as session:
        account = session.scalars(sa.select(GatewayAccount)).one()
    assert account.settings["base_url"] == "http://127.0.0.1:8001"


def test_log_ins_are_printed_one_a_line_and_nothing_is_made(demo_data: Command, database: Database) -> None:
    answer = demo_data("--logins")
    assert answer.exit_code == 0
    lines = [line.split(" ") for line in answer.output.splitlines()]
    assert [(email, role) for email, _password, role in lines] == [
        ("admin@example.com", "admin"),
        ("billing@example.com", "billing"),
        ("readonly@example.com", "read_only"),
        ("client@example.com", "client"),
    ]
    assert all(len(password) >= 16 for _email, password, _role in lines)
    assert _count(database, Account) == 0


def test_everybody_can_log_in_with_what_was_printed(app: Flask, demo_data: Command) -> None:
    demo_data("--domains", 12)
    for login in DEMO_LOGINS:
        browser = app.test_client()
        form = {"csrf_token": browser.token(), "email": login.email, "password": login.password}
        assert browser.post("/login", data=form).status_code == 302


def test_one_account_is_made_of_a_list_of_names(
    demo_data: Command, database: Database, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text(
        "\ufeffexample.com\nBÜCHER.de\nshop.co.uk\n\nexample.com\nkremlin.ru\nwww.example.net\n-bad.com\nраypal.com\n",
        encoding="utf-8",
    )
    report = tmp_path / "report.csv"
    answer = demo_data("--names", names, "--report", report, "--start", "2027-01-01")
    assert answer.exit_code == 0, answer.output
    assert [tuple(row) for row in _all(database, Domain.name, Domain.shown, Domain.tld)] == [
        ("example.com", "example.com", "com"),
        ("shop.co.uk", "shop.co.uk", "co.uk"),
        ("xn--bcher-kva.de", "bücher.de", "de"),
        ("xn--ypal-43d9g.com", "xn--ypal-43d9g.com", "com"),
    ]
    assert _count(database, Account) == 1
    assert _count(database, Recurrence) == 0
    with report.open(encoding="utf-8") as file:
        refused = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    assert refused == {
        "example.com": "twice",
        "kremlin.ru": "unknown_tld",
        "www.example.net": "unknown_suffix",
        "-bad.com": "invalid_label",
    }
    assert "The TLD .ru isn't in the list of TLDs." in answer.output


def test_names_that_are_managed_already_are_told(
    demo_data: Command, database: Database, tmp_path: Path
) -> None:
    demo_data("--domains", 20)
    taken = _all(database, Domain.name)[0].name
    names = tmp_path / "names.txt"
    names.write_text(f"{taken}\nexample.com\n")
    answer = demo_data("--add", "--names", names)
    assert answer.exit_code == 0, answer.output
    assert "managed_already" in answer.output
    assert _count(database, Domain) == 21


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--start", "yesterday"], "is not a day"),
        (["--start", "2027-02-30"], "is not a day"),
        (["--accounts", "0"], "--accounts"),
        (["--domains", "-1"], "--domains"),
        (["--names", "/no/such/file"], "does not exist"),
        (["--report", "report.csv"], "--names"),
    ],
)
def test_bad_input_is_one_clear_line(
    demo_data: Command, database: Database, arguments: list[str], told: str
) -> None:
    answer = demo_data(*arguments)
    assert answer.exit_code == 2
    assert told in answer.output.splitlines()[-1]
    assert _count(database, Account) == 0


def test_a_list_that_is_no_text_is_refused(demo_data: Command, tmp_path: Path) -> None:
    names = tmp_path / "names.bin"
    names.write_bytes(b"\xff\xfe\x00binary")
    answer = demo_data("--names", names)
    assert answer.exit_code == 2
    assert "UTF-8" in answer.output


def test_a_year_starts_where_it_is_told(demo_data: Command, database: Database) -> None:
    demo_data("--domains", 12, "--start", date(2030, 6, 1))
    assert min(row.bills_on for row in _all(database, Domain.bills_on)) >= date(2030, 5, 18)
