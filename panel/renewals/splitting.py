"""Splits proformas of which only some lines are recurring: those are charged on their own, the rest is paid by hand.

Lines move with the terms that they claim and the price that they were issued at. Never before a domain's bill date:
until then the whole proforma can still be paid by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from gateways.money import Money
from panel import journal
from panel.billing import proformas
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.proforma_mail import tell
from panel.billing.proformas import address_of
from panel.database import Database
from panel.records import (
    OPEN_STATUSES,
    Attempt,
    Card,
    Contact,
    Domain,
    DomainStatus,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
    Seller,
    Term,
    Tld,
)
from panel.renewals.issuing import billing_of, main_contact
from panel.renewals.processors import Processors

AT_ONCE = 100


@dataclass(frozen=True)
class Part:
    """The lines of a proforma that one card would be charged for, and from which day."""

    contact: Contact
    card: Card
    lines: list[ProformaLine]
    day: date

    @property
    def net_minor(self) -> int:
        return sum(line.net_minor for line in self.lines)


def preview(session: Session, proforma: Proforma, *, processors: Processors, now: datetime) -> list[Part]:
    """What the runs to come would split off this proforma, if nobody pays it before."""
    return _parts(session, proforma, processors, now)


def split_due(
    database: Database, processors: Processors, *, now: datetime, actor: str, run_id: int | None
) -> int:
    """Splits off what is recurring and has reached its bill date; returns how many proformas that made."""
    made, after = 0, 0
    while True:
        with database.write() as session:
            today = day_in_zone(now, seller_of(session).zone)
            mixed = _mixed(session, today, after)
            for proforma in mixed:
                for part in _parts(session, proforma, processors, now, until=today):
                    _split(session, proforma, part, now, actor, run_id)
                    made += 1
        if len(mixed) < AT_ONCE:
            return made
        after = mixed[-1].id


def _adoptable() -> list[sa.ColumnElement[bool]]:
    """As SQL on Proforma, ProformaLine, Domain, Tld and Recurrence joined by `_joined`."""
    under_way = sa.select(Attempt.id).where(
        Attempt.proforma_id == Proforma.id, Attempt.status.in_(OPEN_STATUSES)
    )
    return [
        Proforma.status == ProformaStatus.OPEN,
        # For payment by hand, whatever for: `billing_of` decides anew. Or given up on a card that was replaced since.
        sa.or_(
            Proforma.method == PaymentMethod.MANUAL,
            sa.and_(Proforma.next_charge_on.is_(None), Recurrence.card_id != Proforma.card_id),
        ),
        ~under_way.exists(),
        Domain.status == DomainStatus.ACTIVE,
        Recurrence.state == RecurrenceState.ON,
        # What was agreed to is a renewal for the usual term, not several years at once.
        ProformaLine.years == Tld.min_years,
    ]


def _joined(what: Any) -> sa.Select[Any]:
    return (
        what.join_from(Proforma, ProformaLine, ProformaLine.proforma_id == Proforma.id)
        .join(Term, sa.and_(Term.line_id == ProformaLine.id, Term.live))
        .join(Domain, sa.and_(Domain.id == Term.domain_id, Domain.expires_on == Term.starts_on))
        .join(Tld, Tld.tld == Domain.tld)
        .join(Recurrence, sa.and_(Recurrence.domain_id == Domain.id, Recurrence.current))
        .where(*_adoptable())
    )


def _mixed(session: Session, today: date, after: int) -> Sequence[Proforma]:
    ids = session.scalars(
        _joined(sa.select(Proforma.id).distinct())
        .where(Domain.bills_on <= today, Proforma.id > after)
        .order_by(Proforma.id)
        .limit(AT_ONCE)
    ).all()
    return session.scalars(
        sa.select(Proforma)
        .where(Proforma.id.in_(ids))
        .order_by(Proforma.id)
        .with_for_update(of=Proforma, key_share=True)
    ).all()


def _parts(
    session: Session, proforma: Proforma, processors: Processors, now: datetime, until: date | None = None
) -> list[Part]:
    seller = seller_of(session)
    today = day_in_zone(now, seller.zone)
    wanted = _joined(sa.select(ProformaLine, Recurrence)).where(Proforma.id == proforma.id)
    if until is not None:
        wanted = wanted.where(Domain.bills_on <= until)
    rows = session.execute(
        wanted.options(selectinload(ProformaLine.domain)).order_by(Domain.bills_on, ProformaLine.id)
    )
    main = main_contact(session, proforma.account_id)
    parts: dict[tuple[int, int, date], Part] = {}
    for line, recurrence in rows:
        price = Money(line.net_minor // line.years, proforma.currency)
        billing = billing_of(line.domain, recurrence, price, main, seller, processors, today)
        if billing.card is not None:
            day = max(line.domain.bills_on, today)
            key = (billing.contact.id, billing.card.id, day)
            parts.setdefault(key, Part(billing.contact, billing.card, [], day)).lines.append(line)
    return [part for part in parts.values() if _chargeable(part, proforma, seller, processors)]


def _chargeable(part: Part, proforma: Proforma, seller: Seller, processors: Processors) -> bool:
    can = processors.capabilities(part.card.gateway_account)
    _, total, _ = proformas.totals(seller, part.contact, part.net_minor)
    return can is not None and can.amount_problem(Money(total, proforma.currency)) is None


def _split(
    session: Session, proforma: Proforma, part: Part, now: datetime, actor: str, run_id: int | None
) -> None:
    seller = seller_of(session)
    tax_minor, total, rule = proformas.totals(seller, part.contact, part.net_minor)
    off = Proforma(
        account_id=proforma.account_id,
        contact_id=part.contact.id,
        currency=proforma.currency,
        method=PaymentMethod.CARD,
        card_id=part.card.id,
        status=ProformaStatus.OPEN,
        bill_on=part.day,
        expires_on=min(day_in_zone(line.domain.expires_at, seller.zone) for line in part.lines),
        due_on=min(day_in_zone(line.domain.expires_at, seller.zone) for line in part.lines),
        next_charge_on=part.day,
        net_minor=part.net_minor,
        tax_minor=tax_minor,
        total_minor=total,
        tax_rate_bp=rule.rate_bp,
        tax_note=rule.note,
        issued_to=address_of(part.contact),
        issued_at=now,
        run_id=run_id,
    )
    session.add(off)
    session.flush()
    for line in part.lines:
        line.proforma_id = off.id
    session.flush()
    session.expire(proforma, ["lines"])
    session.expire(off, ["lines"])
    if any(line.live for line in proforma.lines):
        proformas.retotal(session, proforma)
    else:
        proforma.status = ProformaStatus.CANCELLED
        proforma.cancelled_at = now
    for kind, subject in (("proforma.issued", off), ("proforma.split", proforma)):
        journal.write(
            session,
            now=now,
            actor=actor,
            kind=kind,
            subject=f"proforma:{subject.id}",
            account_id=proforma.account_id,
            data={
                "lines": len(part.lines),
                "from": proforma.id,
                "to": off.id,
                "total_minor": subject.total_minor,
            },
        )
    tell(session, "charge_coming", off, period="once", now=now)
