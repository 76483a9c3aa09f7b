"""Issuing and cancelling proformas. Issuing freezes price, tax, contact and card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing import tax, terms
from panel.errors import N_, Conflict, NotThere
from panel.records import (
    IN_DOUBT,
    Attempt,
    AttemptStatus,
    Contact,
    Domain,
    LineKind,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Seller,
)


@dataclass(frozen=True)
class DraftLine:
    """One domain's renewal for `years`, or a fee (0 years); `net_minor` without tax."""

    domain: Domain
    years: int
    net_minor: int
    kind: LineKind = LineKind.RENEWAL


@dataclass(frozen=True)
class Draft:
    """A proforma to be. Dates are days in the seller's zone."""

    contact: Contact
    currency: str
    bill_on: date
    expires_on: date
    due_on: date
    card_id: int | None = None
    manual_reason: ManualReason | None = None
    lines: list[DraftLine] = field(default_factory=list)

    @property
    def method(self) -> PaymentMethod:
        return PaymentMethod.MANUAL if self.card_id is None else PaymentMethod.CARD


def totals(seller: Seller, contact: Contact, net_minor: int) -> tuple[int, int, tax.TaxRule]:
    """Tax, total and the rule for a document of this net sum."""
    rule = tax.rule_for(seller, contact)
    tax_minor = tax.tax_on(net_minor, rule.rate_bp)
    return tax_minor, net_minor + tax_minor, rule


def issue(
    session: Session,
    draft: Draft,
    *,
    seller: Seller,
    now: datetime,
    actor: str,
    run_id: int | None = None,
    action_id: int | None = None,
) -> Proforma:
    """Writes the proforma, its lines and their claims on terms.

    IntegrityError when a term is billed already: call it in a savepoint where others may be billing too.
    """
    net = sum(line.net_minor for line in draft.lines)
    tax_minor, total, rule = totals(seller, draft.contact, net)
    proforma = Proforma(
        account_id=draft.contact.account_id,
        contact_id=draft.contact.id,
        currency=draft.currency,
        method=draft.method,
        manual_reason=draft.manual_reason,
        card_id=draft.card_id,
        status=ProformaStatus.OPEN,
        bill_on=draft.bill_on,
        expires_on=draft.expires_on,
        due_on=draft.due_on,
        next_charge_on=draft.bill_on if draft.method is PaymentMethod.CARD else None,
        net_minor=net,
        tax_minor=tax_minor,
        total_minor=total,
        tax_rate_bp=rule.rate_bp,
        tax_note=rule.note,
        issued_to=address_of(draft.contact),
        issued_at=now,
        run_id=run_id,
        action_id=action_id,
    )
    session.add(proforma)
    session.flush()
    _add_lines(session, proforma, draft.lines)
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="proforma.issued",
        subject=f"proforma:{proforma.id}",
        account_id=proforma.account_id,
        data={"total_minor": total, "currency": draft.currency, "method": draft.method.value},
    )
    session.flush()
    return proforma


def _add_lines(session: Session, proforma: Proforma, drafts: Sequence[DraftLine]) -> None:
    """All lines and their claims in two statements: a proforma may have 100,000 of them."""
    rows = [
        {
            "proforma_id": proforma.id,
            "domain_id": draft.domain.id,
            "kind": draft.kind,
            "years": draft.years,
            "starts_on": draft.domain.expires_on,
            "ends_on": terms.add_years(draft.domain.expires_on, draft.years),
            "net_minor": draft.net_minor,
            "live": True,
        }
        for draft in drafts
    ]
    ids = session.scalars(
        sa.insert(ProformaLine).returning(ProformaLine.id, sort_by_parameter_order=True), rows
    ).all()
    terms.claim(session, dict(zip(ids, rows, strict=True)))


def address_of(party: Contact | Seller) -> dict[str, Any]:
    """Name and address as a document keeps them."""
    return {
        "name": party.name,
        "company": getattr(party, "company", None),
        "street": party.street,
        "city": party.city,
        "postcode": party.postcode,
        "country": party.country,
        "vat_id": party.vat_id,
        "email": party.email,
    }


def retotal(session: Session, proforma: Proforma) -> None:
    """Adds up a proforma again after lines were added or moved; its tax rule stays the one of its issue."""
    session.flush()
    net = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(ProformaLine.net_minor), 0)).where(
            ProformaLine.proforma_id == proforma.id, ProformaLine.live
        )
    )
    proforma.net_minor = int(net or 0)
    proforma.tax_minor = tax.tax_on(proforma.net_minor, proforma.tax_rate_bp)
    proforma.total_minor = proforma.net_minor + proforma.tax_minor
    session.flush()


def lock_open(session: Session, account_id: int, proforma_id: int) -> Proforma:
    """The open proforma, locked for the transaction. NotThere when foreign or absent, Conflict when not open."""
    proforma = session.scalar(
        sa.select(Proforma)
        .where(Proforma.id == proforma_id, Proforma.account_id == account_id)
        .with_for_update(of=Proforma, key_share=True)
    )
    if proforma is None:
        raise NotThere
    if proforma.status is ProformaStatus.PAID:
        raise Conflict(N_("Proforma %(number)s is paid already."), number=proforma.number)
    if proforma.status is ProformaStatus.CANCELLED:
        raise Conflict(N_("Proforma %(number)s was cancelled."), number=proforma.number)
    return proforma


def open_attempt(session: Session, proforma_id: int) -> Attempt | None:
    """The one attempt of a proforma that isn't final, if any, locked for the transaction."""
    return session.scalar(
        sa.select(Attempt)
        .where(
            Attempt.proforma_id == proforma_id,
            Attempt.status.in_([*IN_DOUBT, AttemptStatus.INTENDED]),
        )
        .with_for_update(of=Attempt, key_share=True)
    )


def refuse_while_charging(session: Session, proforma: Proforma) -> None:
    """Refuses what would pay or change a proforma while a charge of it is wanted, or may still move money."""
    if open_attempt(session, proforma.id) is not None:
        raise Conflict(
            N_("A card charge of proforma %(number)s is under way; try again when its outcome is known."),
            number=proforma.number,
        )


def give_up_intent(session: Session, proforma: Proforma, *, now: datetime, actor: str) -> None:
    """Gives up a charge that somebody asked for and nobody has sent yet: what is asked for now is the later wish."""
    attempt = open_attempt(session, proforma.id)
    if attempt is None or attempt.status is not AttemptStatus.INTENDED:
        return
    attempt.status = AttemptStatus.ABANDONED
    attempt.finished_at = now
    attempt.message = "given up before it was sent"
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="charge.abandoned",
        subject=f"attempt:{attempt.id}",
        account_id=proforma.account_id,
    )
    session.flush()


def cancel(
    session: Session, *, account_id: int, proforma_id: int, skip_term: bool, actor: str, now: datetime
) -> Proforma:
    """Cancels an open proforma and frees its terms: not billed again with `skip_term`, else by the next run."""
    proforma = lock_open(session, account_id, proforma_id)
    give_up_intent(session, proforma, now=now, actor=actor)
    refuse_while_charging(session, proforma)
    live = [line for line in proforma.lines if line.live]
    cancel_lines(session, live, skip_term=skip_term)
    proforma.status = ProformaStatus.CANCELLED
    proforma.cancelled_at = now
    proforma.next_charge_on = None
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="proforma.cancelled",
        subject=f"proforma:{proforma.id}",
        account_id=account_id,
        data={"skip_term": skip_term},
    )
    return proforma


def drop_lines(
    session: Session, proforma: Proforma, lines: Sequence[ProformaLine], *, now: datetime, actor: str
) -> bool:
    """Takes lines off an open proforma: their domains left or were renewed elsewhere. True when that closed it."""
    terms.release(session, [line.id for line in lines])
    session.expire(proforma, ["lines"])
    retotal(session, proforma)
    closed = not any(line.live for line in proforma.lines)
    if closed:
        proforma.status = ProformaStatus.CANCELLED
        proforma.cancelled_at = now
        proforma.next_charge_on = None
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="proforma.lines_dropped",
        subject=f"proforma:{proforma.id}",
        account_id=proforma.account_id,
        data={
            "domains": [line.domain_id for line in lines],
            "total_minor": proforma.total_minor,
            "closed": closed,
        },
    )
    return closed


def cancel_lines(session: Session, lines: Sequence[ProformaLine], *, skip_term: bool) -> None:
    terms.release(session, [line.id for line in lines])
    if skip_term:
        for line in lines:
            if line.domain.expires_on == line.starts_on:
                line.domain.skipped_on = line.starts_on
