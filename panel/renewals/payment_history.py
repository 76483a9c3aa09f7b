"""Everything that was tried to get one proforma paid, and what became of its lines afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from panel.billing.paging import Listing, page_of_ids
from panel.records import (
    Attempt,
    Domain,
    Extension,
    Invoice,
    ManualPayment,
    ProformaLine,
    User,
)

LINES_PER_PAGE = 100


@dataclass(frozen=True)
class LineRow:
    """`line.domain` is loaded. `extension` is None until the line is paid, and for fees."""

    line: ProformaLine
    extension: Extension | None


@dataclass(frozen=True)
class History:
    """Attempts with their cards, the latest first; documents oldest first, credit notes among them."""

    attempts: Sequence[Attempt]
    documents: Sequence[Invoice]
    manual_payment: ManualPayment | None
    manual_payment_by: str | None

    @property
    def open_attempt(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.is_open), None)

    @property
    def latest(self) -> Attempt | None:
        return self.attempts[0] if self.attempts else None


def history_of(session: Session, proforma_id: int) -> History:
    attempts = session.scalars(
        sa.select(Attempt)
        .where(Attempt.proforma_id == proforma_id)
        .order_by(Attempt.id.desc())
        .options(joinedload(Attempt.card))
    ).all()
    documents = session.scalars(
        sa.select(Invoice).where(Invoice.proforma_id == proforma_id).order_by(Invoice.id)
    ).all()
    by_hand = session.execute(
        sa.select(ManualPayment, User.email)
        .outerjoin(User, User.id == ManualPayment.user_id)
        .where(ManualPayment.proforma_id == proforma_id)
    ).first()
    return History(
        attempts,
        documents,
        manual_payment=by_hand[0] if by_hand else None,
        manual_payment_by=by_hand[1] if by_hand else None,
    )


def latest_attempt(session: Session, proforma_id: int) -> Attempt | None:
    """The latest attempt at a proforma, with its card."""
    return session.scalar(
        sa.select(Attempt)
        .where(Attempt.proforma_id == proforma_id)
        .order_by(Attempt.id.desc())
        .limit(1)
        .options(joinedload(Attempt.card))
    )


def page_of_lines(
    session: Session, proforma_id: int, *, page: int, per_page: int = LINES_PER_PAGE
) -> Listing[LineRow]:
    """The lines of a proforma in their order: a proforma of "Renew All" may have thousands."""
    ids = sa.select(ProformaLine.id).where(ProformaLine.proforma_id == proforma_id)
    found = page_of_ids(session, ids, [ProformaLine.id], page=page, per_page=per_page)
    rows = session.execute(
        sa.select(ProformaLine, Extension)
        .join(Domain, Domain.id == ProformaLine.domain_id)
        .outerjoin(Extension, Extension.line_id == ProformaLine.id)
        .where(ProformaLine.id.in_(found.rows))
        .order_by(ProformaLine.id)
        .options(joinedload(ProformaLine.domain))
    )
    return Listing(
        [LineRow(line, extension) for line, extension in rows],
        found.total,
        found.more,
        found.page,
        found.pages,
    )
