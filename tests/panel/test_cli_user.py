"""`perennial user create`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from panel.cli import cli
from panel.database import Database
from panel.records import JournalEntry, RoleName, User
from tests import cast

Create = Callable[..., Result]


@pytest.fixture
def create(app: Flask) -> Create:
    runner = app.test_cli_runner()
    return lambda *arguments, input=None: runner.invoke(
        cli, ["user", "create", *(str(argument) for argument in arguments)], input=input
    )


def _users(database: Database) -> list[User]:
    with database.read() as session:
        return list(session.scalars(sa.select(User).order_by(User.id)))


def _logs_in(app: Flask, email: str, password: str) -> bool:
    browser = app.test_client()
    form = {"csrf_token": browser.token(), "email": email, "password": password}
    return browser.post("/login", data=form).status_code == 302


@pytest.mark.parametrize("role", ["admin", "billing", "read_only"])
def test_staff_log_in_with_the_password_that_was_printed(
    app: Flask, create: Create, database: Database, role: str
) -> None:
    answer = create("Olga@Example.COM", "--role", role)
    assert answer.exit_code == 0, answer.output
    password = answer.output.partition("Password: ")[2].strip()
    (user,) = _users(database)
    assert (user.email, user.role, user.account_id) == ("Olga@example.com", RoleName(role), None)
    assert _logs_in(app, "olga@example.com".replace("olga", "Olga"), password)


def test_a_client_gets_its_account_and_the_password_from_standard_input(
    app: Flask, create: Create, database: Database
) -> None:
    account = cast.make_account(database)
    answer = create(
        "alice@client.example",
        "--role",
        "client",
        "--account",
        account.id,
        "--password-stdin",
        input="a long enough passphrase\nsecond line\n",
    )
    assert answer.exit_code == 0, answer.output
    assert "passphrase" not in answer.output
    assert "Password" not in answer.output
    assert _users(database)[0].account_id == account.id
    assert _logs_in(app, "alice@client.example", "a long enough passphrase")


def test_it_is_in_the_journal_without_the_password(create: Create, database: Database) -> None:
    create("olga@example.com", "--role", "admin", "--password-stdin", input="a long enough passphrase\n")
    with database.read() as session:
        (entry,) = session.scalars(sa.select(JournalEntry))
    assert (entry.actor, entry.kind) == ("cli", "user.created")
    assert entry.data == {"email": "olga@example.com", "role": "admin"}


@pytest.mark.parametrize(
    ("arguments", "input", "told"),
    [
        (["bob@client.example", "--role", "client"], None, "A client needs an account."),
        (["bob@client.example", "--role", "client", "--account", 4711], None, "There is no account 4711."),
        (["bob@staff.example", "--role", "admin", "--account", 1], None, "Staff belong to no account"),
        (["not an address", "--role", "admin"], None, "isn't an e-mail address"),
        (["taken@staff.example", "--role", "admin"], None, "has a log-in already"),
        (["TAKEN@STAFF.example", "--role", "admin"], None, "has a log-in already"),
        (["bob@staff.example", "--role", "boss"], None, "'boss' is not one of"),
        (["bob@staff.example"], None, "Missing option '--role'"),
        (["bob@staff.example", "--role", "admin", "--password-stdin"], "", "has no password"),
        (["bob@staff.example", "--role", "admin", "--password-stdin"], "short\n", "isn't good enough"),
        (["bob@staff.example", "--role", "admin", "--password-stdin"], "x" * 5000, "too long"),
    ],
)
def test_what_can_not_be_is_refused(
    create: Create, database: Database, arguments: list, input: str | None, told: str
) -> None:
    cast.make_user(database, RoleName.ADMIN, email="taken@staff.example")
    answer = create(*arguments, input=input)
    assert answer.exit_code == 2
    assert told in answer.output
    assert len(_users(database)) == 1
