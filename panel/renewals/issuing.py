"""Issues the proformas of domains whose bill date has come: recurring ones by card, the rest for payment by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from gateways.money import Money
from panel.billing import proformas
from panel.billing.calendar import day_in_zone, seller_of, suspends_at
from panel.billing.pricing import price_list
from panel.billing.proforma_mail import tell
from panel.billing.proformas import Draft, DraftLine
from panel.database import Database
from panel.failpoints import failpoint
from panel.records import (
    Account,
    Card,
    CardStatus,
    Contact,
    ContactKind,
    Domain,
    DomainStatus,
    LineKind,
    ManualReason,
    PaymentMethod,
    PriceKind,
    Proforma,
    Recurrence,
    Seller,
    TaskKind,
    Term,
)
from panel.renewals.processors import Processors
from panel.renewals.staff_tasks import open_task
from panel.renewals.standing import covers
from panel.renewals.verdict import current_recurrences

# Accounts are taken whole, so that one bill date of one account isn't spread over several proformas.
DOMAINS_AT_ONCE = 500


@dataclass(frozen=True)
class Billing:
    """How one domain's coming term would be billed."""

    contact: Contact
    price: Money
    card: Card | None = None
    manual_reason: ManualReason | None = None


@dataclass
class Issued:
    """What a pass of issuing did; `due` counts domains, `issued` proformas."""

    due: int = 0
    issued: int = 0


def issue_due(
    database: Database,
    processors: Processors,
    *,
    now: datetime,
    actor: str,
    run_id: int | None,
    progress: Callable[[Session, Issued], None],
) -> Issued:
    """Issues everything that is due, some accounts in each transaction; asked again it finds nothing."""
    total = Issued()
    after = 0
    while True:
        with database.write() as session:
            today = day_in_zone(now, seller_of(session).zone)
            accounts = _next_accounts(session, today, after)
            for account_id in accounts:
                _issue_account(session, processors, account_id, today, now, actor, run_id, total)
            progress(session, total)
            failpoint("issue.before_commit")
        failpoint("issue.after_commit")
        if not accounts:
            return total
        after = accounts[-1]


def due_condition(today: date) -> sa.ColumnElement[bool]:
    """As SQL on Domain: its coming term is to be billed by now and nobody has billed it."""
    billed = sa.select(Term.id).where(
        Term.domain_id == Domain.id, Term.starts_on == Domain.expires_on, Term.live
    )
    return sa.and_(
        Domain.bills_on <= today,
        # A suspended one whose proforma was cancelled to be issued again.
        Domain.status.in_([DomainStatus.ACTIVE, DomainStatus.SUSPENDED]),
        sa.or_(Domain.skipped_on.is_(None), Domain.skipped_on != Domain.expires_on),
        ~billed.exists(),
    )


def _next_accounts(session: Session, today: date, after: int) -> list[int]:
    counts = session.execute(
        sa.select(Domain.account_id, sa.func.count())
        .where(due_condition(today), Domain.account_id > after)
        .group_by(Domain.account_id)
        .order_by(Domain.account_id)
        .limit(DOMAINS_AT_ONCE)
    )
    taken: list[int] = []
    domains = 0
    for account_id, count in counts:
        taken.append(account_id)
        domains += count
        if domains >= DOMAINS_AT_ONCE:
            break
    return taken


def _issue_account(
    session: Session,
    processors: Processors,
    account_id: int,
    today: date,
    now: datetime,
    actor: str,
    run_id: int | None,
    total: Issued,
) -> None:
    seller = seller_of(session)
    # Two runs at once take turns at an account; the second finds the terms claimed.
    account = session.scalars(
        sa.select(Account).where(Account.id == account_id).with_for_update(key_share=True)
    ).one()
    domains = session.scalars(
        sa.select(Domain)
        .options(selectinload(Domain.terms))
        .where(Domain.account_id == account_id, due_condition(today))
        .order_by(Domain.id)
    ).all()
    total.due += len(domains)
    for draft in drafts_for(session, account, domains, seller, processors, now=now):
        try:
            with session.begin_nested():
                proforma = proformas.issue(session, draft, seller=seller, now=now, actor=actor, run_id=run_id)
                _announce(session, proforma, now)
        except IntegrityError:
            # A term was claimed in this moment, by hand; the rest of the group is billed by the next run.
            continue
        total.issued += 1


def _announce(session: Session, proforma: Proforma, now: datetime) -> None:
    by_card = proforma.method is PaymentMethod.CARD
    kind = "charge_coming" if by_card else "proforma_issued"
    if proforma.manual_reason in (ManualReason.CARD_UNUSABLE, ManualReason.GATEWAY):
        kind = "card_needed"
    if proforma.manual_reason is ManualReason.ABOVE_CEILING:
        kind = "price_above_ceiling"
    tell(session, kind, proforma, period="once", now=now)


def drafts_for(
    session: Session,
    account: Account,
    domains: Sequence[Domain],
    seller: Seller,
    processors: Processors,
    *,
    now: datetime,
) -> list[Draft]:
    """The proformas that these domains of one account would get: for each contact, card or reason, and bill date."""
    today = day_in_zone(now, seller.zone)
    main = main_contact(session, account.id)
    prices = price_list(session, account.currency)
    fees = price_list(session, account.currency, PriceKind.REACTIVATION)
    recurrences = current_recurrences(session, [domain.id for domain in domains])
    groups: dict[tuple[object, ...], Draft] = {}
    for domain in domains:
        price = prices.get(domain.tld)
        if price is None:
            _report_missing_price(session, domain, account, now)
            continue
        billing = billing_of(domain, recurrences.get(domain.id), price, main, seller, processors, today)
        years = domain.terms.min_years
        expires_on = day_in_zone(domain.expires_at, seller.zone)
        due_on = day_in_zone(suspends_at(domain, seller, domain.terms), seller.zone)
        key = (
            billing.contact.id,
            billing.card.id if billing.card else None,
            billing.manual_reason,
            domain.bills_on,
            # The same for all domains of a bill date, unless a TLD has days of its own.
            expires_on,
            due_on,
        )
        draft = groups.get(key)
        if draft is None:
            draft = groups[key] = Draft(
                contact=billing.contact,
                currency=account.currency,
                bill_on=domain.bills_on,
                expires_on=expires_on,
                due_on=due_on,
                card_id=billing.card.id if billing.card else None,
                manual_reason=billing.manual_reason,
            )
        draft.lines.append(DraftLine(domain, years, billing.price.minor * years))
        fee = fees.get(domain.tld)
        if domain.status is DomainStatus.SUSPENDED and fee is not None:
            draft.lines.append(DraftLine(domain, 0, fee.minor, LineKind.REACTIVATION))
    return [_within_limits(session, draft, seller, processors) for draft in groups.values()]


def main_contact(session: Session, account_id: int) -> Contact:
    return session.scalars(
        sa.select(Contact).where(
            Contact.account_id == account_id, Contact.kind == ContactKind.MAIN, Contact.removed_at.is_(None)
        )
    ).one()


def billing_of(
    domain: Domain,
    recurrence: Recurrence | None,
    price: Money,
    main: Contact,
    seller: Seller,
    processors: Processors,
    today: date,
) -> Billing:
    """Card or manual, to whom, and why; the same rule for the run and for the forecast."""
    if domain.status is DomainStatus.SUSPENDED or recurrence is None:
        return Billing(main, price, manual_reason=ManualReason.NOT_RECURRING)
    if recurrence.card is None or recurrence.contact is None:
        return Billing(main, price, manual_reason=ManualReason.NOT_RECURRING)
    contact = recurrence.contact if recurrence.contact.removed_at is None else main
    card = recurrence.card
    can = processors.capabilities(card.gateway_account)
    if card.status is not CardStatus.VALIDATED or not card.usable_on(max(today, domain.bills_on)):
        return Billing(contact, price, manual_reason=ManualReason.CARD_UNUSABLE)
    if can is None or not card.gateway_account.enabled:
        return Billing(contact, price, manual_reason=ManualReason.GATEWAY)
    if price.currency not in can.currencies:
        return Billing(contact, price, manual_reason=ManualReason.CURRENCY)
    if not covers(recurrence, price):
        return Billing(contact, price, manual_reason=ManualReason.ABOVE_CEILING)
    return Billing(contact, price, card=card)


def _within_limits(session: Session, draft: Draft, seller: Seller, processors: Processors) -> Draft:
    """By hand after all, when the sum is one that the gateway doesn't take."""
    if draft.card_id is None:
        return draft
    card = session.get_one(Card, draft.card_id)
    can = processors.capabilities(card.gateway_account)
    net = sum(line.net_minor for line in draft.lines)
    _, total, _ = proformas.totals(seller, draft.contact, net)
    if can is not None and total > 0 and can.amount_problem(Money(total, draft.currency)) is None:
        return draft
    return Draft(**{**draft.__dict__, "card_id": None, "manual_reason": ManualReason.BELOW_MINIMUM})


def _report_missing_price(session: Session, domain: Domain, account: Account, now: datetime) -> None:
    open_task(
        session,
        TaskKind.PRICE_MISSING,
        f"domain:{domain.id}",
        f"{domain.shown} is due on {domain.bills_on} and .{domain.tld} has no renewal price in {account.currency}.",
        account_id=account.id,
        now=now,
    )
