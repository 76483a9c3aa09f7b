"""Proof from the books and the processors' own lists that the promises were kept.

Each check streams what it reads; what it finds is said with the row's name, so that a person can look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from gateways.contract import ChargeResult, Context, Gateway, GatewayError, Status
from panel import journal
from panel.database import Database
from panel.errors import Refused
from panel.records import (
    OPEN_STATUSES,
    Attempt,
    AttemptStatus,
    Effect,
    GatewayAccount,
    Invoice,
    JournalEntry,
    ManualPayment,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Series,
    StaffTask,
    TaskKind,
    Term,
)
from panel.renewals.processors import Processors

UNKNOWN_FOR = timedelta(hours=26)
AT_ONCE = 1_000


@dataclass(frozen=True)
class Violation:
    """A broken promise: the invariant's number, the row it shows on, and what is wrong."""

    invariant: int
    subject: str
    text: str


@dataclass(frozen=True)
class Audit:
    """`checked` counts what was looked at, by name."""

    violations: list[Violation]
    checked: dict[str, int]


Found = Iterator[Violation]


def audit(database: Database, processors: Processors, *, now: datetime) -> Audit:
    """Checks invariants 1, 2, 4, 6, 8 and 10. A gateway that can't be asked is itself a finding."""
    violations: list[Violation] = []
    checked: dict[str, int] = {}
    with database.read() as session:
        for check in CHECKS:
            violations += check(session)
        violations += unknown_unseen(session, now)
        violations += [Violation(10, "journal", problem) for problem in journal.verify(session)]
        for model in (Proforma, Attempt, Invoice, JournalEntry):
            checked[model.__tablename__] = session.scalar(sa.select(sa.func.count()).select_from(model)) or 0
        listed = 0
        for account in session.scalars(sa.select(GatewayAccount).order_by(GatewayAccount.id)):
            found, count = _against_gateway(session, processors, account, now)
            violations += found
            listed += count
        checked["gateway_charges"] = listed
    return Audit(violations, checked)


def terms_paid_once(session: Session) -> Found:
    """1: no live term is paid by two charges, no proforma by two."""
    doubled = session.execute(
        sa.select(Term.domain_id, Term.starts_on, sa.func.count())
        .where(Term.live)
        .group_by(Term.domain_id, Term.starts_on)
        .having(sa.func.count() > 1)
    )
    for domain_id, starts_on, count in doubled:
        yield Violation(1, f"domain:{domain_id}", f"the term of {starts_on} is claimed {count} times")
    twice = session.execute(
        sa.select(Attempt.proforma_id, sa.func.count())
        .where(Attempt.status == AttemptStatus.SUCCEEDED)
        .group_by(Attempt.proforma_id)
        .having(sa.func.count() > 1)
    )
    for proforma_id, count in twice:
        yield Violation(1, f"proforma:{proforma_id}", f"was charged {count} times")
    both = session.scalars(
        sa.select(Attempt.proforma_id)
        .join(ManualPayment, ManualPayment.proforma_id == Attempt.proforma_id)
        .where(Attempt.status == AttemptStatus.SUCCEEDED)
    )
    for proforma_id in both:
        yield Violation(1, f"proforma:{proforma_id}", "was charged and paid by hand")


def paid_terms_belong_to_live_lines(session: Session) -> Found:
    """1: what was paid for still holds its terms."""
    freed = session.scalars(
        sa.select(ProformaLine.id)
        .join(Proforma, Proforma.id == ProformaLine.proforma_id)
        .join(Term, Term.line_id == ProformaLine.id)
        .where(Proforma.status == ProformaStatus.PAID, ProformaLine.live, ~Term.live)
    )
    for line_id in freed:
        yield Violation(1, f"line:{line_id}", "is paid and its term is free to be billed again")


def series_gapless(session: Session) -> Found:
    """4: numbers 1 to the counter, each once."""
    for series in session.scalars(sa.select(Series)):
        count, highest = session.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(Invoice.number), 0)).where(
                Invoice.series_id == series.id
            )
        ).one()
        if not count == highest == series.last_number:
            yield Violation(
                4,
                f"series:{series.prefix}",
                f"{count} documents, highest number {highest}, counter {series.last_number}",
            )


def dates_rise(session: Session) -> Found:
    """4 and 5: a higher number never has an earlier date."""
    earlier = aliased(Invoice)
    falling = session.execute(
        sa.select(Invoice.full_number)
        .join(earlier, sa.and_(earlier.series_id == Invoice.series_id, earlier.number == Invoice.number - 1))
        .where(Invoice.date < earlier.date)
    )
    for (number,) in falling:
        yield Violation(4, f"invoice:{number}", "is dated before the number before it")


def paid_means_settled_once(session: Session) -> Found:
    """6: paid ⇔ one invoice ⇔ one settlement, of the same amount."""
    invoices = (
        sa.select(
            Invoice.proforma_id,
            sa.func.count().label("count"),
            sa.func.min(Invoice.total_minor).label("total"),
        )
        .where(Invoice.credits_id.is_(None))
        .group_by(Invoice.proforma_id)
        .subquery()
    )
    effects = (
        sa.select(
            Attempt.proforma_id, sa.func.count().label("count"), sa.func.min(Attempt.minor).label("minor")
        )
        .join(Effect, Effect.attempt_id == Attempt.id)
        .where(Effect.invoice_id.is_not(None))
        .group_by(Attempt.proforma_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(
            Proforma.id,
            Proforma.status,
            Proforma.total_minor,
            sa.func.coalesce(invoices.c.count, 0),
            invoices.c.total,
            sa.func.coalesce(effects.c.count, 0),
            effects.c.minor,
            ManualPayment.minor,
        )
        .outerjoin(invoices, invoices.c.proforma_id == Proforma.id)
        .outerjoin(effects, effects.c.proforma_id == Proforma.id)
        .outerjoin(ManualPayment, ManualPayment.proforma_id == Proforma.id)
        .order_by(Proforma.id)
        .execution_options(yield_per=AT_ONCE)
    )
    for proforma_id, status, total, invoice_count, invoiced, effect_count, charged, manual in rows:
        subject = f"proforma:{proforma_id}"
        settlements = effect_count + (manual is not None)
        if status is not ProformaStatus.PAID:
            if invoice_count or settlements:
                yield Violation(
                    6, subject, f"is {status.value} and has {invoice_count} invoices, {settlements} payments"
                )
        elif invoice_count != 1 or settlements != 1:
            yield Violation(6, subject, f"is paid with {invoice_count} invoices and {settlements} payments")
        elif not total == invoiced == (charged if manual is None else manual):
            yield Violation(
                6, subject, f"comes to {total}, is invoiced {invoiced}, was paid {charged or manual}"
            )


def successes_have_effects(session: Session) -> Found:
    """6: every capture was settled, or a person was told of it."""
    told = sa.select(StaffTask.id).where(
        StaffTask.kind == TaskKind.LATE_SUCCESS,
        StaffTask.subject == sa.literal("attempt:") + sa.cast(Attempt.id, sa.String),
    )
    loose = session.scalars(
        sa.select(Attempt.id)
        .outerjoin(Effect, sa.and_(Effect.attempt_id == Attempt.id, Effect.invoice_id.is_not(None)))
        .where(Attempt.status == AttemptStatus.SUCCEEDED, Effect.attempt_id.is_(None), ~told.exists())
    )
    for attempt_id in loose:
        yield Violation(
            6, f"attempt:{attempt_id}", "took money that settled nothing and that nobody was told of"
        )


def one_open_attempt(session: Session) -> Found:
    """8: at most one attempt of a proforma is open."""
    several = session.execute(
        sa.select(Attempt.proforma_id, sa.func.count())
        .where(Attempt.status.in_(OPEN_STATUSES))
        .group_by(Attempt.proforma_id)
        .having(sa.func.count() > 1)
    )
    for proforma_id, count in several:
        yield Violation(8, f"proforma:{proforma_id}", f"has {count} open attempts")


def unknown_unseen(session: Session, now: datetime) -> Found:
    """8: nothing stays unknown for more than 26 hours without a task for staff."""
    told = sa.select(StaffTask.id).where(
        StaffTask.kind.in_([TaskKind.UNKNOWN_CHARGE, TaskKind.AMOUNT_MISMATCH]),
        StaffTask.subject == sa.literal("attempt:") + sa.cast(Attempt.id, sa.String),
    )
    forgotten = session.scalars(
        sa.select(Attempt.id).where(
            Attempt.status.in_([AttemptStatus.UNKNOWN, AttemptStatus.SENDING]),
            Attempt.first_sent_at < now - UNKNOWN_FOR,
            ~told.exists(),
        )
    )
    for attempt_id in forgotten:
        yield Violation(8, f"attempt:{attempt_id}", "is unknown for more than 26 hours and nobody was told")


def journal_complete(session: Session) -> Found:
    """10: one journal row for each payment, invoice and final attempt."""
    expected: list[tuple[str, sa.Select[Any], str]] = [
        ("proforma.paid", sa.select(Proforma.id).where(Proforma.status == ProformaStatus.PAID), "proforma"),
        ("proforma.issued", sa.select(Proforma.id), "proforma"),
        ("invoice.issued", sa.select(Invoice.id), "invoice"),
        (
            "charge.succeeded",
            sa.select(Attempt.id).where(Attempt.status == AttemptStatus.SUCCEEDED),
            "attempt",
        ),
        ("charge.declined", sa.select(Attempt.id).where(Attempt.status == AttemptStatus.DECLINED), "attempt"),
    ]
    for kind, wanted, noun in expected:
        rows = wanted.subquery()
        entries = (
            sa.select(JournalEntry.subject, sa.func.count().label("count"))
            .where(JournalEntry.kind == kind)
            .group_by(JournalEntry.subject)
            .subquery()
        )
        subject = sa.literal(f"{noun}:") + sa.cast(rows.c.id, sa.String)
        wrong = session.execute(
            sa.select(subject, entries.c.count)
            .select_from(rows)
            .outerjoin(entries, entries.c.subject == subject)
            .where(sa.func.coalesce(entries.c.count, 0) != 1)
        )
        for name, count in wrong:
            yield Violation(10, name, f"has {count or 0} journal rows of {kind}")


CHECKS: tuple[Callable[[Session], Found], ...] = (
    terms_paid_once,
    paid_terms_belong_to_live_lines,
    series_gapless,
    dates_rise,
    paid_means_settled_once,
    successes_have_effects,
    one_open_attempt,
    journal_complete,
)


def _against_gateway(
    session: Session, processors: Processors, account: GatewayAccount, now: datetime
) -> tuple[list[Violation], int]:
    """1 and 2: the processor's own list of charges, against our attempts."""
    subject = f"gateway_account:{account.id}"
    try:
        gateway = processors.gateway(account)
    except Refused as error:
        return [Violation(2, subject, str(error))], 0
    if not gateway.capabilities.list_charges:
        return [], 0
    violations: list[Violation] = []
    seen: set[str] = set()
    count = 0
    try:
        for page in _pages(session, gateway, processors.context(now, seconds=300), account.id, now):
            count += len(page)
            violations += _compare(session, account.id, page, seen)
    except GatewayError as error:
        return [*violations, Violation(2, subject, f"can't be asked for its charges: {error}")], count
    violations += _missing_there(session, account.id, seen)
    return violations, count


def _pages(
    session: Session, gateway: Gateway, context: Context, account_id: int, now: datetime
) -> Iterator[tuple[ChargeResult, ...]]:
    since = session.scalar(
        sa.select(sa.func.min(Attempt.created_at)).where(Attempt.gateway_account_id == account_id)
    )
    if since is None:
        return
    cursor: str | None = None
    while True:
        page = gateway.list_charges(context, since - timedelta(days=1), now + timedelta(days=2), cursor)
        yield page.charges
        cursor = page.next_cursor
        if cursor is None:
            return


def _compare(
    session: Session, account_id: int, page: tuple[ChargeResult, ...], seen: set[str]
) -> list[Violation]:
    captured = [charge for charge in page if charge.status is Status.SUCCEEDED and charge.key is not None]
    attempts = {
        attempt.key: attempt
        for attempt in session.scalars(
            sa.select(Attempt).where(
                Attempt.gateway_account_id == account_id, Attempt.key.in_([charge.key for charge in captured])
            )
        )
    }
    violations = []
    for charge in captured:
        key = charge.key or ""
        attempt = attempts.get(key)
        if key in seen:
            violations.append(Violation(1, f"key:{key}", "the processor captured twice under one key"))
        seen.add(key)
        if attempt is None:
            violations.append(
                Violation(2, f"key:{key}", f"the processor captured {charge.amount}, our books have none")
            )
        elif attempt.status is AttemptStatus.SUCCEEDED:
            if charge.amount is None or (charge.amount.minor, charge.amount.currency) != (
                attempt.minor,
                attempt.currency,
            ):
                violations.append(
                    Violation(
                        2,
                        f"attempt:{attempt.id}",
                        f"the processor captured {charge.amount}, we {attempt.minor}",
                    )
                )
        elif not attempt.is_open and not _told(session, attempt):
            violations.append(
                Violation(
                    2,
                    f"attempt:{attempt.id}",
                    f"the processor captured it, our books say {attempt.status.value}",
                )
            )
    return violations


def _told(session: Session, attempt: Attempt) -> bool:
    task = session.scalar(
        sa.select(StaffTask.id).where(
            StaffTask.subject == f"attempt:{attempt.id}", StaffTask.kind == TaskKind.LATE_SUCCESS
        )
    )
    return task is not None


def _missing_there(session: Session, account_id: int, seen: set[str]) -> list[Violation]:
    ours = session.execute(
        sa.select(Attempt.id, Attempt.key)
        .where(Attempt.gateway_account_id == account_id, Attempt.status == AttemptStatus.SUCCEEDED)
        .execution_options(yield_per=AT_ONCE)
    )
    return [
        Violation(2, f"attempt:{attempt_id}", "our books have a capture that the processor doesn't list")
        for attempt_id, key in ours
        if key not in seen
    ]
