"""What customers are told about a proforma, by mail: one message for a kind, proforma and period."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.messages.outbox import queue
from panel.records import Domain, Proforma, ProformaLine

# A mail that lists thousands of domains is read by nobody; the proforma's page has them all.
LINES_SHOWN = 100


def tell(session: Session, kind: str, proforma: Proforma, *, period: str, now: datetime, **more: Any) -> bool:
    """Queues the mail of this `kind`; False when that kind and period were queued before."""
    return queue(
        session,
        kind=kind,
        subject=f"proforma:{proforma.id}",
        period=period,
        account_id=proforma.account_id,
        recipient=proforma.issued_to["email"],
        locale=proforma.account.locale,
        facts=facts_of(session, proforma) | {key: value for key, value in more.items() if value is not None},
        now=now,
    )


def facts_of(session: Session, proforma: Proforma) -> dict[str, Any]:
    """Plain values for the templates; amounts in minor units of `currency`, days as ISO dates."""
    live = sa.and_(ProformaLine.proforma_id == proforma.id, ProformaLine.live)
    count = session.scalar(sa.select(sa.func.count()).select_from(ProformaLine).where(live)) or 0
    lines = session.execute(
        sa.select(ProformaLine, Domain.shown)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .where(live)
        .order_by(ProformaLine.id)
        .limit(LINES_SHOWN)
    )
    facts: dict[str, Any] = {
        "number": proforma.number,
        "proforma_id": proforma.id,
        "account_id": proforma.account_id,
        "contact_name": proforma.issued_to["name"],
        "total_minor": proforma.total_minor,
        "tax_minor": proforma.tax_minor,
        "currency": proforma.currency,
        "bill_on": proforma.bill_on.isoformat(),
        "due_on": proforma.due_on.isoformat(),
        "expires_on": proforma.expires_on.isoformat(),
        "lines": [
            {
                "domain": shown,
                "kind": line.kind.value,
                "years": line.years,
                "ends_on": line.ends_on.isoformat(),
                "net_minor": line.net_minor,
            }
            for line, shown in lines
        ],
        "more_lines": max(0, count - LINES_SHOWN),
    }
    if proforma.card is not None and proforma.next_charge_on is not None:
        facts["card"] = proforma.card.masked
    if proforma.manual_reason is not None:
        facts["reason"] = proforma.manual_reason.value
    return facts
