"""What the coming runs will bill: every domain, its day, its card, and the reason for each that won't be charged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from gateways.money import Money
from panel.billing import tax
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.pricing import price_list
from panel.records import (
    Account,
    Contact,
    ContactKind,
    Domain,
    PaymentMethod,
    Seller,
)
from panel.renewals.issuing import billing_of, due_condition
from panel.renewals.processors import Processors
from panel.renewals.verdict import current_recurrences

AT_ONCE = 1_000


@dataclass(frozen=True)
class ForecastLine:
    """One domain to be billed. `skip_reason` is a code (a `ManualReason` or "price_missing", "gateway_stopped") that
    says why its card isn't charged; None for those that will be, and for those that are paid by hand anyway."""

    day: date
    account_id: int
    account_name: str
    domain_id: int
    domain_name: str
    contact_name: str
    card_name: str | None
    net: Money
    tax_minor: int
    method: PaymentMethod
    skip_reason: str | None


def forecast(
    session: Session, *, processors: Processors, now: datetime, days: int, account_id: int | None = None
) -> Iterator[ForecastLine]:
    """Every domain that is billed within `days` (1 is tomorrow), by day; in bounded memory, by the run's own rules."""
    seller = seller_of(session)
    today = day_in_zone(now, seller.zone)
    last: tuple[date, int] | None = None
    while batch := _batch(session, today + timedelta(days=days), account_id, last):
        yield from _lines(session, batch, seller, processors, today)
        last = (batch[-1].bills_on, batch[-1].id)


def _batch(
    session: Session, until: date, account_id: int | None, last: tuple[date, int] | None
) -> Sequence[Domain]:
    wanted = sa.select(Domain).options(selectinload(Domain.terms)).where(due_condition(until))
    if account_id is not None:
        wanted = wanted.where(Domain.account_id == account_id)
    if last is not None:
        wanted = wanted.where(sa.tuple_(Domain.bills_on, Domain.id) > sa.tuple_(*map(sa.literal, last)))
    return session.scalars(wanted.order_by(Domain.bills_on, Domain.id).limit(AT_ONCE)).all()


def _lines(
    session: Session, domains: Sequence[Domain], seller: Seller, processors: Processors, today: date
) -> Iterator[ForecastLine]:
    accounts = {
        account.id: account
        for account in session.scalars(
            sa.select(Account).where(Account.id.in_({domain.account_id for domain in domains}))
        )
    }
    mains = {
        contact.account_id: contact
        for contact in session.scalars(
            sa.select(Contact).where(
                Contact.account_id.in_(accounts),
                Contact.kind == ContactKind.MAIN,
                Contact.removed_at.is_(None),
            )
        )
    }
    prices = {
        currency: price_list(session, currency) for currency in {row.currency for row in accounts.values()}
    }
    recurrences = current_recurrences(session, [domain.id for domain in domains])
    for domain in domains:
        account = accounts[domain.account_id]
        price = prices[account.currency].get(domain.tld)
        billing = billing_of(
            domain,
            recurrences.get(domain.id),
            Money(0, account.currency) if price is None else price,
            mains[account.id],
            seller,
            processors,
            today,
        )
        net = Money(billing.price.minor * domain.terms.min_years, account.currency)
        recurrence = recurrences.get(domain.id)
        skip = billing.manual_reason.value if billing.manual_reason and recurrence else None
        if price is None:
            skip = "price_missing"
        elif billing.card is not None and billing.card.gateway_account.stopped_at is not None:
            skip = "gateway_stopped"
        yield ForecastLine(
            day=max(domain.bills_on, today),
            account_id=account.id,
            account_name=account.name,
            domain_id=domain.id,
            domain_name=domain.shown,
            contact_name=billing.contact.label,
            card_name=recurrence.card.name if recurrence and recurrence.card else None,
            net=net,
            tax_minor=tax.tax_on(net.minor, tax.rule_for(seller, billing.contact).rate_bp),
            method=PaymentMethod.CARD if billing.card else PaymentMethod.MANUAL,
            skip_reason=skip,
        )
