"""Attempts to charge a card, what each one brought about, and extensions at the registrar."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.database import Model, choice
from panel.records.cards import Card
from panel.records.documents import Proforma, ProformaLine
from panel.records.domains import Domain


class AttemptStatus(enum.StrEnum):
    INTENDED = "intended"  # committed, not yet on its way
    SENDING = "sending"  # a worker holds its lease and may have sent it
    PENDING = "pending"  # the processor has it and will decide later
    ACTION_REQUIRED = "action_required"  # the customer must authenticate
    UNKNOWN = "unknown"  # it may or may not have moved money
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NOT_SUBMITTED = "not_submitted"  # provably never reached the processor, and given up
    LOST = "lost"  # looked up after the settle delay: the processor never saw it
    ABANDONED = "abandoned"  # cancelled before anything was sent, or not authenticated in time


OPEN_STATUSES = frozenset(
    {
        AttemptStatus.INTENDED,
        AttemptStatus.SENDING,
        AttemptStatus.PENDING,
        AttemptStatus.ACTION_REQUIRED,
        AttemptStatus.UNKNOWN,
    }
)
# Attempts that froze the proforma: money may have moved or may still move.
IN_DOUBT = OPEN_STATUSES - {AttemptStatus.INTENDED}

_final = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED})
ATTEMPT_TRANSITIONS: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.INTENDED: frozenset({AttemptStatus.SENDING, AttemptStatus.ABANDONED}),
    AttemptStatus.SENDING: _final
    | {
        AttemptStatus.PENDING,
        AttemptStatus.ACTION_REQUIRED,
        AttemptStatus.UNKNOWN,
        AttemptStatus.NOT_SUBMITTED,
        AttemptStatus.LOST,
    },
    AttemptStatus.PENDING: _final | {AttemptStatus.UNKNOWN, AttemptStatus.ACTION_REQUIRED},
    AttemptStatus.ACTION_REQUIRED: _final
    | {AttemptStatus.PENDING, AttemptStatus.UNKNOWN, AttemptStatus.ABANDONED},
    AttemptStatus.UNKNOWN: _final
    | {
        AttemptStatus.SENDING,
        AttemptStatus.PENDING,
        AttemptStatus.ACTION_REQUIRED,
        AttemptStatus.LOST,
        AttemptStatus.NOT_SUBMITTED,
    },
    AttemptStatus.SUCCEEDED: frozenset(),
    AttemptStatus.DECLINED: frozenset(),
    AttemptStatus.NOT_SUBMITTED: frozenset(),
    AttemptStatus.LOST: frozenset(),
    AttemptStatus.ABANDONED: frozenset(),
}

_open = "status IN ('intended', 'sending', 'pending', 'action_required', 'unknown')"


class Attempt(Model):
    """One try at charging one proforma to one card, frozen with its amount. `key` is its name at the processor."""

    __tablename__ = "attempts"
    __table_args__ = (
        sa.CheckConstraint("minor > 0", name="positive"),
        sa.Index(
            "uq_attempts_one_open",
            "proforma_id",
            unique=True,
            sqlite_where=sa.text(_open),
            postgresql_where=sa.text(_open),
        ),
        sa.Index(
            "uq_attempts_one_success",
            "proforma_id",
            unique=True,
            sqlite_where=sa.text("status = 'succeeded'"),
            postgresql_where=sa.text("status = 'succeeded'"),
        ),
        sa.UniqueConstraint("proforma_id", "day"),
        sa.Index("ix_attempts_status_next_check_at", "status", "next_check_at"),
        sa.Index("ix_attempts_cap", "fingerprint", "minor", "currency", "finished_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    proforma_id: Mapped[int] = mapped_column(sa.ForeignKey("proformas.id"))
    card_id: Mapped[int] = mapped_column(sa.ForeignKey("cards.id"), index=True)
    gateway_account_id: Mapped[int] = mapped_column(sa.ForeignKey("gateway_accounts.id"))
    key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    minor: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.String(3))
    instrument_ref: Mapped[str] = mapped_column(sa.String(255))
    customer_ref: Mapped[str] = mapped_column(sa.String(255))
    fingerprint: Mapped[str] = mapped_column(sa.String(255))
    status: Mapped[AttemptStatus] = mapped_column(choice(AttemptStatus))
    # The seller's calendar day it was made on: one attempt at a proforma a day.
    day: Mapped[date]
    created_at: Mapped[datetime]
    # When it may first have been sent, by the panel's clock: the processor's memory of the key counts from here.
    first_sent_at: Mapped[datetime | None]
    # Real time, also in a simulation: a lease is about processes, not about business days.
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(64))
    sends: Mapped[int] = mapped_column(default=0)
    checks: Mapped[int] = mapped_column(default=0)
    next_check_at: Mapped[datetime | None]
    # When a look-up first said, after the key had died, that the processor has nothing.
    absent_since: Mapped[datetime | None]
    gateway_ref: Mapped[str | None] = mapped_column(sa.String(255))
    decline_kind: Mapped[str | None] = mapped_column(sa.String(32))
    decline_code: Mapped[str | None] = mapped_column(sa.String(64))
    not_before: Mapped[datetime | None]
    message: Mapped[str | None] = mapped_column(sa.String(500))
    request_id: Mapped[str | None] = mapped_column(sa.String(255))
    finished_at: Mapped[datetime | None]
    run_id: Mapped[int | None] = mapped_column(sa.ForeignKey("runs.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    proforma: Mapped[Proforma] = relationship()
    card: Mapped[Card] = relationship()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


class Effect(Model):
    """That an attempt's success was settled. Inserted first, so that nobody settles it twice."""

    __tablename__ = "effects"

    attempt_id: Mapped[int] = mapped_column(
        sa.ForeignKey("attempts.id"), primary_key=True, autoincrement=False
    )
    # Filled in by the same transaction.
    invoice_id: Mapped[int | None] = mapped_column(sa.ForeignKey("invoices.id"), unique=True)
    at: Mapped[datetime]


class ExtensionStatus(enum.StrEnum):
    INTENDED = "intended"
    SENDING = "sending"
    UNKNOWN = "unknown"
    WORKLIST = "worklist"  # a person does it at the registrar and says so here
    DONE = "done"
    REFUSED = "refused"  # final: money taken for what can't be extended, a refund is proposed


EXTENSION_TRANSITIONS: dict[ExtensionStatus, frozenset[ExtensionStatus]] = {
    ExtensionStatus.INTENDED: frozenset({ExtensionStatus.SENDING}),
    ExtensionStatus.SENDING: frozenset(
        {
            ExtensionStatus.INTENDED,
            ExtensionStatus.UNKNOWN,
            ExtensionStatus.WORKLIST,
            ExtensionStatus.DONE,
            ExtensionStatus.REFUSED,
        }
    ),
    ExtensionStatus.UNKNOWN: frozenset({ExtensionStatus.SENDING}),
    ExtensionStatus.WORKLIST: frozenset({ExtensionStatus.DONE, ExtensionStatus.REFUSED}),
    ExtensionStatus.DONE: frozenset(),
    ExtensionStatus.REFUSED: frozenset(),
}


class Extension(Model):
    """A paid renewal line to be carried out at the registrar, exactly once."""

    __tablename__ = "extensions"
    __table_args__ = (sa.Index("ix_extensions_status_next_try_at", "status", "next_try_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("proforma_lines.id"), unique=True)
    domain_id: Mapped[int] = mapped_column(sa.ForeignKey("domains.id"), index=True)
    registrar: Mapped[str] = mapped_column(sa.String(64))
    key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    years: Mapped[int]
    # What the panel believes the registry shows before the renewal, and what it showed after.
    believed_expiry: Mapped[datetime]
    new_expiry: Mapped[datetime | None]
    status: Mapped[ExtensionStatus] = mapped_column(choice(ExtensionStatus))
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(sa.String(64))
    message: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    line: Mapped[ProformaLine] = relationship()
    domain: Mapped[Domain] = relationship()
