"""What isn't known is looked up, by our own reference; only evidence takes an attempt out of doubt.

While the processor surely remembers the key, a look-up that says *no* lets the same key be sent again. After that two
*no*s, a settle delay apart, close the attempt as lost, and a new one with a new key may follow on another day. One is
not enough: what was sent may still be on its way inside the processor when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from gateways import calling
from gateways.contract import ChargeResult, Context, Gateway, LookupAnswer, Status
from panel.billing.calendar import day_in_zone, seller_of
from panel.clock import Clock, real_now
from panel.database import Database
from panel.errors import Refused
from panel.records import (
    Attempt,
    AttemptStatus,
    CardStatus,
    GatewayAccount,
    ProformaStatus,
    Seller,
)
from panel.renewals.charging import (
    CHUNK,
    Sending,
    Settled,
    lease,
    send,
    sending_of,
    settle_results,
)
from panel.renewals.crew import Crew, Done, Job, Note, pump
from panel.renewals.processors import Processors
from panel.renewals.settlement import CHECK_AFTER, abandon, doubt, lose
from panel.renewals.standing import standing_of

log = structlog.get_logger()

# The processor's memory of a key is trusted for an hour less than it promises: clocks differ.
WINDOW_MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class Question:
    """An attempt in doubt and what may be done about it, as of the claim."""

    sending: Sending
    gateway_ref: str | None
    customer_ref: str
    since: datetime
    may_resend: bool
    key_is_dead: bool
    settle_delay: timedelta
    give_up: bool


@dataclass(frozen=True)
class GivenUp:
    """The customer did not authenticate in time, and the processor confirms that the charge was cancelled."""

    result: ChargeResult


@dataclass(frozen=True)
class Absent:
    """The answer of a look-up that found nothing, at `asked_at`."""

    key_is_dead: bool
    settle_delay: timedelta
    asked_at: datetime


def recover(
    database: Database,
    processors: Processors,
    clock: Clock,
    *,
    actor: str,
    concurrency: int,
    settled: Settled,
    of_run: int | None = None,
) -> None:
    """Looks up every attempt in doubt whose time has come; with `of_run` those of that run, once, at once."""
    crew = Crew(concurrency)
    after = 0

    def claim() -> list[Job]:
        nonlocal after
        questions: list[Question] = []
        while not questions:
            with database.write() as session:
                questions, last = claim_doubtful(
                    session, processors, now=clock.now(), of_run=of_run, after=after
                )
            if last == after:
                break
            after = last
        return [_job(crew, processors, clock, question) for question in questions]

    def settle_group(items: list[Done | Note]) -> None:
        _settle_answers(database, items, now=clock.now(), actor=actor, settled=settled)

    try:
        pump(crew, claim=claim, settle=settle_group, low_water=1)
    finally:
        crew.dismiss()


def claim_doubtful(
    session: Session, processors: Processors, *, now: datetime, of_run: int | None, after: int
) -> tuple[list[Question], int]:
    """Takes a lease on a chunk of attempts in doubt, what a dead worker left among them, from beyond id `after`.

    Returns the questions and the last id looked at; `after` itself when there is nothing more.
    """
    seller = seller_of(session)
    free = sa.or_(Attempt.lease_until.is_(None), Attempt.lease_until < real_now())
    waiting = [AttemptStatus.UNKNOWN, AttemptStatus.PENDING, AttemptStatus.ACTION_REQUIRED]
    left_behind = sa.and_(Attempt.status == AttemptStatus.SENDING, Attempt.lease_until < real_now())
    if of_run is None:
        # A check planned for far ahead was planned by a clock that has been put right since.
        due = sa.or_(Attempt.next_check_at <= now, Attempt.next_check_at > now + 2 * CHECK_AFTER[-1])
        mine = sa.or_(sa.and_(Attempt.status.in_(waiting), due), left_behind)
    else:
        mine = sa.and_(Attempt.run_id == of_run, Attempt.status == AttemptStatus.UNKNOWN)
    attempts = session.scalars(
        sa.select(Attempt)
        .where(mine, free, Attempt.id > after)
        .order_by(Attempt.id)
        .limit(CHUNK)
        .with_for_update(of=Attempt, skip_locked=True, key_share=True)
    ).all()
    asked = [_question(session, processors, attempt, seller, now) for attempt in attempts]
    last = attempts[-1].id if attempts else after
    return [question for question in asked if question is not None], last


def _question(
    session: Session, processors: Processors, attempt: Attempt, seller: Seller, now: datetime
) -> Question | None:
    """None when its gateway can't be asked at all: then it stays in doubt, and a person hears of it."""
    if attempt.status is AttemptStatus.SENDING:
        attempt.status = AttemptStatus.UNKNOWN
        attempt.next_check_at = now
    lease(attempt)
    account = session.get_one(GatewayAccount, attempt.gateway_account_id)
    try:
        sending = sending_of(session, processors, attempt)
    except Refused as refused:
        attempt.message = str(refused)[:500]
        doubt(session, attempt, now)
        return None
    can = sending.gateway.capabilities
    since = attempt.first_sent_at or attempt.created_at
    key_dies = since + timedelta(seconds=can.idempotency_window_s) - WINDOW_MARGIN
    may_resend = (
        attempt.status is AttemptStatus.UNKNOWN
        and since - WINDOW_MARGIN <= now < key_dies
        and attempt.gateway_ref is None
        and attempt.proforma.status is ProformaStatus.OPEN
        and attempt.card.status is CardStatus.VALIDATED
        and account.enabled
        and account.stopped_at is None
        and _still_agreed(session, attempt)
    )
    if may_resend:
        attempt.sends += 1
    return Question(
        sending=sending,
        gateway_ref=attempt.gateway_ref,
        customer_ref=attempt.customer_ref,
        since=since,
        may_resend=may_resend,
        key_is_dead=now >= key_dies + timedelta(seconds=can.settle_delay_s),
        settle_delay=timedelta(seconds=can.settle_delay_s),
        give_up=(
            attempt.status is AttemptStatus.ACTION_REQUIRED
            and day_in_zone(now, seller.zone) >= attempt.proforma.due_on
        ),
    )


def _still_agreed(session: Session, attempt: Attempt) -> bool:
    """What a person asked for by a click is agreed; what the run charges needs the consent that stands now."""
    if attempt.user_id is not None:
        return True
    standing = standing_of(session, attempt.proforma)
    return standing.cards == {attempt.card_id} and not standing.gone and standing.covered


def _job(crew: Crew, processors: Processors, clock: Clock, question: Question) -> Job:
    def call() -> ChargeResult | Absent | GivenUp:
        return ask(crew, processors, clock, question)

    # A look-up, perhaps followed by a sending.
    return Job(tag=question.sending.attempt_id, call=call, seconds=2 * processors.call_seconds)


def ask(
    crew: Crew, processors: Processors, clock: Clock, question: Question
) -> ChargeResult | Absent | GivenUp:
    """What the processor knows of an attempt; sends the same key again where that is safe."""
    sending = question.sending
    asked_at = clock.now()
    context = processors.context(asked_at)
    if question.gateway_ref is not None:
        ref = question.gateway_ref
        if question.give_up and sending.gateway.capabilities.cancel:
            _cancel(sending.gateway, context, ref)
        result = calling.get_charge(sending.gateway, context, ref, sending.request.amount)
        return GivenUp(result) if question.give_up and result.status is Status.DECLINED else result
    lookup = calling.find_charge(
        sending.gateway,
        context,
        sending.request.idempotency_key,
        question.customer_ref,
        question.since,
        sending.request.amount,
    )
    match lookup.answer:
        case LookupAnswer.YES if lookup.result is not None:
            return lookup.result
        case LookupAnswer.NO if question.may_resend:
            return send(crew, processors, clock, sending)
        case LookupAnswer.NO:
            return Absent(question.key_is_dead, question.settle_delay, asked_at)
        case _:
            return ChargeResult(
                status=Status.UNKNOWN, message=lookup.message or "the processor could not tell"
            )


def _cancel(gateway: Gateway, context: Context, ref: str) -> None:
    """Gives up a charge that nobody authenticated; what became of it is read back, whatever this answers."""
    try:
        gateway.cancel_charge(context, ref)
    except (Exception, SystemExit) as error:  # a stranger's code
        log.error("gateway.raised", error=calling.described(gateway, error))


def _settle_answers(
    database: Database, items: list[Done | Note], *, now: datetime, actor: str, settled: Settled
) -> None:
    special = [item for item in items if isinstance(item, Done) and isinstance(item.value, (Absent, GivenUp))]
    known = [item for item in items if item not in special]
    if known:
        settle_results(database, known, now=now, actor=actor, settled=settled)
    if special:
        with database.write() as session:
            seller = seller_of(session)
            for item in special:
                if isinstance(item.value, GivenUp):
                    abandon(session, item.tag, now=now, actor=actor)
                else:
                    _settle_absent(session, item.tag, item.value, seller, now, actor)


def _settle_absent(
    session: Session, attempt_id: int, answer: Absent, seller: Seller, now: datetime, actor: str
) -> None:
    attempt = session.scalars(
        sa.select(Attempt).where(Attempt.id == attempt_id).with_for_update(of=Attempt, key_share=True)
    ).one()
    if attempt.status is not AttemptStatus.UNKNOWN:
        return
    if not answer.key_is_dead:
        attempt.message = "the processor has not seen it yet"
        doubt(session, attempt, now)
    elif attempt.absent_since is None:
        attempt.message = "the processor has not seen it; asked once more before it is given up"
        doubt(session, attempt, now)
        attempt.absent_since = now
        attempt.next_check_at = now + answer.settle_delay
    elif answer.asked_at >= attempt.absent_since + answer.settle_delay:
        lose(session, attempt, seller=seller, now=now, actor=actor)
    else:
        doubt(session, attempt, now)
