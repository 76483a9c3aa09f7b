"""`perennial user create`: somebody who may log in."""

from __future__ import annotations

import secrets
import sys

import click
from flask.cli import with_appcontext

from panel.clock import Clock
from panel.errors import N_, Refused
from panel.records import RoleName
from panel.users import create_user
from panel.web import database

# A password longer than this was not typed by a person.
LONGEST_PASSWORD = 1024


@click.group()
def user() -> None:
    """People who may log in."""


@user.command()
@click.argument("email")
@click.option(
    "--role", required=True, type=click.Choice([role.value for role in RoleName]), help="What they may do."
)
@click.option(
    "--account", "account_id", type=click.IntRange(min=1), metavar="ID", help="The client's account."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, its first line.")
@with_appcontext
def create(email: str, role: str, account_id: int | None, password_stdin: bool) -> None:
    """Create a log-in for EMAIL and print a password for it.

    Staff (admin, billing, read_only) see every account; a client sees the one that --account names.
    """
    password = _typed() if password_stdin else secrets.token_urlsafe(15)
    with database().write() as session:
        created = create_user(
            session,
            email=email,
            password=password,
            role=RoleName(role),
            account_id=account_id,
            now=Clock().now(),
            actor="cli",
        )
        address = created.email
    click.echo(f"{address} may log in as {role}.")
    if not password_stdin:
        click.echo(f"Password: {password}")


def _typed() -> str:
    line = sys.stdin.readline(LONGEST_PASSWORD + 1).rstrip("\r\n")
    if not line:
        raise Refused(N_("Standard input has no password."), field="password")
    if len(line) > LONGEST_PASSWORD:
        raise Refused(N_("The password is too long."), field="password")
    return line
