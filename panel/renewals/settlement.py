"""What follows from the outcome of a charge, all or nothing: one transaction takes it from attempt to invoice.

Answers, webhooks, sweeps and clicks all end in `settle`. It locks the attempt first and acts on it once; whoever comes
second finds it final and changes nothing.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import ChargeResult, DeclineKind, Money, Status
from panel import journal
from panel.billing.calendar import day_in_zone, next_retry, seller_of
from panel.billing.invoices import issue_invoice
from panel.billing.proforma_mail import tell
from panel.billing.proformas import give_up_intent, lock_open, refuse_while_charging
from panel.errors import N_, Refused
from panel.failpoints import failpoint
from panel.records import (
    ATTEMPT_TRANSITIONS,
    OPEN_STATUSES,
    Attempt,
    AttemptStatus,
    Card,
    CardStatus,
    Domain,
    Effect,
    Extension,
    ExtensionStatus,
    GatewayAccount,
    Invoice,
    LineKind,
    ManualPayment,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Seller,
    TaskKind,
)
from panel.renewals import processors
from panel.renewals.staff_tasks import close_task, open_task

CHECK_AFTER = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
# A task for staff comes well before the 26 hours after which an unknown charge may not go unseen.
TASK_AFTER = timedelta(hours=24)


def settle(
    session: Session, attempt_id: int, result: ChargeResult, *, seller: Seller, now: datetime, actor: str
) -> AttemptStatus:
    """Applies what the processor says of an attempt; returns the attempt's status afterwards."""
    attempt = session.scalars(
        sa.select(Attempt)
        .where(Attempt.id == attempt_id)
        .with_for_update(of=Attempt, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if attempt.status not in OPEN_STATUSES:
        if result.status is Status.SUCCEEDED and attempt.status is not AttemptStatus.SUCCEEDED:
            _late_success(session, attempt, now)
        return attempt.status
    attempt.lease_owner = attempt.lease_until = None
    attempt.message = str(result.message or "")[:500] or None
    if result.key not in (None, attempt.key):
        # An answer about another charge says nothing of this one, least of all where to find it.
        attempt.message = f"the processor answered about another charge ({str(result.key)[:64]})"
        doubt(session, attempt, now)
        return attempt.status
    attempt.gateway_ref = str(result.ref)[:255] if result.ref else attempt.gateway_ref
    attempt.request_id = str(result.request_id)[:255] if result.request_id else attempt.request_id
    match result.status:
        case Status.SUCCEEDED:
            _succeed(session, attempt, result, seller, now, actor)
        case Status.DECLINED:
            _decline(session, attempt, result, seller, now, actor)
        case Status.ACTION_REQUIRED:
            _require_action(session, attempt, now, actor)
        case Status.PENDING:
            _become(attempt, AttemptStatus.PENDING)
            attempt.checks += 1
            attempt.next_check_at = now + CHECK_AFTER[min(attempt.checks, 2)]
        case Status.NOT_SUBMITTED:
            _not_submitted(session, attempt, result, seller, now, actor)
        case Status.UNKNOWN if result.amount not in (None, Money(attempt.minor, attempt.currency)):
            _mismatch(session, attempt, result, now)
        case Status.UNKNOWN:
            doubt(session, attempt, now)
    session.flush()
    return attempt.status


def _become(attempt: Attempt, status: AttemptStatus) -> None:
    if status is attempt.status:
        return
    if status not in ATTEMPT_TRANSITIONS[attempt.status]:
        raise ValueError(f"attempt {attempt.id} can't go from {attempt.status} to {status}")
    attempt.status = status


def _finish(session: Session, attempt: Attempt, status: AttemptStatus, now: datetime, actor: str) -> None:
    _become(attempt, status)
    attempt.finished_at = now
    attempt.next_check_at = None
    close_task(
        session, TaskKind.UNKNOWN_CHARGE, f"attempt:{attempt.id}", now, f"the charge is {status.value}"
    )
    journal.write(
        session,
        now=now,
        actor=actor,
        kind=f"charge.{status.value}",
        subject=f"attempt:{attempt.id}",
        account_id=attempt.proforma.account_id,
        data={
            "key": attempt.key,
            "ref": attempt.gateway_ref,
            "minor": attempt.minor,
            "currency": attempt.currency,
            "code": attempt.decline_code,
        },
    )


def _succeed(
    session: Session, attempt: Attempt, result: ChargeResult, seller: Seller, now: datetime, actor: str
) -> None:
    proforma = _locked_proforma(session, attempt)
    asked = Money(attempt.minor, attempt.currency)
    still_open = proforma.status is ProformaStatus.OPEN
    if result.amount != asked or (still_open and asked != Money(proforma.total_minor, proforma.currency)):
        _mismatch(session, attempt, result, now)
        return
    effect = Effect(attempt_id=attempt.id, at=now)
    session.add(effect)
    session.flush()
    _finish(session, attempt, AttemptStatus.SUCCEEDED, now, actor)
    if proforma.status is not ProformaStatus.OPEN:
        _late_success(session, attempt, now)
        return
    failpoint("charge.inside_settle")
    invoice = pay(session, proforma, seller=seller, now=now, actor=actor)
    effect.invoice_id = invoice.id


def _locked_proforma(session: Session, attempt: Attempt) -> Proforma:
    return session.scalars(
        sa.select(Proforma)
        .where(Proforma.id == attempt.proforma_id)
        .with_for_update(of=Proforma, key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def pay(session: Session, proforma: Proforma, *, seller: Seller, now: datetime, actor: str) -> Invoice:
    """Paid, numbered, invoiced, to be extended, mailed: for an open proforma that is locked."""
    proforma.status = ProformaStatus.PAID
    proforma.paid_at = now
    proforma.next_charge_on = None
    invoice = issue_invoice(session, proforma, seller=seller, actor=actor, now=now)
    _intend_extensions(session, proforma, now)
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="proforma.paid",
        subject=f"proforma:{proforma.id}",
        account_id=proforma.account_id,
        data={"invoice": invoice.full_number},
    )
    tell(session, "receipt", proforma, period="once", now=now, invoice_number=invoice.full_number)
    return invoice


def _intend_extensions(session: Session, proforma: Proforma, now: datetime) -> None:
    paid_for = session.execute(
        sa.select(ProformaLine.id, ProformaLine.years, Domain.id, Domain.registrar, Domain.expires_at)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .where(
            ProformaLine.proforma_id == proforma.id, ProformaLine.live, ProformaLine.kind == LineKind.RENEWAL
        )
        .order_by(ProformaLine.id)
    )
    rows = [
        {
            "line_id": line_id,
            "domain_id": domain_id,
            "registrar": registrar,
            "key": uuid.uuid4().hex,
            "years": years,
            "believed_expiry": expires_at,
            "status": ExtensionStatus.INTENDED,
            "tries": 0,
            "next_try_at": now,
            "created_at": now,
        }
        for line_id, years, domain_id, registrar, expires_at in paid_for
    ]
    if rows:
        session.execute(sa.insert(Extension), rows)


def _mismatch(session: Session, attempt: Attempt, result: ChargeResult, now: datetime) -> None:
    """Money moved, but not what was asked for: nobody may act on it but a person."""
    _become(attempt, AttemptStatus.UNKNOWN)
    attempt.next_check_at = now + CHECK_AFTER[-1]
    said = str(result.amount) if result.amount is not None else "no amount"
    open_task(
        session,
        TaskKind.AMOUNT_MISMATCH,
        f"attempt:{attempt.id}",
        f"Asked for {_amount(attempt)} (key {attempt.key}); the processor says {said}"
        f" under {result.ref} with key {result.key}.",
        account_id=attempt.proforma.account_id,
        now=now,
    )


def _amount(attempt: Attempt) -> Money:
    return Money(attempt.minor, attempt.currency)


def _late_success(session: Session, attempt: Attempt, now: datetime) -> None:
    open_task(
        session,
        TaskKind.LATE_SUCCESS,
        f"attempt:{attempt.id}",
        f"The processor took {_amount(attempt)} ({attempt.gateway_ref}, key {attempt.key}) for proforma"
        f" {attempt.proforma.number}, which did not need it any more. Refund it at the processor.",
        account_id=attempt.proforma.account_id,
        now=now,
    )


def _decline(
    session: Session, attempt: Attempt, result: ChargeResult, seller: Seller, now: datetime, actor: str
) -> None:
    decline = result.decline
    if decline is None:  # the contract forbids it; without a reason nothing may be concluded
        doubt(session, attempt, now)
        return
    attempt.decline_kind = decline.kind.value
    attempt.decline_code = str(decline.code or "")[:64]
    attempt.not_before = decline.not_before
    _finish(session, attempt, AttemptStatus.DECLINED, now, actor)
    proforma = _locked_proforma(session, attempt)
    today = day_in_zone(now, seller.zone)
    if decline.kind is DeclineKind.MERCHANT:
        _stop_gateway(session, attempt, f"{decline.code}: {result.message}", now, actor)
        _try_again(proforma, today + timedelta(days=1))
        return
    proforma.next_charge_on = None
    if decline.kind is DeclineKind.RETRYABLE and proforma.method is PaymentMethod.CARD:
        earliest = day_in_zone(decline.not_before, seller.zone) if decline.not_before else None
        proforma.next_charge_on = next_retry(proforma.expires_on, seller, after=today, not_before=earliest)
    if decline.kind is DeclineKind.HARD:
        _retire_card(session, attempt, now, actor)
    tell(
        session,
        "authentication_required" if decline.kind is DeclineKind.AUTHENTICATION else "charge_declined",
        proforma,
        period=attempt.day.isoformat(),
        now=now,
        decline_kind=decline.kind.value,
        card=attempt.card.masked,
        next_try_on=proforma.next_charge_on.isoformat() if proforma.next_charge_on else None,
    )


def _retire_card(session: Session, attempt: Attempt, now: datetime, actor: str) -> None:
    """A hard decline stops the whole card, whatever the amount, until the processor validates it again."""
    cards = session.scalars(
        sa.select(Card).where(
            Card.fingerprint == attempt.fingerprint,
            Card.account_id == attempt.card.account_id,
            Card.status == CardStatus.VALIDATED,
        )
    )
    for card in cards:
        card.status = CardStatus.DECLINED
        card.is_default = False
        card.version += 1
        journal.write(
            session,
            now=now,
            actor=actor,
            kind="card.declined",
            subject=f"card:{card.id}",
            account_id=card.account_id,
            data={"code": attempt.decline_code},
        )


def _stop_gateway(session: Session, attempt: Attempt, reason: str, now: datetime, actor: str) -> None:
    account = session.get_one(
        GatewayAccount,
        attempt.gateway_account_id,
        with_for_update={"key_share": True},
        populate_existing=True,
    )
    processors.stop(session, account, reason=reason, now=now, actor=actor)


def _require_action(session: Session, attempt: Attempt, now: datetime, actor: str) -> None:
    first_time = attempt.status is not AttemptStatus.ACTION_REQUIRED
    _become(attempt, AttemptStatus.ACTION_REQUIRED)
    attempt.checks += 1
    attempt.next_check_at = now + CHECK_AFTER[min(attempt.checks, 2)]
    if first_time:
        attempt.proforma.next_charge_on = None
        tell(session, "authentication_required", attempt.proforma, period=attempt.day.isoformat(), now=now)


def _not_submitted(
    session: Session, attempt: Attempt, result: ChargeResult, seller: Seller, now: datetime, actor: str
) -> None:
    if result.decline is not None and result.decline.kind is DeclineKind.MERCHANT:
        _stop_gateway(session, attempt, f"{result.decline.code}: {result.message}", now, actor)
    if attempt.sends > 1:
        # This sending did nothing; an earlier one may have.
        doubt(session, attempt, now)
        return
    _finish(session, attempt, AttemptStatus.NOT_SUBMITTED, now, actor)
    _try_again(attempt.proforma, _tomorrow_of(attempt, seller, now))


def _try_again(proforma: Proforma, day: date) -> None:
    """By itself only what is charged by itself: a click on a proforma for payment by hand is a person's to repeat."""
    if proforma.status is ProformaStatus.OPEN and proforma.method is PaymentMethod.CARD:
        proforma.next_charge_on = day


def _tomorrow_of(attempt: Attempt, seller: Seller, now: datetime) -> date:
    """The first day on which a new attempt may be made: one attempt at a proforma a day."""
    return max(day_in_zone(now, seller.zone), attempt.day + timedelta(days=1))


def doubt(session: Session, attempt: Attempt, now: datetime) -> None:
    """Leaves an attempt unknown, to be looked up again after a while; a person hears of it within a day."""
    _become(attempt, AttemptStatus.UNKNOWN)
    attempt.lease_owner = attempt.lease_until = None
    attempt.next_check_at = now + CHECK_AFTER[min(attempt.checks, len(CHECK_AFTER) - 1)]
    attempt.checks += 1
    since = attempt.first_sent_at or attempt.created_at
    if now - since >= TASK_AFTER or attempt.checks > len(CHECK_AFTER):
        open_task(
            session,
            TaskKind.UNKNOWN_CHARGE,
            f"attempt:{attempt.id}",
            f"Whether {_amount(attempt)} was taken (key {attempt.key}, sent {since:%Y-%m-%d %H:%M} UTC)"
            f" is not known. Last answer: {attempt.message or 'none'}",
            account_id=attempt.proforma.account_id,
            now=now,
        )


def lose(session: Session, attempt: Attempt, *, seller: Seller, now: datetime, actor: str) -> None:
    """Closes an attempt that the processor never saw, by its own word after its settle delay."""
    attempt.lease_owner = attempt.lease_until = None
    _finish(session, attempt, AttemptStatus.LOST, now, actor)
    proforma = _locked_proforma(session, attempt)
    _try_again(proforma, _tomorrow_of(attempt, seller, now))


def abandon(session: Session, attempt_id: int, *, now: datetime, actor: str) -> None:
    """Closes an attempt that nobody authenticated in time; its proforma is paid by hand, or lapses for that cause."""
    attempt = session.scalars(
        sa.select(Attempt).where(Attempt.id == attempt_id).with_for_update(of=Attempt, key_share=True)
    ).one()
    if attempt.status is AttemptStatus.ACTION_REQUIRED:
        attempt.lease_owner = attempt.lease_until = None
        attempt.message = "not authenticated in time"
        _finish(session, attempt, AttemptStatus.ABANDONED, now, actor)


def record_manual_payment(
    session: Session,
    *,
    account_id: int,
    proforma_id: int,
    reference: str,
    received_on: date,
    user_id: int,
    now: datetime,
) -> Invoice:
    """Staff saw the money: pays an open proforma in full. Refused while a card charge may still pay it too."""
    seller = seller_of(session)
    if not reference.strip():
        raise Refused(N_("Give the payment's reference, as the bank statement shows it."), field="reference")
    if received_on > day_in_zone(now, seller.zone):
        raise Refused(N_("The day of receipt lies in the future."), field="received_on")
    proforma = lock_open(session, account_id, proforma_id)
    give_up_intent(session, proforma, now=now, actor=f"user:{user_id}")
    refuse_while_charging(session, proforma)
    session.add(
        ManualPayment(
            proforma_id=proforma.id,
            minor=proforma.total_minor,
            currency=proforma.currency,
            reference=reference.strip(),
            user_id=user_id,
            received_on=received_on,
            at=now,
        )
    )
    return pay(session, proforma, seller=seller, now=now, actor=f"user:{user_id}")
