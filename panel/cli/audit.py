"""`perennial audit`: whether the books still keep their promises."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from panel.cli.output import json_option, print_json, print_table
from panel.renewals.audit import audit as audit_books
from panel.web import clock, database, processors


@click.command()
@json_option
@click.pass_context
@with_appcontext
def audit(context: click.Context, as_json: bool) -> None:
    """Check the books against each other and against the processors'. Exit code 1 when something is wrong."""
    books = audit_books(database(), processors(), now=clock().now())
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
