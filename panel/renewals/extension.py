"""Extends what was paid for at the registrar: once, whatever gets lost on the way.

The registrar renews only if the registry still shows the expiry that we believe in, and knows our key; so a lost answer
is asked for again with both unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateways.money import Money
from gateways.registrars.contract import RefusalReason, RenewRequest, RenewResult, RenewStatus
from panel import journal
from panel.billing.calendar import seller_of, set_expiry
from panel.clock import Clock, real_now
from panel.database import Database
from panel.errors import N_, Conflict, NotThere, Refused
from panel.failpoints import failpoint
from panel.records import (
    EXTENSION_TRANSITIONS,
    DomainStatus,
    Extension,
    ExtensionStatus,
    Seller,
    TaskKind,
)
from panel.renewals.charging import LEASE
from panel.renewals.crew import CHUNK, Crew, Done, Job, Note, pump
from panel.renewals.processors import Processors
from panel.renewals.staff_tasks import close_task, open_task

log = structlog.get_logger()

TRY_AGAIN_AFTER = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=12))
STUCK_AFTER_TRIES = 4
# Beyond this the registry's answer isn't believed: its clocks and month ends may shift a day, not a season.
PLAUSIBLE = timedelta(days=45)

Extended = Callable[[Session, list[ExtensionStatus]], None]


def extend_paid(
    database: Database,
    processors: Processors,
    clock: Clock,
    *,
    actor: str,
    concurrency: int,
    extended: Extended,
    again: bool = False,
) -> None:
    """Carries out every paid extension whose time has come; with `again` also those that wait for another try."""
    crew = Crew(concurrency)
    after = 0

    def claim() -> list[Job]:
        nonlocal after
        with database.write() as session:
            jobs, after = _claim_chunk(session, processors, clock, after, again=again)
            failpoint("extend.before_intent_commit")
        return jobs

    def settle_group(items: list[Done | Note]) -> None:
        with database.write() as session:
            seller = seller_of(session)
            statuses = []
            for item in items:
                if not isinstance(item, Done):
                    continue
                result = (
                    RenewResult(status=RenewStatus.UNKNOWN, message="no answer") if item.hung else item.value
                )
                try:
                    with session.begin_nested():
                        statuses.append(
                            settle_extension(
                                session, item.tag, result, seller=seller, now=clock.now(), actor=actor
                            )
                        )
                except (SQLAlchemyError, LookupError, ValueError) as error:
                    log.error("extension.settle_failed", extension=item.tag, error=repr(error)[:500])
            extended(session, statuses)
        failpoint("extend.after_commit")

    try:
        pump(crew, claim=claim, settle=settle_group, low_water=max(CHUNK, concurrency))
    finally:
        crew.dismiss()


def _claim_chunk(
    session: Session, processors: Processors, clock: Clock, after: int, *, again: bool
) -> tuple[list[Job], int]:
    """Jobs for the next extensions beyond id `after`, and the last id looked at."""
    now = clock.now()
    waiting = Extension.status.in_([ExtensionStatus.INTENDED, ExtensionStatus.UNKNOWN])
    ready = sa.and_(waiting, sa.true() if again else Extension.next_try_at <= now)
    left_behind = sa.and_(Extension.status == ExtensionStatus.SENDING, Extension.lease_until < real_now())
    jobs: list[Job] = []
    while not jobs:
        rows = session.scalars(
            sa.select(Extension)
            .where(sa.or_(ready, left_behind), Extension.id > after)
            .order_by(Extension.id)
            .limit(CHUNK)
            .with_for_update(of=Extension, skip_locked=True, key_share=True)
        ).all()
        if not rows:
            break
        after = rows[-1].id
        jobs = [
            _start(processors, clock, extension) for extension in rows if _in_turn(session, extension, now)
        ]
        session.flush()
    return jobs, after


def _start(processors: Processors, clock: Clock, extension: Extension) -> Job:
    if extension.tries == 0:
        # The expiry is believed as of the first sending, and never changed after it.
        extension.believed_expiry = extension.domain.expires_at
    extension.status = ExtensionStatus.SENDING
    extension.tries += 1
    extension.lease_until = real_now() + LEASE
    return _job(processors, clock, extension)


def _in_turn(session: Session, extension: Extension, now: datetime) -> bool:
    """Whether the domain stands where this line begins; an earlier line's extension goes first."""
    starts_on, stands_at = extension.line.starts_on, extension.domain.expires_on
    if extension.tries > 0 or starts_on == stands_at:
        return True
    if starts_on > stands_at:
        return False
    extension.status = ExtensionStatus.SENDING
    _refuse(session, extension, f"the domain runs to {stands_at} already, beyond the start of this line", now)
    return False


def _job(processors: Processors, clock: Clock, extension: Extension) -> Job:
    request = RenewRequest(
        key=extension.key,
        domain=extension.domain.name,
        believed_expiry=extension.believed_expiry,
        years=extension.years,
    )
    name = extension.registrar

    def call() -> RenewResult:
        failpoint("extend.before_http")
        result = _renew(processors, clock, name, request)
        failpoint("extend.after_http")
        return result

    return Job(tag=extension.id, call=call, seconds=processors.call_seconds)


def _renew(processors: Processors, clock: Clock, name: str, request: RenewRequest) -> RenewResult:
    try:
        result = processors.registrar(name).renew(processors.context(clock.now()), request)
    except Refused as error:
        return RenewResult(status=RenewStatus.NOT_SUBMITTED, message=str(error))
    except (Exception, SystemExit) as error:  # a stranger's code: it may or may not have renewed
        log.error("registrar.raised", registrar=name, error=type(error).__name__)
        return RenewResult(status=RenewStatus.UNKNOWN, message=f"the registrar raised {type(error).__name__}")
    if not isinstance(result, RenewResult):
        return RenewResult(
            status=RenewStatus.UNKNOWN, message=f"the registrar answered {type(result).__name__}"
        )
    return result


def settle_extension(
    session: Session, extension_id: int, result: RenewResult, *, seller: Seller, now: datetime, actor: str
) -> ExtensionStatus:
    """Applies what the registrar says of an extension; a final one stays as it is."""
    extension = session.scalars(
        sa.select(Extension)
        .where(Extension.id == extension_id)
        .with_for_update(of=Extension, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if extension.status is not ExtensionStatus.SENDING:
        return extension.status
    extension.lease_until = None
    extension.message = (result.message or "")[:500] or None
    match result.status:
        case RenewStatus.RENEWED if result.new_expiry is not None:
            _done(session, extension, result.new_expiry, seller, now, actor)
        case RenewStatus.REFUSED if _was_ours(extension, result) and result.new_expiry is not None:
            _done(session, extension, result.new_expiry, seller, now, actor)
        case RenewStatus.REFUSED if result.reason is RefusalReason.CREDENTIALS:
            _later(session, extension, ExtensionStatus.INTENDED, now, at_once=True)
        case RenewStatus.REFUSED:
            _refuse(session, extension, f"{result.reason}: {result.message}", now)
            _believe(session, extension, result, seller, now, actor)
        case RenewStatus.WORKLIST:
            _to_worklist(session, extension, now)
        case RenewStatus.NOT_SUBMITTED:
            _later(session, extension, ExtensionStatus.INTENDED, now)
        case _:
            _later(session, extension, ExtensionStatus.UNKNOWN, now)
    session.flush()
    return extension.status


def _become(extension: Extension, status: ExtensionStatus) -> None:
    if status not in EXTENSION_TRANSITIONS[extension.status]:
        raise ValueError(f"extension {extension.id} can't go from {extension.status} to {status}")
    extension.status = status


def _wanted(extension: Extension) -> datetime:
    return RenewRequest(
        key=extension.key,
        domain=extension.domain.name,
        believed_expiry=extension.believed_expiry,
        years=extension.years,
    ).wanted_expiry


def _was_ours(extension: Extension, result: RenewResult) -> bool:
    """An earlier try whose answer was lost had landed: the registry shows just what we asked for."""
    return (
        extension.tries > 1
        and result.reason is RefusalReason.EXPIRY_DIFFERS
        and result.new_expiry == _wanted(extension)
    )


def _done(
    session: Session, extension: Extension, new_expiry: datetime, seller: Seller, now: datetime, actor: str
) -> None:
    if abs(new_expiry - _wanted(extension)) > PLAUSIBLE:
        extension.message = (
            f"the registrar answered with the expiry {new_expiry:%Y-%m-%d}, which can't be right"
        )
        _later(session, extension, ExtensionStatus.UNKNOWN, now, at_once=True)
        return
    _become(extension, ExtensionStatus.DONE)
    extension.new_expiry = new_expiry
    extension.finished_at = now
    domain = extension.domain
    set_expiry(domain, new_expiry, seller, domain.terms)
    reactivated = domain.status is DomainStatus.SUSPENDED
    if reactivated:
        domain.status = DomainStatus.ACTIVE
        domain.suspended_at = domain.suspension_cause = None
    subject = f"extension:{extension.id}"
    close_task(session, TaskKind.EXTENSION_STUCK, subject, now, "extended")
    close_task(session, TaskKind.REGISTRAR_WORKLIST, subject, now, "extended")
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="domain.extended",
        subject=f"domain:{domain.id}",
        account_id=domain.account_id,
        data={
            "extension_id": extension.id,
            "from": extension.believed_expiry.isoformat(),
            "to": new_expiry.isoformat(),
            "reactivated": reactivated,
        },
    )


def _refuse(session: Session, extension: Extension, why: str, now: datetime) -> None:
    """Money was taken for what can't be extended: a person refunds that line, or puts it right."""
    _become(extension, ExtensionStatus.REFUSED)
    extension.message = why[:500]
    extension.finished_at = now
    domain, line = extension.domain, extension.line
    open_task(
        session,
        TaskKind.CANNOT_EXTEND,
        f"extension:{extension.id}",
        f"{domain.shown} was paid for ({line.proforma.number}) and can't be extended: {why}."
        f" Refund {Money(line.net_minor, line.proforma.currency)} (without tax), or put it right at the registrar.",
        account_id=domain.account_id,
        now=now,
    )
    journal.write(
        session,
        now=now,
        actor="run",
        kind="extension.refused",
        subject=f"extension:{extension.id}",
        account_id=domain.account_id,
        data={"reason": why[:500]},
    )


def _believe(
    session: Session, extension: Extension, result: RenewResult, seller: Seller, now: datetime, actor: str
) -> None:
    """The registry knows best when a domain expires: the terms to come start from there."""
    domain = extension.domain
    if result.reason is not RefusalReason.EXPIRY_DIFFERS or result.new_expiry is None:
        return
    before = domain.expires_at
    set_expiry(domain, result.new_expiry, seller, domain.terms)
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="domain.expiry_corrected",
        subject=f"domain:{domain.id}",
        account_id=domain.account_id,
        data={"from": before.isoformat(), "to": result.new_expiry.isoformat()},
    )


def _later(
    session: Session, extension: Extension, status: ExtensionStatus, now: datetime, *, at_once: bool = False
) -> None:
    _become(extension, status)
    extension.next_try_at = now + TRY_AGAIN_AFTER[min(extension.tries, len(TRY_AGAIN_AFTER)) - 1]
    if at_once or extension.tries >= STUCK_AFTER_TRIES:
        open_task(
            session,
            TaskKind.EXTENSION_STUCK,
            f"extension:{extension.id}",
            f"{extension.domain.shown} is paid for and not extended yet, after {extension.tries} tries at"
            f" {extension.registrar}: {extension.message or 'no answer'}",
            account_id=extension.domain.account_id,
            now=now,
        )


def _to_worklist(session: Session, extension: Extension, now: datetime) -> None:
    _become(extension, ExtensionStatus.WORKLIST)
    open_task(
        session,
        TaskKind.REGISTRAR_WORKLIST,
        f"extension:{extension.id}",
        f"Renew {extension.domain.name} at its registrar for {extension.years} year(s), from"
        f" {extension.believed_expiry:%Y-%m-%d}; then record the new expiry here.",
        account_id=extension.domain.account_id,
        now=now,
    )


def worklist_done(
    session: Session, *, extension_id: int, new_expiry: date, user_id: int, now: datetime
) -> Extension:
    """A person renewed the domain at its registrar and read the new expiry there."""
    extension = session.scalars(
        sa.select(Extension).where(Extension.id == extension_id).with_for_update(of=Extension, key_share=True)
    ).one_or_none()
    if extension is None:
        raise NotThere
    if extension.status is not ExtensionStatus.WORKLIST:
        raise Conflict(N_("This renewal was recorded already."))
    believed = extension.believed_expiry
    moment = datetime.combine(new_expiry, time_of_day(believed.hour, believed.minute, believed.second), UTC)
    if abs(moment - _wanted(extension)) > PLAUSIBLE:
        raise Refused(
            N_("The new expiry should be near %(wanted)s; check it at the registrar."),
            field="new_expiry",
            wanted=_wanted(extension).date().isoformat(),
        )
    _done(session, extension, moment, seller_of(session), now, f"user:{user_id}")
    return extension
