"""`perennial forecast`: what the coming runs will bill, and what will stop them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from panel.billing.calendar import day_in_zone, seller_of
from panel.cli.output import json_option, print_json, print_table
from panel.errors import NotThere
from panel.records import Account
from panel.renewals.forecast import ForecastLine
from panel.renewals.forecast import forecast as forecast_lines
from panel.web import clock, database, processors


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 400), help="How far to look.")
@click.option(
    "--account", "account_id", type=click.IntRange(min=1), metavar="ID", help="Of one account alone."
)
@json_option
@with_appcontext
def forecast(days: int, account_id: int | None, as_json: bool) -> None:
    """Say what will be billed on which day, to whom, by which card, and what won't and why.

    Amounts are without tax, by today's prices; nothing is changed.
    """
    now = clock().now()
    with database().read() as session:
        if account_id is not None and session.get(Account, account_id) is None:
            raise NotThere
        today = day_in_zone(now, seller_of(session).zone)
        lines = [
            _facts(line)
            for line in forecast_lines(
                session, processors=processors(), now=now, days=days, account_id=account_id
            )
        ]
    if as_json:
        until = today + timedelta(days=days)
        print_json({"from": today.isoformat(), "until": until.isoformat(), "lines": lines})
        return
    print_table(
        f"The next {days} days",
        ["Day", "Account", "Domain", "Contact", "Card", "Without tax", "How"],
        [
            [
                line["day"],
                line["account"],
                line["domain"],
                line["contact"],
                line["card"],
                f"{line['net']} {line['currency']}",
                line["skip_reason"] or line["method"],
            ]
            for line in lines
        ],
    )


def _facts(line: ForecastLine) -> dict[str, Any]:
    return {
        "day": line.day.isoformat(),
        "account_id": line.account_id,
        "account": line.account_name,
        "domain_id": line.domain_id,
        "domain": line.domain_name,
        "contact": line.contact_name,
        "card": line.card_name,
        "net_minor": line.net.minor,
        "tax_minor": line.tax_minor,
        "currency": line.net.currency,
        "net": line.net.major_text(),
        "method": line.method,
        "skip_reason": line.skip_reason,
    }
