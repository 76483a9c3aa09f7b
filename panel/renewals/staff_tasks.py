"""Tasks for a person: at most one open for a kind and subject."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import StaffTask, TaskKind


def open_task(
    session: Session, kind: TaskKind, subject: str, reason: str, *, account_id: int | None, now: datetime
) -> None:
    """A task for staff, unless the same one is open."""
    there = session.scalar(
        sa.select(StaffTask.id).where(
            StaffTask.kind == kind, StaffTask.subject == subject, StaffTask.resolved_at.is_(None)
        )
    )
    if there is None:
        session.add(
            StaffTask(kind=kind, subject=subject, account_id=account_id, reason=reason[:1000], created_at=now)
        )
        session.flush()


def close_task(session: Session, kind: TaskKind, subject: str, now: datetime, resolution: str) -> None:
    session.execute(
        sa.update(StaffTask)
        .where(StaffTask.kind == kind, StaffTask.subject == subject, StaffTask.resolved_at.is_(None))
        .values(resolved_at=now, resolution=resolution)
    )
