"""`perennial demo-data`: an invented reseller with invented clients, or an account of listed names."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from panel.cli.day import Day
from panel.cli.output import print_table
from panel.demo.logins import DEMO_LOGINS
from panel.demo.making import Made, Wishes, make
from panel.demo.portfolio import Progress as Tell
from panel.demo.real_names import NotTaken
from panel.demo.reseller import ZONE
from panel.errors import N_, Refused
from panel.web import clock, database

MOCK_URL = "http://127.0.0.1:8001"

_LIST = click.Path(exists=True, dir_okay=False, path_type=Path)
_REPORT = click.Path(dir_okay=False, writable=True, path_type=Path)
_START_HELP = "First day: expiries are spread over the year from it.  [default: today]"


@click.command()
@click.option(
    "--accounts", default=6, show_default=True, type=click.IntRange(1, 10_000), help="How many clients."
)
@click.option(
    "--domains",
    default=300,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="How many domains in all.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same data.")
@click.option("--start", type=Day(), metavar="DATE", help=_START_HELP)
@click.option("--names", type=_LIST, help="Make one account of this list instead: one domain name a line.")
@click.option(
    "--report", type=_REPORT, help="Write each name of the list that wasn't taken to this CSV file."
)
@click.option("--add", is_flag=True, help="Add to the accounts that are there already, instead of refusing.")
@click.option(
    "--logins", is_flag=True, help="Print the demo's log-ins (e-mail, password, role) and make nothing."
)
@with_appcontext
def demo_data(
    accounts: int,
    domains: int,
    seed: int,
    start: date | None,
    names: Path | None,
    report: Path | None,
    add: bool,
    logins: bool,
) -> None:
    """Fill an empty database with invented clients, contacts, cards, domains and log-ins.

    Prices and fees are invented; renewal terms are those of the registries. Only the mock processor knows the
    cards. The passwords of the log-ins are known to everybody: never keep them beside real data.
    """
    if logins:
        _print_logins()
        return
    if report and not names:
        raise Refused(N_("--report says which names of --names weren't taken: give both."))
    wishes = Wishes(
        accounts=accounts,
        domains=domains,
        seed=seed,
        start=start or clock().now().astimezone(ZoneInfo(ZONE)).date(),
        mock_url=current_app.extensions["perennial_settings"].mock_url or MOCK_URL,
        add=add,
    )
    listed = _lines(names) if names else None
    with _progress(len(listed) if listed is not None else domains) as tell:
        made = make(database(), wishes, names=listed, progress=tell)
    _say(made, wishes)
    if listed is not None:
        _say_what_was_not_taken(made.not_taken, report)


def _print_logins() -> None:
    for login in DEMO_LOGINS:
        click.echo(f"{login.email} {login.password} {login.role.value}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as problem:
        raise Refused(N_("%(path)s isn't text in UTF-8."), path=path) from problem
    except OSError as problem:
        raise Refused(N_("%(path)s can't be read: %(why)s."), path=path, why=problem.strerror) from problem


@contextmanager
def _progress(total: int) -> Iterator[Tell]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("Domains"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("domains", total=total)
        yield lambda count: bar.advance(task, count)


def _say(made: Made, wishes: Wishes) -> None:
    print_table(
        f"Made, with seed {wishes.seed} from {wishes.start} on",
        ["What", "How many"],
        [
            ["Accounts", made.accounts],
            ["Domains", made.domains],
            ["of them with recurring payment", made.recurring],
            ["Cards at the mock processor", made.cards],
        ],
    )
    click.echo(
        "Prices, fees, people and companies are invented; `perennial demo-data --logins` says how to log in."
    )


def _say_what_was_not_taken(not_taken: list[NotTaken], report: Path | None) -> None:
    counts = Counter(name.reason for name in not_taken)
    example = {name.reason: name.message for name in reversed(not_taken)}
    print_table(
        f"Names not taken: {len(not_taken)}",
        ["Reason", "How many", "For example"],
        [[reason, count, example[reason]] for reason, count in counts.most_common()],
    )
    if report is None:
        return
    try:
        with report.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["name", "reason", "message"])
            rows.writerows((name.written, name.reason, name.message) for name in not_taken)
    except OSError as problem:
        raise Refused(
            N_("%(path)s can't be written: %(why)s."), path=report, why=problem.strerror
        ) from problem
    click.echo(f"Each of them is in {report}.")
