"""Mail is a row, sent once; what can't be sent waits, or is parked where staff see it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from panel import failpoints
from panel.clock import Clock, real_now
from panel.database import Database
from panel.errors import NotThere, Refused
from panel.messages.outbox import BACK_OFF, GIVE_UP, LEASE, DeliveryCounts, deliver, queue, send_again
from panel.messages.transport import SmtpTransport
from panel.records import JournalEntry, Message, MessageStatus, StaffTask, TaskKind
from tests.cast import NOW

BASE_URL = "https://panel.example"


class Watch(Clock):
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self):
        return self.time


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture(autouse=True)
def _unarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def mail(number: int = 1, **changes: object) -> dict:
    facts = {
        "number": f"PF-{number:06d}",
        "total_minor": 1440,
        "currency": "EUR",
        "contact_name": "Anne Martin",
    }
    values = {
        "kind": "proforma_issued",
        "subject": f"proforma:{number}",
        "period": "2026-12-01",
        "account_id": None,
        "recipient": f"client{number}@client.example",
        "locale": "en",
        "facts": facts,
        "now": NOW,
    }
    return values | changes


def ask_for(database: Database, number: int = 1, **changes: object) -> bool:
    with database.write() as session:
        return queue(session, **mail(number, **changes))


def rows(database: Database) -> list[Message]:
    with database.write() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.id)))


def open_tasks(database: Database) -> list[StaffTask]:
    with database.write() as session:
        return list(session.scalars(sa.select(StaffTask).where(StaffTask.resolved_at.is_(None))))


def test_a_mail_that_is_asked_for_three_times_is_one_row_and_arrives_once(database, transport, sink, clock):
    assert [ask_for(database) for _ in range(3)] == [True, False, False]
    assert deliver(database, transport, clock, base_url=BASE_URL) == DeliveryCounts(sent=1)
    assert deliver(database, transport, clock, base_url=BASE_URL) == DeliveryCounts()
    (row,) = rows(database)
    assert (row.status, row.sent_at, row.tries, row.lease_until) == (MessageStatus.SENT, NOW, 1, None)
    (mail,) = sink.taken
    assert mail["To"] == "client1@client.example"
    assert mail["Message-ID"] == row.message_id
    assert row.message_id.endswith("@evergreen.example>")
    assert "PF-000001" in mail.get_body(("plain",)).get_content()


def test_another_period_is_another_mail_with_another_message_id(database):
    assert ask_for(database, period="2026-12-01")
    assert ask_for(database, period="2026-12-04")
    assert len({row.message_id for row in rows(database)}) == 2


def test_a_mail_queued_in_a_unit_that_fails_was_never_asked_for(database):
    def fail() -> None:
        with database.write() as session:
            queue(session, **mail())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rows(database) == []


def test_facts_that_break_a_mail_break_no_transaction(database, transport, clock):
    assert ask_for(
        database, facts={"number": object(), "when": NOW, "total_minor": float("nan"), "currency": "EUR"}
    )
    assert deliver(database, transport, clock) == DeliveryCounts(parked=1)


def test_a_mail_is_from_the_configured_address_and_answers_go_to_the_seller(database, transport, sink, clock):
    ask_for(database)
    deliver(database, transport, clock, mail_from="no-reply@panel.example")
    (mail,) = sink.taken
    assert mail["From"] == "Evergreen Domains <no-reply@panel.example>"
    assert mail["Reply-To"] == "billing@evergreen.example"


def test_without_a_seller_mail_waits(database, transport, clock, sink):
    ask_for(database)
    with database.write() as session:
        session.execute(sa.text("DELETE FROM seller"))
    assert deliver(database, transport, clock) == DeliveryCounts()
    assert rows(database)[0].status is MessageStatus.QUEUED


def test_a_temporary_answer_puts_the_mail_off_a_little_longer_each_time(database, transport, sink, clock):
    ask_for(database)
    for wait in BACK_OFF[:3]:
        sink.answers["DATA"] = ["451 try later"]
        assert deliver(database, transport, clock) == DeliveryCounts(retried=1)
        (row,) = rows(database)
        assert (row.status, row.next_try_at, row.error) == (
            MessageStatus.QUEUED,
            clock.time + wait,
            "451 try later",
        )
        assert deliver(database, transport, clock) == DeliveryCounts()
        clock.time += wait
    assert deliver(database, transport, clock) == DeliveryCounts(sent=1)
    (row,) = rows(database)
    assert (row.tries, row.error) == (4, None)


def test_after_five_days_of_trying_a_mail_is_parked(database, transport, sink, clock):
    ask_for(database)
    clock.time += GIVE_UP + timedelta(minutes=1)
    sink.answers["RCPT"] = ["450 mailbox busy"]
    assert deliver(database, transport, clock) == DeliveryCounts(parked=1)


def test_a_permanent_answer_parks_the_mail_with_one_task_for_staff(database, transport, sink, clock):
    ask_for(database, number=1)
    ask_for(database, number=2)
    sink.answers["RCPT"] = ["550 no such mailbox"]
    assert deliver(database, transport, clock) == DeliveryCounts(sent=1, parked=1)
    parked, sent = rows(database)
    assert (parked.status, parked.error) == (MessageStatus.PARKED, "550 no such mailbox")
    assert sent.status is MessageStatus.SENT
    (task,) = open_tasks(database)
    assert (task.kind, task.subject, task.reason) == (
        TaskKind.MAIL_PARKED,
        f"message:{parked.id}",
        "550 no such mailbox",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "poem"}, "no mail of the kind"),
        ({"kind": "../layout"}, "no mail of the kind"),
        ({"kind": "layout"}, "no mail of the kind"),
        ({"facts": {"number": "PF-000001"}}, "needs the facts total_minor, currency"),
        ({"facts": {"number": "1", "total_minor": "much", "currency": "EUR"}}, "minor units are an int"),
        ({"facts": {"number": "1", "total_minor": 1, "currency": "XXX"}}, "ISO 4217"),
        ({"facts": {"number": "1", "total_minor": 1, "currency": "EUR", "due_on": "tomorrow"}}, "isoformat"),
        (
            {"facts": {"number": "1", "total_minor": 1, "currency": "EUR", "link": "javascript:alert(1)"}},
            "https://",
        ),
        ({"recipient": ""}, "e-mail address"),
        ({"recipient": "nobody"}, "e-mail address"),
        ({"recipient": "a@client.example\nBcc: everybody@client.example"}, "e-mail address"),
    ],
)
def test_what_cannot_be_rendered_is_parked_and_the_others_go_out(
    database, transport, sink, clock, changes, reason
):
    ask_for(database, number=1, **changes)
    ask_for(database, number=2)
    assert deliver(database, transport, clock) == DeliveryCounts(sent=1, parked=1)
    assert reason in rows(database)[0].error
    assert len(open_tasks(database)) == 1
    assert [mail["To"] for mail in sink.taken] == ["client2@client.example"]


def test_when_the_server_is_down_nothing_is_parked_and_only_one_mail_was_tried(database, sink, clock):
    for number in range(1, 6):
        ask_for(database, number=number)
    nowhere = SmtpTransport("127.0.0.1", 9, timeout=2)
    clock.time += GIVE_UP * 3
    assert deliver(database, nowhere, clock) == DeliveryCounts(retried=1)
    assert [row.status for row in rows(database)] == [MessageStatus.QUEUED] * 5
    assert [row.tries for row in rows(database)] == [0] * 5
    assert [row.lease_until for row in rows(database)] == [None] * 5


def test_a_parked_mail_can_be_sent_again_under_its_message_id(database, transport, sink, clock):
    ask_for(database)
    sink.answers["RCPT"] = ["550 no such mailbox"]
    deliver(database, transport, clock)
    (before,) = rows(database)
    with database.write() as session:
        send_again(session, message_id=before.id, actor="user:3", now=NOW)
    assert open_tasks(database) == []
    assert deliver(database, transport, clock) == DeliveryCounts(sent=1)
    assert sink.message_ids == [before.message_id]
    with database.read() as session:
        assert session.scalars(sa.select(JournalEntry.kind)).all() == ["mail.queued_again"]
    with pytest.raises(Refused), database.write() as session:
        send_again(session, message_id=before.id, actor="user:3", now=NOW)
    with pytest.raises(NotThere), database.write() as session:
        send_again(session, message_id=999, actor="user:3", now=NOW)


def test_the_limit_holds_and_progress_is_told(database, transport, sink, clock):
    for number in range(1, 8):
        ask_for(database, number=number)
    heard: list[int] = []
    assert deliver(database, transport, clock, limit=5, progress=heard.append) == DeliveryCounts(sent=5)
    assert heard == [1, 2, 3, 4, 5]
    assert deliver(database, transport, clock) == DeliveryCounts(sent=2)


def test_two_deliveries_at_the_same_time_send_each_mail_once(database, smtp_port, sink, clock):
    for number in range(60):
        ask_for(database, number=number)
    together = threading.Barrier(3)
    counts = []

    def work() -> None:
        together.wait()
        counts.append(deliver(database, SmtpTransport("127.0.0.1", smtp_port), clock))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(count.sent for count in counts) == 60
    assert len(sink.message_ids) == len(set(sink.message_ids)) == 60


@pytest.mark.parametrize("place", ["mail.before_send", "mail.after_send", "mail.after_commit"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_crash_anywhere_loses_no_mail_and_repeats_at_most_one(database, transport, sink, clock, place, nth):
    for number in range(3):
        ask_for(database, number=number)
    failpoints.arm(place, nth, "raise")
    with pytest.raises(failpoints.FailpointError):
        deliver(database, transport, clock)
    assert deliver(database, transport, clock) == DeliveryCounts(), "the dead process's lease still holds"
    with time_machine.travel(real_now() + LEASE + timedelta(seconds=1)):
        deliver(database, transport, clock)
    assert [row.status for row in rows(database)] == [MessageStatus.SENT] * 3
    assert set(sink.message_ids) == {row.message_id for row in rows(database)}
    assert len(sink.taken) == (4 if place == "mail.after_send" else 3)


def test_killed_after_the_server_took_the_mail_it_is_sent_once_more_with_the_same_message_id(
    database, transport, sink, smtp_port, clock
):
    for number in range(3):
        ask_for(database, number=number)
    script = f"""
import sqlalchemy as sa
from datetime import datetime
from panel import failpoints
from panel.clock import Clock
from panel.database import Database, prepare_engine
from panel.messages.outbox import deliver
from panel.messages.transport import SmtpTransport
engine = sa.create_engine({str(database.engine.url)!r})
prepare_engine(engine, None)
class Then(Clock):
    def now(self):
        return datetime.fromisoformat({NOW.isoformat()!r})
failpoints.arm_from_environment()
deliver(Database(engine), SmtpTransport("127.0.0.1", {smtp_port}), Then())
"""
    dead = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ
        | {"PERENNIAL_FAILPOINT": "mail.after_send:2", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert dead.returncode == -signal.SIGKILL
    with time_machine.travel(real_now() + LEASE + timedelta(seconds=1)):
        assert deliver(database, transport, clock) == DeliveryCounts(sent=2)
    ids = [row.message_id for row in rows(database)]
    assert sorted(sink.message_ids) == sorted([*ids, ids[1]])


def test_a_worker_that_slept_through_its_lease_overwrites_nothing(database, sink, clock):
    """It was stopped in mid-sending; another took over and sent; what the first then reports no longer counts."""
    ask_for(database)

    class Sleepy:
        def send(self, message) -> None:
            with time_machine.travel(real_now() + LEASE + timedelta(seconds=1)):
                assert deliver(database, Sink1(), clock) == DeliveryCounts(sent=1)
            raise TimeoutError("woke up late")

    class Sink1:
        def send(self, message) -> None:
            sink.taken.append(message)

    assert deliver(database, Sleepy(), clock) == DeliveryCounts()
    (row,) = rows(database)
    assert (row.status, row.error) == (MessageStatus.SENT, None)


def test_hostile_words_of_a_server_are_kept_short_and_on_one_line(database, transport, sink, clock):
    ask_for(database)
    sink.answers["DATA"] = ["554 " + "no\x1b[31m" * 60]
    deliver(database, transport, clock)
    (row,) = rows(database)
    assert row.error.isprintable()
    assert len(row.error) <= 300
