"""Invented accounts: their contacts and their cards, good, dying and bad."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from anyascii import anyascii
from sqlalchemy.orm import Session

from panel.demo.cast import COUNTRIES, Country, Person, person
from panel.records import Account, Card, CardStatus, Contact, ContactKind, GatewayAccount

# How the mock processor will answer for the cards, in turn; it knows them by their references.
BEHAVIOURS = (
    "ok", "ok", "flaky30", "ok", "insufficient_funds", "ok", "ok", "authentication", "ok", "ok",
    "do_not_honor", "ok", "ok", "lost", "ok", "ok", "expired", "ok", "ok", "ok",
)  # fmt: skip
_NO_CARD_EVERY = 9
_SECOND_CARD_EVERY = 3
# Months that a card still has, in turn: some die within the year.
_MONTHS_LEFT = (30, 17, 44, 5, 26, 38, 3, 21, 50, 9)


@dataclass
class Client:
    """An account that was made, with what its domains can be tied to, main contact and default card first.
    `country` says what its domains look like."""

    account: Account
    country: Country
    contacts: list[Contact] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)


def add_clients(
    session: Session,
    dice: random.Random,
    *,
    count: int,
    first_number: int,
    gateway: GatewayAccount,
    now: datetime,
) -> list[Client]:
    """`count` accounts. The first has two contacts and no card, so that everything can be tried from the
    beginning; one that is alone has a card all the same."""
    return [
        _client(
            session,
            dice,
            number,
            gateway,
            now,
            has_card=count == 1 or (place > 0 and place % _NO_CARD_EVERY != 8),
        )
        for place, number in enumerate(range(first_number, first_number + count))
    ]


def _client(
    session: Session,
    dice: random.Random,
    number: int,
    gateway: GatewayAccount,
    now: datetime,
    *,
    has_card: bool,
) -> Client:
    country = COUNTRIES[(number - 1) % len(COUNTRIES)]
    is_company = number == 1 or dice.random() < 0.7
    main = person(dice, country, is_company=is_company, number=number)
    client = add_client(session, main, country, now=now)
    if number == 1 or dice.random() < 0.4:
        other = person(dice, country, is_company=True, number=number)
        client.contacts.append(_contact(session, client.account, other, ContactKind.BILLING, now))
    if has_card:
        client.cards.append(add_card(session, dice, client.account, main.name, gateway, now))
        if number % _SECOND_CARD_EVERY == 0:
            client.cards.append(
                add_card(session, dice, client.account, main.name, gateway, now, is_default=False)
            )
    return client


def add_client(
    session: Session, main: Person, country: Country, *, now: datetime, name: str | None = None
) -> Client:
    """An account with its main contact and nothing else."""
    account = Account(
        name=name or main.company or main.name,
        currency=country.currency,
        locale=country.locale,
        created_at=now,
    )
    session.add(account)
    session.flush()
    return Client(account, country, [_contact(session, account, main, ContactKind.MAIN, now)])


def _contact(session: Session, account: Account, who: Person, kind: ContactKind, now: datetime) -> Contact:
    email = who.email if kind is ContactKind.MAIN else f"invoices-{who.email}"
    contact = Contact(
        account_id=account.id,
        kind=kind,
        name=who.name,
        company=who.company,
        email=email,
        phone=who.phone,
        street=who.street,
        city=who.city,
        postcode=who.postcode,
        country=who.country,
        vat_id=who.vat_id,
        created_at=now,
    )
    session.add(contact)
    session.flush()
    return contact


def add_card(
    session: Session,
    dice: random.Random,
    account: Account,
    owner: str,
    gateway: GatewayAccount,
    now: datetime,
    *,
    is_default: bool = True,
    behaviour: str | None = None,
) -> Card:
    """A validated card. The mock processor takes it on at first sight: its reference says how it behaves."""
    turn = account.id * 2 - is_default
    behaves = behaviour or BEHAVIOURS[turn // 2 % len(BEHAVIOURS)]
    reference = f"pm_test_{behaves}_demo{account.id}x{turn}"
    expires = _month_after(now.date(), _MONTHS_LEFT[turn % len(_MONTHS_LEFT)] if behaviour is None else 40)
    card = Card(
        account_id=account.id,
        gateway_account_id=gateway.id,
        label=None if is_default else "Second card",
        instrument_ref=reference,
        customer_ref=f"cus_demo_{account.id}",
        brand=dice.choice(("visa", "mastercard")),
        last4=f"{dice.randrange(10_000):04d}",
        exp_month=expires.month,
        exp_year=expires.year,
        holder_name=_holder(dice, owner),
        # As the processor will tell it, once it has seen the card.
        fingerprint="fp_" + hashlib.sha256(reference.encode()).hexdigest()[:24],
        status=CardStatus.VALIDATED,
        is_default=is_default,
        created_at=now,
        validated_at=now,
    )
    session.add(card)
    session.flush()
    return card


def _month_after(day: date, months: int) -> date:
    return (day.replace(day=1) + timedelta(days=31 * months)).replace(day=1)


def _holder(dice: random.Random, owner: str) -> str | None:
    """Mostly the owner's name, often without diacritics as banks write it; now and then another's or none."""
    chance = dice.random()
    if chance < 0.08:
        return None
    if chance < 0.18:
        return f"{dice.choice(('Robin', 'Kim', 'Sascha'))} {owner.split()[-1]}"
    return anyascii(owner).upper() if chance < 0.5 else owner
