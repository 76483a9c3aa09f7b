"""The renewal run over many due proformas, at a processor that is slow and makes mistakes.

`python -m bench.charging` prints the seconds of each part of the run beside the least that the latency allows,
the durable commits that it costs, and whether the books are right afterwards.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from bench.measuring import in_child, options, peak_mib, report, surroundings
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
from gateways.mock.process import RunningProcessor, running_processor
from panel.billing.calendar import set_expiry
from panel.billing.pricing import price_list
from panel.billing.tld_defaults import load_defaults
from panel.demo import cast, reseller
from panel.demo.accounts import add_card, add_client
from panel.demo.portfolio import Portfolio
from panel.demo.prices import add_prices
from panel.records import Domain, GatewayAccount, RunPhase
from panel.renewals.run import run
from tests.proof.simulation import FAULTS, Simulation, days_from

EXPIRES_IN = timedelta(days=10)
# Runs without faults that follow, in which everything in doubt must be cleared up.
QUIET_DAYS = 3
# A call that is never answered costs its whole deadline, whatever the panel does: not without being asked for.
MAY_HANG = frozenset({"late_landing"})
HEADINGS = ["At once", "Part", "Seconds", "CPU s", "Least s", "Ratio", "Commits for each"]
# The processor is the registry too, and as slow.
CALLS_OUT = (RunPhase.CHARGE, RunPhase.EXTEND)


@dataclass
class Part:
    """One phase of a run: its seconds, those of them that its process used the processor, and its commits."""

    phase: RunPhase
    began: float
    began_cpu: float
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    commits: int = 0


@dataclass
class Timed:
    """A run as it went. Commits before the first phase are the run's own row."""

    parts: list[Part] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    peak_mib: float = 0.0

    def heard(self, phase: RunPhase, _done: int, _total: int) -> None:
        """What the run says of its progress."""
        if not self.parts or self.parts[-1].phase is not phase:
            self.end()
            self.parts.append(Part(phase, time.perf_counter(), time.process_time()))

    def end(self) -> None:
        if self.parts:
            last = self.parts[-1]
            last.seconds = time.perf_counter() - last.began
            last.cpu_seconds = time.process_time() - last.began_cpu

    def committed(self, _connection: sa.Connection) -> None:
        if self.parts:
            self.parts[-1].commits += 1


def main(arguments: list[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--proformas", type=int, default=2_000)
    parser.add_argument("--latency-ms", type=int, default=200)
    parser.add_argument(
        "--faults", type=float, default=0.1, help="share of the processor's calls that go wrong"
    )
    parser.add_argument(
        "--hanging", action="store_true", help="some of the faults are calls that hang (30 s)"
    )
    parser.add_argument("--concurrency", type=int, nargs="+", default=[32, 64])
    chosen = parser.parse_args(arguments)
    with scratch(chosen.database) as place:
        prepared = prepare(place, chosen.proformas, chosen.seed)
        runs = []
        for concurrency in chosen.concurrency:
            url = place.new(f"charged_{concurrency}", copy_of=prepared)
            runs.append(charged(url, place.folder / str(concurrency), concurrency, chosen))
        engine = sa.create_engine(prepared)
        facts = {
            "proformas": chosen.proformas,
            "latency_ms": chosen.latency_ms,
            "faults": chosen.faults,
            "hanging": chosen.hanging,
            "runs": [facts for _, facts in runs],
            **surroundings(engine),
        }
        engine.dispose()
    report("Charging", HEADINGS, [row for rows, _ in runs for row in rows], facts, as_json=chosen.json)
    return 1 if any(facts["violations"] or facts["ledger_differs"] for _, facts in runs) else 0


def prepare(place: Scratch, charges: int, seed: int) -> str:
    """As many clients as it takes, each with a domain that is due; `charges` of them have recurring payment."""
    with fresh_panel(place, "prepared") as (app, url), database_of(app).write() as session:
        seller = reseller.seller(session)
        now = datetime.combine(START, time_of_day(), ZoneInfo(seller.zone)).astimezone(UTC)
        reseller.add_series(session)
        load_defaults(session)
        add_prices(session)
        gateway = reseller.mock_account(session, url=NO_PROCESSOR, now=now)
        dice = random.Random(seed)
        portfolio = Portfolio(session, seller, dice, now=now, progress=lambda _: None)
        prices = {
            country.currency: {
                tld: price.minor for tld, price in price_list(session, country.currency).items()
            }
            for country in cast.COUNTRIES
        }
        recurring = number = 0
        while recurring < charges:
            number += 1
            country = cast.COUNTRIES[number % len(cast.COUNTRIES)]
            person = cast.person(dice, country, is_company=True, number=number)
            client = add_client(session, person, country, now=now)
            client.cards.append(
                add_card(session, dice, client.account, person.name, gateway, now, behaviour="ok")
            )
            domains = portfolio.add(client, portfolio.invent(client, 1), leaving=0.0)
            recurring += portfolio.switch_on(client, domains, prices[country.currency])
        _make_due(session, now)
    return url


def _make_due(session: Session, now: datetime) -> None:
    seller = reseller.seller(session)
    for domain in session.scalars(sa.select(Domain).options(selectinload(Domain.terms))):
        set_expiry(domain, now + EXPIRES_IN, seller, domain.terms)
        domain.base_expires_at = domain.expires_at


def charged(
    database_url: str, folder: Path, concurrency: int, chosen: Any
) -> tuple[list[list[Any]], dict[str, Any]]:
    """The rows of the report, and what came of the run."""
    with running_processor(folder, latency_ms=chosen.latency_ms) as processor:
        _connect(database_url, folder, processor)
        if chosen.faults:
            kinds = [kind for kind in FAULTS if chosen.hanging or kind not in MAY_HANG]
            processor.control("faults", {"rate": chosen.faults, "kinds": kinds, "seed": chosen.seed})
        timed = in_child(one_run, database_url, folder, processor.url, concurrency)
        processor.clear_faults()
        violations, differences = _checked(database_url, folder, processor)
    least = chosen.proformas * chosen.latency_ms / 1000 / concurrency
    facts = {
        "at_once": concurrency,
        "charged": timed.counts["charged"],
        "unknown": timed.counts["unknown"],
        "peak_mib": round(timed.peak_mib),
        "violations": len(violations),
        "ledger_differs": len(differences),
    }
    return _rows(timed, concurrency, least, chosen.proformas), facts


def _rows(timed: Timed, concurrency: int, least: float, charges: int) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for part in timed.parts:
        calls = part.phase in CALLS_OUT
        rows.append(
            [
                concurrency,
                part.phase.value,
                part.seconds,
                part.cpu_seconds,
                least if calls else None,
                part.seconds / least if calls else None,
                part.commits / charges,
            ]
        )
    total, cpu, commits = (
        sum(getattr(part, name) for part in timed.parts) for name in ("seconds", "cpu_seconds", "commits")
    )
    rows.append([concurrency, "whole run", total, cpu, 2 * least, total / least / 2, commits / charges])
    return rows


def _connect(database_url: str, folder: Path, processor: RunningProcessor) -> None:
    """Tells the copy where its processor answers, and the processor which day it is."""
    with panel_on(database_url, folder, processor.url) as app:
        processor.set_clock(clock_on(app, START).now())
        with database_of(app).write() as session:
            account = session.scalars(sa.select(GatewayAccount)).one()
            account.settings = account.settings | {"base_url": processor.url, "api_key": processor.api_key}


def one_run(database_url: str, folder: Path, mock_url: str, concurrency: int) -> Timed:
    timed = Timed()
    with panel_on(database_url, folder, mock_url) as app:
        parts = parts_of(app)
        sa.event.listen(parts.database.engine, "commit", timed.committed)
        timed.counts = run(
            parts.database,
            parts.processors,
            clock_on(app, START),
            mail=None,
            concurrency=concurrency,
            progress=timed.heard,
        )
        timed.end()
        timed.peak_mib = peak_mib()
    return timed


def _checked(database_url: str, folder: Path, processor: RunningProcessor) -> tuple[list[Any], list[str]]:
    """After some quiet days: the audit's findings, and how the processor's ledgers differ from the books."""
    with panel_on(database_url, folder, processor.url) as app:
        with database_of(app).read() as session:
            zone = reseller.seller(session).zone
        world = Simulation(app, processor, zone)
        for day in days_from(START + timedelta(days=1), QUIET_DAYS):
            world.run(day)
        return world.audit(day).violations, world.differences()


if __name__ == "__main__":
    sys.exit(main())
