"""`perennial audit`: whether the books still keep their promises."""

from __future__ import annotations

from datetime import datetime

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from panel.cli.output import json_option, print_json, print_table
from panel.records import Run
from panel.renewals.audit import audit as audit_books
from panel.web import clock, database, processors


@click.command()
@json_option
@click.pass_context
@with_appcontext
def audit(context: click.Context, as_json: bool) -> None:
    """Check the books against each other and against the processors'. Exit code 1 when something is wrong."""
    books = audit_books(database(), processors(), now=_now())
    rows = [
        {"invariant": row.invariant, "subject": row.subject, "text": row.text} for row in books.violations
    ]
    if as_json:
        print_json({"violations": rows, "checked": books.checked})
    elif rows:
        print_table(
            "Violations", ["Invariant", "Subject", "What is wrong"], [list(row.values()) for row in rows]
        )
    else:
        print_table("Checked", ["What", "How many"], books.checked.items())
        click.echo("Nothing is wrong.")
    if rows:
        context.exit(1)


def _now() -> datetime:
    """The time that the books live in: that of the last run when it was simulated, in whatever year that was."""
    with database().read() as session:
        last = session.scalars(sa.select(Run).order_by(Run.id.desc()).limit(1)).first()
    if last is not None and last.simulated:
        return last.finished_at or last.started_at
    return clock().now()
