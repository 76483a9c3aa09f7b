"""The invented reseller: its one row, its series of numbers, its account at the mock processor."""

from __future__ import annotations

import secrets
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.mock import DEMO_API_KEY
from panel.records import GatewayAccount, GatewayMode, Seller, Series, SeriesKind

ZONE = "Europe/Bucharest"


def seller(session: Session) -> Seller:
    """The seller that is there, or else the invented one."""
    present = session.get(Seller, 1)
    if present is not None:
        return present
    invented = Seller(
        id=1,
        name="Nordlicht Domains SRL",
        street="Strada Zorilor de Nord 14",
        city="București",
        postcode="010999",
        country="RO",
        vat_id="RO99990004",
        email="billing@example.com",
        sales_contact="sales@example.com",
        zone=ZONE,
        vat_rate_bp=2100,
    )
    session.add(invented)
    session.flush()
    return invented


def add_series(session: Session) -> None:
    """The series of invoices and of credit notes, where they are missing."""
    present = set(session.scalars(sa.select(Series.kind)))
    for kind, prefix in ((SeriesKind.INVOICE, "ND"), (SeriesKind.CREDIT_NOTE, "NDC")):
        if kind not in present:
            session.add(Series(kind=kind, prefix=prefix))
    session.flush()


def mock_account(session: Session, *, url: str, now: datetime) -> GatewayAccount:
    """The account at the mock processor that is there, or else a new one for the processor at `url`."""
    present = session.scalars(
        sa.select(GatewayAccount).where(GatewayAccount.gateway == "mock").order_by(GatewayAccount.id)
    ).first()
    if present is not None:
        return present
    account = GatewayAccount(
        gateway="mock",
        label="Mock processor",
        mode=GatewayMode.TEST,
        settings={"base_url": url, "api_key": DEMO_API_KEY},
        webhook_token=secrets.token_urlsafe(32),
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account
