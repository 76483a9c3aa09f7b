"""Charging cards: intents in chunks, calls by threads, results in groups. No transaction is open across the network."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload

from gateways import calling
from gateways.contract import ChargeRequest, ChargeResult, Gateway, Money, Status
from panel import journal
from panel.billing.calendar import day_in_zone, next_retry, seller_of
from panel.billing.proforma_mail import tell
from panel.billing.proformas import drop_lines
from panel.clock import Clock, real_now
from panel.database import Database
from panel.failpoints import failpoint
from panel.records import (
    OPEN_STATUSES,
    Attempt,
    AttemptStatus,
    Card,
    CardStatus,
    GatewayAccount,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaStatus,
    Seller,
    TaskKind,
)
from panel.renewals.crew import CHUNK, Crew, Done, Job, Note, pump
from panel.renewals.processors import Processors
from panel.renewals.settlement import settle
from panel.renewals.staff_tasks import open_task
from panel.renewals.standing import Standing, standing_of

log = structlog.get_logger()

LEASE = timedelta(seconds=180)
# Under the schemes' own limits, whatever the card: declined attempts on one card and amount.
MOST_DECLINES = 8
DECLINES_WITHIN = timedelta(days=30)

Settled = Callable[[Session, list[AttemptStatus]], None]


@dataclass(frozen=True)
class Sending:
    """A committed attempt on its way: all that a thread needs, and until when it may be sent, by two clocks: one stands
    still while the machine sleeps, the other can be set back."""

    attempt_id: int
    gateway: Gateway
    request: ChargeRequest
    sendable_until: float
    sendable_until_real: datetime


def charge_due(
    database: Database,
    processors: Processors,
    clock: Clock,
    *,
    actor: str,
    run_id: int | None,
    concurrency: int,
    settled: Settled,
    due: bool = True,
) -> None:
    """Charges every proforma whose day has come (with `due`) and every intent that a person left."""
    crew = Crew(concurrency)

    def claim() -> list[Job]:
        with database.write() as session:
            sendings = claim_chunk(session, processors, now=clock.now(), run_id=run_id, actor=actor, due=due)
            failpoint("charge.before_intent_commit")
        failpoint("charge.after_intent_commit")
        return [_job(crew, processors, clock, sending) for sending in sendings]

    def settle_group(items: list[Done | Note]) -> None:
        settle_results(database, items, now=clock.now(), actor=actor, settled=settled)

    try:
        pump(crew, claim=claim, settle=settle_group, low_water=max(CHUNK, concurrency))
    finally:
        crew.dismiss()


def claim_chunk(
    session: Session, processors: Processors, *, now: datetime, run_id: int | None, actor: str, due: bool
) -> list[Sending]:
    """Transaction A: writes attempts (or takes over intents) with key, frozen amount and lease, ready to be sent."""
    seller = seller_of(session)
    usable = processors.usable_accounts(session)
    attempts = _take_intents(session, usable, now, actor)
    if due:
        wanted = _Due(seller, day_in_zone(now, seller.zone), usable, processors, now, run_id, actor)
        attempts += _attempt_due(session, wanted, CHUNK - len(attempts))
    session.flush()
    return [sending_of(session, processors, attempt) for attempt in attempts]


def sending_of(session: Session, processors: Processors, attempt: Attempt) -> Sending:
    """What a thread needs to send this attempt."""
    account = session.get_one(GatewayAccount, attempt.gateway_account_id)
    left = LEASE - timedelta(seconds=2 * processors.call_seconds)
    return Sending(
        attempt_id=attempt.id,
        gateway=processors.gateway(account),
        request=ChargeRequest(
            idempotency_key=attempt.key,
            amount=Money(attempt.minor, attempt.currency),
            instrument_ref=attempt.instrument_ref,
            customer_ref=attempt.customer_ref,
            description=attempt.proforma.number,
            metadata={"proforma": attempt.proforma.number},
        ),
        sendable_until=time.monotonic() + left.total_seconds(),
        sendable_until_real=real_now() + left,
    )


def lease(attempt: Attempt) -> None:
    """For LEASE of real time nobody else touches the attempt; a dead worker's lease runs out."""
    attempt.lease_owner = uuid.uuid4().hex
    attempt.lease_until = real_now() + LEASE


@dataclass(frozen=True)
class _Due:
    """What every attempt of one claim has in common."""

    seller: Seller
    today: date
    usable_accounts: list[int]
    processors: Processors
    now: datetime
    run_id: int | None
    actor: str


def _take_intents(session: Session, usable_accounts: list[int], now: datetime, actor: str) -> list[Attempt]:
    intents = session.scalars(
        sa.select(Attempt)
        .where(Attempt.status == AttemptStatus.INTENDED, Attempt.gateway_account_id.in_(usable_accounts))
        .order_by(Attempt.id)
        .limit(CHUNK)
        .with_for_update(of=Attempt, skip_locked=True, key_share=True)
    ).all()
    started = []
    for attempt in intents:
        _hold(session, attempt.card)
        if attempt.card.status is CardStatus.VALIDATED and attempt.proforma.status is ProformaStatus.OPEN:
            _start(attempt, now)
            started.append(attempt)
        else:
            attempt.status = AttemptStatus.ABANDONED
            attempt.finished_at = now
            attempt.message = "the card was removed, or the proforma closed, before it was sent"
            journal.write(
                session,
                now=now,
                actor=actor,
                kind="charge.abandoned",
                subject=f"attempt:{attempt.id}",
                account_id=attempt.proforma.account_id,
            )
    return started


def _start(attempt: Attempt, now: datetime) -> None:
    attempt.status = AttemptStatus.SENDING
    attempt.first_sent_at = now
    attempt.sends = 1
    lease(attempt)


def _hold(session: Session, card: Card) -> None:
    """Nobody removes the card between this look at it and the commit of the intent."""
    session.refresh(card, with_for_update={"read": True})


def _attempt_due(session: Session, due: _Due, limit: int) -> list[Attempt]:
    """Attempts for due proformas. Those whose card can't be charged any more turn manual here, and are told."""
    attempts: list[Attempt] = []
    while len(attempts) < limit:
        proformas = _lock_due(session, due, limit - len(attempts))
        if not proformas:
            break
        for proforma in proformas:
            if attempt := _attempt(session, proforma, due):
                attempts.append(attempt)
        session.flush()
    return attempts


def _lock_due(session: Session, due: _Due, limit: int) -> list[Proforma]:
    blocking = sa.select(Attempt.id).where(
        Attempt.proforma_id == Proforma.id,
        sa.or_(
            Attempt.status.in_(OPEN_STATUSES),
            Attempt.status == AttemptStatus.SUCCEEDED,
            Attempt.day == due.today,
        ),
    )
    ids = session.scalars(
        sa.select(Proforma.id)
        .join(Card, Card.id == Proforma.card_id)
        .where(
            Proforma.status == ProformaStatus.OPEN,
            Proforma.method == PaymentMethod.CARD,
            Proforma.next_charge_on <= due.today,
            Card.gateway_account_id.in_(due.usable_accounts),
            ~blocking.exists(),
        )
        .order_by(Proforma.id)
        .limit(limit)
        .with_for_update(of=Proforma, skip_locked=True, key_share=True)
    ).all()
    if not ids:
        return []
    # Asked again now that the rows are locked: whoever held them a moment ago may have made an attempt.
    return list(
        session.scalars(
            sa.select(Proforma)
            .options(selectinload(Proforma.card))
            .where(Proforma.id.in_(ids), Proforma.status == ProformaStatus.OPEN, ~blocking.exists())
            .order_by(Proforma.id)
            .execution_options(populate_existing=True)
        )
    )


def _attempt(session: Session, proforma: Proforma, due: _Due) -> Attempt | None:
    """The attempt of today, or None when the proforma may not be charged (any more, or for now)."""
    standing = standing_of(session, proforma)
    if standing.gone and drop_lines(session, proforma, standing.gone, now=due.now, actor=due.actor):
        return None
    card = _card_to_charge(session, proforma, standing, due)
    reason = _reason_against(session, proforma, card, standing, due)
    if card is None or reason is not None:
        turn_manual(session, proforma, reason or ManualReason.CARD_UNUSABLE, now=due.now, actor=due.actor)
        return None
    declines = declines_in_window(session, card.fingerprint, proforma.total_minor, proforma.currency, due.now)
    if card.gateway_account_id not in due.usable_accounts or declines >= MOST_DECLINES:
        proforma.next_charge_on = next_retry(proforma.expires_on, due.seller, after=due.today)
        return None
    attempt = new_attempt(proforma, card, day=due.today, now=due.now, run_id=due.run_id, user_id=None)
    _start(attempt, due.now)
    session.add(attempt)
    return attempt


def _reason_against(
    session: Session, proforma: Proforma, card: Card | None, standing: Standing, due: _Due
) -> ManualReason | None:
    """Why this proforma is paid by hand from now on; None when it may be charged to `card`."""
    if None in standing.cards:
        return ManualReason.NOT_RECURRING
    if card is None:
        return ManualReason.CARD_UNUSABLE
    _hold(session, card)
    if card.status is not CardStatus.VALIDATED or not card.usable_on(due.today):
        return ManualReason.CARD_UNUSABLE
    if not standing.covered:
        return ManualReason.ABOVE_CEILING
    can = due.processors.capabilities(card.gateway_account)
    total = Money(proforma.total_minor, proforma.currency)
    if total.minor <= 0 or (can is not None and can.amount_problem(total)):
        return ManualReason.BELOW_MINIMUM
    return None


def _card_to_charge(session: Session, proforma: Proforma, standing: Standing, due: _Due) -> Card | None:
    """The card frozen at issue, while the consent for it stands; the one that replaced it, when all lines agree on it.

    Consent that was withdrawn, or given for another card, is no consent to charge the frozen one.
    """
    if standing.cards == {proforma.card_id}:
        return proforma.card
    agreed = next(iter(standing.cards)) if len(standing.cards) == 1 else None
    if agreed is None:
        return None
    card = session.get_one(Card, agreed)
    proforma.card = card
    journal.write(
        session,
        now=due.now,
        actor=due.actor,
        kind="proforma.card_changed",
        subject=f"proforma:{proforma.id}",
        account_id=proforma.account_id,
        data={"card_id": agreed},
    )
    return card


def new_attempt(
    proforma: Proforma, card: Card, *, day: date, now: datetime, run_id: int | None, user_id: int | None
) -> Attempt:
    """An intent to charge a proforma's total to a card, with a key of its own."""
    return Attempt(
        proforma=proforma,
        card=card,
        gateway_account_id=card.gateway_account_id,
        key=uuid.uuid4().hex,
        minor=proforma.total_minor,
        currency=proforma.currency,
        instrument_ref=card.instrument_ref,
        customer_ref=card.customer_ref,
        fingerprint=card.fingerprint,
        status=AttemptStatus.INTENDED,
        day=day,
        created_at=now,
        sends=0,
        checks=0,
        run_id=run_id,
        user_id=user_id,
    )


def declines_in_window(session: Session, fingerprint: str, minor: int, currency: str, now: datetime) -> int:
    """How often this card declined this amount lately, whoever asked for it."""
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(Attempt)
        .where(
            Attempt.fingerprint == fingerprint,
            Attempt.minor == minor,
            Attempt.currency == currency,
            Attempt.status == AttemptStatus.DECLINED,
            Attempt.finished_at > now - DECLINES_WITHIN,
        )
    )
    return int(count or 0)


def turn_manual(
    session: Session, proforma: Proforma, reason: ManualReason, *, now: datetime, actor: str
) -> None:
    """From card to payment by hand: never another card without consent."""
    proforma.method = PaymentMethod.MANUAL
    proforma.manual_reason = reason
    proforma.next_charge_on = None
    card = proforma.card
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="proforma.turned_manual",
        subject=f"proforma:{proforma.id}",
        account_id=proforma.account_id,
        data={"reason": reason.value},
    )
    tell(session, "card_needed", proforma, period="once", now=now, card=card.masked if card else None)


def _job(crew: Crew, processors: Processors, clock: Clock, sending: Sending) -> Job:
    def call() -> ChargeResult:
        return send(crew, processors, clock, sending)

    return Job(tag=sending.attempt_id, call=call, seconds=processors.call_seconds)


def send(crew: Crew, processors: Processors, clock: Clock, sending: Sending) -> ChargeResult:
    """The HTTP of one attempt, in a thread. Whatever a plugin does, the answer is a result."""
    if time.monotonic() > sending.sendable_until or real_now() > sending.sendable_until_real:
        # Somebody may have taken the attempt over already: this thread slept through its lease.
        return ChargeResult(status=Status.UNKNOWN, message="the lease ran out before it was sent")
    failpoint("charge.before_http")
    context = processors.context(clock.now(), checkpoint=lambda key, ref: crew.note(sending.attempt_id, ref))
    result = calling.charge(sending.gateway, context, sending.request)
    failpoint("charge.after_http")
    return result


HUNG = ChargeResult(status=Status.UNKNOWN, message="the gateway did not answer within its deadline")


def settle_results(
    database: Database, items: Sequence[Done | Note], *, now: datetime, actor: str, settled: Settled
) -> None:
    """Transaction B for a group: each item in a savepoint of its own, so that one which fails stops itself alone."""
    with database.write() as session:
        seller = seller_of(session)
        statuses: list[AttemptStatus] = []
        for item in items:
            if isinstance(item, Note):
                session.execute(
                    sa.update(Attempt).where(Attempt.id == item.tag).values(gateway_ref=item.value)
                )
                continue
            result = HUNG if item.hung else item.value
            try:
                with session.begin_nested():
                    statuses.append(settle(session, item.tag, result, seller=seller, now=now, actor=actor))
            except (SQLAlchemyError, LookupError, ValueError, TypeError) as error:
                # It keeps its lease and its status: the sweep looks it up at the processor and settles it then.
                log.error("charge.settle_failed", attempt=item.tag, error=repr(error)[:500])
                _say_unbooked(session, item.tag, error, now)
        settled(session, statuses)
        failpoint("charge.before_settle_commit")
    failpoint("charge.after_settle_commit")


def _say_unbooked(session: Session, attempt_id: int, error: Exception, now: datetime) -> None:
    attempt = session.get_one(Attempt, attempt_id)
    open_task(
        session,
        TaskKind.UNKNOWN_CHARGE,
        f"attempt:{attempt_id}",
        f"What became of {Money(attempt.minor, attempt.currency)} (key {attempt.key}) can't be booked:"
        f" {type(error).__name__}. It is tried again at each sweep.",
        account_id=attempt.proforma.account_id,
        now=now,
    )
