"""The outbox: mail is a row, written in the transaction that it tells of, and sent afterwards.

A row is claimed by a conditional update with a lease, sent with no transaction open, and marked in a commit of
its own: a process that dies in between repeats one mail, with the same Message-ID, and never another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from panel import journal
from panel.clock import Clock, real_now
from panel.database import Database, Model
from panel.errors import N_, NotThere, Refused
from panel.failpoints import failpoint
from panel.messages.rendering import CannotRender, Sender, render
from panel.messages.transport import Failure, Transport, failure_of
from panel.records import Message, MessageStatus, Seller, StaffTask, TaskKind

# Claimed together in one commit.
CLAIM = 25
# In real time. Well above what a claim takes, and each sending checks that enough of it is left.
LEASE = timedelta(minutes=15)
LEAST_LEASE = timedelta(minutes=2)
# After the first, second … temporary failure; then the last one again and again, until GIVE_UP.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
# RFC 5321, 4.5.4.1 speaks of four to five days.
GIVE_UP = timedelta(days=5)
ERROR_LENGTH = 500


@dataclass(frozen=True)
class DeliveryCounts:
    """What became of the mails of one delivery."""

    sent: int = 0
    retried: int = 0
    parked: int = 0


@dataclass(frozen=True)
class _Claimed:
    id: int
    kind: str
    account_id: int | None
    recipient: str
    locale: str
    facts: dict[str, Any]
    message_id: str
    tries: int
    created_at: datetime
    lease_until: datetime


def queue(
    session: Session,
    *,
    kind: str,
    subject: str,
    period: str,
    account_id: int | None,
    recipient: str,
    locale: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Puts a mail into the outbox, once for a (kind, subject, period); False when it is there already.

    `subject` names one row ("proforma:12"), `period` which time round ("2026-12-01"). Nothing is rendered here:
    a template or a name that breaks a mail must not break the money's transaction.
    """
    seller = session.get(Seller, 1)
    row = {
        "kind": kind,
        "subject": subject,
        "period": period,
        "account_id": account_id,
        "recipient": recipient,
        "locale": locale,
        "facts": json.loads(json.dumps(facts, default=_as_plain_value), parse_constant=str),
        "message_id": stable_message_id(kind, subject, period, seller.email if seller else ""),
        "status": MessageStatus.QUEUED,
        "tries": 0,
        "next_try_at": now,
        "created_at": now,
    }
    return _insert_unless_there(session, Message, row)


def stable_message_id(kind: str, subject: str, period: str, seller_email: str) -> str:
    """The same for the same mail, whoever asks and whenever; in the domain of the seller's own address."""
    digest = hashlib.sha256(json.dumps([kind, subject, period]).encode()).hexdigest()[:40]
    domain = seller_email.rpartition("@")[2].lower()
    usable = domain.isascii() and all(label.replace("-", "").isalnum() for label in domain.split("."))
    return f"<{digest}@{domain if usable else 'perennial.invalid'}>"


def deliver(
    database: Database,
    transport: Transport,
    clock: Clock,
    *,
    limit: int = 500,
    progress: Callable[[int], None] | None = None,
    mail_from: str | None = None,
    base_url: str | None = None,
) -> DeliveryCounts:
    """Sends what is due, `limit` mails at most; `progress` hears how many are done so far.

    `mail_from` is the address that mails are from (the seller's own by default), `base_url` the panel's, for links.

    A temporary error puts a mail off, a permanent one parks it with its reason and a task for staff. When the server
    itself is out of order the delivery ends at once: the rest of the mails stay as they are.
    """
    sender = _sender(database, mail_from)
    if sender is None:
        return DeliveryCounts()
    counts = {"sent": 0, "retried": 0, "parked": 0}
    while (done := sum(counts.values())) < limit:
        claimed = _claim(database, clock.now(), min(CLAIM, limit - done))
        for place, mail in enumerate(claimed):
            if mail.lease_until - real_now() < LEAST_LEASE:
                _release(database, claimed[place:])
                break
            outcome, everyone = _deliver_one(database, transport, clock, sender, mail, base_url)
            if outcome is not None:
                counts[outcome] += 1
                if progress:
                    progress(sum(counts.values()))
            if everyone:
                _release(database, claimed[place + 1 :])
                return DeliveryCounts(**counts)
        if not claimed:
            break
    return DeliveryCounts(**counts)


def send_again(session: Session, *, message_id: int, actor: str, now: datetime) -> Message:
    """Puts a parked mail back into the outbox. Its Message-ID stays."""
    message = session.scalars(
        sa.select(Message).where(Message.id == message_id).with_for_update()
    ).one_or_none()
    if message is None:
        raise NotThere
    if message.status is not MessageStatus.PARKED:
        raise Refused(N_("This mail isn't parked: there is nothing to send again."))
    message.status = MessageStatus.QUEUED
    message.tries = 0
    message.created_at = message.next_try_at = now
    message.error = message.lease_until = None
    session.execute(
        sa.update(StaffTask)
        .where(
            StaffTask.kind == TaskKind.MAIL_PARKED,
            StaffTask.subject == f"message:{message_id}",
            StaffTask.resolved_at.is_(None),
        )
        .values(resolved_at=now, resolution="queued again")
    )
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="mail.queued_again",
        subject=f"message:{message_id}",
        account_id=message.account_id,
    )
    return message


def _sender(database: Database, mail_from: str | None) -> Sender | None:
    """Nobody writes in the name of a seller that isn't set up yet: then the mail waits."""
    with database.read() as session:
        seller = session.get(Seller, 1)
        if seller is None:
            return None
        return Sender(seller.name, seller.email, seller.sales_contact, mail_from or seller.email)


def _claim(database: Database, now: datetime, count: int) -> list[_Claimed]:
    lease_until = real_now() + LEASE
    due = sa.and_(
        Message.status == MessageStatus.QUEUED,
        Message.next_try_at <= now,
        sa.or_(Message.lease_until.is_(None), Message.lease_until < real_now()),
    )
    chosen = (
        sa.select(Message.id)
        .where(due)
        .order_by(Message.next_try_at, Message.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    with database.write() as session:
        ids = session.scalars(chosen).all()
        if not ids:
            return []
        rows = session.execute(
            sa.update(Message)
            .where(Message.id.in_(ids), due)
            .values(lease_until=lease_until)
            .returning(
                Message.id,
                Message.kind,
                Message.account_id,
                Message.recipient,
                Message.locale,
                Message.facts,
                Message.message_id,
                Message.tries,
                Message.created_at,
                Message.lease_until,
            )
            .execution_options(synchronize_session=False)
        ).all()
    # In the order in which they came due, which RETURNING does not keep.
    return sorted((_Claimed(*row) for row in rows), key=lambda mail: ids.index(mail.id))


def _release(database: Database, mails: list[_Claimed]) -> None:
    if mails:
        with database.write() as session:
            session.execute(
                sa.update(Message)
                .where(
                    Message.id.in_([mail.id for mail in mails]),
                    Message.lease_until == mails[0].lease_until,
                    Message.status == MessageStatus.QUEUED,
                )
                .values(lease_until=None)
                .execution_options(synchronize_session=False)
            )


def _deliver_one(
    database: Database,
    transport: Transport,
    clock: Clock,
    sender: Sender,
    mail: _Claimed,
    base_url: str | None,
) -> tuple[str | None, bool]:
    """What became of the mail (None: somebody else has it now), and whether the server is out of order."""
    try:
        message = render(
            kind=mail.kind,
            facts={"base_url": base_url} | mail.facts,
            locale=mail.locale,
            recipient=mail.recipient,
            message_id=mail.message_id,
            sender=sender,
            at=clock.now(),
        )
    except CannotRender as error:
        return _park(database, clock.now(), mail, str(error)), False
    failpoint("mail.before_send")
    try:
        transport.send(message)
    except OSError as error:
        failure = failure_of(error)
        return _settle_failure(database, clock.now(), mail, failure), failure.everyone
    except ValueError as error:
        return _park(database, clock.now(), mail, f"{type(error).__name__}: {error}"), False
    failpoint("mail.after_send")
    outcome = _settle(
        database,
        mail,
        "sent",
        status=MessageStatus.SENT,
        sent_at=clock.now(),
        error=None,
        tries=mail.tries + 1,
    )
    failpoint("mail.after_commit")
    return outcome, False


def _settle_failure(database: Database, now: datetime, mail: _Claimed, failure: Failure) -> str | None:
    # A server that is out of order says nothing about the mail, however long it lasts.
    given_up = now - mail.created_at > GIVE_UP and not failure.everyone
    if failure.permanent or given_up:
        return _park(database, now, mail, failure.reason)
    wait = BACK_OFF[0] if failure.everyone else BACK_OFF[min(mail.tries, len(BACK_OFF) - 1)]
    tries = mail.tries if failure.everyone else mail.tries + 1
    return _settle(
        database, mail, "retried", next_try_at=now + wait, tries=tries, error=failure.reason[:ERROR_LENGTH]
    )


def _park(database: Database, now: datetime, mail: _Claimed, reason: str) -> str | None:
    shown = " ".join("".join(c if c.isprintable() else " " for c in reason).split())[:ERROR_LENGTH]
    task = {
        "kind": TaskKind.MAIL_PARKED,
        "subject": f"message:{mail.id}",
        "account_id": mail.account_id,
        "reason": shown,
        "created_at": now,
    }
    return _settle(
        database, mail, "parked", status=MessageStatus.PARKED, error=shown, tries=mail.tries + 1, task=task
    )


def _settle(
    database: Database, mail: _Claimed, outcome: str, *, task: dict[str, Any] | None = None, **values: Any
) -> str | None:
    """Writes down what became of a claimed mail, unless the lease was lost to somebody else meanwhile."""
    with database.write() as session:
        settled = session.scalar(
            sa.update(Message)
            .where(
                Message.id == mail.id,
                Message.status == MessageStatus.QUEUED,
                Message.lease_until == mail.lease_until,
            )
            .values(lease_until=None, **values)
            .returning(Message.id)
            .execution_options(synchronize_session=False)
        )
        if settled is None:
            return None
        if task is not None:
            _insert_unless_there(session, StaffTask, task)
    return outcome


def _insert_unless_there(session: Session, model: type[Model], row: dict[str, Any]) -> bool:
    # No conflict target: on PostgreSQL every unique index then counts, and two that race at the second index wait
    # for each other instead of failing.
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: sa.Executable = (
        insert(model).values(row).on_conflict_do_nothing().returning(sa.literal_column("id"))
    )
    return session.scalar(statement) is not None


def _as_plain_value(value: object) -> str:
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
