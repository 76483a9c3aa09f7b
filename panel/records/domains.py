"""Domains, the terms of their registries, and recurring payment in its versions."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.database import Model, choice
from panel.records.accounts import Account, Contact
from panel.records.cards import Card


class Tld(Model):
    """How one registry treats renewal. Days and years; NULL where it isn't documented."""

    __tablename__ = "tlds"

    tld: Mapped[str] = mapped_column(sa.String(63), primary_key=True)
    operator: Mapped[str] = mapped_column(sa.String(100))
    min_years: Mapped[int]
    max_years: Mapped[int | None]
    renewal_window_days: Mapped[int | None]
    auto_renew_at_registry: Mapped[bool | None]
    grace_days: Mapped[int | None]
    redemption_days: Mapped[int | None]
    pending_delete_days: Mapped[int | None]
    note: Mapped[str] = mapped_column(sa.Text, default="")
    source: Mapped[str] = mapped_column(sa.Text, default="")
    confidence: Mapped[str] = mapped_column(sa.String(20), default="memory")
    # The reseller's own policy for this TLD; NULL means the seller's general one.
    lead_days: Mapped[int | None]
    suspend_after_days: Mapped[int | None]


class PriceKind(enum.StrEnum):
    RENEWAL = "renewal"
    REACTIVATION = "reactivation"
    REDEMPTION = "redemption"


class TldPrice(Model):
    """What one year (or one reactivation, or one redemption) costs, without tax, in minor units."""

    __tablename__ = "tld_prices"
    __table_args__ = (sa.CheckConstraint("minor >= 0", name="not_negative"),)

    tld: Mapped[str] = mapped_column(sa.ForeignKey("tlds.tld"), primary_key=True)
    currency: Mapped[str] = mapped_column(sa.String(3), primary_key=True)
    kind: Mapped[PriceKind] = mapped_column(choice(PriceKind), primary_key=True)
    minor: Mapped[int]


class DomainStatus(enum.StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEAVING = "leaving"
    CANCELLED = "cancelled"
    GONE = "gone"


DOMAIN_TRANSITIONS: dict[DomainStatus, frozenset[DomainStatus]] = {
    DomainStatus.ACTIVE: frozenset(
        {DomainStatus.SUSPENDED, DomainStatus.LEAVING, DomainStatus.CANCELLED, DomainStatus.GONE}
    ),
    DomainStatus.SUSPENDED: frozenset(
        {DomainStatus.ACTIVE, DomainStatus.LEAVING, DomainStatus.CANCELLED, DomainStatus.GONE}
    ),
    DomainStatus.LEAVING: frozenset({DomainStatus.ACTIVE, DomainStatus.GONE}),
    DomainStatus.CANCELLED: frozenset({DomainStatus.ACTIVE, DomainStatus.GONE}),
    DomainStatus.GONE: frozenset(),
}


class SuspensionCause(enum.StrEnum):
    DECLINED = "declined"
    NO_CARD = "no_card"
    AUTHENTICATION = "authentication"
    MANUAL_UNPAID = "manual_unpaid"


class Domain(Model):
    """A registered name. `name` is its A-label form; `shown` what a person may safely be shown."""

    __tablename__ = "domains"
    __table_args__ = (
        sa.Index("ix_domains_account_id_name", "account_id", "name"),
        sa.Index("ix_domains_account_id_expires_at", "account_id", "expires_at"),
        sa.Index("ix_domains_bills_on", "bills_on", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(sa.String(253), unique=True)
    shown: Mapped[str] = mapped_column(sa.String(253))
    tld: Mapped[str] = mapped_column(sa.ForeignKey("tlds.tld"))
    registrar: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[DomainStatus] = mapped_column(choice(DomainStatus), default=DomainStatus.ACTIVE)
    expires_at: Mapped[datetime]
    # Derived from expires_at by `billing.calendar.set_expiry` and kept for sorting and joining: the registry's expiry
    # date (UTC), which names the next term, and the day in the seller's zone on which that term is billed.
    expires_on: Mapped[date]
    bills_on: Mapped[date]
    # The expiry that this domain came with: expiry = base + extensions.
    base_expires_at: Mapped[datetime]
    suspended_at: Mapped[datetime | None]
    suspension_cause: Mapped[SuspensionCause | None] = mapped_column(choice(SuspensionCause))
    # A term that the client or staff decided not to renew: no proforma for it.
    skipped_on: Mapped[date | None]
    created_at: Mapped[datetime]

    account: Mapped[Account] = relationship()
    terms: Mapped[Tld] = relationship()


class RecurrenceState(enum.StrEnum):
    ON = "on"
    OFF = "off"


class Recurrence(Model):
    """One version of one domain's recurring payment; only `current` ever changes. No row means off."""

    __tablename__ = "recurrences"
    __table_args__ = (
        sa.UniqueConstraint("domain_id", "version"),
        sa.CheckConstraint(
            "state = 'off' OR (contact_id IS NOT NULL AND card_id IS NOT NULL AND consent_id IS NOT NULL"
            " AND agreed_minor IS NOT NULL)",
            name="on_is_complete",
        ),
        sa.Index(
            "uq_recurrences_one_current",
            "domain_id",
            unique=True,
            sqlite_where=sa.text("current"),
            postgresql_where=sa.text("current"),
        ),
        sa.Index(
            "ix_recurrences_card_current",
            "card_id",
            sqlite_where=sa.text("current"),
            postgresql_where=sa.text("current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    domain_id: Mapped[int] = mapped_column(sa.ForeignKey("domains.id"))
    version: Mapped[int]
    current: Mapped[bool]
    state: Mapped[RecurrenceState] = mapped_column(choice(RecurrenceState))
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contacts.id"))
    card_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cards.id"))
    consent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("consents.id"))
    action_id: Mapped[int] = mapped_column(sa.ForeignKey("actions.id"), index=True)
    # The price of a year that was agreed to, without tax, in minor units.
    agreed_minor: Mapped[int | None]
    agreed_currency: Mapped[str | None] = mapped_column(sa.String(3))
    created_at: Mapped[datetime]

    contact: Mapped[Contact | None] = relationship()
    card: Mapped[Card | None] = relationship()
    consent: Mapped[Consent | None] = relationship()


class ActionKind(enum.StrEnum):
    RECURRING_PAYMENT = "recurring_payment"
    SWITCH_OFF = "switch_off"
    MOVE_CARD = "move_card"
    UNDO = "undo"
    RENEW = "renew"


class Action(Model):
    """One confirmed action on the Domains page, of one domain or of 100,000. All but Renew can be undone."""

    __tablename__ = "actions"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    kind: Mapped[ActionKind] = mapped_column(choice(ActionKind))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    consent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("consents.id"))
    # Sent with the form: the same form sent twice is one action.
    request_key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    plan_digest: Mapped[str] = mapped_column(sa.String(200))
    domains_changed: Mapped[int]
    at: Mapped[datetime]
    undo_until: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("actions.id"))


class ConsentKind(enum.StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Consent(Model):
    """Who agreed to be charged, to which words, when, from where. Each price is on its recurrence."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    kind: Mapped[ConsentKind] = mapped_column(choice(ConsentKind))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    on_behalf_of: Mapped[str] = mapped_column(sa.String(200))
    reference: Mapped[str | None] = mapped_column(sa.String(200))
    wording_version: Mapped[str] = mapped_column(sa.String(20))
    # NULL: each domain kept the contact that it had (a move to another card).
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contacts.id"))
    card_id: Mapped[int] = mapped_column(sa.ForeignKey("cards.id"))
    acknowledged: Mapped[list[str]] = mapped_column(sa.JSON)
    ceiling_percent: Mapped[int]
    remote_address: Mapped[str | None] = mapped_column(sa.String(45))
    at: Mapped[datetime]
