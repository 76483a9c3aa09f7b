"""What the list of cards shows beside each card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import Card, CardStatus, Recurrence, RecurrenceState
from panel.renewals.card_changes import UNDO_FOR


@dataclass(frozen=True)
class CardRow:
    """`domains` hang on this card; `usable` means that recurring payment can be charged to it today."""

    card: Card
    domains: int
    usable: bool


def card_rows(session: Session, account_id: int, today: date) -> list[CardRow]:
    """Cards that weren't removed: the default one first, then the usable, then the others; newest first."""
    cards = session.scalars(
        sa.select(Card)
        .where(Card.account_id == account_id, Card.status != CardStatus.REMOVED)
        .order_by(Card.is_default.desc(), Card.status != CardStatus.VALIDATED, Card.id.desc())
    ).all()
    domains = _domains_by_card(session, [card.id for card in cards])
    return [
        CardRow(
            card,
            domains.get(card.id, 0),
            card.status is CardStatus.VALIDATED and card.usable_on(today),
        )
        for card in cards
    ]


def removed_cards(session: Session, account_id: int, now: datetime) -> list[Card]:
    """The cards whose removal can still be undone, from their own pages; the last one removed comes first."""
    removed = session.scalars(
        sa.select(Card)
        .where(
            Card.account_id == account_id, Card.status == CardStatus.REMOVED, Card.removed_at > now - UNDO_FOR
        )
        .order_by(Card.removed_at.desc())
    )
    return [card for card in removed if undo_until(card, now)]


def undo_until(card: Card, now: datetime) -> datetime | None:
    """Until when a removal can be undone; None when it can't, or nothing was removed."""
    if card.removed_at is None or card.forgotten_at is not None or now > card.removed_at + UNDO_FOR:
        return None
    return card.removed_at + UNDO_FOR


def _domains_by_card(session: Session, card_ids: list[int]) -> dict[int, int]:
    counted = session.execute(
        sa.select(Recurrence.card_id, sa.func.count())
        .where(Recurrence.current, Recurrence.state == RecurrenceState.ON, Recurrence.card_id.in_(card_ids))
        .group_by(Recurrence.card_id)
    )
    return {card_id: count for card_id, count in counted if card_id is not None}
