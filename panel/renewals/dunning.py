"""Reminders of unpaid proformas: one for each stage before expiry, whatever number of runs ask for it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.proforma_mail import tell
from panel.database import Database
from panel.records import Domain, DomainStatus, LineKind, Proforma, ProformaLine, ProformaStatus

AT_ONCE = 500


def remind(database: Database, *, now: datetime) -> int:
    """Reminds of every open proforma that is not going to be charged before its expiry; returns how many mails."""
    reminded, after = 0, 0
    while True:
        with database.write() as session:
            proformas = _due_for_reminder(session, now, after)
            reminded += sum(_remind(session, proforma, expires_on, now) for proforma, expires_on in proformas)
        if len(proformas) < AT_ONCE:
            return reminded
        after = proformas[-1][0].id


def _due_for_reminder(session: Session, now: datetime, after: int) -> list[tuple[Proforma, date]]:
    """Open proformas with the next expiry among the domains that they are for."""
    seller = seller_of(session)
    today = day_in_zone(now, seller.zone)
    first_stage = max(seller.retry_days, default=0)
    rows = session.execute(
        sa.select(Proforma, sa.func.min(ProformaLine.starts_on))
        .join(ProformaLine, ProformaLine.proforma_id == Proforma.id)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .where(
            Proforma.status == ProformaStatus.OPEN,
            Proforma.next_charge_on.is_(None),
            Proforma.id > after,
            ProformaLine.live,
            ProformaLine.kind == LineKind.RENEWAL,
            Domain.status == DomainStatus.ACTIVE,
            ProformaLine.starts_on.between(today, today + timedelta(days=first_stage)),
        )
        .group_by(Proforma.id)
        .order_by(Proforma.id)
        .limit(AT_ONCE)
    )
    return [(proforma, expires_on) for proforma, expires_on in rows]


def _remind(session: Session, proforma: Proforma, expires_on: date, now: datetime) -> bool:
    seller = seller_of(session)
    left = (expires_on - day_in_zone(now, seller.zone)).days
    stage = min((days for days in seller.retry_days if days >= left), default=left)
    # Who got the proforma itself yesterday needs no reminder of it today.
    if now - proforma.issued_at < timedelta(days=1):
        return False
    return tell(session, "reminder", proforma, period=f"{expires_on}-{stage}", now=now, days_left=left)
