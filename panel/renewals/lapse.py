"""Suspends what stays unpaid, for a cause that the customer was told of; never for our or the gateway's failure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import DeclineKind
from panel import journal
from panel.billing.calendar import seller_of, suspends_at
from panel.billing.pricing import price_list
from panel.billing.proforma_mail import tell
from panel.billing.proformas import retotal
from panel.database import Database
from panel.failpoints import failpoint
from panel.records import (
    OPEN_STATUSES,
    Attempt,
    AttemptStatus,
    Domain,
    DomainStatus,
    LineKind,
    ManualReason,
    Message,
    MessageStatus,
    PaymentMethod,
    PriceKind,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Seller,
    SuspensionCause,
    Term,
)

AT_ONCE = 200
# A customer was told of the unpaid proforma at least this long before.
NOTICE = timedelta(days=3)


def suspend_unpaid(database: Database, *, now: datetime, actor: str) -> int:
    """Suspends every domain whose time is up; returns how many. Asked again it finds nothing."""
    suspended, after = 0, 0
    while True:
        with database.write() as session:
            seller = seller_of(session)
            overdue = _overdue(session, now, after)
            for domain, proforma, line in overdue:
                suspended += _suspend(session, domain, proforma, line, seller, now, actor)
            failpoint("suspend.before_commit")
        failpoint("suspend.after_commit")
        if len(overdue) < AT_ONCE:
            return suspended
        after = overdue[-1][0].id


def _overdue(session: Session, now: datetime, after: int) -> list[tuple[Domain, Proforma, ProformaLine]]:
    in_doubt = sa.select(Attempt.id).where(
        Attempt.proforma_id == Proforma.id, Attempt.status.in_([*OPEN_STATUSES, AttemptStatus.SUCCEEDED])
    )
    rows = session.execute(
        sa.select(Domain, Proforma, ProformaLine)
        .join(Term, sa.and_(Term.domain_id == Domain.id, Term.starts_on == Domain.expires_on, Term.live))
        .join(ProformaLine, ProformaLine.id == Term.line_id)
        .join(Proforma, Proforma.id == ProformaLine.proforma_id)
        .where(
            Domain.status == DomainStatus.ACTIVE,
            Domain.expires_at <= now,
            Domain.id > after,
            Proforma.status == ProformaStatus.OPEN,
            ~in_doubt.exists(),
        )
        .order_by(Domain.id)
        .limit(AT_ONCE)
        .with_for_update(of=[Domain, Proforma], key_share=True)
    )
    return [(domain, proforma, line) for domain, proforma, line in rows]


def _suspend(
    session: Session,
    domain: Domain,
    proforma: Proforma,
    line: ProformaLine,
    seller: Seller,
    now: datetime,
    actor: str,
) -> bool:
    cause = cause_of(session, proforma)
    if (
        cause is None
        or now < suspends_at(domain, seller, domain.terms)
        or not _told_in_time(session, proforma, now)
    ):
        return False
    domain.status = DomainStatus.SUSPENDED
    domain.suspended_at = now
    domain.suspension_cause = cause
    fee_minor = _add_fee(session, domain, proforma, line)
    # Nobody agreed to be charged a fee by card: from here the proforma is paid by hand.
    proforma.next_charge_on = None
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="domain.suspended",
        subject=f"domain:{domain.id}",
        account_id=domain.account_id,
        data={"cause": cause.value, "proforma_id": proforma.id, "fee_minor": fee_minor},
    )
    tell(
        session,
        "domain_suspended",
        proforma,
        period=f"{domain.id}-{line.starts_on}",
        now=now,
        domain=domain.shown,
        cause=cause.value,
        fee_minor=fee_minor,
    )
    return True


def cause_of(session: Session, proforma: Proforma) -> SuspensionCause | None:
    """Why it is unpaid, if that lies with the customer; None when it lies with us, the gateway, or isn't known."""
    if proforma.method is PaymentMethod.CARD and proforma.next_charge_on is not None:
        return None  # a charge is still to come: it could not be made in time
    last = session.scalar(
        sa.select(Attempt)
        .where(Attempt.proforma_id == proforma.id, Attempt.sends > 0)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    if last is not None and last.status is AttemptStatus.ABANDONED:
        return SuspensionCause.AUTHENTICATION
    if last is not None and last.status is AttemptStatus.DECLINED:
        return _BY_DECLINE.get(last.decline_kind or "")
    if proforma.method is PaymentMethod.CARD:
        return None
    return _BY_REASON.get(proforma.manual_reason, SuspensionCause.MANUAL_UNPAID)


_BY_DECLINE = {
    DeclineKind.RETRYABLE.value: SuspensionCause.DECLINED,
    DeclineKind.HARD.value: SuspensionCause.DECLINED,
    DeclineKind.AUTHENTICATION.value: SuspensionCause.AUTHENTICATION,
}
_BY_REASON: dict[ManualReason | None, SuspensionCause | None] = {
    ManualReason.CARD_UNUSABLE: SuspensionCause.NO_CARD,
    ManualReason.GATEWAY: None,
}
# Mails that say that something is to be paid by hand; "it will be charged" isn't one.
_NOTICES = (
    "proforma_issued",
    "charge_declined",
    "authentication_required",
    "card_needed",
    "price_above_ceiling",
    "reminder",
)


def _told_in_time(session: Session, proforma: Proforma, now: datetime) -> bool:
    """Whether a notice was sent (or could not be, for want of a good address) long enough ago."""
    sent = sa.case((Message.status == MessageStatus.PARKED, Message.created_at), else_=Message.sent_at)
    first = session.scalar(
        sa.select(sa.func.min(sent)).where(
            Message.subject == f"proforma:{proforma.id}", Message.kind.in_(_NOTICES)
        )
    )
    return first is not None and now - first >= NOTICE


def _add_fee(session: Session, domain: Domain, proforma: Proforma, line: ProformaLine) -> int | None:
    """The reactivation fee, on the proforma that stayed unpaid; once for a lapse. None where the TLD has none."""
    fee = price_list(session, proforma.currency, PriceKind.REACTIVATION).get(domain.tld)
    if fee is None or fee.minor == 0:
        return None
    starts_on: date = line.starts_on
    session.add(
        ProformaLine(
            proforma_id=proforma.id,
            domain_id=domain.id,
            kind=LineKind.REACTIVATION,
            years=0,
            starts_on=starts_on,
            ends_on=starts_on,
            net_minor=fee.minor,
            live=True,
        )
    )
    retotal(session, proforma)
    return fee.minor
