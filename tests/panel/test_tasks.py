"""What waits for a person: words, evidence, and how it is closed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from panel.records import (
    AttemptStatus,
    Domain,
    Extension,
    ExtensionStatus,
    GatewayAccount,
    JournalEntry,
    ProformaLine,
    RoleName,
    StaffTask,
    TaskKind,
)
from tests import cast
from tests.panel.amber import settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.BILLING))


def make_extension(amber, status):
    """The paid renewal of amber.com; returns its id."""
    proforma = amber.proforma()
    cast.make_invoice(amber.database, proforma)
    domain = amber.domains[0]
    with amber.database.write() as session:
        line = session.scalars(sa.select(ProformaLine).where(ProformaLine.domain_id == domain.id)).one()
        extension = Extension(
            line_id=line.id,
            domain_id=domain.id,
            registrar="manual",
            key=f"extension-{line.id}",
            years=1,
            believed_expiry=domain.expires_at,
            status=status,
            tries=1,
            next_try_at=cast.NOW,
            created_at=cast.NOW,
        )
        session.add(extension)
        session.flush()
        return extension.id


@pytest.fixture
def worklist(amber):
    extension_id = make_extension(amber, ExtensionStatus.WORKLIST)
    return cast.make_task(
        amber.database,
        kind=TaskKind.REGISTRAR_WORKLIST,
        subject=f"extension:{extension_id}",
        account_id=amber.account.id,
        reason="Renew amber.com at its registrar.",
        created_at=cast.NOW - timedelta(days=3),
    )


@pytest.fixture
def refused(amber):
    extension_id = make_extension(amber, ExtensionStatus.REFUSED)
    return cast.make_task(
        amber.database,
        kind=TaskKind.CANNOT_EXTEND,
        subject=f"extension:{extension_id}",
        account_id=amber.account.id,
        reason="The registrar refused.",
    )


def read(amber, task):
    with amber.database.read() as session:
        return session.get_one(StaffTask, task.id)


def test_when_nothing_waits_the_page_says_so(staff):
    assert "Nothing waits for a person" in staff.get("/tasks").text


def test_a_task_shows_its_evidence_its_age_and_what_to_do(staff, worklist):
    page = staff.get("/tasks").text
    for text in (
        "Renew by hand at the registrar",
        "Renew amber.com at its registrar.",
        "3 days",
        "Amber Studio",
        "2 Dec 2026",
        "enter the expiry date that the registry shows afterwards",
    ):
        assert text in page, text


def test_done_at_the_registrar_with_the_new_expiry_extends_the_domain(amber, staff, worklist):
    answer = staff.send(
        f"/tasks/{worklist.id}/resolve",
        {f"task-{worklist.id}-new_expiry": "2027-12-02"},
        follow_redirects=True,
    )
    assert "The task is done." in answer.text
    assert read(amber, worklist).resolved_at is not None
    with amber.database.read() as session:
        domain = session.get_one(Domain, amber.domains[0].id)
        assert domain.expires_at.date().isoformat() == "2027-12-02"
        assert session.scalars(sa.select(Extension)).one().status is ExtensionStatus.DONE


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("", "Enter the expiry date"),
        ("soon", "Not a valid date value."),
        ("2026-12-02", "should be near"),
        ("2037-12-02", "should be near"),
    ],
)
def test_an_expiry_that_cannot_be_right_is_refused_beside_the_field(amber, staff, worklist, day, text):
    answer = staff.send(f"/tasks/{worklist.id}/resolve", {f"task-{worklist.id}-new_expiry": day})
    assert answer.status_code == 422
    assert text in answer.text
    assert read(amber, worklist).resolved_at is None


def test_a_note_does_not_stand_for_the_new_expiry(amber, staff, worklist):
    answer = staff.send(f"/tasks/{worklist.id}/resolve", {f"task-{worklist.id}-note": "done, trust me"})
    assert answer.status_code == 422
    assert read(amber, worklist).resolved_at is None


def test_a_note_closes_what_only_a_person_can_settle(amber, staff, refused):
    staff.send(f"/tasks/{refused.id}/resolve", {f"task-{refused.id}-note": "Refunded as RF-9."})
    closed = read(amber, refused)
    assert closed.resolution == "Refunded as RF-9."
    assert closed.resolved_at is not None
    assert closed.resolved_by_id is not None
    with amber.database.read() as session:
        entry = session.scalars(sa.select(JournalEntry).where(JournalEntry.kind == "task.resolved")).one()
    assert entry.data["note"] == "Refunded as RF-9."
    done = staff.get("/tasks?show=done").text
    assert "Refunded as RF-9." in done
    assert "Nothing waits for a person" in staff.get("/tasks").text


@pytest.mark.parametrize("note", ["", "   ", "x" * 1001])
def test_a_task_is_not_closed_without_a_note(amber, staff, refused, note):
    answer = staff.send(f"/tasks/{refused.id}/resolve", {f"task-{refused.id}-note": note})
    assert answer.status_code == 422
    assert read(amber, refused).resolved_at is None


def test_the_second_of_two_people_is_told_that_it_was_done(amber, staff, refused):
    data = {f"task-{refused.id}-note": "Refunded."}
    staff.send(f"/tasks/{refused.id}/resolve", data)
    again = staff.send(f"/tasks/{refused.id}/resolve", data | {f"task-{refused.id}-note": "Me too."})
    assert again.status_code == 409
    assert "Somebody has resolved this task already." in again.text
    assert read(amber, refused).resolution == "Refunded."


def test_a_charge_in_doubt_cannot_be_talked_away(amber, staff):
    attempt = cast.make_attempt(
        amber.database, amber.proforma(), amber.card, status=AttemptStatus.UNKNOWN, first_sent_at=cast.NOW
    )
    task = cast.make_task(amber.database, kind=TaskKind.UNKNOWN_CHARGE, subject=f"attempt:{attempt.id}")
    page = staff.get("/tasks").text
    assert attempt.key in page
    assert "€28.80" in page
    assert f"/tasks/{task.id}/resolve" not in page
    answer = staff.send(f"/tasks/{task.id}/resolve", {f"task-{task.id}-note": "surely fine"})
    assert answer.status_code == 409
    assert read(amber, task).resolved_at is None


def test_a_stopped_gateway_is_resumed_not_noted_away(amber, staff):
    with amber.database.write() as session:
        session.get_one(GatewayAccount, amber.gateway_account.id).stopped_at = cast.NOW
    task = cast.make_task(amber.database, subject=f"gateway_account:{amber.gateway_account.id}")
    answer = staff.send(f"/tasks/{task.id}/resolve", {f"task-{task.id}-note": "ok"})
    assert answer.status_code == 409
    assert "resume it on the Gateways page" in answer.text


def test_kinds_filter_and_count(amber, staff, worklist):
    cast.make_task(
        amber.database,
        kind=TaskKind.PRICE_MISSING,
        subject=f"domain:{amber.domains[1].id}",
        reason="No price.",
    )
    page = staff.get("/tasks?kind=price_missing").text
    assert "No price." in page
    assert "Renew amber.com" not in page
    assert "Renew by hand at the registrar" in page, "the other kind stays in the filter"


def test_a_task_whose_subject_is_gone_is_still_shown(amber, staff):
    cast.make_task(amber.database, kind=TaskKind.MAIL_PARKED, subject="message:99999", reason="Bounced.")
    cast.make_task(amber.database, kind=TaskKind.MAIL_PARKED, subject="nonsense", reason="What?")
    page = staff.get("/tasks").text
    assert "Bounced." in page
    assert "What?" in page


def test_read_only_staff_see_tasks_and_close_none(amber, log_in, refused):
    reader = log_in(amber.user(RoleName.READ_ONLY))
    page = reader.get("/tasks").text
    assert "Paid, and the registrar refuses to renew" in page
    assert "/resolve" not in page
    assert reader.send(f"/tasks/{refused.id}/resolve", {f"task-{refused.id}-note": "x"}).status_code == 403


def test_an_absent_task_is_not_found(staff):
    assert staff.send("/tasks/99999999/resolve", {"note": "x"}).status_code == 404


def test_tasks_are_for_staff(amber, log_in):
    assert log_in(amber.user(RoleName.CLIENT)).get("/tasks").status_code == 403
