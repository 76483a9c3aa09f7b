"""Which cards may be charged: validated by the processor, not expired, at a gateway that is switched on."""

from __future__ import annotations

import calendar
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from panel.billing.calendar import day_in_zone, seller_of
from panel.errors import N_, NotThere, Refused
from panel.records import Card, CardStatus, GatewayAccount


def usable_cards(session: Session, account_id: int, now: datetime) -> list[Card]:
    """The account's usable cards, the default one first."""
    today = day_in_zone(now, seller_of(session).zone)
    return list(
        session.scalars(
            sa.select(Card)
            .join(Card.gateway_account)
            .options(contains_eager(Card.gateway_account))
            .where(Card.account_id == account_id, usable_on(today))
            .order_by(Card.is_default.desc(), Card.id)
        )
    )


def usable_on(day: date) -> sa.ColumnElement[bool]:
    """As SQL on Card joined with GatewayAccount: a card is good to the last day of its month."""
    return sa.and_(
        Card.status == CardStatus.VALIDATED,
        Card.exp_year * 12 + Card.exp_month >= day.year * 12 + day.month,
        GatewayAccount.enabled,
    )


def usable_card(session: Session, account_id: int, card_id: int, now: datetime) -> Card:
    """That card of the account. NotThere when it isn't the account's, Refused when it can't be charged."""
    card = session.scalar(sa.select(Card).where(Card.id == card_id, Card.account_id == account_id))
    if card is None:
        raise NotThere
    if all(card.id != usable.id for usable in usable_cards(session, account_id, now)):
        raise Refused(
            N_("The card %(card)s can't be used any more; choose another one or add one."),
            field="card",
            card=card.name,
        )
    return card


def last_day(card: Card) -> date:
    """The last day on which the card is good."""
    return date(card.exp_year, card.exp_month, calendar.monthrange(card.exp_year, card.exp_month)[1])
