"""Naming, preferring, validating again and removing cards; and what a removal would leave unfunded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import CardStatus as InstrumentStatus
from gateways.contract import GatewayError
from panel import journal
from panel.billing.card_number_guard import refuse_card_number
from panel.database import Database
from panel.errors import N_, Conflict, NotThere, Refused
from panel.records import (
    IN_DOUBT,
    Attempt,
    Card,
    CardStatus,
    Domain,
    GatewayAccount,
    Proforma,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
)
from panel.renewals.card_registration import UNREACHABLE, update_from
from panel.renewals.processors import Processors
from panel.renewals.usable_cards import usable_cards

UNDO_FOR = timedelta(hours=24)


def rename(
    session: Session, *, account_id: int, card_id: int, label: str | None, actor: str, now: datetime
) -> Card:
    """Gives a card a name of at most 100 characters, or takes it away. Refused for what looks like a card number."""
    card = _locked(session, account_id, card_id)
    label = (label or "").strip() or None
    if label and len(label) > 100:
        raise Refused(N_("A card's name has at most 100 characters."), field="label")
    if label:
        refuse_card_number(label, "label")
    card.label = label
    _journal(session, card, "card.renamed", actor, now)
    return card


def make_default(session: Session, *, account_id: int, card_id: int, actor: str, now: datetime) -> Card:
    """The card that is preset from now on. Refused when it isn't validated."""
    card = _locked(session, account_id, card_id)
    if card.status is not CardStatus.VALIDATED:
        raise Refused(N_("Only a validated card can be the default one."), field="card")
    session.execute(
        sa.update(Card).where(Card.account_id == account_id, Card.is_default).values(is_default=False)
    )
    card.is_default = True
    _journal(session, card, "card.made_default", actor, now)
    return card


def revalidate(
    database: Database, processors: Processors, *, account_id: int, card_id: int, actor: str, now: datetime
) -> Card:
    """Asks the processor about a card and keeps what it says: valid, expired or revoked.

    A card that was declined for good stays so: only going through the processor's page again validates it.
    """
    with database.read() as session:
        card = session.get(Card, card_id)
        if card is None or card.account_id != account_id or card.status is CardStatus.REMOVED:
            raise NotThere
        gateway = processors.gateway(session.get_one(GatewayAccount, card.gateway_account_id))
    if not gateway.capabilities.instruments:
        raise Refused(
            N_("This processor can't be asked about a card; add the card again instead."), field="card"
        )
    try:
        instrument = gateway.get_instrument(processors.context(now), card.instrument_ref)
    except GatewayError as error:
        raise Refused(UNREACHABLE, field="card") from error
    with database.write() as session:
        stored = _locked(session, account_id, card_id)
        if stored.status is CardStatus.REMOVED:
            raise Conflict(N_("This card was removed already."))
        update_from(stored, instrument)
        if stored.status is not CardStatus.DECLINED:
            stored.status = _STATUSES[instrument.status]
        if stored.status is CardStatus.VALIDATED:
            stored.validated_at = now
        else:
            stored.is_default = False
        _journal(session, stored, "card.revalidated", actor, now)
        return stored


_STATUSES = {
    InstrumentStatus.VALIDATED: CardStatus.VALIDATED,
    InstrumentStatus.EXPIRED: CardStatus.EXPIRED,
    InstrumentStatus.REVOKED: CardStatus.REVOKED,
}


@dataclass(frozen=True)
class BlastRadius:
    """What hangs on a card: how many domains, the first of them with the day on which they lose their funding."""

    card: Card
    count: int
    first: list[tuple[Domain, date]]
    open_proformas: list[Proforma]
    other_cards: list[Card]


def blast_radius(
    session: Session, *, account_id: int, card_id: int, now: datetime, limit: int = 50
) -> BlastRadius:
    """NotThere for a foreign card."""
    card = session.get(Card, card_id)
    if card is None or card.account_id != account_id:
        raise NotThere
    hanging = sa.and_(
        Recurrence.current, Recurrence.card_id == card_id, Recurrence.state == RecurrenceState.ON
    )
    count = session.scalar(sa.select(sa.func.count()).select_from(Recurrence).where(hanging)) or 0
    domains = session.scalars(
        sa.select(Domain)
        .join(Recurrence, Recurrence.domain_id == Domain.id)
        .where(hanging)
        .order_by(Domain.bills_on, Domain.name)
        .limit(limit)
    )
    proformas = session.scalars(
        sa.select(Proforma)
        .where(Proforma.card_id == card_id, Proforma.status == ProformaStatus.OPEN)
        .order_by(Proforma.id)
        .limit(limit)
    )
    return BlastRadius(
        card=card,
        count=count,
        first=[(domain, domain.bills_on) for domain in domains],
        open_proformas=list(proformas),
        other_cards=[other for other in usable_cards(session, account_id, now) if other.id != card_id],
    )


def remove(session: Session, *, account_id: int, card_id: int, actor: str, now: datetime) -> Card:
    """Charged no more from here on. Refused while a charge of it is in doubt; undone within 24 hours."""
    card = _locked(session, account_id, card_id)
    if card.status is CardStatus.REMOVED:
        raise Conflict(N_("This card was removed already."))
    busy = session.scalar(
        sa.select(Attempt.id).where(Attempt.card_id == card_id, Attempt.status.in_(IN_DOUBT))
    )
    if busy is not None:
        raise Conflict(
            N_("A charge of this card is under way; remove it when its outcome is known."), field="card"
        )
    card.removed_from = card.status
    card.status = CardStatus.REMOVED
    card.is_default = False
    card.removed_at = now
    card.version += 1
    _journal(session, card, "card.removed", actor, now)
    return card


def undo_remove(session: Session, *, account_id: int, card_id: int, actor: str, now: datetime) -> Card:
    """Brings a removed card back while the processor still keeps it."""
    card = _locked(session, account_id, card_id)
    if card.status is not CardStatus.REMOVED or card.removed_at is None or card.removed_from is None:
        raise Conflict(N_("This card isn't removed."))
    if card.forgotten_at is not None or now > card.removed_at + UNDO_FOR:
        raise Refused(N_("The time for undoing this has passed; add the card again."), field="card")
    card.status = card.removed_from
    card.removed_at = card.removed_from = None
    card.version += 1
    _journal(session, card, "card.restored", actor, now)
    return card


def forget_removed(database: Database, processors: Processors, *, now: datetime) -> int:
    """Tells processors to forget the cards that were removed more than a day ago; returns how many did."""
    with database.read() as session:
        cards = session.scalars(
            sa.select(Card).where(
                Card.status == CardStatus.REMOVED,
                Card.forgotten_at.is_(None),
                Card.removed_at < now - UNDO_FOR,
            )
        ).all()
        work = [
            (card, processors.gateway(session.get_one(GatewayAccount, card.gateway_account_id)))
            for card in cards
        ]
    forgotten = 0
    for card, gateway in work:
        if gateway.capabilities.forget:
            try:
                gateway.forget_instrument(processors.context(now), card.instrument_ref)
            except GatewayError:
                continue  # asked again next time
        with database.write() as session:
            session.execute(sa.update(Card).where(Card.id == card.id).values(forgotten_at=now))
        forgotten += 1
    return forgotten


def _locked(session: Session, account_id: int, card_id: int) -> Card:
    card = session.scalar(
        sa.select(Card)
        .where(Card.id == card_id, Card.account_id == account_id)
        .with_for_update(of=Card, key_share=True)
    )
    if card is None:
        raise NotThere
    return card


def _journal(session: Session, card: Card, kind: str, actor: str, now: datetime) -> None:
    journal.write(
        session,
        now=now,
        actor=actor,
        kind=kind,
        subject=f"card:{card.id}",
        account_id=card.account_id,
        data={"status": card.status.value, "version": card.version},
    )
