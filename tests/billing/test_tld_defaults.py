"""The default terms: sixty registries' facts, brought into the table once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.billing.tld_defaults import default_terms, load_defaults
from panel.database import Model
from panel.records import Tld


@pytest.fixture
def session(tmp_path: Path) -> Session:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'terms.db'}")
    Model.metadata.create_all(engine, tables=[Tld.__table__])
    with Session(engine) as session:
        yield session


def test_every_tld_has_terms_that_make_sense() -> None:
    terms = {row.tld: row for row in default_terms()}
    assert len(terms) >= 60
    for row in terms.values():
        assert row.operator
        assert row.note
        assert row.confidence in {"documented", "secondary", "memory"}
        assert row.source or row.confidence == "memory"
        assert row.min_years >= 1
        assert row.max_years is None or row.max_years >= row.min_years
        for days in (row.grace_days, row.redemption_days, row.pending_delete_days, row.renewal_window_days):
            assert days is None or 0 <= days <= 366


def test_terms_that_differ_from_the_usual_ones_are_kept() -> None:
    terms = {row.tld: row for row in default_terms()}
    assert (terms["ai"].min_years, terms["gr"].min_years) == (2, 2)
    assert terms["de"].auto_renew_at_registry is True
    assert terms["ro"].auto_renew_at_registry is False
    assert terms["io"].auto_renew_at_registry is None
    assert terms["dk"].renewal_window_days == 60
    assert terms["ro"].grace_days is None
    assert terms["co.uk"].redemption_days == 0


def test_loading_again_adds_nothing_and_changes_nothing(session: Session) -> None:
    count = load_defaults(session)
    session.get_one(Tld, "com").lead_days = 30
    session.get_one(Tld, "com").grace_days = 40
    session.delete(session.get_one(Tld, "fr"))
    session.flush()
    assert load_defaults(session) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(Tld)) == count
    assert (session.get_one(Tld, "com").lead_days, session.get_one(Tld, "com").grace_days) == (30, 40)
