"""Renewal runs: the list, the live progress, and what became of each proforma."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from panel.records import (
    AttemptStatus,
    Extension,
    ExtensionStatus,
    ProformaLine,
    RoleName,
    Run,
    RunPhase,
    RunStatus,
)
from tests import cast
from tests.panel.amber import settle_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.READ_ONLY))


@pytest.fixture
def running(amber):
    return cast.make_run(
        amber.database,
        status=RunStatus.RUNNING,
        phase=RunPhase.CHARGE,
        total=400,
        done=100,
        counts={"due": 500, "issued": 480, "charged": 96, "declined": 4},
        finished_at=None,
        heartbeat_at=datetime.now(UTC),
    )


def make_outcome(amber, run, name, status, **changes):
    """A proforma that was issued earlier and tried by this run."""
    domain = cast.make_domain(amber.database, amber.account, name)
    proforma = cast.make_proforma(amber.database, amber.account, amber.contact, [domain])
    cast.make_attempt(amber.database, proforma, amber.card, run_id=run.id, status=status, **changes)
    return proforma


def test_without_runs_the_page_says_how_they_start(staff):
    assert "No run yet" in staff.get("/runs").text


def test_the_list_says_what_each_run_did(amber, staff, running):
    cast.make_run(amber.database)
    page = staff.get("/runs").text
    assert "500 due, 480 issued, 96 charged, 4 declined" in page
    assert "nothing was due" in page
    assert "Running" in page


def test_a_run_that_runs_shows_its_phase_and_asks_again_every_two_seconds(staff, running):
    page = staff.get(f"/runs/{running.id}").text
    assert "Charging cards" in page
    assert 'max="400" value="100"' in page
    assert f'hx-get="/runs/{running.id}/progress" hx-trigger="every 2s"' in page


def test_progress_grows_and_at_the_end_the_whole_page_is_shown_anew(amber, staff, running):
    with amber.database.write() as session:
        session.get_one(Run, running.id).done = 250
    fragment = staff.get(f"/runs/{running.id}/progress", headers=HTMX).text
    assert 'value="250"' in fragment
    assert "<html" not in fragment
    with amber.database.write() as session:
        session.get_one(Run, running.id).status = RunStatus.FINISHED
    answer = staff.get(f"/runs/{running.id}/progress", headers=HTMX)
    assert answer.headers["HX-Refresh"] == "true"
    assert "every 2s" not in staff.get(f"/runs/{running.id}").text
    assert staff.get(f"/runs/{running.id}/progress").status_code == 303


def test_a_run_whose_process_is_gone_is_told_apart(amber, staff, running):
    with amber.database.write() as session:
        session.get_one(Run, running.id).heartbeat_at = datetime.now(UTC) - timedelta(hours=1)
    assert "No sign of life" in staff.get(f"/runs/{running.id}").text
    assert "No sign of life" in staff.get("/runs").text


def test_each_outcome_is_shown_in_words_and_counted(amber, staff, running):
    charged = make_outcome(amber, running, "one.com", AttemptStatus.SUCCEEDED)
    declined = make_outcome(amber, running, "two.com", AttemptStatus.DECLINED, decline_kind="hard")
    doubtful = make_outcome(amber, running, "three.com", AttemptStatus.UNKNOWN)
    issued = amber.proforma(run_id=running.id)
    elsewhere = make_outcome(amber, cast.make_run(amber.database), "other.com", AttemptStatus.SUCCEEDED)
    page = staff.get(f"/runs/{running.id}").text
    for proforma in (charged, declined, doubtful, issued):
        assert proforma.number in page
    assert elsewhere.number not in page
    assert "Your bank refuses payments with this card." in page
    assert "Issued only" in page


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("charged", "one.com"),
        ("declined", "two.com"),
        ("in_doubt", "three.com"),
        ("issued", "amber.com, studio.com"),
    ],
)
def test_a_filter_shows_one_outcome_alone(amber, staff, running, outcome, shown):
    make_outcome(amber, running, "one.com", AttemptStatus.SUCCEEDED)
    make_outcome(amber, running, "two.com", AttemptStatus.DECLINED, decline_kind="retryable")
    make_outcome(amber, running, "three.com", AttemptStatus.UNKNOWN)
    amber.proforma(run_id=running.id)
    fragment = staff.get(f"/runs/{running.id}?outcome={outcome}", headers=HTMX).text
    names = {"one.com", "two.com", "three.com", "amber.com, studio.com"}
    assert {name for name in names if name in fragment} == {shown}


def test_a_proforma_that_this_run_issued_and_charged_is_one_row(amber, staff, running):
    proforma = amber.proforma(run_id=running.id)
    cast.make_attempt(amber.database, proforma, amber.card, run_id=running.id, status=AttemptStatus.SUCCEEDED)
    page = staff.get(f"/runs/{running.id}").text
    assert page.count(proforma.number) == 1
    assert "1 found" in page


def test_the_registrars_answers_are_summed_up_for_each_proforma(amber, staff, running):
    proforma = amber.proforma(run_id=running.id)
    with amber.database.write() as session:
        for line in session.scalars(sa.select(ProformaLine).where(ProformaLine.proforma_id == proforma.id)):
            session.add(
                Extension(
                    line_id=line.id,
                    domain_id=line.domain_id,
                    registrar="mock",
                    key=f"extension-{line.id}",
                    years=1,
                    believed_expiry=cast.NOW,
                    status=ExtensionStatus.DONE,
                    next_try_at=cast.NOW,
                    created_at=cast.NOW,
                )
            )
    assert "Extended · 2" in staff.get(f"/runs/{running.id}").text


def test_a_run_with_nothing_to_do_says_so(amber, staff):
    assert "Nothing was due" in staff.get(f"/runs/{cast.make_run(amber.database).id}").text


@pytest.mark.parametrize("path", ["/runs", "/runs/{id}", "/runs/{id}/progress"])
def test_runs_are_for_staff(amber, log_in, running, path):
    client = log_in(amber.user(RoleName.CLIENT))
    assert client.get(path.format(id=running.id)).status_code == 403


@pytest.mark.parametrize("number", ["99999999", "9" * 30])
def test_an_absent_run_is_not_found(staff, number):
    assert staff.get(f"/runs/{number}").status_code == 404
