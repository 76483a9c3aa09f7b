"""Recurring Payment All on one account with very many domains: by the verbs, by the page, and by raw SQL beside them.

`python -m bench.recurring_payment_all` prints seconds, peak memory and ratios; all three ways begin with a copy of the
same database, run in processes of their own, and must leave the same rows behind.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bench.measuring import Step, in_child, options, report, surroundings
from bench.recurring_payment_panel import by_page, by_verbs, middle_page
from bench.recurring_payment_raw import in_raw_sql
from bench.scratch import (
    NO_PROCESSOR,
    START,
    Scratch,
    clock_on,
    database_of,
    fresh_panel,
    invented_names,
    scratch,
)
from panel.demo.making import Wishes, make
from panel.records import Account, Card, Contact, Domain, Recurrence
from panel.renewals.recurrence_plan import PER_PAGE
from panel.renewals.usable_cards import last_day

HEADINGS = ["Step", "Raw SQL s", "Verbs s", "Ratio", "Peak MiB", "Page s", "Page ratio", "Page peak MiB"]

# The page shows the plan and a page of its rows each time; by raw SQL these are two steps.
BEHIND_PAGE = {
    "Plan": ("Plan", "First rows"),
    "First rows": ("Plan", "First rows"),
    "Rows in the middle": ("Plan", "Rows in the middle"),
}


@dataclass(frozen=True)
class Prepared:
    """The database that every copy is made of, and what the raw SQL needs to be told."""

    url: str
    account_id: int
    domains: int
    given: dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of so many is reported")
    chosen = parser.parse_args(arguments)
    with scratch(chosen.database) as place:
        prepared = prepare(place, chosen.domains, chosen.seed)
        rounds = [one_round(place, prepared) for _ in range(chosen.repeat)]
        engine = sa.create_engine(prepared.url)
        facts: dict[str, Any] = {
            "domains": prepared.domains,
            "rounds": chosen.repeat,
            "same_rows_left": all(alike for _, alike in rounds),
            **surroundings(engine),
        }
        engine.dispose()
    raw, verbs, page = (fastest([steps[way] for steps, _ in rounds]) for way in range(3))
    facts["process_at_start_mib"] = round(verbs["Start"].peak_mib)
    report("Recurring Payment All", HEADINGS, table(raw, verbs, page), facts, as_json=chosen.json)
    return 0 if facts["same_rows_left"] else 1


def prepare(place: Scratch, domains: int, seed: int) -> Prepared:
    """One account whose domains have no recurring payment yet, and a good card."""
    with fresh_panel(place, "prepared") as (app, url):
        database = database_of(app)
        wishes = Wishes(accounts=1, domains=domains, seed=seed, start=START, mock_url=NO_PROCESSOR)
        make(database, wishes, names=invented_names(domains, seed))
        with database.read() as session:
            account = session.scalars(sa.select(Account)).one()
            card = session.scalars(sa.select(Card)).one()
            made = session.scalar(sa.select(sa.func.count()).select_from(Domain)) or 0
            given = {
                "account": account.id,
                "contact": session.scalars(sa.select(Contact.id)).one(),
                "card": card.id,
                "currency": account.currency,
                "card_ends": last_day(card),
                "now": clock_on(app, START).now(),
                "middle": (middle_page(made) - 1) * PER_PAGE,
            }
    return Prepared(url, account.id, made, given)


def one_round(place: Scratch, prepared: Prepared) -> tuple[tuple[list[Step], ...], bool]:
    """The steps by raw SQL, by verbs and by page, and whether they left the same recurrences."""
    urls = [place.new(way, copy_of=prepared.url) for way in ("raw", "verbs", "page")]
    steps = (
        in_child(in_raw_sql, urls[0], prepared.given),
        in_child(by_verbs, urls[1], place.folder, prepared.account_id, START),
        in_child(by_page, urls[2], place.folder, prepared.account_id, START, prepared.domains),
    )
    return steps, len({fingerprint(url) for url in urls}) == 1


def fingerprint(database_url: str) -> str:
    """Of every version of every recurrence, but for when and by which action it was made."""
    kept = (
        "domain_id",
        "version",
        "current",
        "state",
        "contact_id",
        "card_id",
        "agreed_minor",
        "agreed_currency",
    )
    columns = Recurrence.__table__.c
    read = sa.select(*(columns[name] for name in kept)).order_by(columns.domain_id, columns.version)
    found = hashlib.sha256()
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=5_000).execute(read):
            found.update(repr(tuple(row)).encode())
    engine.dispose()
    return found.hexdigest()


def fastest(rounds: list[list[Step]]) -> dict[str, Step]:
    """By name; the memory is the highest of all rounds."""
    return {
        steps[0].name: Step(
            steps[0].name, min(step.seconds for step in steps), max(step.peak_mib for step in steps)
        )
        for steps in zip(*rounds, strict=True)
    }


def table(raw: dict[str, Step], verbs: dict[str, Step], page: dict[str, Step]) -> list[list[Any]]:
    return [
        [
            name,
            least.seconds,
            verbs[name].seconds,
            verbs[name].seconds / least.seconds,
            round(verbs[name].peak_mib),
            page[name].seconds,
            page[name].seconds / sum(raw[part].seconds for part in BEHIND_PAGE.get(name, (name,))),
            round(page[name].peak_mib),
        ]
        for name, least in raw.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
