"""The default terms of some sixty TLDs, as facts in `tld_terms.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import resources

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import Tld

_ANSWERS = {"yes": True, "no": False, "": None}


def default_terms() -> Iterator[Tld]:
    """A new row for each TLD of the file, in its order."""
    text = resources.files("panel.billing").joinpath("tld_terms.csv").read_text(encoding="utf-8")
    facts = (line for line in text.splitlines() if not line.startswith("#"))
    for row in csv.DictReader(facts):
        yield Tld(
            tld=row["tld"],
            operator=row["operator"],
            min_years=int(row["min_years"]),
            max_years=_count(row["max_years"]),
            renewal_window_days=_count(row["renewal_window_days"]),
            auto_renew_at_registry=_ANSWERS[row["auto_renew_at_registry"]],
            grace_days=_count(row["grace_days"]),
            redemption_days=_count(row["redemption_days"]),
            pending_delete_days=_count(row["pending_delete_days"]),
            note=row["note"],
            source=row["source"],
            confidence=row["confidence"],
        )


def load_defaults(session: Session) -> int:
    """Adds the TLDs that aren't there yet, and says how many; the others a reseller may have changed."""
    present = set(session.scalars(sa.select(Tld.tld)))
    missing = [terms for terms in default_terms() if terms.tld not in present]
    session.add_all(missing)
    session.flush()
    return len(missing)


def _count(field: str) -> int | None:
    return int(field) if field else None
