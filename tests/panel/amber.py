"""Amber Studio, ready for documents: its account, main contact, card and two domains; and the day it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Flask

from panel.billing.proformas import address_of
from panel.clock import SimulatedClock
from panel.database import Database
from panel.records import Account, Card, Contact, Domain, GatewayAccount, Proforma, RoleName, User
from tests import cast

TODAY = date(2026, 11, 22)


@dataclass
class Amber:
    database: Database
    account: Account
    contact: Contact
    gateway_account: GatewayAccount
    card: Card
    domains: list[Domain]

    def proforma(self, **changes) -> Proforma:
        """An open one for both domains: 24.00 net, 4.80 tax."""
        values = {"issued_to": address_of(self.contact)} | changes
        return cast.make_proforma(self.database, self.account, self.contact, self.domains, **values)

    def user(self, role: RoleName) -> User:
        return cast.make_user(self.database, role, self.account if role is RoleName.CLIENT else None)


def settle_in(
    app: Flask, url: str = "http://127.0.0.1:9", domains: tuple[str, ...] = ("amber.com", "studio.com")
) -> Amber:
    """The cast of these tests, on 22 November 2026; `url` is where the mock processor answers."""
    parts = app.extensions["perennial"]
    parts.clock = SimulatedClock(TODAY, "Europe/Vienna")
    database = parts.database
    account = cast.make_account(database, "Amber Studio")
    gateway_account = cast.make_gateway_account(database, url)
    return Amber(
        database=database,
        account=account,
        contact=cast.make_contact(database, account),
        gateway_account=gateway_account,
        card=cast.make_card(database, account, gateway_account),
        domains=[cast.make_domain(database, account, name, expires_in=10) for name in domains],
    )
