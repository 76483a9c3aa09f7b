"""Renewal runs, newest first; and for one run what became of each proforma that it issued or charged."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from panel.billing.document_list import Names, domain_names
from panel.billing.paging import Listing, page_of_ids
from panel.records import (
    Attempt,
    AttemptStatus,
    Extension,
    ExtensionStatus,
    Proforma,
    ProformaLine,
    Run,
    RunStatus,
)
from panel.renewals.run import SILENT_FOR

PER_PAGE = 50


class Outcome(enum.StrEnum):
    """What a run did with a proforma."""

    CHARGED = "charged"
    DECLINED = "declined"
    WAITING = "waiting"  # sent or about to be; the processor has not decided
    ACTION_REQUIRED = "action_required"
    IN_DOUBT = "in_doubt"
    NOT_CHARGED = "not_charged"  # provably no money moved: lost, never submitted, given up
    ISSUED = "issued"  # made by this run, not charged by it


_OUTCOME_OF: dict[AttemptStatus, Outcome] = {
    AttemptStatus.SUCCEEDED: Outcome.CHARGED,
    AttemptStatus.DECLINED: Outcome.DECLINED,
    AttemptStatus.INTENDED: Outcome.WAITING,
    AttemptStatus.SENDING: Outcome.WAITING,
    AttemptStatus.PENDING: Outcome.WAITING,
    AttemptStatus.ACTION_REQUIRED: Outcome.ACTION_REQUIRED,
    AttemptStatus.UNKNOWN: Outcome.IN_DOUBT,
    AttemptStatus.NOT_SUBMITTED: Outcome.NOT_CHARGED,
    AttemptStatus.LOST: Outcome.NOT_CHARGED,
    AttemptStatus.ABANDONED: Outcome.NOT_CHARGED,
}


@dataclass(frozen=True)
class RunRow:
    """`silent`: it says that it is running, but its process has not been heard of for `SILENT_FOR`."""

    run: Run
    silent: bool


@dataclass(frozen=True)
class OutcomeRow:
    """`attempt`, with its card, is this run's; None when it only issued. `extensions` counts states."""

    proforma: Proforma
    outcome: Outcome
    attempt: Attempt | None
    names: Names
    extensions: dict[ExtensionStatus, int] = field(default_factory=dict)


def page_of_runs(
    session: Session, *, real_now: datetime, page: int, per_page: int = PER_PAGE
) -> Listing[RunRow]:
    """`real_now` is real time, also when the runs were simulated: heartbeats are."""
    found = page_of_ids(session, sa.select(Run.id), [Run.id.desc()], page=page, per_page=per_page)
    runs = {run.id: run for run in session.scalars(sa.select(Run).where(Run.id.in_(found.rows)))}
    rows = [row_of(runs[number], real_now=real_now) for number in found.rows]
    return Listing(rows, found.total, found.more, found.page, found.pages)


def row_of(run: Run, *, real_now: datetime) -> RunRow:
    silent = run.status is RunStatus.RUNNING and real_now - run.heartbeat_at > SILENT_FOR
    return RunRow(run, silent)


def outcome_counts(session: Session, run_id: int) -> dict[Outcome, int]:
    """How many proformas came to each outcome in this run; outcomes that nobody came to are left out."""
    treated = _treated(run_id).subquery()
    counts: dict[Outcome, int] = {}
    for status, count in session.execute(
        sa.select(treated.c.status, sa.func.count()).group_by(treated.c.status)
    ):
        outcome = _outcome(status)
        counts[outcome] = counts.get(outcome, 0) + count
    return counts


def page_of_outcomes(
    session: Session, run_id: int, *, outcome: Outcome | None, page: int, per_page: int = PER_PAGE
) -> Listing[OutcomeRow]:
    """The proformas that the run issued or charged, in the order of their issue."""
    treated = _treated(run_id).subquery()
    ids = sa.select(treated.c.proforma_id)
    if outcome is not None:
        ids = ids.where(_comes_to(treated.c.status, outcome))
    found = page_of_ids(session, ids, [treated.c.proforma_id], page=page, per_page=per_page)
    rows = _outcome_rows(session, run_id, found.rows)
    return Listing(rows, found.total, found.more, found.page, found.pages)


def _treated(run_id: int) -> sa.CompoundSelect[Any]:
    """(proforma_id, status of this run's attempt or NULL); a run is of one day, so there is one attempt."""
    tried = sa.select(
        Attempt.proforma_id.label("proforma_id"), sa.cast(Attempt.status, sa.String).label("status")
    )
    tried = tried.where(Attempt.run_id == run_id)
    also_tried = sa.exists().where(Attempt.proforma_id == Proforma.id, Attempt.run_id == run_id)
    only_issued = sa.select(Proforma.id, sa.null()).where(Proforma.run_id == run_id, ~also_tried)
    return sa.union_all(tried, only_issued)


def _comes_to(status: sa.ColumnElement[Any], outcome: Outcome) -> sa.ColumnElement[bool]:
    if outcome is Outcome.ISSUED:
        return status.is_(None)
    return status.in_([state.value for state, comes_to in _OUTCOME_OF.items() if comes_to is outcome])


def _outcome(status: str | None) -> Outcome:
    return Outcome.ISSUED if status is None else _OUTCOME_OF[AttemptStatus(status)]


def _outcome_rows(session: Session, run_id: int, ids: Sequence[int]) -> list[OutcomeRow]:
    proformas = {
        proforma.id: proforma
        for proforma in session.scalars(
            sa.select(Proforma)
            .where(Proforma.id.in_(ids))
            .options(joinedload(Proforma.account), joinedload(Proforma.card))
        )
    }
    attempts = {
        attempt.proforma_id: attempt
        for attempt in session.scalars(
            sa.select(Attempt)
            .where(Attempt.run_id == run_id, Attempt.proforma_id.in_(ids))
            .options(joinedload(Attempt.card))
        )
    }
    names = domain_names(session, ids)
    extensions = extension_states(session, ids)
    rows = []
    for number in ids:
        attempt = attempts.get(number)
        outcome = _OUTCOME_OF[attempt.status] if attempt else Outcome.ISSUED
        rows.append(
            OutcomeRow(
                proformas[number], outcome, attempt, names.get(number, Names()), extensions.get(number, {})
            )
        )
    return rows


def extension_states(session: Session, proforma_ids: Sequence[int]) -> dict[int, dict[ExtensionStatus, int]]:
    """For each proforma with extensions: how many are in each state."""
    states: dict[int, dict[ExtensionStatus, int]] = {}
    rows = session.execute(
        sa.select(ProformaLine.proforma_id, Extension.status, sa.func.count())
        .join(Extension, Extension.line_id == ProformaLine.id)
        .where(ProformaLine.proforma_id.in_(proforma_ids))
        .group_by(ProformaLine.proforma_id, Extension.status)
    )
    for proforma_id, status, count in rows:
        states.setdefault(proforma_id, {})[status] = count
    return states
