"""Cancelling a proforma asks what becomes of its terms: issued again, or skipped."""

import pytest
import sqlalchemy as sa

from panel.records import AttemptStatus, Domain, Proforma, ProformaStatus, RoleName, Term
from tests import cast
from tests.panel.amber import settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.BILLING))


@pytest.fixture
def proforma(amber):
    return amber.proforma()


def page_of(proforma):
    return f"/accounts/{proforma.account_id}/proformas/{proforma.id}"


def state(amber, proforma):
    """Its status, how many of its terms are live, how many of its domains skip the term."""
    with amber.database.read() as session:
        return (
            session.get_one(Proforma, proforma.id).status,
            session.scalar(sa.select(sa.func.count()).select_from(Term).where(Term.live)),
            session.scalar(
                sa.select(sa.func.count()).select_from(Domain).where(Domain.skipped_on.is_not(None))
            ),
        )


def test_the_page_names_the_domains_and_asks(staff, proforma):
    page = staff.get(page_of(proforma) + "/cancel").text
    assert "amber.com" in page
    assert "Issue again" in page
    assert "Skip this term" in page


def test_issue_again_frees_the_terms_for_the_next_run(amber, staff, proforma):
    answer = staff.send(page_of(proforma) + "/cancel", {"term": "again"}, follow_redirects=True)
    assert "The proforma was cancelled." in answer.text
    assert state(amber, proforma) == (ProformaStatus.CANCELLED, 0, 0)


def test_skip_this_term_keeps_the_run_from_billing_it_again(amber, staff, proforma):
    staff.send(page_of(proforma) + "/cancel", {"term": "skip"})
    assert state(amber, proforma) == (ProformaStatus.CANCELLED, 0, 2)


@pytest.mark.parametrize("term", ["", "both"])
def test_without_a_choice_nothing_is_cancelled(amber, staff, proforma, term):
    answer = staff.send(page_of(proforma) + "/cancel", {"term": term})
    assert answer.status_code == 422
    assert state(amber, proforma) == (ProformaStatus.OPEN, 2, 0)


def test_a_proforma_whose_charge_is_under_way_is_not_cancelled(amber, staff, proforma):
    cast.make_attempt(amber.database, proforma, amber.card, status=AttemptStatus.SENDING)
    answer = staff.send(page_of(proforma) + "/cancel", {"term": "again"})
    assert answer.status_code == 409
    assert state(amber, proforma) == (ProformaStatus.OPEN, 2, 0)


def test_a_paid_proforma_has_nothing_to_cancel(amber, staff, proforma):
    cast.make_invoice(amber.database, proforma)
    assert staff.get(page_of(proforma) + "/cancel").status_code == 303
    assert staff.send(page_of(proforma) + "/cancel", {"term": "again"}).status_code == 409
    assert "Cancel this proforma" not in staff.get(page_of(proforma)).text


def test_a_client_cannot_cancel(amber, log_in, proforma):
    client = log_in(amber.user(RoleName.CLIENT))
    assert client.get(page_of(proforma) + "/cancel").status_code == 403
    assert client.send(page_of(proforma) + "/cancel", {"term": "again"}).status_code == 403
    assert state(amber, proforma) == (ProformaStatus.OPEN, 2, 0)
