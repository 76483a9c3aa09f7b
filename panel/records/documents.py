"""Proformas (a request for payment), the terms their lines claim, and invoices (fiscal, numbered, immutable)."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.database import Model, choice
from panel.records.accounts import Account, Contact
from panel.records.cards import Card
from panel.records.domains import Domain


class ProformaStatus(enum.StrEnum):
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"


PROFORMA_TRANSITIONS: dict[ProformaStatus, frozenset[ProformaStatus]] = {
    ProformaStatus.OPEN: frozenset({ProformaStatus.PAID, ProformaStatus.CANCELLED}),
    ProformaStatus.PAID: frozenset(),
    ProformaStatus.CANCELLED: frozenset(),
}


class PaymentMethod(enum.StrEnum):
    CARD = "card"
    MANUAL = "manual"


class ManualReason(enum.StrEnum):
    """Why a proforma is paid by hand."""

    NOT_RECURRING = "not_recurring"
    EARLY_RENEWAL = "early_renewal"
    CARD_UNUSABLE = "card_unusable"
    ABOVE_CEILING = "above_ceiling"
    CURRENCY = "currency"
    GATEWAY = "gateway"
    BELOW_MINIMUM = "below_minimum"


class Proforma(Model):
    """What is owed. Issuing freezes price, tax, contact and card; amounts are in minor units of `currency`."""

    __tablename__ = "proformas"
    __table_args__ = (
        sa.CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name="not_negative"),
        sa.CheckConstraint("total_minor = net_minor + tax_minor", name="sum"),
        sa.CheckConstraint("method = 'manual' OR card_id IS NOT NULL", name="card_named"),
        sa.CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name="paid_when"),
        sa.Index("ix_proformas_status_next_charge_on", "status", "next_charge_on"),
        sa.Index("ix_proformas_status_due_on", "status", "due_on"),
        sa.Index("ix_proformas_account_id_issued_at", "account_id", "issued_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"), index=True)
    currency: Mapped[str] = mapped_column(sa.String(3))
    method: Mapped[PaymentMethod] = mapped_column(choice(PaymentMethod))
    manual_reason: Mapped[ManualReason | None] = mapped_column(choice(ManualReason))
    card_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cards.id"), index=True)
    status: Mapped[ProformaStatus] = mapped_column(choice(ProformaStatus), default=ProformaStatus.OPEN)
    # The day on which it was (or would have been) charged first, the earliest expiry among its domains, and the last
    # day to pay before one of them is suspended; dates in the seller's zone.
    bill_on: Mapped[date]
    expires_on: Mapped[date]
    due_on: Mapped[date]
    # When the run charges it next; NULL: not by itself.
    next_charge_on: Mapped[date | None]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    total_minor: Mapped[int]
    tax_rate_bp: Mapped[int]
    tax_note: Mapped[str | None] = mapped_column(sa.String(200))
    # Name, address and VAT id as they were at issue.
    issued_to: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    run_id: Mapped[int | None] = mapped_column(sa.ForeignKey("runs.id"), index=True)
    # The Renew that it came from.
    action_id: Mapped[int | None] = mapped_column(sa.ForeignKey("actions.id"), index=True)

    account: Mapped[Account] = relationship()
    contact: Mapped[Contact] = relationship()
    card: Mapped[Card | None] = relationship()
    lines: Mapped[list[ProformaLine]] = relationship(
        back_populates="proforma",
        order_by="ProformaLine.id",
        primaryjoin="Proforma.id == ProformaLine.proforma_id",
    )

    @property
    def number(self) -> str:
        """Proformas have no fiscal value, so their row id is number enough."""
        return f"PF-{self.id:06d}"


class LineKind(enum.StrEnum):
    RENEWAL = "renewal"
    REACTIVATION = "reactivation"
    REDEMPTION = "redemption"


class ProformaLine(Model):
    __tablename__ = "proforma_lines"
    __table_args__ = (
        sa.CheckConstraint("net_minor >= 0", name="not_negative"),
        sa.CheckConstraint("years > 0 OR kind <> 'renewal'", name="renewal_has_years"),
        # One fee of a kind for one lapse; a lapse is named by the expiry that was missed.
        sa.Index(
            "uq_proforma_lines_one_fee",
            "domain_id",
            "kind",
            "starts_on",
            unique=True,
            sqlite_where=sa.text("kind <> 'renewal' AND live"),
            postgresql_where=sa.text("kind <> 'renewal' AND live"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    proforma_id: Mapped[int] = mapped_column(sa.ForeignKey("proformas.id"), index=True)
    domain_id: Mapped[int] = mapped_column(sa.ForeignKey("domains.id"), index=True)
    kind: Mapped[LineKind] = mapped_column(choice(LineKind))
    years: Mapped[int]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    net_minor: Mapped[int]
    live: Mapped[bool] = mapped_column(default=True)

    proforma: Mapped[Proforma] = relationship(back_populates="lines")
    domain: Mapped[Domain] = relationship()


class Term(Model):
    """One year of one domain, claimed by a line. While it is live nobody else can bill that year."""

    __tablename__ = "terms"
    __table_args__ = (
        sa.Index(
            "uq_terms_one_live",
            "domain_id",
            "starts_on",
            unique=True,
            sqlite_where=sa.text("live"),
            postgresql_where=sa.text("live"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(sa.ForeignKey("domains.id"))
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("proforma_lines.id"), index=True)
    starts_on: Mapped[date]
    live: Mapped[bool] = mapped_column(default=True)


class SeriesKind(enum.StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class Series(Model):
    """A counter of fiscal numbers. Its row is locked by whoever issues a document."""

    __tablename__ = "series"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[SeriesKind] = mapped_column(choice(SeriesKind), unique=True)
    prefix: Mapped[str] = mapped_column(sa.String(20), unique=True)
    last_number: Mapped[int] = mapped_column(default=0)
    last_date: Mapped[date | None]


class Invoice(Model):
    """A fiscal document: an invoice for a paid proforma, or a credit note against an invoice. Never changed."""

    __tablename__ = "invoices"
    __table_args__ = (
        sa.UniqueConstraint("series_id", "number"),
        sa.Index(
            "uq_invoices_one_for_proforma",
            "proforma_id",
            unique=True,
            sqlite_where=sa.text("credits_id IS NULL"),
            postgresql_where=sa.text("credits_id IS NULL"),
        ),
        sa.Index("ix_invoices_account_id_issued_at", "account_id", "issued_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(sa.ForeignKey("series.id"))
    number: Mapped[int]
    full_number: Mapped[str] = mapped_column(sa.String(40), unique=True)
    date: Mapped[date]
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"))
    proforma_id: Mapped[int] = mapped_column(sa.ForeignKey("proformas.id"))
    credits_id: Mapped[int | None] = mapped_column(sa.ForeignKey("invoices.id"), index=True)
    currency: Mapped[str] = mapped_column(sa.String(3))
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    total_minor: Mapped[int]
    tax_rate_bp: Mapped[int]
    tax_note: Mapped[str | None] = mapped_column(sa.String(200))
    issued_to: Mapped[dict[str, Any]]
    issued_by: Mapped[dict[str, Any]]
    issued_at: Mapped[datetime]

    lines: Mapped[list[InvoiceLine]] = relationship(order_by="InvoiceLine.id")
    proforma: Mapped[Proforma] = relationship()


class InvoiceLine(Model):
    __tablename__ = "invoice_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(sa.ForeignKey("invoices.id"), index=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("proforma_lines.id"))
    domain_name: Mapped[str] = mapped_column(sa.String(253))
    kind: Mapped[LineKind] = mapped_column(choice(LineKind))
    years: Mapped[int]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    net_minor: Mapped[int]


class ManualPayment(Model):
    """Money that arrived outside the gateways (a transfer, cash), recorded by staff."""

    __tablename__ = "manual_payments"
    __table_args__ = (sa.CheckConstraint("minor > 0", name="positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    proforma_id: Mapped[int] = mapped_column(sa.ForeignKey("proformas.id"), unique=True)
    minor: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.String(3))
    reference: Mapped[str] = mapped_column(sa.String(200))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    received_on: Mapped[date]
    at: Mapped[datetime]
