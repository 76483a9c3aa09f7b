"""Whether the consent behind a charge still stands, and the lines that it is for still want renewing.

Asked before every sending: consent that was withdrawn, given for another card, or given for less, covers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from gateways.money import Money
from panel.billing.pricing import within_ceiling
from panel.records import (
    Domain,
    DomainStatus,
    LineKind,
    Proforma,
    ProformaLine,
    Recurrence,
    RecurrenceState,
)


@dataclass(frozen=True)
class Standing:
    """`cards` that the recurrences of the lines name now (None: switched off); lines for domains that are `gone` (left,
    or renewed beyond the line's start already); whether every price is `covered` by what was agreed."""

    cards: frozenset[int | None]
    gone: list[ProformaLine]
    covered: bool


def standing_of(session: Session, proforma: Proforma) -> Standing:
    """How the renewal lines of a proforma stand at this moment."""
    rows = session.execute(
        sa.select(ProformaLine, Domain, Recurrence)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .outerjoin(
            Recurrence,
            sa.and_(
                Recurrence.domain_id == Domain.id, Recurrence.current, Recurrence.state == RecurrenceState.ON
            ),
        )
        .options(joinedload(Recurrence.consent))
        .where(
            ProformaLine.proforma_id == proforma.id, ProformaLine.live, ProformaLine.kind == LineKind.RENEWAL
        )
    ).all()
    cards: set[int | None] = set()
    gone: list[ProformaLine] = []
    covered = True
    for line, domain, recurrence in rows:
        if _is_gone(line, domain):
            gone.append(line)
            continue
        cards.add(recurrence.card_id if recurrence else None)
        if recurrence is not None:
            covered = covered and covers(recurrence, Money(line.net_minor // line.years, proforma.currency))
    return Standing(frozenset(cards), gone, covered)


def _is_gone(line: ProformaLine, domain: Domain) -> bool:
    stays = domain.status in (DomainStatus.ACTIVE, DomainStatus.SUSPENDED)
    return not stays or domain.expires_on > line.starts_on


def covers(recurrence: Recurrence, price: Money) -> bool:
    """Whether what was agreed to, with the ceiling of that consent, covers `price` for a year."""
    return (
        recurrence.agreed_minor is not None
        and recurrence.agreed_currency is not None
        and recurrence.consent is not None
        and within_ceiling(
            price, recurrence.agreed_minor, recurrence.agreed_currency, recurrence.consent.ceiling_percent
        )
    )
