"""Paying a proforma with a saved card because somebody asked: an intent is written, the worker charges."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import Money
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.proformas import lock_open, refuse_while_charging
from panel.errors import N_, Refused
from panel.records import Attempt
from panel.renewals.charging import MOST_DECLINES, declines_in_window, new_attempt
from panel.renewals.processors import Processors
from panel.renewals.usable_cards import usable_card


def pay_with_card(
    session: Session,
    *,
    account_id: int,
    proforma_id: int,
    card_id: int,
    user_id: int | None,
    processors: Processors,
    now: datetime,
) -> Attempt:
    """Writes the intent to charge an open proforma to a saved card. The card schemes' limits hold for clicks too."""
    proforma = lock_open(session, account_id, proforma_id)
    refuse_while_charging(session, proforma)
    card = usable_card(session, account_id, card_id, now)
    can = processors.capabilities(card.gateway_account)
    if can is None or card.gateway_account.stopped_at is not None:
        raise Refused(N_("Card payments are stopped at the moment; try again later."), field="card")
    if proforma.total_minor <= 0 or can.amount_problem(Money(proforma.total_minor, proforma.currency)):
        raise Refused(
            N_("This card's processor does not take this amount; pay by transfer instead."), field="card"
        )
    today = day_in_zone(now, seller_of(session).zone)
    if session.scalar(sa.select(Attempt.id).where(Attempt.proforma_id == proforma.id, Attempt.day == today)):
        raise Refused(N_("A card was tried for this proforma today; try again tomorrow, or pay by transfer."))
    if (
        declines_in_window(session, card.fingerprint, proforma.total_minor, proforma.currency, now)
        >= MOST_DECLINES
    ):
        raise Refused(N_("This card was declined too often lately; choose another card."), field="card")
    attempt = new_attempt(proforma, card, day=today, now=now, run_id=None, user_id=user_id)
    session.add(attempt)
    session.flush()
    return attempt
