"""List prices by TLD and currency, without tax."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.money import Money
from panel.records import PriceKind, TldPrice


def price_list(session: Session, currency: str, kind: PriceKind = PriceKind.RENEWAL) -> dict[str, Money]:
    """The price of one year (or one fee) for each TLD that has one in `currency`."""
    rows = session.execute(
        sa.select(TldPrice.tld, TldPrice.minor).where(
            # Nothing can be charged or invoiced at nothing: a price of zero is a price that is missing.
            TldPrice.currency == currency,
            TldPrice.kind == kind,
            TldPrice.minor > 0,
        )
    )
    return {tld: Money(minor, currency) for tld, minor in rows}


def within_ceiling(list_price: Money, agreed_minor: int, agreed_currency: str, ceiling_percent: int) -> bool:
    """Whether a consent to `agreed_minor` covers `list_price`: up to `ceiling_percent` above what was agreed."""
    if list_price.currency != agreed_currency:
        return False
    return list_price.minor * 100 <= agreed_minor * (100 + ceiling_percent)
