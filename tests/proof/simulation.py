"""A reseller's days, one after the other, with real processes: each run is a child that can be killed.

As a program: `python -m tests.proof.simulation --days 400` prints a line a month, then the audit, and exits with 1 on
any violation.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from gateways.mock.process import RunningProcessor, running_processor
from panel import create_app
from panel.billing.calendar import seller_of
from panel.clock import SimulatedClock
from panel.database import Database
from panel.demo.making import Wishes, make
from panel.demo.real_names import NotTaken
from panel.records import (
    Account,
    Attempt,
    AttemptStatus,
    Domain,
    Extension,
    ExtensionStatus,
    Invoice,
    ProformaLine,
)
from panel.renewals import recurrence
from panel.renewals.audit import Audit, audit
from panel.renewals.recurrence_plan import plan
from panel.renewals.run import run
from panel.renewals.selection import Selection

# What a network and a processor do by themselves. A refused key and a wrong amount stop a gateway or wait for a person;
# they have tests of their own.
FAULTS = [
    "reset_before",
    "reset_after",
    "reset_mid_body",
    "500_before",
    "500_after",
    "502_page",
    "garbage",
    "empty",
    "429",
    "redirect",
    "nan",
    "duplicate_keys",
    "huge_body",
    "late_landing",
]
FORK = multiprocessing.get_context("fork")
A_RUN_MAY_TAKE_S = 300


@dataclass
class Simulation:
    """`app` is warm and holds no connection, so that a child can be forked for each run."""

    app: Flask
    processor: RunningProcessor
    zone: str
    totals: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    not_taken: list[NotTaken] = field(default_factory=list)

    @property
    def database(self) -> Database:
        database: Database = self.app.extensions["perennial"].database
        return database

    def run(self, day: date, *, kill_after: float | None = None) -> dict[str, int] | None:
        """The run of `day` in a process of its own; None when it was killed by SIGKILL after so many seconds."""
        self.processor.set_clock(SimulatedClock(day, self.zone).now())
        self.database.engine.dispose()
        ours, theirs = FORK.Pipe(duplex=False)
        child = FORK.Process(target=_run_child, args=(self.app, day, self.zone, theirs), daemon=True)
        child.start()
        theirs.close()
        answered = ours.poll(A_RUN_MAY_TAKE_S if kill_after is None else kill_after)
        if not answered:
            child.kill()
            child.join()
            self.kills += 1
            return None
        try:
            counts: dict[str, int] = ours.recv()
        except EOFError:
            child.join()
            raise RuntimeError(f"the run of {day} died with exit code {child.exitcode}") from None
        child.join()
        self.totals.update(counts)
        return counts

    def recurring_payment_all(self, day: date) -> dict[str, int]:
        """The main job on the first account: its default card, its main contact, every warning acknowledged."""
        now = SimulatedClock(day, self.zone).now()
        with self.app.app_context():
            processors = self.app.extensions["perennial"].processors
        with self.database.write() as session:
            account_id = session.scalars(sa.select(Account.id).order_by(Account.id).limit(1)).one()
            chosen = {
                "account_id": account_id,
                "selection": Selection.all(),
                "processors": processors,
                "now": now,
            }
            shown = plan(session, contact_id=None, card_id=None, **chosen)
            recurrence.confirm(
                session,
                contact_id=shown.contact.id,
                card_id=shown.card.id,
                digest=shown.digest,
                acknowledged=set(shown.required_acknowledgements),
                consent=recurrence.ConsentGiven(None, is_staff=False, on_behalf_of=shown.contact.name),
                request_key=f"simulation-{day}",
                **chosen,
            )
        return {"ticked": shown.totals.ticked, "applies": shown.totals.applies} | {
            f"excluded: {reason.value}": count for reason, count in shown.excluded.items()
        }

    def forget_leases(self) -> None:
        """What a killed process held becomes free now, rather than after the three minutes that a lease lasts."""
        with self.database.write() as session:
            session.execute(
                sa.update(Attempt).values(lease_until=None).where(Attempt.status != AttemptStatus.SENDING)
            )
            for model in (Attempt, Extension):
                session.execute(
                    sa.update(model).values(lease_until=long_ago()).where(model.status == "sending")
                )
            session.execute(sa.text("UPDATE messages SET lease_until = NULL"))

    def audit(self, day: date) -> Audit:
        with self.app.app_context():
            return audit(
                self.database,
                self.app.extensions["perennial"].processors,
                now=SimulatedClock(day, self.zone).now(),
            )

    def differences(self) -> list[str]:
        """What the processor's own ledgers and the books say differently, read without any of the panel's audit."""
        captured = {
            item["key"]: item["amount"]
            for item in self.processor.ledger()
            if item["kind"] == "charge" and item["status"] == "succeeded"
        }
        with self.database.read() as session:
            booked = dict(
                session.execute(
                    sa.select(Attempt.key, Attempt.minor).where(Attempt.status == AttemptStatus.SUCCEEDED)
                ).all()
            )
            wrong = [
                f"charge {key}: ledger {captured.get(key)}, books {booked.get(key)}"
                for key in captured.keys() ^ booked.keys()
            ]
            wrong += [
                f"charge {key}: ledger {captured[key]}, books {booked[key]}"
                for key in captured.keys() & booked.keys()
                if captured[key] != booked[key]
            ]
            wrong += self._registry_differences(session)
        return wrong

    def _registry_differences(self, session: Any) -> list[str]:
        renewed = Counter(
            item["domain"] for item in self.processor.registry_ledger() if item["status"] == "renewed"
        )
        extended = Counter(
            session.scalars(
                sa.select(Domain.name)
                .join(Extension, Extension.domain_id == Domain.id)
                .where(Extension.status == ExtensionStatus.DONE, Extension.registrar == "mock")
            )
        )
        return [
            f"{name}: renewed {renewed[name]} times, extended {extended[name]} times"
            for name in renewed.keys() | extended.keys()
            if renewed[name] != extended[name]
        ]

    def books(self) -> dict[str, int]:
        """What there is in the end."""
        with self.database.read() as session:
            count = sa.func.count()
            by_status = session.execute(sa.select(Domain.status, count).group_by(Domain.status))
            return {
                "invoices": session.scalar(sa.select(count).select_from(Invoice)) or 0,
                "attempts": session.scalar(sa.select(count).select_from(Attempt)) or 0,
                "lines": session.scalar(sa.select(count).select_from(ProformaLine)) or 0,
            } | {f"domains {status.value}": number for status, number in by_status}


def long_ago() -> sa.TextClause:
    return sa.text("'2000-01-01 00:00:00.000000'")


def _run_child(app: Flask, day: date, zone: str, answer: Connection) -> None:
    parts = app.extensions["perennial"]
    with app.app_context():
        answer.send(
            run(
                parts.database,
                parts.processors,
                SimulatedClock(day, zone),
                mail=parts.deliver_mail,
                concurrency=8,
            )
        )


@contextmanager
def simulation(
    folder: Path, *, accounts: int, domains: int, seed: int, start: date, names: list[str] | None = None
) -> Iterator[Simulation]:
    """A migrated database with demo data and a mock processor on a port of its own, until the block ends."""
    with running_processor(folder / "processor") as processor:
        app = create_app(
            {
                "DATA_DIR": folder,
                "SECRET_KEY": "only for a simulation: Zk3v9QxW7pLr2TnB8sHd",
                "MOCK_URL": processor.url,
                "MOCK_KEY": processor.api_key,
            }
        )
        with app.app_context():
            upgrade()
            database = app.extensions["perennial"].database
            wishes = Wishes(
                accounts=accounts, domains=domains, seed=seed, start=start, mock_url=processor.url
            )
            made = make(database, wishes, names=names)
            _ = app.extensions["perennial"].processors
            with database.read() as session:
                zone = seller_of(session).zone
        yield Simulation(app, processor, zone, not_taken=made.not_taken)
        database.engine.dispose()


def days_from(start: date, count: int) -> Iterator[date]:
    return (start + timedelta(days=number) for number in range(count))


def main() -> int:
    options = _options()
    began = time.monotonic()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder, simulation(
        Path(folder), accounts=options.accounts, domains=options.domains, seed=options.seed, start=options.start,
        names=options.names.read_text().splitlines() if options.names else None,
    ) as world:  # fmt: skip
        if options.faults:
            world.processor.control("faults", {"rate": options.faults, "kinds": FAULTS, "seed": options.seed})
        if options.names:
            print("not taken", Counter(refused.reason for refused in world.not_taken).most_common())
            print("recurring payment all", world.recurring_payment_all(options.start))
        repeated = 0
        last = options.start + timedelta(days=options.days - 1)
        for number, day in enumerate(days_from(options.start, options.days), 1):
            for _ in range(_kills_today(options, number, world.kills)):
                world.run(day, kill_after=dice.uniform(0.05, options.kill_within))
                world.forget_leases()
            world.run(day)
            if options.twice:
                again = world.run(day)
                repeated += again["charged"] if again else 0
            if number % 30 == 0 or number == options.days:
                print(day, dict(world.totals), f"{time.monotonic() - began:.0f} s", flush=True)
        if options.faults:
            world.processor.clear_faults()
            for quiet_day in days_from(last + timedelta(days=1), 3):
                world.run(quiet_day)
            last = quiet_day
        found, differences = world.audit(last), world.differences()
        print("books", world.books())
        print("kills", world.kills, "- charged by second runs of a day:", repeated)
        print("checked", found.checked)
        print("violations", json.dumps([violation.__dict__ for violation in found.violations][:20]))
        print("ledger against books:", differences[:20] or "equal")
        return 1 if found.violations or differences or repeated and not options.faults else 0


def _kills_today(options: argparse.Namespace, number: int, so_far: int) -> int:
    return options.kills * number // options.days - so_far


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--domains", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2026, 11, 23))
    parser.add_argument("--names", type=Path, help="one account of these real names instead")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs over the whole time")
    parser.add_argument("--kill-within", type=float, default=1.0, help="seconds after a run's start")
    parser.add_argument(
        "--faults", type=float, default=0.0, help="share of the processor's calls that go wrong"
    )
    parser.add_argument("--twice", action="store_true", help="run every day twice")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main())
