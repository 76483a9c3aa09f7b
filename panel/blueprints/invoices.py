"""Invoices and credit notes: listed, and shown as the page that is printed."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.billing.document_list import InvoiceFilter, page_of_invoices
from panel.blueprints import document_text, list_query, payment_text
from panel.records import Invoice, SeriesKind
from panel.web import account_or_404, database, owned, page_number, render_page

bp = Blueprint("invoices", __name__)

Answer = str | Response | tuple[str, int]


@bp.get("/accounts/<int:account_id>/invoices")
def invoices(account_id: int) -> Answer:
    return _list_page(account_id)


@bp.get("/invoices")
def all_invoices() -> Answer:
    return _list_page(None)


@bp.get("/accounts/<int:account_id>/invoices/<int:invoice_id>")
def invoice(account_id: int, invoice_id: int) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        stored = owned(session, Invoice, account_id, invoice_id)
        return render_page(
            "invoices/invoice.html",
            account=account,
            invoice=stored,
            credited=session.get(Invoice, stored.credits_id) if stored.credits_id else None,
            credit_notes=_credit_notes(session, stored),
            words=payment_text,
            text=document_text,
        )


def _credit_notes(session: Session, stored: Invoice) -> list[Invoice]:
    return list(
        session.scalars(sa.select(Invoice).where(Invoice.credits_id == stored.id).order_by(Invoice.id))
    )


def _list_page(account_id: int | None) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id) if account_id is not None else None
        found = page_of_invoices(session, _wanted(account_id))
        return render_page(
            "invoices/invoices.html",
            partial="invoices/_list.html",
            account=account,
            listing=found.listing,
            search_too_wide=found.search_too_wide,
            query=list_query.kept("search", "kind", "since", "until", "order"),
            endpoint="invoices.invoices" if account else "invoices.all_invoices",
            values={"account_id": account.id} if account else {},
            text=document_text,
        )


def _wanted(account_id: int | None) -> InvoiceFilter:
    return InvoiceFilter(
        account_id=account_id,
        search=list_query.search(),
        kind=list_query.one_of("kind", SeriesKind),
        since=list_query.day("since"),
        until=list_query.day("until"),
        descending=request.args.get("order") != "up",
        page=page_number(),
    )
