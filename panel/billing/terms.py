"""Terms: a year of a domain, billed at most once while its claim is live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import LineKind, ProformaLine, Term

# A statement takes no more than 65,535 values on PostgreSQL.
AT_ONCE = 10_000


def add_years(day: date, years: int) -> date:
    """The same day `years` later; 29 February becomes 28."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def claim(session: Session, lines: Mapping[int, Mapping[str, Any]]) -> None:
    """Claims a term for each year of each renewal line, by line id. IntegrityError if one is billed already."""
    claims = [
        {
            "domain_id": line["domain_id"],
            "line_id": line_id,
            "starts_on": add_years(line["starts_on"], year),
            "live": True,
        }
        for line_id, line in lines.items()
        if line["kind"] is LineKind.RENEWAL
        for year in range(line["years"])
    ]
    if claims:
        session.execute(sa.insert(Term), claims)


def release(session: Session, line_ids: list[int]) -> None:
    """Frees what these lines claimed, so that the terms can be billed again."""
    for start in range(0, len(line_ids), AT_ONCE):
        some = line_ids[start : start + AT_ONCE]
        session.execute(sa.update(Term).where(Term.line_id.in_(some)).values(live=False))
        session.execute(sa.update(ProformaLine).where(ProformaLine.id.in_(some)).values(live=False))
