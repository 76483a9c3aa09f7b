"""Pages of long lists. Counting stops early: a page of 200,000 rows costs little more than one of 200."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

Row = TypeVar("Row")

# Nobody turns 200 pages: beyond this many rows a list says "more" and asks for a narrower search.
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of rows. `total` is exact unless `more`, then there are more than that."""

    rows: Sequence[Row]
    total: int
    more: bool
    page: int
    pages: int


def page_of_ids(
    session: Session, ids: sa.Select[Any], order_by: Sequence[Any], *, page: int, per_page: int
) -> Listing[int]:
    """One page of `ids`, a select of one id column. A page out of range becomes the nearest one."""
    counted = ids.order_by(None).limit(MOST_COUNTED + 1).subquery()
    found = session.scalar(sa.select(sa.func.count()).select_from(counted)) or 0
    total = min(found, MOST_COUNTED)
    pages = max(1, -(-total // per_page))
    page = min(max(page, 1), pages)
    rows = session.scalars(ids.order_by(*order_by).limit(per_page).offset((page - 1) * per_page)).all()
    return Listing(rows, total, found > MOST_COUNTED, page, pages)
