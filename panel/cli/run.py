"""`perennial run`: one renewal run, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import click
import sqlalchemy as sa
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from panel.cli.day import Day
from panel.cli.output import json_option, print_json, print_table
from panel.clock import Clock, SimulatedClock
from panel.errors import N_, Refused
from panel.records import GatewayAccount, GatewayMode, RunPhase, Seller
from panel.renewals.run import run as run_renewals
from panel.web import clock, database, parts, processors

Tell = Callable[[RunPhase, int, int], None]


@click.command()
@click.option("--as-of", type=Day(), metavar="DATE", help="Simulate this day; never beside a live gateway.")
@click.option(
    "--concurrency",
    default=32,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Charges under way at once.",
)
@json_option
@with_appcontext
def run(as_of: date | None, concurrency: int, as_json: bool) -> None:
    """Carry out the renewal run: issue proformas, charge cards, invoice, extend, remind, suspend.

    Whatever was begun and not finished is taken up first. Running it twice on a day charges nothing twice.
    """
    time = _clock(as_of)
    with _progress() as tell:
        counts = run_renewals(
            database(), processors(), time, mail=parts().deliver_mail, concurrency=concurrency, progress=tell
        )
    if as_json:
        print_json(counts)
    else:
        rows = [[name.replace("_", " "), count] for name, count in counts.items()]
        print_table(f"Renewal run of {as_of or 'today'}", ["What", "How many"], rows)


def _clock(as_of: date | None) -> Clock:
    """The panel's clock, or a simulated one that the mock processors have been told of."""
    with database().read() as session:
        seller = session.get(Seller, 1)
        if seller is None:
            raise Refused(N_("There is no seller yet: run `perennial demo-data`, or fill in the seller."))
        if as_of is None:
            return clock()
        live = session.scalars(
            sa.select(GatewayAccount.label).where(
                GatewayAccount.enabled, GatewayAccount.mode == GatewayMode.LIVE
            )
        ).all()
        if live:
            raise Refused(
                N_("--as-of is for tests, and this gateway account is in live mode: %(labels)s."),
                labels=", ".join(live),
            )
        simulated = SimulatedClock(as_of, seller.zone)
        processors().tell_clock(session, simulated.now())
    return simulated


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar for the phase under way on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(phase: RunPhase, done: int, total: int) -> None:
            bar.update(task, description=phase.value, completed=done, total=total or None)

        yield tell
