"""Renew and Renew All: proformas for renewing domains before they are due."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateways.money import Money
from panel import journal
from panel.billing import proformas, terms
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.pricing import price_list
from panel.billing.proforma_mail import tell
from panel.billing.proformas import Draft, DraftLine
from panel.errors import N_, Conflict, NotThere, Refused
from panel.records import (
    Account,
    Action,
    ActionKind,
    Contact,
    ContactKind,
    Domain,
    DomainStatus,
    ManualReason,
    Proforma,
    ProformaLine,
    Recurrence,
    RecurrenceState,
    Seller,
    Term,
    Tld,
)

PER_PAGE = 50


class RenewalRefusal(enum.StrEnum):
    """Why a ticked domain is left out."""

    LEAVING = "leaving"
    NOT_ACTIVE = "not_active"
    TOO_EARLY = "too_early"
    BEYOND_LONGEST_TERM = "beyond_longest_term"
    ALREADY_ON_PROFORMA = "already_on_proforma"
    PRICE_MISSING = "price_missing"


class Ticks(Protocol):
    """Which domains are ticked; see `renewals.selection`."""

    def condition(self) -> sa.ColumnElement[bool]: ...
    def ticked(self, domain_id: int) -> bool: ...
    def refuse_foreign(self, session: Session, account_id: int) -> None: ...


@dataclass(frozen=True)
class ContactTotal:
    """What one proforma would come to."""

    contact: Contact
    net: Money
    tax: Money
    total: Money
    count: int


@dataclass(frozen=True)
class RenewalPlan:
    account: Account
    seller: Seller
    selection: Ticks
    years: Mapping[int, int]
    contacts: list[Contact]
    contact: Contact
    today: date
    totals: list[ContactTotal]
    refused: dict[RenewalRefusal, int]
    ticked: int
    renewable: int
    digest: str


@dataclass(frozen=True)
class RenewalRow:
    """One domain: `choices` are the years that its registry allows now; `opens_on` when it may be renewed."""

    domain: Domain
    ticked: bool
    years: int
    choices: list[int]
    price: Money | None
    new_expiry: date | None
    contact: Contact
    refusal: RenewalRefusal | None
    opens_on: date | None
    proforma_id: int | None


@dataclass(frozen=True)
class RenewalPage:
    rows: list[RenewalRow]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class _Found:
    """One domain with what decides about its renewal."""

    domain_id: int
    status: DomainStatus
    expires_at: datetime
    expires_on: date
    tld: Tld
    contact_id: int | None
    proforma_id: int | None


@dataclass(frozen=True)
class _Outcome:
    years: int
    choices: list[int]
    net: Money | None
    refusal: RenewalRefusal | None
    opens_on: date | None = None


def plan(
    session: Session,
    *,
    account_id: int,
    selection: Ticks,
    years: Mapping[int, int],
    contact_id: int | None,
    now: datetime,
) -> RenewalPlan:
    """What Renew would bill. `years` by domain id, else the registry's shortest term.

    Domains with recurring payment go to that recurrence's contact, the others to `contact_id` (the main contact if
    None). NotThere for a foreign account; Refused for a foreign contact or domain.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotThere
    selection.refuse_foreign(session, account_id)
    seller = seller_of(session)
    contacts = _contacts(session, account_id)
    contact = _chosen(contacts, contact_id)
    by_id = {row.id: row for row in contacts}
    prices = price_list(session, account.currency)
    today = day_in_zone(now, seller.zone)
    sums: dict[int, list[int]] = {}
    refused: dict[RenewalRefusal, int] = {}
    digest = hashlib.sha256()
    ticked = renewable = 0
    for found in _found(session, account_id, selection.condition()):
        ticked += 1
        outcome = _outcome(found, years.get(found.domain_id), prices, today)
        if outcome.refusal is not None or outcome.net is None:
            reason = outcome.refusal or RenewalRefusal.PRICE_MISSING
            refused[reason] = refused.get(reason, 0) + 1
            continue
        renewable += 1
        payer = by_id.get(found.contact_id or contact.id, contact)
        sums.setdefault(payer.id, []).append(outcome.net.minor)
        digest.update(
            repr(
                (
                    found.domain_id,
                    outcome.years,
                    outcome.net.minor,
                    found.expires_at.timestamp(),
                    payer.id,
                    payer.version,
                )
            ).encode()
        )
    return RenewalPlan(
        account=account,
        seller=seller,
        selection=selection,
        years=years,
        contacts=contacts,
        contact=contact,
        today=today,
        totals=[_total(seller, by_id[payer], nets, account.currency) for payer, nets in sorted(sums.items())],
        refused=refused,
        ticked=ticked,
        renewable=renewable,
        digest=digest.hexdigest(),
    )


def _contacts(session: Session, account_id: int) -> list[Contact]:
    return list(
        session.scalars(
            sa.select(Contact)
            .where(Contact.account_id == account_id, Contact.removed_at.is_(None))
            .order_by(sa.case((Contact.kind == ContactKind.MAIN, 0), else_=1), Contact.name, Contact.id)
        )
    )


def _chosen(contacts: list[Contact], contact_id: int | None) -> Contact:
    for contact in contacts:
        if contact_id is None or contact.id == contact_id:
            return contact
    raise Refused(N_("This contact was removed; choose another one."), field="contact")


def _total(seller: Seller, contact: Contact, nets: list[int], currency: str) -> ContactTotal:
    net = sum(nets)
    tax_minor, total, _ = proformas.totals(seller, contact, net)
    return ContactTotal(
        contact, Money(net, currency), Money(tax_minor, currency), Money(total, currency), len(nets)
    )


def _found(session: Session, account_id: int, condition: Any) -> Iterator[_Found]:
    tlds = {tld.tld: tld for tld in session.scalars(sa.select(Tld))}
    rows = session.execute(
        sa.select(
            Domain.id,
            Domain.status,
            Domain.expires_at,
            Domain.expires_on,
            Domain.tld,
            Recurrence.contact_id,
            ProformaLine.proforma_id,
        )
        .outerjoin(
            Recurrence,
            sa.and_(
                Recurrence.domain_id == Domain.id, Recurrence.current, Recurrence.state == RecurrenceState.ON
            ),
        )
        .outerjoin(Term, sa.and_(Term.domain_id == Domain.id, Term.starts_on == Domain.expires_on, Term.live))
        .outerjoin(ProformaLine, ProformaLine.id == Term.line_id)
        .where(Domain.account_id == account_id, condition)
        .order_by(Domain.name)
        .execution_options(yield_per=5_000)
    )
    for row in rows:
        yield _Found(
            row.id, row.status, row.expires_at, row.expires_on, tlds[row.tld], row.contact_id, row.proforma_id
        )


def _outcome(found: _Found, asked: int | None, prices: Mapping[str, Money], today: date) -> _Outcome:
    tld = found.tld
    choices = allowed_years(found.expires_on, tld, today)
    years = asked if asked is not None else tld.min_years
    price = prices.get(tld.tld)
    net = None if price is None else Money(price.minor * years, price.currency)
    opens_on = None
    if tld.renewal_window_days is not None:
        opens_on = found.expires_on - timedelta(days=tld.renewal_window_days)
    refusal: RenewalRefusal | None = None
    if found.status is DomainStatus.LEAVING:
        refusal = RenewalRefusal.LEAVING
    elif found.status is not DomainStatus.ACTIVE:
        refusal = RenewalRefusal.NOT_ACTIVE
    elif found.proforma_id is not None:
        refusal = RenewalRefusal.ALREADY_ON_PROFORMA
    elif price is None:
        refusal = RenewalRefusal.PRICE_MISSING
    elif opens_on is not None and today < opens_on:
        refusal = RenewalRefusal.TOO_EARLY
    elif years not in choices:
        refusal = RenewalRefusal.BEYOND_LONGEST_TERM
    return _Outcome(years, choices, net, refusal, opens_on if refusal is RenewalRefusal.TOO_EARLY else None)


def allowed_years(expires_on: date, tld: Tld, today: date) -> list[int]:
    """For how many years the registry renews now: from its shortest term, to no later than its longest from today."""
    longest = tld.max_years if tld.max_years is not None else tld.min_years
    last_day = terms.add_years(today, longest)
    return [
        years for years in range(tld.min_years, longest + 1) if terms.add_years(expires_on, years) <= last_day
    ]


def plan_rows(session: Session, plan: RenewalPlan, *, page: int = 1, per_page: int = PER_PAGE) -> RenewalPage:
    """One page of the account's domains as the plan sees them, by name."""
    total = session.scalar(
        sa.select(sa.func.count()).select_from(Domain).where(Domain.account_id == plan.account.id)
    )
    total = int(total or 0)
    pages = max(1, -(-total // per_page))
    page = min(max(1, page), pages)
    domains = session.scalars(
        sa.select(Domain)
        .where(Domain.account_id == plan.account.id)
        .order_by(Domain.name)
        .limit(per_page)
        .offset((page - 1) * per_page)
    ).all()
    shown = Domain.id.in_([domain.id for domain in domains])
    found = {row.domain_id: row for row in _found(session, plan.account.id, shown)}
    prices = price_list(session, plan.account.currency)
    contacts = {contact.id: contact for contact in plan.contacts}
    rows = [_row(plan, domain, found[domain.id], prices, contacts) for domain in domains]
    return RenewalPage(rows, page, pages, total)


def _row(
    plan: RenewalPlan,
    domain: Domain,
    found: _Found,
    prices: Mapping[str, Money],
    contacts: Mapping[int, Contact],
) -> RenewalRow:
    outcome = _outcome(found, plan.years.get(domain.id), prices, plan.today)
    return RenewalRow(
        domain=domain,
        ticked=plan.selection.ticked(domain.id),
        years=outcome.years,
        choices=outcome.choices,
        price=outcome.net,
        new_expiry=None if outcome.refusal else terms.add_years(domain.expires_on, outcome.years),
        contact=contacts.get(found.contact_id or plan.contact.id, plan.contact),
        refusal=outcome.refusal,
        opens_on=outcome.opens_on,
        proforma_id=found.proforma_id,
    )


def generate(
    session: Session,
    *,
    account_id: int,
    selection: Ticks,
    years: Mapping[int, int],
    contact_id: int | None,
    digest: str,
    request_key: str,
    user_id: int | None,
    now: datetime,
) -> list[Proforma]:
    """One proforma for each billing contact, of what the plan with `digest` showed.

    The same `request_key` again answers with the same proformas. Refused when nothing can be renewed, Conflict when
    something changed since the plan was shown.
    """
    if (
        session.scalar(sa.select(Account.id).where(Account.id == account_id).with_for_update(key_share=True))
        is None
    ):
        raise NotThere
    done = session.scalar(
        sa.select(Action).where(Action.request_key == request_key, Action.account_id == account_id)
    )
    if done is not None:
        return _of_action(session, done.id)
    shown = plan(
        session, account_id=account_id, selection=selection, years=years, contact_id=contact_id, now=now
    )
    if shown.ticked == 0:
        raise Refused(N_("Tick at least one domain."), field="tick")
    if shown.renewable == 0:
        raise Refused(
            N_("None of the ticked domains can be renewed now; see the reason beside each."), field="tick"
        )
    if shown.digest != digest:
        raise Conflict(
            N_("Something changed since this page was shown. Nothing was applied; look again, then confirm.")
        )
    action = Action(
        account_id=account_id,
        kind=ActionKind.RENEW,
        user_id=user_id,
        request_key=request_key,
        plan_digest=digest,
        domains_changed=shown.renewable,
        at=now,
    )
    session.add(action)
    session.flush()
    actor = f"user:{user_id}" if user_id else "link"
    try:
        issued = [
            proformas.issue(session, draft, seller=shown.seller, now=now, actor=actor, action_id=action.id)
            for draft in _drafts(session, shown)
        ]
    except IntegrityError as error:
        raise Conflict(N_("One of these domains was billed in this moment; open the page again.")) from error
    for proforma in issued:
        tell(session, "proforma_issued", proforma, period="once", now=now)
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="renewal.generated",
        subject=f"action:{action.id}",
        account_id=account_id,
        data={"domains": shown.renewable, "digest": digest},
    )
    return issued


def _of_action(session: Session, action_id: int) -> list[Proforma]:
    return list(
        session.scalars(sa.select(Proforma).where(Proforma.action_id == action_id).order_by(Proforma.id))
    )


def _drafts(session: Session, shown: RenewalPlan) -> list[Draft]:
    prices = price_list(session, shown.account.currency)
    contacts = {contact.id: contact for contact in shown.contacts}
    found = {row.domain_id: row for row in _found(session, shown.account.id, shown.selection.condition())}
    domains = session.scalars(
        sa.select(Domain)
        .where(Domain.account_id == shown.account.id, shown.selection.condition())
        .order_by(Domain.name)
    )
    drafts: dict[int, Draft] = {}
    for domain in domains:
        row = found[domain.id]
        outcome = _outcome(row, shown.years.get(domain.id), prices, shown.today)
        if outcome.refusal is not None or outcome.net is None:
            continue
        payer = contacts.get(row.contact_id or shown.contact.id, shown.contact)
        expires_on = day_in_zone(domain.expires_at, shown.seller.zone)
        draft = drafts.get(payer.id)
        if draft is None or expires_on < draft.expires_on:
            lines = draft.lines if draft else []
            draft = drafts[payer.id] = Draft(
                contact=payer,
                currency=shown.account.currency,
                bill_on=shown.today,
                expires_on=expires_on,
                due_on=max(shown.today, expires_on),
                manual_reason=ManualReason.EARLY_RENEWAL,
                lines=lines,
            )
        draft.lines.append(DraftLine(domain, outcome.years, outcome.net.minor))
    return list(drafts.values())
