"""The list of domains as the Domains page shows it: filtered, sorted, one page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.money import Money
from panel.billing.pricing import price_list
from panel.records import Account, Domain, DomainStatus, Recurrence, RecurrenceState
from panel.renewals.processors import Processors
from panel.renewals.verdict import Verdict, current_recurrences, verdicts

Sort = Literal["name", "expires", "bills"]
SORTS: dict[Sort, Any] = {"name": Domain.name, "expires": Domain.expires_at, "bills": Domain.bills_on}


@dataclass(frozen=True)
class DomainFilter:
    """`account_id` None: the domains of all accounts. `search` is part of a name."""

    account_id: int | None = None
    search: str = ""
    status: DomainStatus | None = None
    recurring: Literal["on", "off"] | None = None
    card_id: int | None = None
    tld: str | None = None
    sort: Sort = "name"
    descending: bool = False
    page: int = 1
    per_page: int = 50


@dataclass(frozen=True)
class DomainRow:
    domain: Domain
    account_name: str
    price: Money | None
    recurrence: Recurrence | None
    verdict: Verdict


@dataclass(frozen=True)
class DomainPage:
    rows: list[DomainRow]
    total: int
    page: int
    pages: int


def page_of_domains(
    session: Session, wanted: DomainFilter, *, processors: Processors, now: datetime
) -> DomainPage:
    """The page that `wanted` asks for; a page number beyond the end gives the last one."""
    conditions = _conditions(wanted)
    total = session.scalar(sa.select(sa.func.count()).select_from(Domain).where(*conditions)) or 0
    pages = max(1, -(-total // wanted.per_page))
    page = min(max(1, wanted.page), pages)
    column = SORTS[wanted.sort]
    domains = session.scalars(
        sa.select(Domain)
        .where(*conditions)
        .order_by(column.desc() if wanted.descending else column, Domain.id)
        .limit(wanted.per_page)
        .offset((page - 1) * wanted.per_page)
    ).all()
    return DomainPage(rows_of(session, domains, processors=processors, now=now), total, page, pages)


def rows_of(session: Session, domains: Any, *, processors: Processors, now: datetime) -> list[DomainRow]:
    """What a table or a page shows of these domains."""
    accounts = {
        row.id: row
        for row in session.execute(
            sa.select(Account.id, Account.name, Account.currency).where(
                Account.id.in_({domain.account_id for domain in domains})
            )
        )
    }
    prices = {row.currency: price_list(session, row.currency) for row in accounts.values()}
    recurrences = current_recurrences(session, [domain.id for domain in domains])
    answers = verdicts(session, domains, processors=processors, now=now)
    return [
        DomainRow(
            domain=domain,
            account_name=accounts[domain.account_id].name,
            price=prices[accounts[domain.account_id].currency].get(domain.tld),
            recurrence=recurrences.get(domain.id),
            verdict=answers[domain.id],
        )
        for domain in domains
    ]


def _conditions(wanted: DomainFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.account_id is not None:
        conditions.append(Domain.account_id == wanted.account_id)
    if search := wanted.search.strip().lower():
        conditions.append(
            sa.or_(
                Domain.name.contains(search, autoescape=True), Domain.shown.contains(search, autoescape=True)
            )
        )
    if wanted.status is not None:
        conditions.append(Domain.status == wanted.status)
    if wanted.tld:
        conditions.append(Domain.tld == wanted.tld)
    on = sa.select(Recurrence.id).where(
        Recurrence.domain_id == Domain.id, Recurrence.current, Recurrence.state == RecurrenceState.ON
    )
    if wanted.card_id is not None:
        conditions.append(on.where(Recurrence.card_id == wanted.card_id).exists())
    if wanted.recurring is not None:
        conditions.append(on.exists() if wanted.recurring == "on" else ~on.exists())
    return conditions
