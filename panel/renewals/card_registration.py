"""Adding a card: out to the processor's own page and back. Only the processor's word validates a card."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import (
    GatewayError,
    Instrument,
    NextStepKind,
    RegistrationRequest,
    RegistrationResult,
    RegistrationStatus,
)
from panel import journal
from panel.billing.card_number_guard import refuse_card_number
from panel.database import Database
from panel.errors import N_, NotThere, Refused
from panel.records import (
    Account,
    Card,
    CardRegistration,
    CardStatus,
    GatewayAccount,
    RegistrationState,
)
from panel.renewals.issuing import main_contact
from panel.renewals.processors import Processors

UNREACHABLE = N_(
    "The card processor can't be reached at the moment; nothing was changed. Try again in a few minutes."
)


def start(
    database: Database,
    processors: Processors,
    *,
    account_id: int,
    gateway_account_id: int,
    label: str | None,
    user_id: int | None,
    return_url: str,
    now: datetime,
) -> str:
    """The address of the processor's card page. `return_url` carries `{registration}`, filled with the row's id.

    Refused when the processor can't be reached or doesn't offer a page.
    """
    label = (label or "").strip() or None
    if label:
        refuse_card_number(label, "label")
    with database.write() as session:
        account = session.get(Account, account_id)
        gateway_account = session.get(GatewayAccount, gateway_account_id)
        if account is None or gateway_account is None or not gateway_account.enabled:
            raise NotThere
        contact = main_contact(session, account_id)
        registration = CardRegistration(
            account_id=account_id,
            gateway_account_id=gateway_account_id,
            user_id=user_id,
            key=uuid.uuid4().hex,
            label=label,
            state=RegistrationState.STARTED,
            started_at=now,
        )
        session.add(registration)
        session.flush()
        request = RegistrationRequest(
            key=registration.key,
            return_url=return_url.replace("{registration}", str(registration.id)),
            customer_ref=_known_customer(session, account_id, gateway_account_id),
            description=account.name,
            customer_name=contact.name,
            customer_email=contact.email,
            account_reference=str(account_id),
        )
        gateway = processors.gateway(gateway_account)
    try:
        step = gateway.start_registration(processors.context(now), request)
    except GatewayError as error:
        raise Refused(UNREACHABLE, field="gateway_account") from error
    with database.write() as session:
        stored = session.get_one(CardRegistration, registration.id)
        stored.ref = step.ref
    if step.kind is not NextStepKind.REDIRECT or step.url is None:
        raise Refused(N_("This gateway has no page for cards; choose another one."), field="gateway_account")
    return step.url


def _known_customer(session: Session, account_id: int, gateway_account_id: int) -> str | None:
    return session.scalar(
        sa.select(Card.customer_ref)
        .where(Card.account_id == account_id, Card.gateway_account_id == gateway_account_id)
        .order_by(Card.id.desc())
        .limit(1)
    )


def finish(
    database: Database, processors: Processors, *, account_id: int, registration_id: int, now: datetime
) -> CardRegistration:
    """Asks the processor what became of a registration, and keeps the card when it says validated.

    Asking again is harmless; a final state is answered from the row. Refused when the processor can't be asked.
    """
    with database.read() as session:
        registration = session.get(CardRegistration, registration_id)
        if registration is None or registration.account_id != account_id:
            raise NotThere
        if registration.state is not RegistrationState.STARTED or registration.ref is None:
            return registration
        gateway = processors.gateway(session.get_one(GatewayAccount, registration.gateway_account_id))
        ref = registration.ref
    try:
        result = gateway.get_registration(processors.context(now), ref)
    except GatewayError as error:
        raise Refused(UNREACHABLE) from error
    with database.write() as session:
        return _record(session, registration_id, result, now)


_STATES = {
    RegistrationStatus.CANCELLED: RegistrationState.CANCELLED,
    RegistrationStatus.FAILED: RegistrationState.FAILED,
    RegistrationStatus.EXPIRED: RegistrationState.CANCELLED,
}


def _record(
    session: Session, registration_id: int, result: RegistrationResult, now: datetime
) -> CardRegistration:
    registration = session.get_one(CardRegistration, registration_id, with_for_update=True)
    if registration.state is not RegistrationState.STARTED:
        return registration
    if result.status is RegistrationStatus.VALIDATED and result.instrument is not None:
        card = _keep_card(session, registration, result.instrument, result.customer_ref, now)
        registration.card_id = card.id
        registration.state = RegistrationState.VALIDATED
        registration.finished_at = now
    elif result.status in _STATES:
        registration.state = _STATES[result.status]
        registration.message = (result.message or "")[:500] or None
        registration.finished_at = now
    session.flush()
    return registration


def _keep_card(
    session: Session,
    registration: CardRegistration,
    instrument: Instrument,
    customer_ref: str | None,
    now: datetime,
) -> Card:
    """A new card, or the same one validated again: the processor's reference tells."""
    card = session.scalar(
        sa.select(Card).where(
            Card.gateway_account_id == registration.gateway_account_id, Card.instrument_ref == instrument.ref
        )
    )
    if card is None:
        card = Card(
            account_id=registration.account_id,
            gateway_account_id=registration.gateway_account_id,
            label=registration.label,
            instrument_ref=instrument.ref,
            customer_ref=customer_ref or instrument.customer_ref or "",
            created_at=now,
            version=0,
            is_default=False,
        )
        session.add(card)
    update_from(card, instrument)
    card.status = CardStatus.VALIDATED
    card.validated_at = now
    card.removed_at = card.removed_from = card.forgotten_at = None
    card.is_default = card.is_default or not _has_default(session, card.account_id)
    session.flush()
    journal.write(
        session,
        now=now,
        actor=f"user:{registration.user_id}" if registration.user_id else "link",
        kind="card.validated",
        subject=f"card:{card.id}",
        account_id=card.account_id,
        data={"registration_id": registration.id, "last4": card.last4},
    )
    return card


def update_from(card: Card, instrument: Instrument) -> None:
    """What the processor says of a card, kept on its row; the version rises, so that a plan shown before notices."""
    card.brand = (instrument.brand or "Card")[:40]
    card.last4 = (instrument.last4 or "????")[:4]
    card.exp_month = instrument.exp_month or 12
    card.exp_year = instrument.exp_year or 9999
    card.holder_name = instrument.holder_name
    # Without a fingerprint limits are counted on the reference, which is at least never too generous.
    card.fingerprint = instrument.fingerprint or instrument.ref
    card.version += 1


def _has_default(session: Session, account_id: int) -> bool:
    with session.no_autoflush:
        there = session.scalar(
            sa.select(Card.id).where(
                Card.account_id == account_id, Card.is_default, Card.status == CardStatus.VALIDATED
            )
        )
    return there is not None
