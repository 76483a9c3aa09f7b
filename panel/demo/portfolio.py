"""Domains with their expiries spread over a year, most of them with recurring payment; in bulk."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.calendar import bill_date, lead_days
from panel.billing.names import ParsedName, parse_domain
from panel.demo.accounts import Client
from panel.demo.labels import label
from panel.records import (
    Action,
    ActionKind,
    Card,
    Consent,
    ConsentKind,
    Contact,
    Domain,
    DomainStatus,
    Recurrence,
    RecurrenceState,
    Seller,
    Tld,
)
from panel.renewals.recurrence import CURRENT_WORDING

BATCH = 5_000
# The tables and not the classes: hundreds of thousands of rows don't need to become objects.
_DOMAINS = cast(sa.Table, Domain.__table__)
_RECURRENCES = cast(sa.Table, Recurrence.__table__)
REGISTRAR = "mock"
SECONDS_A_YEAR = 365 * 24 * 3600
_LEAVING = 0.02
_RECURRING = 0.7
# How often a domain of a client is below one of its country's own TLDs rather than anywhere.
_AT_HOME = 0.8

Progress = Callable[[int], None]


class Portfolio:
    """Adds domains to clients, by the terms that the database has. `progress` is told of each batch."""

    def __init__(
        self, session: Session, seller: Seller, dice: random.Random, *, now: datetime, progress: Progress
    ):
        self.session = session
        self.dice = dice
        self.now = now
        self.progress = progress
        self.zone = seller.zone
        self.ceiling_percent = seller.consent_ceiling_percent
        terms = list(session.scalars(sa.select(Tld).order_by(Tld.tld)))
        self.tlds = [tld.tld for tld in terms]
        self.lead_days = {tld.tld: lead_days(seller, tld) for tld in terms}
        self.taken = set(session.scalars(sa.select(Domain.name)))

    def invent(self, client: Client, count: int) -> list[ParsedName]:
        """As many names as are asked for, none of which is taken."""
        known = frozenset(self.tlds)
        at_home = [tld for tld in client.country.tlds if tld in known] or self.tlds
        names: list[ParsedName] = []
        while len(names) < count:
            tld = self.dice.choice(at_home if self.dice.random() < _AT_HOME else self.tlds)
            name = parse_domain(f"{label(self.dice, tld)}.{tld}", known)
            if name.name in self.taken and self.dice.random() < 0.5:
                # Short names run out in a large portfolio: a number makes a new one.
                name = parse_domain(f"{label(self.dice, tld)}{self.dice.randrange(10_000)}.{tld}", known)
            if name.name not in self.taken:
                self.taken.add(name.name)
                names.append(name)
        return names

    def add(
        self, client: Client, names: Sequence[ParsedName], *, leaving: float = _LEAVING
    ) -> list[tuple[int, str]]:
        """Registers the names for a client; returns the id and TLD of those that stay."""
        staying: list[tuple[int, str]] = []
        for batch in _batches(names):
            rows = [self._row(client, name, leaving) for name in batch]
            tlds = {row["name"]: row["tld"] for row in rows if row["status"] is DomainStatus.ACTIVE}
            made = self.session.execute(_DOMAINS.insert().returning(_DOMAINS.c.id, _DOMAINS.c.name), rows)
            # Sorted, because a database may answer in any order and the dice must fall as they did.
            staying += [(id, tlds[name]) for id, name in sorted(made.all()) if name in tlds]
            self.progress(len(rows))
        return staying

    def _row(self, client: Client, name: ParsedName, leaving: float) -> dict[str, Any]:
        expires_at = self.now + timedelta(days=1, seconds=self.dice.randrange(SECONDS_A_YEAR))
        return {
            "account_id": client.account.id,
            "name": name.name,
            "shown": name.shown,
            "tld": name.tld,
            "registrar": REGISTRAR,
            "status": DomainStatus.LEAVING if self.dice.random() < leaving else DomainStatus.ACTIVE,
            "expires_at": expires_at,
            "expires_on": expires_at.astimezone(UTC).date(),
            "bills_on": bill_date(expires_at, self.zone, self.lead_days[name.tld]),
            "base_expires_at": expires_at,
            "created_at": self.now - timedelta(days=self.dice.randrange(30, 3000)),
        }

    def switch_on(self, client: Client, domains: Sequence[tuple[int, str]], prices: dict[str, int]) -> int:
        """Recurring payment for most of the domains, tied to this or that contact and card; returns how many.

        `prices` are those of a year by TLD, in the account's currency; what has none stays off.
        """
        chosen: dict[tuple[Contact, Card], list[tuple[int, str]]] = {}
        for id, tld in domains:
            if tld in prices and self.dice.random() < _RECURRING:
                chosen.setdefault(
                    (self._mostly_first(client.contacts), self._mostly_first(client.cards)), []
                ).append((id, tld))
        for (contact, card), ticked in chosen.items():
            self._record(client, contact, card, ticked, prices)
        return sum(map(len, chosen.values()))

    def _mostly_first(self, things: Sequence[Any]) -> Any:
        return things[0] if self.dice.random() < 0.75 else self.dice.choice(things)

    def _record(
        self,
        client: Client,
        contact: Contact,
        card: Card,
        ticked: list[tuple[int, str]],
        prices: dict[str, int],
    ) -> None:
        consent = Consent(
            account_id=client.account.id,
            kind=ConsentKind.OFFLINE,
            on_behalf_of=contact.label,
            reference="demo data",
            wording_version=CURRENT_WORDING,
            contact_id=contact.id,
            card_id=card.id,
            acknowledged=[],
            ceiling_percent=self.ceiling_percent,
            at=self.now,
        )
        self.session.add(consent)
        self.session.flush()
        key = f"demo-{consent.id}"
        action = Action(
            account_id=client.account.id,
            kind=ActionKind.RECURRING_PAYMENT,
            consent_id=consent.id,
            request_key=key,
            plan_digest=hashlib.sha256(key.encode()).hexdigest(),
            domains_changed=len(ticked),
            at=self.now,
        )
        self.session.add(action)
        self.session.flush()
        for batch in _batches(ticked):
            self.session.execute(
                _RECURRENCES.insert(),
                [
                    {
                        "domain_id": id,
                        "version": 1,
                        "current": True,
                        "state": RecurrenceState.ON,
                        "contact_id": contact.id,
                        "card_id": card.id,
                        "consent_id": consent.id,
                        "action_id": action.id,
                        "agreed_minor": prices[tld],
                        "agreed_currency": client.account.currency,
                        "created_at": self.now,
                    }
                    for id, tld in batch
                ],
            )
        journal.write(
            self.session,
            now=self.now,
            actor="cli",
            kind=f"recurrence.{action.kind.value}",
            subject=f"action:{action.id}",
            account_id=client.account.id,
            data={"domains": len(ticked), "demo": True},
        )


def _batches(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]
