"""What waits for a person: the tasks that the panel opened, each with the row that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from panel.billing.paging import Listing, page_of_ids
from panel.records import (
    Account,
    Attempt,
    Domain,
    Extension,
    GatewayAccount,
    Message,
    Proforma,
    ProformaLine,
    StaffTask,
    TaskKind,
    User,
)

PER_PAGE = 25

Subject = Attempt | Extension | Domain | GatewayAccount | Message | Proforma

_SUBJECTS: dict[str, tuple[type[Any], tuple[ORMOption, ...]]] = {
    "attempt": (
        Attempt,
        (joinedload(Attempt.card), joinedload(Attempt.proforma).joinedload(Proforma.account)),
    ),
    "extension": (
        Extension,
        (joinedload(Extension.domain), joinedload(Extension.line).joinedload(ProformaLine.proforma)),
    ),
    "domain": (Domain, ()),
    "gateway_account": (GatewayAccount, ()),
    "message": (Message, ()),
    "proforma": (Proforma, (joinedload(Proforma.card), selectinload(Proforma.account))),
}


@dataclass(frozen=True)
class TaskRow:
    """`subject` is the row that the task is about, None when there is none (any more)."""

    task: StaffTask
    subject: Subject | None
    account_name: str | None
    resolved_by: str | None


def page_of_tasks(
    session: Session,
    *,
    waiting: bool,
    kind: TaskKind | None,
    page: int,
    first: int | None = None,
    per_page: int = PER_PAGE,
) -> Listing[TaskRow]:
    """Waiting tasks, the oldest first, or the resolved ones, the latest first; task `first` before all."""
    ids = sa.select(StaffTask.id)
    ids = ids.where(StaffTask.resolved_at.is_(None) if waiting else StaffTask.resolved_at.is_not(None))
    if kind is not None:
        ids = ids.where(StaffTask.kind == kind)
    order: list[sa.ColumnElement[Any]] = []
    if first is not None:
        order.append(sa.case((StaffTask.id == first, 0), else_=1))
    order += [StaffTask.id.asc()] if waiting else [StaffTask.resolved_at.desc(), StaffTask.id.desc()]
    found = page_of_ids(session, ids, order, page=page, per_page=per_page)
    return Listing(rows_of(session, found.rows), found.total, found.more, found.page, found.pages)


def waiting_counts(session: Session) -> dict[TaskKind, int]:
    """How many tasks of each kind wait; kinds that nobody waits for are left out."""
    rows = session.execute(
        sa.select(StaffTask.kind, sa.func.count().label("waiting"))
        .where(StaffTask.resolved_at.is_(None))
        .group_by(StaffTask.kind)
    )
    return {row.kind: row.waiting for row in rows}


def rows_of(session: Session, task_ids: Sequence[int]) -> list[TaskRow]:
    """The tasks with their subjects, in the order of the ids."""
    found = session.execute(
        sa.select(StaffTask, Account.name, User.email)
        .outerjoin(Account, Account.id == StaffTask.account_id)
        .outerjoin(User, User.id == StaffTask.resolved_by_id)
        .where(StaffTask.id.in_(task_ids))
    )
    tasks = {task.id: (task, account_name, email) for task, account_name, email in found}
    subjects = _subjects(session, [task.subject for task, _, _ in tasks.values()])
    return [
        TaskRow(task, subjects.get(task.subject), account_name, email)
        for task, account_name, email in (tasks[number] for number in task_ids)
    ]


def _subjects(session: Session, names: Iterable[str]) -> dict[str, Subject]:
    wanted: dict[str, list[int]] = {}
    for name in names:
        table, _, number = name.partition(":")
        if table in _SUBJECTS and number.isdecimal():
            wanted.setdefault(table, []).append(int(number))
    subjects: dict[str, Subject] = {}
    for table, numbers in wanted.items():
        model, loading = _SUBJECTS[table]
        rows = session.scalars(sa.select(model).where(model.id.in_(numbers)).options(*loading))
        subjects.update({f"{table}:{row.id}": row for row in rows})
    return subjects
