"""The days of a domain's year, computed backwards from its expiry in the seller's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from panel.errors import N_, Refused
from panel.records import Domain, Seller, Tld


def seller_of(session: Session) -> Seller:
    """The one seller row. Refused before set-up."""
    seller = session.get(Seller, 1)
    if seller is None:
        raise Refused(N_("There is no seller yet: run `perennial demo-data`, or fill in the seller."))
    return seller


def day_in_zone(moment: datetime, zone: str) -> date:
    """The calendar day of an instant in the seller's zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def bill_date(expires_at: datetime, zone: str, lead_days: int) -> date:
    """The day on which the term that starts at `expires_at` is billed."""
    return day_in_zone(expires_at, zone) - timedelta(days=lead_days)


def lead_days(seller: Seller, tld: Tld) -> int:
    return seller.lead_days if tld.lead_days is None else tld.lead_days


def suspend_after_days(seller: Seller, tld: Tld) -> int:
    return seller.suspend_after_days if tld.suspend_after_days is None else tld.suspend_after_days


def set_expiry(domain: Domain, expires_at: datetime, seller: Seller, tld: Tld) -> None:
    """Gives a domain its expiry and the days that follow from it."""
    domain.expires_at = expires_at
    domain.expires_on = expires_at.astimezone(UTC).date()
    domain.bills_on = bill_date(expires_at, seller.zone, lead_days(seller, tld))


def suspends_at(domain: Domain, seller: Seller, tld: Tld) -> datetime:
    return domain.expires_at + timedelta(days=suspend_after_days(seller, tld))


def retry_dates(expires_on: date, seller: Seller) -> list[date]:
    """The days of the retries, in order; `expires_on` is the expiry's day in the seller's zone."""
    return sorted(expires_on - timedelta(days=days) for days in seller.retry_days)


def last_retry_before(expires_on: date, seller: Seller) -> date:
    """The day of the last retry: a card must live until then to be worth a warning-free Confirm."""
    dates = retry_dates(expires_on, seller)
    return dates[-1] if dates else expires_on - timedelta(days=1)


def next_retry(
    expires_on: date, seller: Seller, *, after: date, not_before: date | None = None
) -> date | None:
    """The next day on which a declined charge may be tried again by itself; None when there is none left."""
    return next(
        (
            day
            for day in retry_dates(expires_on, seller)
            if day > after and (not_before is None or day >= not_before)
        ),
        None,
    )
