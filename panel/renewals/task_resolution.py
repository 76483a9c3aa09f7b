"""Closing a task that waited for a person, with a note of what was done."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.errors import N_, Conflict, NotThere, Refused
from panel.records import (
    Attempt,
    AttemptStatus,
    Extension,
    ExtensionStatus,
    GatewayAccount,
    StaffTask,
    TaskKind,
)

LONGEST_NOTE = 1_000


def resolve(session: Session, *, task_id: int, note: str, user_id: int, now: datetime) -> StaffTask:
    """Closes the task. Refused while what it tells of goes on: a note moves no money and renews no domain."""
    note = note.strip()
    if not note:
        raise Refused(N_("Say what was done about it."), field="note")
    if len(note) > LONGEST_NOTE:
        raise Refused(
            N_("The note is too long: %(most)d characters at most."), field="note", most=LONGEST_NOTE
        )
    task = session.scalar(sa.select(StaffTask).where(StaffTask.id == task_id).with_for_update(key_share=True))
    if task is None:
        raise NotThere
    if task.resolved_at is not None:
        raise Conflict(N_("Somebody has resolved this task already."))
    _refuse_what_goes_on(session, task)
    task.resolved_at = now
    task.resolved_by_id = user_id
    task.resolution = note
    journal.write(
        session,
        now=now,
        actor=f"user:{user_id}",
        kind="task.resolved",
        subject=f"task:{task.id}",
        account_id=task.account_id,
        data={"task": task.kind.value, "about": task.subject, "note": note},
    )
    return task


def subject_id(task: StaffTask) -> int:
    """The id of the row that the task is about."""
    return int(task.subject.partition(":")[2])


def _refuse_what_goes_on(session: Session, task: StaffTask) -> None:
    if task.kind in (TaskKind.UNKNOWN_CHARGE, TaskKind.AMOUNT_MISMATCH):
        attempt = session.get(Attempt, subject_id(task))
        if attempt is not None and attempt.status is AttemptStatus.UNKNOWN:
            raise Conflict(N_("This charge is still in doubt: the task closes when the processor answers."))
    elif task.kind is TaskKind.GATEWAY_STOPPED:
        gateway_account = session.get(GatewayAccount, subject_id(task))
        if gateway_account is not None and gateway_account.stopped_at is not None:
            raise Conflict(N_("Charging is still stopped: resume it on the Gateways page."))
    elif task.kind is TaskKind.REGISTRAR_WORKLIST:
        extension = session.get(Extension, subject_id(task))
        if extension is not None and extension.status is ExtensionStatus.WORKLIST:
            raise Refused(N_("Enter the expiry date that the registry shows now."), field="new_expiry")
