"""Lists of proformas and invoices: searched by number, account or domain, filtered, sorted, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from panel.billing.paging import Listing, page_of_ids
from panel.records import (
    OPEN_STATUSES,
    Account,
    Attempt,
    AttemptStatus,
    Domain,
    Invoice,
    InvoiceLine,
    Proforma,
    ProformaLine,
    ProformaStatus,
    SeriesKind,
)

PER_PAGE = 50
LONGEST_SEARCH = 253
# A search for "e" would match nearly every domain: only this many are followed to their documents.
MOST_MATCHES = 1_000
NAMES_SHOWN = 3

_PROFORMA_NUMBER = re.compile(r"(?:pf-?)?0*([1-9][0-9]{0,17})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ProformaFilter:
    """`account_id` None means all accounts. `overdue_on` keeps what is open and was due before that day."""

    account_id: int | None
    search: str = ""
    status: ProformaStatus | None = None
    overdue_on: date | None = None
    sort: Literal["issued", "due"] = "issued"
    descending: bool = True
    page: int = 1
    per_page: int = PER_PAGE


@dataclass(frozen=True, kw_only=True)
class InvoiceFilter:
    """`account_id` None means all accounts; `since` and `until` are dates of invoices, both included."""

    account_id: int | None
    search: str = ""
    kind: SeriesKind | None = None
    since: date | None = None
    until: date | None = None
    descending: bool = True
    page: int = 1
    per_page: int = PER_PAGE


@dataclass(frozen=True)
class Names:
    """What a document is about: its first domains, and how many others it has."""

    first: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True)
class ProformaRow:
    """`proforma.account` and `.card` are loaded; `attempt` is the status of the open attempt, if any."""

    proforma: Proforma
    names: Names
    invoice_id: int | None
    invoice_number: str | None
    attempt: AttemptStatus | None


@dataclass(frozen=True)
class InvoiceRow:
    """`invoice.proforma` is loaded."""

    invoice: Invoice
    account_name: str
    names: Names


@dataclass(frozen=True)
class _Matches:
    """Where a search leads. `cut`: more matched than were followed."""

    numbers: tuple[str, str]
    proforma_id: int | None
    account_ids: list[int]
    domain_ids: list[int]
    cut: bool


@dataclass(frozen=True)
class ProformaPage:
    listing: Listing[ProformaRow]
    search_too_wide: bool


@dataclass(frozen=True)
class InvoicePage:
    listing: Listing[InvoiceRow]
    search_too_wide: bool


def page_of_proformas(session: Session, wanted: ProformaFilter) -> ProformaPage:
    """One page of the proformas that `wanted` asks for, the newest first unless told otherwise."""
    ids = sa.select(Proforma.id)
    if wanted.account_id is not None:
        ids = ids.where(Proforma.account_id == wanted.account_id)
    if wanted.overdue_on is not None:
        ids = ids.where(Proforma.status == ProformaStatus.OPEN, Proforma.due_on < wanted.overdue_on)
    elif wanted.status is not None:
        ids = ids.where(Proforma.status == wanted.status)
    matches = _matches(session, wanted.search, wanted.account_id)
    if matches is not None:
        ids = ids.where(Proforma.id.in_(_proformas_of(matches)))
    # Ids rise with the time of issue, and their index costs nothing.
    keys = [Proforma.id] if wanted.sort == "issued" else [Proforma.due_on, Proforma.id]
    order = [key.desc() for key in keys] if wanted.descending else keys
    found = page_of_ids(session, ids, order, page=wanted.page, per_page=wanted.per_page)
    return ProformaPage(_listed(found, _proforma_rows(session, found.rows)), bool(matches and matches.cut))


def page_of_invoices(session: Session, wanted: InvoiceFilter) -> InvoicePage:
    """Invoices and credit notes, the newest first unless told otherwise."""
    ids = sa.select(Invoice.id)
    if wanted.account_id is not None:
        ids = ids.where(Invoice.account_id == wanted.account_id)
    if wanted.kind is not None:
        credited = Invoice.credits_id
        ids = ids.where(credited.is_(None) if wanted.kind is SeriesKind.INVOICE else credited.is_not(None))
    if wanted.since is not None:
        ids = ids.where(Invoice.date >= wanted.since)
    if wanted.until is not None:
        ids = ids.where(Invoice.date <= wanted.until)
    matches = _matches(session, wanted.search, wanted.account_id)
    if matches is not None:
        ids = ids.where(Invoice.id.in_(_invoices_of(matches)))
    order = [Invoice.id.desc() if wanted.descending else Invoice.id]
    found = page_of_ids(session, ids, order, page=wanted.page, per_page=wanted.per_page)
    return InvoicePage(_listed(found, _invoice_rows(session, found.rows)), bool(matches and matches.cut))


def domain_names(
    session: Session, proforma_ids: Sequence[int], *, shown: int = NAMES_SHOWN
) -> dict[int, Names]:
    """For each proforma its first domains and the number of others, in one query."""
    lines = (
        sa.select(
            ProformaLine.proforma_id,
            ProformaLine.domain_id,
            sa.func.row_number()
            .over(partition_by=ProformaLine.proforma_id, order_by=ProformaLine.id)
            .label("place"),
            sa.func.count().over(partition_by=ProformaLine.proforma_id).label("lines"),
        )
        .where(ProformaLine.proforma_id.in_(proforma_ids))
        .subquery()
    )
    rows = session.execute(
        sa.select(lines.c.proforma_id, Domain.shown, lines.c.lines)
        .join(Domain, Domain.id == lines.c.domain_id)
        .where(lines.c.place <= shown)
        .order_by(lines.c.proforma_id, lines.c.place)
    )
    return _gathered(rows)


def _names_on_invoices(session: Session, invoice_ids: Sequence[int]) -> dict[int, Names]:
    lines = (
        sa.select(
            InvoiceLine.invoice_id,
            InvoiceLine.domain_name,
            sa.func.row_number()
            .over(partition_by=InvoiceLine.invoice_id, order_by=InvoiceLine.id)
            .label("place"),
            sa.func.count().over(partition_by=InvoiceLine.invoice_id).label("lines"),
        )
        .where(InvoiceLine.invoice_id.in_(invoice_ids))
        .subquery()
    )
    rows = session.execute(
        sa.select(lines.c.invoice_id, lines.c.domain_name, lines.c.lines)
        .where(lines.c.place <= NAMES_SHOWN)
        .order_by(lines.c.invoice_id, lines.c.place)
    )
    return _gathered(rows)


def _gathered(rows: Iterable[Any]) -> dict[int, Names]:
    names: dict[int, Names] = {}
    for document_id, name, lines in rows:
        first = (*names.get(document_id, Names()).first, name)
        names[document_id] = Names(first, lines - len(first))
    return names


def _matches(session: Session, search: str, account_id: int | None) -> _Matches | None:
    """None when nothing is searched for."""
    text = search.replace("\0", "").strip().lower()[:LONGEST_SEARCH]
    if not text:
        return None
    domains = sa.select(Domain.id).where(
        Domain.name.contains(text, autoescape=True) | Domain.shown.contains(text, autoescape=True)
    )
    accounts: list[int] = []
    if account_id is None:
        named = sa.select(Account.id).where(Account.name.icontains(text, autoescape=True))
        accounts = list(session.scalars(named.limit(MOST_MATCHES + 1)))
    else:
        domains = domains.where(Domain.account_id == account_id)
    found = list(session.scalars(domains.limit(MOST_MATCHES + 1)))
    number = _PROFORMA_NUMBER.fullmatch(text)
    return _Matches(
        numbers=(text.upper(), text),
        proforma_id=int(number[1]) if number else None,
        account_ids=accounts[:MOST_MATCHES],
        domain_ids=found[:MOST_MATCHES],
        cut=max(len(found), len(accounts)) > MOST_MATCHES,
    )


def _proformas_of(matches: _Matches) -> sa.CompoundSelect[Any]:
    return sa.union(
        sa.select(Proforma.id).where(Proforma.id == matches.proforma_id),
        sa.select(Proforma.id).where(Proforma.account_id.in_(matches.account_ids)),
        sa.select(ProformaLine.proforma_id).where(ProformaLine.domain_id.in_(matches.domain_ids)),
        sa.select(Invoice.proforma_id).where(Invoice.full_number.in_(matches.numbers)),
    )


def _invoices_of(matches: _Matches) -> sa.CompoundSelect[Any]:
    about = sa.select(ProformaLine.proforma_id).where(ProformaLine.domain_id.in_(matches.domain_ids))
    return sa.union(
        sa.select(Invoice.id).where(Invoice.full_number.in_(matches.numbers)),
        sa.select(Invoice.id).where(Invoice.account_id.in_(matches.account_ids)),
        sa.select(Invoice.id).where(Invoice.proforma_id == matches.proforma_id),
        # A credit note keeps the proforma of the invoice that it credits.
        sa.select(Invoice.id).where(Invoice.proforma_id.in_(about)),
    )


def _proforma_rows(session: Session, ids: Sequence[int]) -> list[ProformaRow]:
    proformas = {
        proforma.id: proforma
        for proforma in session.scalars(
            sa.select(Proforma)
            .where(Proforma.id.in_(ids))
            .options(joinedload(Proforma.account), joinedload(Proforma.card))
        )
    }
    names = domain_names(session, ids)
    invoices = {
        row.proforma_id: row
        for row in session.execute(
            sa.select(Invoice.proforma_id, Invoice.id, Invoice.full_number).where(
                Invoice.proforma_id.in_(ids), Invoice.credits_id.is_(None)
            )
        )
    }
    attempts = open_attempts(session, ids)
    return [
        ProformaRow(
            proformas[number],
            names.get(number, Names()),
            invoices[number].id if number in invoices else None,
            invoices[number].full_number if number in invoices else None,
            attempts.get(number),
        )
        for number in ids
    ]


def open_attempts(session: Session, proforma_ids: Sequence[int]) -> dict[int, AttemptStatus]:
    """The status of the open attempt of each proforma that has one."""
    rows = session.execute(
        sa.select(Attempt.proforma_id, Attempt.status).where(
            Attempt.proforma_id.in_(proforma_ids), Attempt.status.in_(OPEN_STATUSES)
        )
    )
    return {row.proforma_id: row.status for row in rows}


def _invoice_rows(session: Session, ids: Sequence[int]) -> list[InvoiceRow]:
    rows = session.execute(
        sa.select(Invoice, Account.name)
        .join(Account, Account.id == Invoice.account_id)
        .where(Invoice.id.in_(ids))
        .options(joinedload(Invoice.proforma))
    )
    invoices = {invoice.id: (invoice, account_name) for invoice, account_name in rows}
    names = _names_on_invoices(session, ids)
    return [InvoiceRow(*invoices[number], names.get(number, Names())) for number in ids]


def _listed(found: Listing[int], rows: Sequence[Any]) -> Listing[Any]:
    return Listing(rows, found.total, found.more, found.page, found.pages)
