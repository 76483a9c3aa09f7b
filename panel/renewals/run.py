"""The renewal run: the phases of a day, in order. Every phase finds its work in the rows, so a run that was killed is
simply run again, two at once share the work, and a second run on a day finds nothing to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.calendar import day_in_zone, seller_of
from panel.clock import Clock, real_now
from panel.database import Database
from panel.messages.outbox import DeliveryCounts
from panel.records import (
    Attempt,
    AttemptStatus,
    Extension,
    ExtensionStatus,
    Proforma,
    ProformaStatus,
    Run,
    RunPhase,
    RunStatus,
)
from panel.renewals.charging import charge_due
from panel.renewals.dunning import remind
from panel.renewals.extension import extend_paid
from panel.renewals.issuing import Issued, issue_due
from panel.renewals.lapse import suspend_unpaid
from panel.renewals.processors import Processors
from panel.renewals.recovery import recover
from panel.renewals.splitting import split_due

COUNTS = (
    "due",
    "issued",
    "charged",
    "declined",
    "unknown",
    "action_required",
    "recovered",
    "extended",
    "reminded",
    "suspended",
    "mailed",
)
# A run that has not been heard of for so long was killed.
SILENT_FOR = timedelta(minutes=10)
MOST_MAILS = 100_000
_NAMES = {"succeeded": "charged"}


class _Tally:
    """Counts what happens and writes it to the run's row, in whichever transaction is open."""

    def __init__(self, run_id: int, progress: Callable[[RunPhase, int, int], None] | None):
        self.run_id = run_id
        self.counts = Counter[str](dict.fromkeys(COUNTS, 0))
        self.phase = RunPhase.RECOVER
        self.done = self.total = 0
        self._progress = progress

    def begin(self, database: Database, phase: RunPhase, total: int = 0) -> None:
        self.phase, self.done, self.total = phase, 0, total
        with database.write() as session:
            self.save(session)

    def settled(self, session: Session, statuses: Sequence[StrEnum]) -> None:
        for status in statuses:
            self.counts[_NAMES.get(status.value, status.value)] += 1
        self.done += len(statuses)
        self.save(session)

    def recovered(self, session: Session, statuses: Sequence[StrEnum]) -> None:
        # Attempts of this run that were unknown a moment ago are counted by what they have become.
        self.counts["recovered"] += sum(status.value != "unknown" for status in statuses)
        self.settled(session, statuses)

    def extended(self, session: Session, statuses: Sequence[StrEnum]) -> None:
        done = sum(status is ExtensionStatus.DONE for status in statuses)
        self.counts["extended"] += done
        self.done += done
        self.save(session)

    def issued(self, session: Session, issued: Issued) -> None:
        self.counts["due"], self.counts["issued"] = issued.due, issued.issued
        self.done = issued.due
        self.save(session)

    def save(self, session: Session) -> None:
        session.execute(
            sa.update(Run)
            .where(Run.id == self.run_id)
            .values(
                phase=self.phase,
                done=self.done,
                total=max(self.total, self.done),
                counts=self.public(),
                heartbeat_at=real_now(),
            )
        )
        if self._progress:
            self._progress(self.phase, self.done, max(self.total, self.done))

    def public(self) -> dict[str, int]:
        return {name: self.counts[name] for name in COUNTS}


def run(
    database: Database,
    processors: Processors,
    clock: Clock,
    *,
    mail: Callable[..., DeliveryCounts] | None,
    concurrency: int = 32,
    progress: Callable[[RunPhase, int, int], None] | None = None,
) -> dict[str, int]:
    """One passing over everything that is due; returns what was done, by the names in COUNTS.

    `mail` sends what is in the outbox by then; without it the messages stay there. `progress` hears of (phase, done,
    total) as it goes.
    """
    run_id = _open(database, clock)
    actor = f"run:{run_id}"
    tally = _Tally(run_id, progress)

    tally.begin(database, RunPhase.RECOVER)
    recover(database, processors, clock, actor=actor, concurrency=concurrency, settled=tally.recovered)

    tally.begin(database, RunPhase.ISSUE)
    issue_due(database, processors, now=clock.now(), actor=actor, run_id=run_id, progress=tally.issued)
    tally.counts["issued"] += split_due(database, processors, now=clock.now(), actor=actor, run_id=run_id)

    tally.begin(database, RunPhase.CHARGE, _to_charge(database, clock.now()))
    charge_due(
        database,
        processors,
        clock,
        actor=actor,
        run_id=run_id,
        concurrency=concurrency,
        settled=tally.settled,
    )
    recover(
        database,
        processors,
        clock,
        actor=actor,
        concurrency=concurrency,
        settled=tally.recovered,
        of_run=run_id,
    )
    tally.counts["unknown"] = _still_unknown(database)

    tally.begin(database, RunPhase.EXTEND, _to_extend(database))
    for again in (False, True):
        extend_paid(
            database,
            processors,
            clock,
            actor=actor,
            concurrency=concurrency,
            extended=tally.extended,
            again=again,
        )

    tally.begin(database, RunPhase.REMIND)
    tally.counts["reminded"] = remind(database, now=clock.now())

    tally.begin(database, RunPhase.SUSPEND)
    tally.counts["suspended"] = suspend_unpaid(database, now=clock.now(), actor=actor)

    tally.begin(database, RunPhase.MAIL)
    if mail is not None:
        tally.counts["mailed"] = mail(clock, limit=MOST_MAILS).sent
    journal.seal(database)
    _close(database, tally, clock.now())
    return tally.public()


def _open(database: Database, clock: Clock) -> int:
    now = clock.now()
    with database.write() as session:
        today = day_in_zone(now, seller_of(session).zone)
        _mark_interrupted(session)
        opened = Run(
            day=today,
            status=RunStatus.RUNNING,
            phase=RunPhase.RECOVER,
            counts=dict.fromkeys(COUNTS, 0),
            simulated=clock.simulated,
            started_at=now,
            heartbeat_at=real_now(),
            total=0,
            done=0,
        )
        session.add(opened)
        session.flush()
        return opened.id


def _mark_interrupted(session: Session) -> None:
    """Says so of runs that were killed; their work is found in the rows by any run after them."""
    session.execute(
        sa.update(Run)
        .where(Run.status == RunStatus.RUNNING, Run.heartbeat_at < real_now() - SILENT_FOR)
        .values(status=RunStatus.INTERRUPTED)
    )


def _close(database: Database, tally: _Tally, now: datetime) -> None:
    tally.phase = RunPhase.DONE
    with database.write() as session:
        tally.save(session)
        session.execute(
            sa.update(Run).where(Run.id == tally.run_id).values(status=RunStatus.FINISHED, finished_at=now)
        )


def _to_charge(database: Database, now: datetime) -> int:
    with database.read() as session:
        today = day_in_zone(now, seller_of(session).zone)
        count = session.scalar(
            sa.select(sa.func.count())
            .select_from(Proforma)
            .where(Proforma.status == ProformaStatus.OPEN, Proforma.next_charge_on <= today)
        )
        return int(count or 0)


def _still_unknown(database: Database) -> int:
    with database.read() as session:
        count = session.scalar(
            sa.select(sa.func.count()).select_from(Attempt).where(Attempt.status == AttemptStatus.UNKNOWN)
        )
        return int(count or 0)


def _to_extend(database: Database) -> int:
    with database.read() as session:
        count = session.scalar(
            sa.select(sa.func.count())
            .select_from(Extension)
            .where(Extension.status.in_([ExtensionStatus.INTENDED, ExtensionStatus.UNKNOWN]))
        )
        return int(count or 0)
