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
    Domain,
    DomainStatus,
    GatewayAccount,
    LineKind,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
    Seller,
)
from panel.renewals.crew import CHUNK, Crew, Done, Job, Note, pump
from panel.renewals.processors import Processors
from panel.renewals.settlement import settle

log = structlog.get_logger()

LEASE = timedelta(seconds=180)
# Under the schemes' own limits, whatever the card: declined attempts on one card and amount.
MOST_DECLINES = 8
DECLINES_WITHIN = timedelta(days=30)

Settled = Callable[[Session, list[AttemptStatus]], None]


@dataclass(frozen=True)
class Sending:
    """A committed attempt on its way: all that a thread needs, and until when (monotonic) it may be sent."""

    attempt_id: int
    gateway: Gateway
    request: ChargeRequest
    sendable_until: float


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
    attempts = _take_intents(session, now)
    if due:
        attempts += _attempt_due(session, seller, now, run_id, actor, CHUNK - len(attempts))
    session.flush()
    return [sending_of(session, processors, attempt) for attempt in attempts]


def sending_of(session: Session, processors: Processors, attempt: Attempt) -> Sending:
    """What a thread needs to send this attempt."""
    account = session.get_one(GatewayAccount, attempt.gateway_account_id)
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
        sendable_until=time.monotonic()
        + (LEASE - timedelta(seconds=2 * processors.call_seconds)).total_seconds(),
    )


def lease(attempt: Attempt) -> None:
    """For LEASE of real time nobody else touches the attempt; a dead worker's lease runs out."""
    attempt.lease_owner = uuid.uuid4().hex
    attempt.lease_until = real_now() + LEASE


def _take_intents(session: Session, now: datetime) -> list[Attempt]:
    intents = session.scalars(
        sa.select(Attempt)
        .join(Card, Card.id == Attempt.card_id)
        .join(GatewayAccount, GatewayAccount.id == Attempt.gateway_account_id)
        .where(Attempt.status == AttemptStatus.INTENDED, *_chargeable())
        .order_by(Attempt.id)
        .limit(CHUNK)
        .with_for_update(of=Attempt, skip_locked=True)
    ).all()
    started = []
    for attempt in intents:
        if attempt.card.status is CardStatus.VALIDATED and attempt.proforma.status is ProformaStatus.OPEN:
            _start(attempt, now)
            started.append(attempt)
        else:
            attempt.status = AttemptStatus.ABANDONED
            attempt.finished_at = now
            attempt.message = "the card was removed, or the proforma closed, before it was sent"
    return started


def _start(attempt: Attempt, now: datetime) -> None:
    attempt.status = AttemptStatus.SENDING
    attempt.first_sent_at = now
    attempt.sends = 1
    lease(attempt)


def _chargeable() -> list[sa.ColumnElement[bool]]:
    return [GatewayAccount.enabled.is_(True), GatewayAccount.stopped_at.is_(None)]


def _attempt_due(
    session: Session, seller: Seller, now: datetime, run_id: int | None, actor: str, limit: int
) -> list[Attempt]:
    """Attempts for due proformas. Those whose card can't be charged any more turn manual here, and are told."""
    today = day_in_zone(now, seller.zone)
    attempts: list[Attempt] = []
    while len(attempts) < limit:
        proformas = _lock_due(session, today, limit - len(attempts))
        if not proformas:
            break
        for proforma in proformas:
            if attempt := _attempt(session, proforma, seller, now, today, run_id, actor):
                attempts.append(attempt)
        session.flush()
    return attempts


def _lock_due(session: Session, today: date, limit: int) -> list[Proforma]:
    blocking = sa.select(Attempt.id).where(
        Attempt.proforma_id == Proforma.id,
        sa.or_(
            Attempt.status.in_(OPEN_STATUSES), Attempt.status == AttemptStatus.SUCCEEDED, Attempt.day == today
        ),
    )
    ids = session.scalars(
        sa.select(Proforma.id)
        .join(Card, Card.id == Proforma.card_id)
        .join(GatewayAccount, GatewayAccount.id == Card.gateway_account_id)
        .where(
            Proforma.status == ProformaStatus.OPEN,
            Proforma.method == PaymentMethod.CARD,
            Proforma.next_charge_on <= today,
            ~blocking.exists(),
            *_chargeable(),
        )
        .order_by(Proforma.id)
        .limit(limit)
        .with_for_update(of=Proforma, skip_locked=True)
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


@dataclass(frozen=True)
class _Standing:
    """How the lines of a proforma stand now: which cards their domains' recurrences name (None: switched off), and
    which lines are for domains that left, or run beyond the line's start already."""

    cards: set[int | None]
    gone: list[ProformaLine]


def _standing(session: Session, proforma: Proforma) -> _Standing:
    rows = session.execute(
        sa.select(ProformaLine, Domain, Recurrence)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .outerjoin(
            Recurrence,
            sa.and_(
                Recurrence.domain_id == Domain.id, Recurrence.current, Recurrence.state == RecurrenceState.ON
            ),
        )
        .where(
            ProformaLine.proforma_id == proforma.id, ProformaLine.live, ProformaLine.kind == LineKind.RENEWAL
        )
    ).all()
    gone = [
        line
        for line, domain, _ in rows
        if domain.status not in (DomainStatus.ACTIVE, DomainStatus.SUSPENDED)
        or domain.expires_on > line.starts_on
    ]
    return _Standing(
        cards={
            recurrence.card_id if recurrence else None for line, _, recurrence in rows if line not in gone
        },
        gone=gone,
    )


def _attempt(
    session: Session,
    proforma: Proforma,
    seller: Seller,
    now: datetime,
    day: date,
    run_id: int | None,
    actor: str,
) -> Attempt | None:
    """The attempt of today, or None when the proforma may not be charged (any more, or for now)."""
    standing = _standing(session, proforma)
    if standing.gone and drop_lines(session, proforma, standing.gone, now=now, actor=actor):
        return None
    card = _card_to_charge(session, proforma, standing, now, actor)
    if card is None or card.status is not CardStatus.VALIDATED or not card.usable_on(day):
        off = None in standing.cards
        reason = ManualReason.NOT_RECURRING if off else ManualReason.CARD_UNUSABLE
        turn_manual(session, proforma, reason, now=now, actor=actor)
        return None
    if (
        declines_in_window(session, card.fingerprint, proforma.total_minor, proforma.currency, now)
        >= MOST_DECLINES
    ):
        proforma.next_charge_on = next_retry(proforma.expires_on, seller, after=day)
        return None
    attempt = new_attempt(proforma, card, day=day, now=now, run_id=run_id, user_id=None)
    _start(attempt, now)
    session.add(attempt)
    return attempt


def _card_to_charge(
    session: Session, proforma: Proforma, standing: _Standing, now: datetime, actor: str
) -> Card | None:
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
        now=now,
        actor=actor,
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
    if time.monotonic() > sending.sendable_until:
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
            except (SQLAlchemyError, LookupError, ValueError) as error:
                # It keeps its lease and its status: the sweep looks it up at the processor and settles it then.
                log.error("charge.settle_failed", attempt=item.tag, error=repr(error)[:500])
        settled(session, statuses)
        failpoint("charge.before_settle_commit")
    failpoint("charge.after_settle_commit")
