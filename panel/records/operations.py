"""What the panel does on its own: runs, tasks for a person, outgoing mail, the journal; and the seller."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from panel.database import Model, choice


class Seller(Model):
    """The reseller: one row. Its zone decides what a day is, its policy when things happen."""

    __tablename__ = "seller"
    __table_args__ = (
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.CheckConstraint("lead_days BETWEEN 1 AND 90", name="lead"),
        sa.CheckConstraint("suspend_after_days BETWEEN 0 AND 60", name="suspend_after"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    name: Mapped[str] = mapped_column(sa.String(200))
    street: Mapped[str] = mapped_column(sa.String(200))
    city: Mapped[str] = mapped_column(sa.String(100))
    postcode: Mapped[str] = mapped_column(sa.String(20))
    country: Mapped[str] = mapped_column(sa.String(2))
    vat_id: Mapped[str | None] = mapped_column(sa.String(20))
    email: Mapped[str] = mapped_column(sa.String(255))
    sales_contact: Mapped[str] = mapped_column(sa.String(200))
    zone: Mapped[str] = mapped_column(sa.String(64))
    vat_rate_bp: Mapped[int]
    lead_days: Mapped[int] = mapped_column(default=14)
    retry_days: Mapped[list[int]] = mapped_column(sa.JSON, default=lambda: [7, 3, 1])
    suspend_after_days: Mapped[int] = mapped_column(default=0)
    consent_ceiling_percent: Mapped[int] = mapped_column(default=20)


class RunStatus(enum.StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class RunPhase(enum.StrEnum):
    RECOVER = "recover"
    ISSUE = "issue"
    CHARGE = "charge"
    EXTEND = "extend"
    REMIND = "remind"
    SUSPEND = "suspend"
    MAIL = "mail"
    DONE = "done"


class Run(Model):
    """One passing of the renewal run. `counts` grows while it runs; pages show it live."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(index=True)
    status: Mapped[RunStatus] = mapped_column(choice(RunStatus))
    phase: Mapped[RunPhase] = mapped_column(choice(RunPhase))
    # Of the present phase: how many there are to do, and how many are done.
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    simulated: Mapped[bool] = mapped_column(default=False)
    # The panel's clock and, for spotting a dead process, the real one.
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime]


class TaskKind(enum.StrEnum):
    UNKNOWN_CHARGE = "unknown_charge"
    AMOUNT_MISMATCH = "amount_mismatch"
    GATEWAY_STOPPED = "gateway_stopped"
    REGISTRAR_WORKLIST = "registrar_worklist"
    CANNOT_EXTEND = "cannot_extend"
    EXTENSION_STUCK = "extension_stuck"
    LATE_SUCCESS = "late_success"
    PRICE_MISSING = "price_missing"
    MAIL_PARKED = "mail_parked"


class StaffTask(Model):
    """Something that waits for a person. One open task for a kind and subject."""

    __tablename__ = "staff_tasks"
    __table_args__ = (
        sa.Index(
            "uq_staff_tasks_one_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TaskKind] = mapped_column(choice(TaskKind))
    # "attempt:12", "extension:7", "domain:3", "gateway_account:1", "message:5"
    subject: Mapped[str] = mapped_column(sa.String(64), index=True)
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    reason: Mapped[str] = mapped_column(sa.String(1000))
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    resolution: Mapped[str | None] = mapped_column(sa.String(1000))


class MessageStatus(enum.StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    PARKED = "parked"


class Message(Model):
    """A mail in the outbox. One row for a kind, subject and period, however often it is asked for."""

    __tablename__ = "messages"
    __table_args__ = (
        sa.UniqueConstraint("kind", "subject", "period"),
        sa.Index("ix_messages_status_next_try_at", "status", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(64))
    # What it is about ("proforma:12"), and which time round ("2026-12-01").
    subject: Mapped[str] = mapped_column(sa.String(64))
    period: Mapped[str] = mapped_column(sa.String(32))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    recipient: Mapped[str] = mapped_column(sa.String(255))
    locale: Mapped[str] = mapped_column(sa.String(8))
    # Plain values for the template of that kind.
    facts: Mapped[dict[str, Any]]
    message_id: Mapped[str] = mapped_column(sa.String(255), unique=True)
    status: Mapped[MessageStatus] = mapped_column(choice(MessageStatus))
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class JournalEntry(Model):
    """One change of money or state. Sealed later, in commit order, into a chain of hashes."""

    __tablename__ = "journal"
    __table_args__ = (sa.Index("ix_journal_account_id_at", "account_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    # "user:3", "run:12", "worker"
    actor: Mapped[str] = mapped_column(sa.String(64))
    kind: Mapped[str] = mapped_column(sa.String(64))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id"))
    subject: Mapped[str] = mapped_column(sa.String(64), index=True)
    data: Mapped[dict[str, Any]]


class JournalSeal(Model):
    """The place of a journal row in the chain: its hash covers the row and the hash before it."""

    __tablename__ = "journal_seals"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("journal.id"), unique=True)
    hash: Mapped[str] = mapped_column(sa.String(64))
