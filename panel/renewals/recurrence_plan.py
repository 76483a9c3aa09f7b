"""The plan of Recurring Payment: what Confirm would do to each ticked domain, and what doesn't fit.

A plan is computed by SQL over the whole selection and shown page by page. Its digest stands for everything that Confirm
relies on; `changed_since` compares it part by part, so that a refusal can say what changed.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from gateways.contract import CurrencyRule
from gateways.money import Money
from panel.billing import tax
from panel.billing.calendar import day_in_zone, last_retry_before, seller_of
from panel.errors import N_, NotThere, Refused
from panel.records import (
    Account,
    Card,
    Contact,
    ContactKind,
    Domain,
    DomainStatus,
    PriceKind,
    Recurrence,
    RecurrenceState,
    Seller,
    Tld,
    TldPrice,
)
from panel.renewals.holder_match import HolderAnswer, HolderMatch, match
from panel.renewals.processors import Processors
from panel.renewals.selection import Selection
from panel.renewals.usable_cards import last_day, usable_cards

DIGEST_PARTS = ("domains", "recurrence", "expiry", "bill_date", "price", "card", "contact")
PER_PAGE = 50


class Exclusion(enum.StrEnum):
    """Why a ticked domain is left out."""

    LEAVING = "leaving"
    PRICE_MISSING = "price_missing"
    CURRENCY_NOT_ACCEPTED = "currency_not_accepted"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"


class PlanWarning(enum.StrEnum):
    """What must be acknowledged before Confirm."""

    EXPIRES_BEFORE_BILL = "expires_before_bill"
    EXPIRES_BEFORE_LAST_RETRY = "expires_before_last_retry"


HOLDER_DIFFERS = "holder_differs"


@dataclass(frozen=True)
class PlanTotals:
    """Counts of domains; `yearly` is the sum of the prices that would apply, without tax."""

    ticked: int = 0
    applies: int = 0
    unchanged: int = 0
    changes_existing: int = 0
    excluded: int = 0
    warned: int = 0
    yearly: Money | None = None


@dataclass(frozen=True)
class Plan:
    account: Account
    seller: Seller
    contact: Contact
    card: Card
    contacts: list[Contact]
    cards: list[Card]
    selection: Selection
    currency: str
    currency_rule: CurrencyRule | None
    today: date
    holder: HolderMatch
    totals: PlanTotals
    excluded: dict[Exclusion, int] = field(default_factory=dict)
    warnings: dict[PlanWarning, int] = field(default_factory=dict)
    digest: str = ""

    @property
    def required_acknowledgements(self) -> frozenset[str]:
        needed = {warning.value for warning in self.warnings}
        if self.holder.answer is HolderAnswer.DIFFERS:
            needed.add(HOLDER_DIFFERS)
        return frozenset(needed)

    def changed_since(self, digest: str) -> list[str]:
        """Names of the parts that differ from the digest of an earlier plan; ["domains"] for an unreadable one."""
        if digest == self.digest:
            return []
        before, after = digest.split("."), self.digest.split(".")
        if len(before) != len(after):
            return ["domains"]
        changed = [part for part, old, new in zip(DIGEST_PARTS, before, after, strict=True) if old != new]
        # Other domains have other versions, prices and days too: that says nothing about what changed.
        return (
            [part for part in changed if part in ("domains", "card", "contact")]
            if "domains" in changed
            else changed
        )


def plan(
    session: Session,
    *,
    account_id: int,
    selection: Selection,
    contact_id: int | None,
    card_id: int | None,
    processors: Processors,
    now: datetime,
) -> Plan:
    """What Recurring Payment would do. Without ids the main contact and the default card are preset.

    NotThere for a foreign account, contact or card; Refused when the account has no usable card.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotThere
    selection.refuse_foreign(session, account_id)
    contacts = _contacts(session, account_id)
    contact = _chosen(contacts, contact_id, N_("This contact was removed; choose another one."), "contact")
    cards = usable_cards(session, account_id, now)
    if not cards:
        raise Refused(N_("Recurring payment needs a validated card: add one first."), field="card")
    card = _chosen(
        cards, card_id, N_("This card can't be used any more; choose another one or add one."), "card"
    )
    seller = seller_of(session)
    can = processors.capabilities(card.gateway_account)
    base = Plan(
        account=account,
        seller=seller,
        contact=contact,
        card=card,
        contacts=contacts,
        cards=cards,
        selection=selection,
        currency=account.currency,
        currency_rule=can.currencies.get(account.currency) if can else None,
        today=day_in_zone(now, seller.zone),
        holder=match(card.holder_name, contact.name, contact.company),
        totals=PlanTotals(),
    )
    return _summed_up(session, base)


def _contacts(session: Session, account_id: int) -> list[Contact]:
    return list(
        session.scalars(
            sa.select(Contact)
            .where(Contact.account_id == account_id, Contact.removed_at.is_(None))
            .order_by(sa.case((Contact.kind == ContactKind.MAIN, 0), else_=1), Contact.name, Contact.id)
        )
    )


def _chosen(rows: list[Any], row_id: int | None, gone: str, field_name: str) -> Any:
    if row_id is None and rows:
        return rows[0]
    for row in rows:
        if row.id == row_id:
            return row
    raise Refused(gone, field=field_name)


def source(plan: Plan) -> sa.Subquery:
    """Every domain of the account with what the plan makes of it; the one place where these rules are SQL.

    Columns: id, name, version, expires_at, bills_on, price (of the usual term), a_year, ticked,
    exclusion, warning, current_on, unchanged,
    takes_part (ticked and not excluded), applies (takes part and would change).
    """
    # What a bill date costs: some registries sell two years at the least.
    price = TldPrice.minor * Tld.min_years
    ticked = plan.selection.condition()
    exclusion = _exclusion(plan, price)
    is_on = sa.and_(Recurrence.id.is_not(None), Recurrence.state == RecurrenceState.ON)
    unchanged = sa.and_(
        is_on,
        Recurrence.card_id == plan.card.id,
        Recurrence.contact_id == plan.contact.id,
        Recurrence.agreed_minor == TldPrice.minor,
        Recurrence.agreed_currency == plan.currency,
    )
    takes_part = sa.and_(ticked, exclusion.is_(None))
    return (
        sa.select(
            Domain.id.label("id"),
            Domain.name.label("name"),
            sa.func.coalesce(Recurrence.version, 0).label("version"),
            Domain.expires_at.label("expires_at"),
            Domain.bills_on.label("bills_on"),
            price.label("price"),
            TldPrice.minor.label("a_year"),
            ticked.label("ticked"),
            exclusion.label("exclusion"),
            sa.case((takes_part, _warning(plan)), else_=None).label("warning"),
            sa.func.coalesce(is_on, sa.false()).label("current_on"),
            sa.and_(takes_part, sa.func.coalesce(unchanged, sa.false())).label("unchanged"),
            takes_part.label("takes_part"),
            sa.and_(takes_part, ~sa.func.coalesce(unchanged, sa.false())).label("applies"),
        )
        .select_from(Domain)
        .join(Tld, Tld.tld == Domain.tld)
        .outerjoin(
            TldPrice,
            sa.and_(
                TldPrice.tld == Domain.tld,
                TldPrice.currency == plan.currency,
                TldPrice.kind == PriceKind.RENEWAL,
                TldPrice.minor > 0,
            ),
        )
        .outerjoin(Recurrence, sa.and_(Recurrence.domain_id == Domain.id, Recurrence.current))
        .where(Domain.account_id == plan.account.id)
        .subquery()
    )


def _exclusion(plan: Plan, price: Any) -> sa.Case[Any]:
    gone = [DomainStatus.LEAVING, DomainStatus.CANCELLED, DomainStatus.GONE]
    rules: list[tuple[Any, Any]] = [
        (Domain.status.in_(gone), Exclusion.LEAVING.value),
        (price.is_(None), Exclusion.PRICE_MISSING.value),
    ]
    rule = plan.currency_rule
    if rule is None:
        rules.append((sa.true(), Exclusion.CURRENCY_NOT_ACCEPTED.value))
    else:
        rate = tax.rule_for(plan.seller, plan.contact).rate_bp
        # The charge is the price with tax; the same rounding as on the document.
        gross = price + (price * rate + 5_000) // 10_000
        rules.append((gross < rule.min_minor, Exclusion.BELOW_MINIMUM.value))
        rules.append((gross > rule.max_minor, Exclusion.ABOVE_MAXIMUM.value))
    return sa.case(*rules, else_=None)


def _warning(plan: Plan) -> sa.Case[Any]:
    card_ends = last_day(plan.card)
    return sa.case(
        (Domain.bills_on > card_ends, PlanWarning.EXPIRES_BEFORE_BILL.value),
        (_last_retry_after(plan, card_ends), PlanWarning.EXPIRES_BEFORE_LAST_RETRY.value),
        else_=None,
    )


def _last_retry_after(plan: Plan, day: date) -> sa.ColumnElement[bool]:
    """Whether the last retry falls after `day`; said of the bill date, as the days between are fixed by the lead."""
    seller = plan.seller
    any_day = date(2000, 12, 31)
    nearest = (any_day - last_retry_before(any_day, seller)).days
    # A card without an expiry lives beyond every calendar.
    day = min(day, date(9000, 12, 31))
    lead = sa.func.coalesce(Tld.lead_days, seller.lead_days)
    cutoffs = {days: day - timedelta(days=days - nearest) for days in range(1, 91)}
    return Domain.bills_on > sa.case(
        *[
            (lead == days, sa.literal(cutoff, sa.Date))
            for days, cutoff in cutoffs.items()
            if days != seller.lead_days
        ],
        else_=sa.literal(cutoffs[seller.lead_days], sa.Date),
    )


def _summed_up(session: Session, base: Plan) -> Plan:
    rows = source(base)
    groups = session.execute(
        sa.select(
            rows.c.exclusion,
            rows.c.warning,
            rows.c.unchanged,
            rows.c.current_on,
            rows.c.applies,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(rows.c.price), 0),
        )
        .where(rows.c.ticked)
        .group_by(rows.c.exclusion, rows.c.warning, rows.c.unchanged, rows.c.current_on, rows.c.applies)
    )
    excluded: dict[Exclusion, int] = {}
    warnings: dict[PlanWarning, int] = {}
    ticked = applies = unchanged_count = changes = yearly = 0
    for exclusion, warning, unchanged, current_on, applies_here, count, prices in groups:
        ticked += count
        if exclusion:
            excluded[Exclusion(exclusion)] = excluded.get(Exclusion(exclusion), 0) + count
        if unchanged:
            unchanged_count += count
        if applies_here:
            applies += count
            yearly += int(prices)
            changes += count if current_on else 0
            if warning:
                warnings[PlanWarning(warning)] = warnings.get(PlanWarning(warning), 0) + count
    totals = PlanTotals(
        ticked=ticked,
        applies=applies,
        unchanged=unchanged_count,
        changes_existing=changes,
        excluded=sum(excluded.values()),
        warned=sum(warnings.values()),
        yearly=Money(yearly, base.currency),
    )
    digest = _digest(session, base, rows)
    return Plan(
        **{**base.__dict__, "totals": totals, "excluded": excluded, "warnings": warnings, "digest": digest}
    )


def _digest(session: Session, plan: Plan, rows: sa.Subquery) -> str:
    parts = {name: hashlib.sha256() for name in DIGEST_PARTS[:5]}
    domains, recurrence, expiry, bill_date, price = parts.values()
    # The ceiling is part of the price that is agreed to.
    price.update(repr(plan.seller.consent_ceiling_percent).encode())
    affected = session.execute(
        sa.select(rows.c.id, rows.c.version, rows.c.expires_at, rows.c.bills_on, rows.c.price)
        .where(rows.c.applies)
        .order_by(rows.c.id)
        .execution_options(yield_per=5_000)
    )
    for partition in affected.partitions():
        ids, versions, expiries, bills, prices = zip(*partition, strict=True)
        domains.update(repr(ids).encode())
        recurrence.update(repr(versions).encode())
        expiry.update(repr([moment.timestamp() for moment in expiries]).encode())
        bill_date.update(repr([day.toordinal() for day in bills]).encode())
        price.update(repr(prices).encode())
    return ".".join(
        [part.hexdigest()[:16] for part in parts.values()]
        + [f"{plan.card.id}-{plan.card.version}", f"{plan.contact.id}-{plan.contact.version}"]
    )


@dataclass(frozen=True)
class PlanRow:
    domain: Domain
    ticked: bool
    price: Money | None
    bills_on: date
    last_retry_on: date
    exclusion: Exclusion | None
    warning: PlanWarning | None
    current: Recurrence | None
    unchanged: bool


@dataclass(frozen=True)
class PlanPage:
    rows: list[PlanRow]
    page: int
    pages: int
    total: int


Only = Literal["all", "ticked", "warned", "excluded", "changing"]


def plan_rows(
    session: Session, plan: Plan, *, page: int = 1, per_page: int = PER_PAGE, only: Only = "all"
) -> PlanPage:
    """One page of the account's domains as the plan sees them, by name."""
    rows = source(plan)
    wanted = sa.select(rows).where(_only(rows, only))
    total = session.scalar(sa.select(sa.func.count()).select_from(wanted.subquery())) or 0
    pages = max(1, -(-total // per_page))
    page = min(max(1, page), pages)
    found = session.execute(wanted.order_by(rows.c.name).limit(per_page).offset((page - 1) * per_page)).all()
    domains = {
        domain.id: domain
        for domain in session.scalars(sa.select(Domain).where(Domain.id.in_([row.id for row in found])))
    }
    current = _current(session, [row.id for row in found])
    return PlanPage(
        rows=[_row(plan, domains[row.id], current.get(row.id), row) for row in found],
        page=page,
        pages=pages,
        total=total,
    )


def _only(rows: sa.Subquery, only: Only) -> sa.ColumnElement[bool]:
    return {
        "all": sa.true(),
        "ticked": rows.c.ticked,
        "warned": rows.c.warning.is_not(None),
        "excluded": sa.and_(rows.c.ticked, rows.c.exclusion.is_not(None)),
        "changing": sa.and_(rows.c.applies, rows.c.current_on),
    }[only]


def _current(session: Session, domain_ids: list[int]) -> dict[int, Recurrence]:
    return {
        recurrence.domain_id: recurrence
        for recurrence in session.scalars(
            sa.select(Recurrence)
            .options(selectinload(Recurrence.card), selectinload(Recurrence.contact))
            .where(
                Recurrence.current,
                Recurrence.state == RecurrenceState.ON,
                Recurrence.domain_id.in_(domain_ids),
            )
        )
    }


def _row(plan: Plan, domain: Domain, current: Recurrence | None, row: Any) -> PlanRow:
    expires_on = day_in_zone(domain.expires_at, plan.seller.zone)
    return PlanRow(
        domain=domain,
        ticked=bool(row.ticked),
        price=None if row.price is None else Money(row.price, plan.currency),
        bills_on=max(domain.bills_on, plan.today),
        last_retry_on=max(last_retry_before(expires_on, plan.seller), plan.today),
        exclusion=Exclusion(row.exclusion) if row.exclusion else None,
        warning=PlanWarning(row.warning) if row.warning else None,
        current=current,
        unchanged=bool(row.unchanged),
    )
