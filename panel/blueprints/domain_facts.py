"""What one domain's page tells beside its verdict: the three switches, what happens when, and what has happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session, joinedload

from gateways.money import Money
from panel.billing.calendar import day_in_zone, retry_dates, seller_of, suspends_at
from panel.billing.pricing import price_list
from panel.records import (
    Account,
    Action,
    Domain,
    DomainStatus,
    Invoice,
    InvoiceLine,
    PriceKind,
    Proforma,
    ProformaLine,
    Recurrence,
    Seller,
    User,
)
from panel.renewals.domain_list import DomainRow
from panel.web import day_text, money_text

LATEST = 20
STAYS = frozenset({DomainStatus.ACTIVE, DomainStatus.SUSPENDED})


@dataclass(frozen=True)
class Switch:
    """`name` is invoice, charge or extend; `text` says what that means for this domain."""

    name: str
    on: bool
    text: str


@dataclass(frozen=True)
class Event:
    """`when` is past, next (the first that isn't past) or later."""

    day: date
    text: str
    when: str


@dataclass(frozen=True)
class Version:
    """One version of the domain's recurring payment, with the action that made it and who did that."""

    recurrence: Recurrence
    action: Action
    by: User | None


@dataclass(frozen=True)
class Facts:
    switches: list[Switch]
    timeline: list[Event]
    versions: list[Version]
    proformas: Sequence[Proforma]
    invoices: Sequence[Invoice]
    today: date


def facts_of(session: Session, row: DomainRow, now: datetime) -> Facts:
    seller = seller_of(session)
    today = day_in_zone(now, seller.zone)
    return Facts(
        switches=_switches(row),
        timeline=_timeline(session, row, seller, today),
        versions=_versions(session, row.domain.id),
        proformas=_proformas(session, row.domain.id),
        invoices=_invoices(session, row.domain.id),
        today=today,
    )


def _switches(row: DomainRow) -> list[Switch]:
    return [_invoice_switch(row), _charge_switch(row), _extend_switch(row)]


def _invoice_switch(row: DomainRow) -> Switch:
    domain = row.domain
    if domain.status not in STAYS:
        return Switch("invoice", False, _("No proforma is made: the domain isn't staying."))
    if domain.skipped_on == domain.expires_on:
        return Switch(
            "invoice",
            False,
            _("No proforma is made for the year from %(day)s.", day=day_text(domain.skipped_on)),
        )
    if row.price is None:
        return Switch(
            "invoice", False, _("No proforma is made: there is no price for .%(tld)s.", tld=domain.tld)
        )
    return Switch("invoice", True, _("A proforma is made on %(day)s.", day=day_text(domain.bills_on)))


def _charge_switch(row: DomainRow) -> Switch:
    recurrence = row.recurrence
    if recurrence is None or recurrence.card is None or recurrence.contact is None:
        return Switch("charge", False, _("Proformas are paid by hand."))
    text = _(
        "Card %(card)s is charged, invoices go to %(contact)s.",
        card=recurrence.card.name,
        contact=recurrence.contact.label,
    )
    return Switch("charge", True, text)


def _extend_switch(row: DomainRow) -> Switch:
    domain = row.domain
    if domain.status not in STAYS:
        return Switch("extend", False, _("The domain isn't extended: it isn't staying."))
    if domain.terms.auto_renew_at_registry:
        return Switch(
            "extend", True, _("The registry renews by itself; what isn't paid is deleted there in time.")
        )
    return Switch(
        "extend", True, _("Once paid, it is extended at its registrar (%(name)s).", name=domain.registrar)
    )


def _timeline(session: Session, row: DomainRow, seller: Seller, today: date) -> list[Event]:
    """Everything that is due around the coming expiry, in order; empty for a domain that isn't staying."""
    if row.domain.status not in STAYS:
        return []
    days = sorted(_days(session, row, seller), key=lambda entry: entry[0])
    upcoming = next((place for place, (day, _text) in enumerate(days) if day >= today), len(days))
    return [
        Event(day, text, "past" if place < upcoming else "next" if place == upcoming else "later")
        for place, (day, text) in enumerate(days)
    ]


def _days(session: Session, row: DomainRow, seller: Seller) -> Iterator[tuple[date, str]]:
    domain, terms = row.domain, row.domain.terms
    expiry = day_in_zone(domain.expires_at, seller.zone)
    if row.recurrence is not None and row.recurrence.card is not None:
        yield domain.bills_on, _("Proforma, and charge to card %(card)s", card=row.recurrence.card.masked)
    else:
        yield domain.bills_on, _("Proforma to pay by hand")
    for day in retry_dates(expiry, seller):
        if row.recurrence is not None:
            yield day, _("If it was declined: reminder, and another try")
        else:
            yield day, _("If it isn't paid: reminder")
    yield expiry, _("Expiry")
    suspension = day_in_zone(suspends_at(domain, seller, terms), seller.zone)
    fee = _fee(session, domain, PriceKind.REACTIVATION)
    yield (
        suspension,
        _("If it isn't paid: suspended")
        + (_(", and coming back costs %(fee)s more", fee=money_text(fee)) if fee is not None else ""),
    )
    if terms.grace_days is not None:
        yield from _after_grace(session, domain, expiry + timedelta(days=terms.grace_days))


def _after_grace(session: Session, domain: Domain, ends: date) -> Iterator[tuple[date, str]]:
    fee = _fee(session, domain, PriceKind.REDEMPTION)
    yield (
        ends,
        _("The registry's grace ends")
        + (_(", and coming back costs %(fee)s more", fee=money_text(fee)) if fee is not None else ""),
    )
    if domain.terms.redemption_days:
        yield ends + timedelta(days=domain.terms.redemption_days), _("Redemption ends: the domain is lost")


def _fee(session: Session, domain: Domain, kind: PriceKind) -> Money | None:
    currency = session.get_one(Account, domain.account_id).currency
    return price_list(session, currency, kind).get(domain.tld)


def _versions(session: Session, domain_id: int) -> list[Version]:
    rows = session.execute(
        sa.select(Recurrence, Action, User)
        .join(Action, Action.id == Recurrence.action_id)
        .outerjoin(User, User.id == Action.user_id)
        .options(joinedload(Recurrence.card), joinedload(Recurrence.contact))
        .where(Recurrence.domain_id == domain_id)
        .order_by(Recurrence.version.desc())
        .limit(LATEST)
    )
    return [Version(recurrence, action, by) for recurrence, action, by in rows]


def _proformas(session: Session, domain_id: int) -> Sequence[Proforma]:
    lines = sa.select(ProformaLine.proforma_id).where(ProformaLine.domain_id == domain_id)
    return session.scalars(
        sa.select(Proforma).where(Proforma.id.in_(lines)).order_by(Proforma.id.desc()).limit(LATEST)
    ).all()


def _invoices(session: Session, domain_id: int) -> Sequence[Invoice]:
    lines = (
        sa.select(InvoiceLine.invoice_id)
        .join(ProformaLine, ProformaLine.id == InvoiceLine.line_id)
        .where(ProformaLine.domain_id == domain_id)
    )
    return session.scalars(
        sa.select(Invoice).where(Invoice.id.in_(lines)).order_by(Invoice.id.desc()).limit(LATEST)
    ).all()
