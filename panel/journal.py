"""The journal: one row for each change of money or state, chained by hash after commit.

Rows are written inside the transaction that they tell of. Sealing is a job of its own, so that writers never queue for
the head of the chain.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.database import Database
from panel.records import JournalEntry, JournalSeal

GENESIS = "0" * 64
BATCH = 2_000


def write(
    session: Session,
    *,
    now: datetime,
    actor: str,
    kind: str,
    subject: str,
    account_id: int | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Adds a row. `actor` is "user:3", "run:12", "worker" or "cli"; `subject` names one row, as in "proforma:7"."""
    session.add(
        JournalEntry(at=now, actor=actor, kind=kind, subject=subject, account_id=account_id, data=data or {})
    )


def seal(database: Database) -> int:
    """Chains every committed row that isn't sealed yet; returns how many."""
    sealed = 0
    while True:
        with database.write() as session:
            batch = _seal_batch(session)
        sealed += batch
        if batch < BATCH:
            return sealed


def _seal_batch(session: Session) -> int:
    if session.get_bind().dialect.name == "postgresql":
        # One sealer at a time; on SQLite the write transaction already sees to that.
        session.execute(sa.text("SELECT pg_advisory_xact_lock(7353)"))
    head = session.execute(
        sa.select(JournalSeal.sequence, JournalSeal.hash).order_by(JournalSeal.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (head.sequence, head.hash) if head else (0, GENESIS)
    unsealed = session.scalars(
        sa.select(JournalEntry)
        .outerjoin(JournalSeal, JournalSeal.entry_id == JournalEntry.id)
        .where(JournalSeal.sequence.is_(None))
        .order_by(JournalEntry.id)
        .limit(BATCH)
    ).all()
    rows = []
    for entry in unsealed:
        sequence += 1
        previous = chain(previous, entry)
        rows.append({"sequence": sequence, "entry_id": entry.id, "hash": previous})
    if rows:
        session.execute(sa.insert(JournalSeal), rows)
    return len(rows)


def chain(previous: str, entry: JournalEntry) -> str:
    """The hash of a row at its place in the chain."""
    body = [
        previous,
        entry.id,
        entry.at.isoformat(),
        entry.actor,
        entry.kind,
        entry.account_id,
        entry.subject,
        entry.data,
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def verify(session: Session) -> list[str]:
    """What is wrong with the sealed chain, in words; empty when every row is as it was written."""
    problems: list[str] = []
    previous, expected = GENESIS, 0
    rows = session.execute(
        sa.select(JournalSeal, JournalEntry)
        .outerjoin(JournalEntry, JournalEntry.id == JournalSeal.entry_id)
        .order_by(JournalSeal.sequence)
        .execution_options(yield_per=BATCH)
    )
    for seal_row, entry in rows:
        expected += 1
        if seal_row.sequence != expected:
            problems.append(f"journal chain: place {expected} is missing")
            expected = seal_row.sequence
        if entry is None:
            problems.append(f"journal row {seal_row.entry_id} is gone")
        elif chain(previous, entry) != seal_row.hash:
            problems.append(f"journal row {entry.id} was altered")
        previous = seal_row.hash
    return problems
