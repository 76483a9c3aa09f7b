"""Fiscal invoices: numbered without gaps, dated in order, never changed."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.calendar import day_in_zone
from panel.billing.proformas import address_of
from panel.records import Domain, Invoice, InvoiceLine, Proforma, ProformaLine, Seller, Series, SeriesKind


def next_number(session: Session, kind: SeriesKind, today: date) -> tuple[Series, int, date]:
    """Takes the next number of a series. Its row stays locked to the end of the transaction, so a rolled back
    transaction leaves no gap; the date never falls as the number rises, whatever the clock does."""
    series = session.scalars(
        sa.select(Series)
        .where(Series.kind == kind)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    series.last_number += 1
    series.last_date = max(today, series.last_date) if series.last_date else today
    session.flush()
    return series, series.last_number, series.last_date


def issue_invoice(
    session: Session, proforma: Proforma, *, seller: Seller, actor: str, now: datetime
) -> Invoice:
    """The invoice of a proforma that is being paid in this transaction."""
    series, number, dated = next_number(session, SeriesKind.INVOICE, day_in_zone(now, seller.zone))
    invoice = Invoice(
        series_id=series.id,
        number=number,
        full_number=f"{series.prefix}-{number:06d}",
        date=dated,
        account_id=proforma.account_id,
        contact_id=proforma.contact_id,
        proforma_id=proforma.id,
        currency=proforma.currency,
        net_minor=proforma.net_minor,
        tax_minor=proforma.tax_minor,
        total_minor=proforma.total_minor,
        tax_rate_bp=proforma.tax_rate_bp,
        tax_note=proforma.tax_note,
        issued_to=proforma.issued_to,
        issued_by=address_of(seller),
        issued_at=now,
    )
    session.add(invoice)
    session.flush()
    _copy_lines(session, invoice)
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="invoice.issued",
        subject=f"invoice:{invoice.id}",
        account_id=invoice.account_id,
        data={
            "number": invoice.full_number,
            "proforma_id": proforma.id,
            "total_minor": invoice.total_minor,
            "currency": invoice.currency,
        },
    )
    return invoice


def _copy_lines(session: Session, invoice: Invoice) -> None:
    """What the proforma's live lines say, with the names as they are today."""
    columns = ["invoice_id", "line_id", "domain_name", "kind", "years", "starts_on", "ends_on", "net_minor"]
    session.execute(
        sa.insert(InvoiceLine).from_select(
            columns,
            sa.select(
                sa.literal(invoice.id),
                ProformaLine.id,
                Domain.name,
                ProformaLine.kind,
                ProformaLine.years,
                ProformaLine.starts_on,
                ProformaLine.ends_on,
                ProformaLine.net_minor,
            )
            .join(Domain, Domain.id == ProformaLine.domain_id)
            .where(ProformaLine.proforma_id == invoice.proforma_id, ProformaLine.live)
            .order_by(ProformaLine.id),
        )
    )
