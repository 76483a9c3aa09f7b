"""Invented prices in EUR, RON and USD for every TLD; no registry or reseller charges these."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import PriceKind, Tld, TldPrice

CURRENCIES = ("EUR", "RON", "USD")

# Euro cents for a year. The other TLDs cost something between 9.90 and 24.90, by the letters of their names.
_YEAR = {"com": 1390, "net": 1590, "org": 1490, "io": 4590, "ai": 7990, "tv": 3490, "app": 1890, "dev": 1690}
_REACTIVATION = 1500
_REDEMPTION = 8500


def add_prices(session: Session) -> int:
    """Prices a year and the fees of every TLD that has no price yet; returns how many TLDs that were."""
    priced = set(session.scalars(sa.select(TldPrice.tld)))
    terms = [tld for tld in session.scalars(sa.select(Tld).order_by(Tld.tld)) if tld.tld not in priced]
    rows = [row for tld in terms for row in _prices_of(tld)]
    if rows:
        session.execute(sa.insert(TldPrice), rows)
    return len(terms)


def _prices_of(tld: Tld) -> list[dict[str, Any]]:
    cents = {PriceKind.RENEWAL: _year(tld.tld), PriceKind.REACTIVATION: _REACTIVATION}
    if tld.redemption_days:
        cents[PriceKind.REDEMPTION] = _REDEMPTION
    return [
        {"tld": tld.tld, "currency": currency, "kind": kind, "minor": _converted(minor, currency)}
        for kind, minor in cents.items()
        for currency in CURRENCIES
    ]


def _year(tld: str) -> int:
    return _YEAR.get(tld, 990 + 100 * (sum(map(ord, tld)) % 16))


def _converted(euro_cents: int, currency: str) -> int:
    """By invented, round rates: 1 EUR = 5 RON = 1.10 USD."""
    return {"EUR": euro_cents, "RON": euro_cents * 5, "USD": euro_cents * 11 // 10}[currency]
