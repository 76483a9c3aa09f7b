"""One answer to "will this domain renew?": yes and when, or the first thing that will stop it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from gateways.money import Money
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.pricing import price_list
from panel.records import (
    Account,
    Attempt,
    AttemptStatus,
    Card,
    CardStatus,
    Domain,
    DomainStatus,
    Extension,
    ExtensionStatus,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
    Seller,
    Term,
)
from panel.renewals.processors import Processors
from panel.renewals.standing import covers


class VerdictCode(enum.StrEnum):
    WILL_RENEW = "will_renew"
    WILL_INVOICE = "will_invoice"
    AWAITING_PAYMENT = "awaiting_payment"
    CHARGE_RUNNING = "charge_running"
    IN_DOUBT = "in_doubt"
    DECLINED = "declined"
    NEEDS_AUTHENTICATION = "needs_authentication"
    CARD_EXPIRES_FIRST = "card_expires_first"
    CARD_NOT_VALIDATED = "card_not_validated"
    GATEWAY_STOPPED = "gateway_stopped"
    CURRENCY_NOT_ACCEPTED = "currency_not_accepted"
    PRICE_MISSING = "price_missing"
    ABOVE_CEILING = "above_ceiling"
    SUSPENDED = "suspended"
    LEAVING = "leaving"
    CANCELLED = "cancelled"
    GONE = "gone"
    SKIPPED = "skipped"
    EXTENDING = "extending"
    EXTENSION_FAILED = "extension_failed"


GOOD = frozenset(
    {VerdictCode.WILL_RENEW, VerdictCode.WILL_INVOICE, VerdictCode.CHARGE_RUNNING, VerdictCode.EXTENDING}
)


@dataclass(frozen=True)
class Verdict:
    """`day` and `card` as the code calls for; `proforma_id` where one is open for the coming term."""

    code: VerdictCode
    day: date | None = None
    card: str | None = None
    proforma_id: int | None = None

    @property
    def good(self) -> bool:
        return self.code in GOOD


@dataclass
class _Facts:
    """What the verdicts of one page need, fetched in a fixed number of queries."""

    seller: Seller
    today: date
    processors: Processors
    recurrences: dict[int, Recurrence]
    billed: dict[int, Proforma]
    attempts: dict[int, Attempt]
    extensions: dict[int, Extension]
    prices: dict[str, dict[str, Money]]
    currencies: dict[int, str]


def current_recurrences(session: Session, domain_ids: Iterable[int]) -> dict[int, Recurrence]:
    """The recurrences that are on, by domain, with card, gateway account and contact loaded."""
    found = session.scalars(
        sa.select(Recurrence)
        .options(
            selectinload(Recurrence.card).selectinload(Card.gateway_account),
            selectinload(Recurrence.contact),
            selectinload(Recurrence.consent),
        )
        .where(
            Recurrence.current,
            Recurrence.state == RecurrenceState.ON,
            Recurrence.domain_id.in_(list(domain_ids)),
        )
    )
    return {recurrence.domain_id: recurrence for recurrence in found}


def verdicts(
    session: Session, domains: Sequence[Domain], *, processors: Processors, now: datetime
) -> dict[int, Verdict]:
    """A verdict for each domain, by id."""
    facts = _facts(session, domains, processors, now)
    return {domain.id: _verdict(domain, facts) for domain in domains}


def _facts(session: Session, domains: Sequence[Domain], processors: Processors, now: datetime) -> _Facts:
    ids = [domain.id for domain in domains]
    seller = seller_of(session)
    billed = _billed(session, ids)
    currencies = {
        row.id: row.currency
        for row in session.execute(
            sa.select(Account.id, Account.currency).where(
                Account.id.in_({domain.account_id for domain in domains})
            )
        )
    }
    extensions = session.scalars(
        sa.select(Extension)
        .where(Extension.domain_id.in_(ids), Extension.status != ExtensionStatus.DONE)
        .order_by(Extension.id)
    )
    attempts = session.scalars(
        sa.select(Attempt)
        .where(Attempt.proforma_id.in_({proforma.id for proforma in billed.values()}))
        .order_by(Attempt.id)
    )
    return _Facts(
        seller=seller,
        today=day_in_zone(now, seller.zone),
        processors=processors,
        recurrences=current_recurrences(session, ids),
        billed=billed,
        attempts={attempt.proforma_id: attempt for attempt in attempts},
        extensions={extension.domain_id: extension for extension in extensions},
        prices={currency: price_list(session, currency) for currency in set(currencies.values())},
        currencies=currencies,
    )


def _billed(session: Session, domain_ids: list[int]) -> dict[int, Proforma]:
    """The open proforma that claims each domain's coming term."""
    rows = session.execute(
        sa.select(Term.domain_id, Proforma)
        .join(Domain, sa.and_(Domain.id == Term.domain_id, Domain.expires_on == Term.starts_on))
        .join(ProformaLine, ProformaLine.id == Term.line_id)
        .join(Proforma, Proforma.id == ProformaLine.proforma_id)
        .where(Term.live, Term.domain_id.in_(domain_ids), Proforma.status == ProformaStatus.OPEN)
    )
    return dict(rows.all())


_BY_STATUS = {
    DomainStatus.GONE: VerdictCode.GONE,
    DomainStatus.CANCELLED: VerdictCode.CANCELLED,
    DomainStatus.LEAVING: VerdictCode.LEAVING,
}


def _verdict(domain: Domain, facts: _Facts) -> Verdict:
    if domain.status in _BY_STATUS:
        return Verdict(_BY_STATUS[domain.status])
    if extension := facts.extensions.get(domain.id):
        failed = extension.status is ExtensionStatus.REFUSED
        return Verdict(VerdictCode.EXTENSION_FAILED if failed else VerdictCode.EXTENDING)
    proforma = facts.billed.get(domain.id)
    if domain.status is DomainStatus.SUSPENDED:
        return Verdict(VerdictCode.SUSPENDED, proforma_id=proforma.id if proforma else None)
    if proforma:
        return _of_proforma(proforma, facts.attempts.get(proforma.id))
    if domain.skipped_on == domain.expires_on:
        return Verdict(VerdictCode.SKIPPED, day=domain.expires_on)
    return _of_the_future(domain, facts)


_BY_ATTEMPT = {
    AttemptStatus.INTENDED: VerdictCode.CHARGE_RUNNING,
    AttemptStatus.PENDING: VerdictCode.CHARGE_RUNNING,
    AttemptStatus.SENDING: VerdictCode.CHARGE_RUNNING,
    AttemptStatus.UNKNOWN: VerdictCode.IN_DOUBT,
    AttemptStatus.ACTION_REQUIRED: VerdictCode.NEEDS_AUTHENTICATION,
    AttemptStatus.DECLINED: VerdictCode.DECLINED,
}


def _of_proforma(proforma: Proforma, last: Attempt | None) -> Verdict:
    if last is not None and last.status in _BY_ATTEMPT:
        return Verdict(_BY_ATTEMPT[last.status], day=proforma.next_charge_on, proforma_id=proforma.id)
    if proforma.next_charge_on is not None and proforma.card is not None:
        return Verdict(VerdictCode.WILL_RENEW, proforma.next_charge_on, proforma.card.masked, proforma.id)
    return Verdict(VerdictCode.AWAITING_PAYMENT, day=proforma.due_on, proforma_id=proforma.id)


def _of_the_future(domain: Domain, facts: _Facts) -> Verdict:
    currency = facts.currencies[domain.account_id]
    price = facts.prices[currency].get(domain.tld)
    day = max(domain.bills_on, facts.today)
    if price is None:
        return Verdict(VerdictCode.PRICE_MISSING)
    recurrence = facts.recurrences.get(domain.id)
    if recurrence is None or recurrence.card is None:
        return Verdict(VerdictCode.WILL_INVOICE, day=day)
    card = recurrence.card
    problem = _card_problem(card, currency, day, facts.processors)
    if problem is None and not covers(recurrence, price):
        problem = VerdictCode.ABOVE_CEILING
    return Verdict(problem or VerdictCode.WILL_RENEW, day, card.masked)


def _card_problem(card: Card, currency: str, day: date, processors: Processors) -> VerdictCode | None:
    can = processors.capabilities(card.gateway_account)
    if card.status is not CardStatus.VALIDATED:
        return VerdictCode.CARD_NOT_VALIDATED
    if not card.usable_on(day):
        return VerdictCode.CARD_EXPIRES_FIRST
    if can is None or not card.gateway_account.enabled or card.gateway_account.stopped_at:
        return VerdictCode.GATEWAY_STOPPED
    if currency not in can.currencies:
        return VerdictCode.CURRENCY_NOT_ACCEPTED
    return None
