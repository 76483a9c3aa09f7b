"""The pages that people open all day, for an account with very many domains and for the staff of a whole reseller.

`python -m bench.pages` prints the median and the 95th percentile of each, beside the barest answer of the same
application: `/healthz`. Requests come one after the other, by Flask's test client.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient

from bench.browser import expect, log_in
from bench.measuring import in_child, options, peak_mib, percentile, report, surroundings
from bench.scratch import (
    NO_PROCESSOR,
    START,
    Scratch,
    clock_on,
    database_of,
    fresh_panel,
    panel_on,
    parts_of,
    scratch,
)
from panel.demo.making import Wishes, make
from panel.records import Account, Domain, Proforma, RoleName
from panel.renewals.domain_list import DomainFilter
from panel.renewals.issuing import issue_due

# The day of the measuring: a month of proformas has been issued by then.
TODAY = START + timedelta(days=30)
WARM_UP = 2
# A page that takes seconds is asked for less often, and at least so many times.
LONGEST_S = 8.0
FEWEST = 3
BARE = "healthz"
HEADINGS = ["Page", "Requests", "p50 ms", "p95 ms", "p50 to bare", "p95 to bare", "KiB"]


@dataclass(frozen=True)
class Prepared:
    url: str
    account_id: int
    domains: int
    proformas: int
    needle: str


@dataclass
class Taken:
    """Milliseconds of each request for a page, in order, and how large its answer is."""

    milliseconds: list[float] = field(default_factory=list)
    kib: float = 0.0

    @property
    def may_go_on(self) -> bool:
        return len(self.milliseconds) < FEWEST or sum(self.milliseconds) < LONGEST_S * 1000

    def add(self, browser: FlaskClient, address: str) -> None:
        began = time.perf_counter()
        answer = expect(browser.get(address), 200)
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self.kib = len(answer.data) / 1024


def main(arguments: list[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--domains", type=int, default=100_000, help="of the one large account")
    parser.add_argument("--requests", type=int, default=40, help="for each page")
    chosen = parser.parse_args(arguments)
    with scratch(chosen.database) as place:
        prepared = prepare(place, chosen.domains, chosen.seed)
        taken, highest = in_child(visit, prepared, place.folder, chosen.requests)
        engine = sa.create_engine(prepared.url)
        facts = {
            "domains": prepared.domains,
            "proformas": prepared.proformas,
            "peak_mib": round(highest),
            **surroundings(engine),
        }
        engine.dispose()
    report("Pages", HEADINGS, table(taken), facts, as_json=chosen.json)
    return 0


def prepare(place: Scratch, domains: int, seed: int) -> Prepared:
    """One large account, fifty others with a tenth as many domains between them, and a month of open proformas."""
    with fresh_panel(place, "prepared") as (app, url):
        database = database_of(app)
        large = Wishes(accounts=1, domains=domains, seed=seed, start=START, mock_url=NO_PROCESSOR)
        make(database, large)
        others = Wishes(
            accounts=50, domains=domains // 10, seed=seed + 1, start=START, mock_url=NO_PROCESSOR, add=True
        )
        make(database, others)
        issue_due(
            database,
            parts_of(app).processors,
            now=clock_on(app, TODAY).now(),
            actor="cli",
            run_id=None,
            progress=lambda _session, _issued: None,
        )
        with database.read() as session:
            account_id = session.scalars(sa.select(sa.func.min(Account.id))).one()
            count = sa.select(sa.func.count())
            return Prepared(
                url,
                account_id,
                session.scalars(count.select_from(Domain).where(Domain.account_id == account_id)).one(),
                session.scalars(count.select_from(Proforma)).one(),
                session.scalars(sa.select(Domain.name).order_by(Domain.id.desc()).limit(1)).one()[3:12],
            )


def addresses(prepared: Prepared) -> dict[RoleName, dict[str, str]]:
    """What each of them opens, by the name in the report."""
    account = f"/accounts/{prepared.account_id}"
    pages = max(1, prepared.domains // DomainFilter.per_page)
    client = {
        "Domains": f"{account}/domains",
        "Domains, a page in the middle": f"{account}/domains?page={pages // 2}",
        "Domains, the last page": f"{account}/domains?page={pages}",
        "Domains, searched": f"{account}/domains?search={prepared.needle}",
        "Domains, searched widely": f"{account}/domains?search=a",
        "Domains, by expiry": f"{account}/domains?sort=-expires",
        "Domains without recurring payment": f"{account}/domains?recurring=off",
        "Domains on a card": f"{account}/domains?card=1",
        "Proformas": f"{account}/proformas",
        "Invoices": f"{account}/invoices",
        "Cards": f"{account}/cards",
        "Contacts": f"{account}/contacts",
        "Recurring Payment All": f"{account}/actions/recurring-payment-all",
        "Renew All": f"{account}/actions/renew-all",
    }
    staff = {
        "Domains": "/domains",
        "Domains, searched": f"/domains?search={prepared.needle}",
        "Domains, searched widely": "/domains?search=a",
        "Domains, a page in the middle": f"/domains?page={pages // 2}",
        "Domains of the account": f"{account}/domains",
        "Accounts": "/accounts",
        "Proformas": "/proformas",
        "Forecast": "/forecast",
        "Renewal runs": "/runs",
        "Waiting for a person": "/tasks",
    }
    return {RoleName.CLIENT: client, RoleName.BILLING: staff}


def visit(prepared: Prepared, folder: Path, requests: int) -> tuple[dict[str, Taken], float]:
    """By page, `/healthz` first. The pages take turns, so that a busy moment falls upon all of them."""
    with panel_on(prepared.url, folder) as app:
        parts_of(app).clock = clock_on(app, TODAY)
        browsers = {role: log_in(app, role) for role in addresses(prepared)}
        visits = [(BARE, browsers[RoleName.CLIENT], "/healthz")] + [
            (f"{role.value}: {name}", browsers[role], address)
            for role, named in addresses(prepared).items()
            for name, address in named.items()
        ]
        taken = {name: Taken() for name, _, _ in visits}
        for _ in range(WARM_UP):
            for _, browser, address in visits:
                expect(browser.get(address), 200)
        for _ in range(requests):
            for name, browser, address in visits:
                if taken[name].may_go_on:
                    taken[name].add(browser, address)
        return taken, peak_mib()


def table(taken: dict[str, Taken]) -> list[list[Any]]:
    bare = taken[BARE].milliseconds
    rows = []
    for name, page in taken.items():
        half, most = (percentile(page.milliseconds, percent) for percent in (50, 95))
        rows.append(
            [
                name,
                len(page.milliseconds),
                half,
                most,
                half / percentile(bare, 50),
                most / percentile(bare, 95),
                page.kib,
            ]
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
