"""Gateway accounts and the cards that their processors hold. A card number never reaches this database."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.database import Model, Sealed, choice


class GatewayMode(enum.StrEnum):
    TEST = "test"
    LIVE = "live"


class GatewayAccount(Model):
    """One configured account at one processor."""

    __tablename__ = "gateway_accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(sa.String(64))
    label: Mapped[str] = mapped_column(sa.String(200))
    mode: Mapped[GatewayMode] = mapped_column(choice(GatewayMode))
    settings: Mapped[dict[str, Any]] = mapped_column(Sealed())
    enabled: Mapped[bool] = mapped_column(default=True)
    webhook_token: Mapped[str] = mapped_column(sa.String(64), unique=True)
    # Set when the processor refused us (a wrong key, a wrong request): nothing is charged until staff clear it.
    stopped_at: Mapped[datetime | None]
    stopped_reason: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime]


class CardStatus(enum.StrEnum):
    VALIDATED = "validated"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DECLINED = "declined"
    REMOVED = "removed"


CARD_TRANSITIONS: dict[CardStatus, frozenset[CardStatus]] = {
    CardStatus.VALIDATED: frozenset(
        {CardStatus.REVOKED, CardStatus.EXPIRED, CardStatus.DECLINED, CardStatus.REMOVED}
    ),
    CardStatus.REVOKED: frozenset({CardStatus.VALIDATED, CardStatus.REMOVED}),
    CardStatus.EXPIRED: frozenset({CardStatus.VALIDATED, CardStatus.REMOVED}),
    CardStatus.DECLINED: frozenset({CardStatus.VALIDATED, CardStatus.REMOVED}),
    # Undo of a removal, for as long as the processor still keeps the card.
    CardStatus.REMOVED: frozenset(
        {CardStatus.VALIDATED, CardStatus.REVOKED, CardStatus.EXPIRED, CardStatus.DECLINED}
    ),
}


class Card(Model):
    """A card token at a processor. Exists only once the processor itself has said that the card is validated."""

    __tablename__ = "cards"
    __table_args__ = (
        sa.CheckConstraint("exp_month BETWEEN 1 AND 12", name="month"),
        sa.UniqueConstraint("gateway_account_id", "instrument_ref"),
        sa.Index(
            "uq_cards_one_default",
            "account_id",
            unique=True,
            sqlite_where=sa.text("is_default AND status = 'validated'"),
            postgresql_where=sa.text("is_default AND status = 'validated'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    gateway_account_id: Mapped[int] = mapped_column(sa.ForeignKey("gateway_accounts.id"))
    label: Mapped[str | None] = mapped_column(sa.String(100))
    instrument_ref: Mapped[str] = mapped_column(sa.String(255))
    customer_ref: Mapped[str] = mapped_column(sa.String(255))
    brand: Mapped[str] = mapped_column(sa.String(40))
    last4: Mapped[str] = mapped_column(sa.String(4))
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    holder_name: Mapped[str | None] = mapped_column(sa.String(200))
    fingerprint: Mapped[str] = mapped_column(sa.String(255), index=True)
    status: Mapped[CardStatus] = mapped_column(choice(CardStatus))
    is_default: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    validated_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_from: Mapped[CardStatus | None] = mapped_column(choice(CardStatus, "removed_from"))
    # When the processor was told to forget it: a day after its removal, so that a removal can be undone.
    forgotten_at: Mapped[datetime | None]

    gateway_account: Mapped[GatewayAccount] = relationship()

    @property
    def masked(self) -> str:
        return f"•••• {self.last4}"

    @property
    def name(self) -> str:
        return f"{self.label} ({self.masked})" if self.label else f"{self.brand} {self.masked}"

    def usable_on(self, day: date) -> bool:
        """A card is good to the last day of its month."""
        return (day.year, day.month) <= (self.exp_year, self.exp_month)


class RegistrationState(enum.StrEnum):
    STARTED = "started"
    VALIDATED = "validated"
    CANCELLED = "cancelled"
    FAILED = "failed"


class CardRegistration(Model):
    """One walk to the processor's own page to add a card, or to validate one again."""

    __tablename__ = "card_registrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    gateway_account_id: Mapped[int] = mapped_column(sa.ForeignKey("gateway_accounts.id"))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    ref: Mapped[str | None] = mapped_column(sa.String(255))
    label: Mapped[str | None] = mapped_column(sa.String(100))
    state: Mapped[RegistrationState] = mapped_column(choice(RegistrationState))
    message: Mapped[str | None] = mapped_column(sa.String(500))
    card_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cards.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
