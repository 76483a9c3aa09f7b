"""The worker: the schedule, and what people asked for, on Huey's queue.

The queue may lose or repeat a task: every task finds its work in the rows, so the next one makes up for a lost one, and
a repeated one finds nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from flask import Flask
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.calendar import seller_of
from panel.clock import RUN_HOUR
from panel.records import Seller
from panel.renewals.card_changes import forget_removed
from panel.renewals.charging import charge_due
from panel.renewals.extension import extend_paid
from panel.renewals.recovery import recover
from panel.renewals.run import run
from panel.web import Parts

log = structlog.get_logger()

ACTOR = "worker"
CONCURRENCY = 32


def open_queue(url: str) -> Huey:
    """A queue in an SQLite file of its own, in PostgreSQL or in Redis; results aren't kept."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return SqliteHuey("perennial", filename=url.removeprefix("sqlite:///"), results=False)
    if parts.scheme == "postgresql":
        return PostgresHuey("perennial", dsn=url, results=False)
    return RedisHuey("perennial", url=url, results=False)


class Schedule:
    """The tasks of one application on one queue; the page of verbs."""

    def __init__(self, app: Flask):
        self.queue = open_queue(app.extensions["perennial_settings"].queue_url)
        self._app = app
        task, periodic, lock = self.queue.task, self.queue.periodic_task, self.queue.lock_task

        self.charge_asked = task(name="charge_asked")(lock("charge_asked")(self._charge_asked))
        periodic(crontab(minute="*/5"), name="sweep")(lock("sweep")(self._sweep))
        periodic(crontab(minute="12"), name="renewal_run")(lock("renewal_run")(self._renewal_run))
        periodic(crontab(minute="*"), name="send_mail")(lock("send_mail")(self._send_mail))
        periodic(crontab(minute="41"), name="seal_and_forget")(lock("seal")(self._seal_and_forget))

    def nudge(self) -> None:
        """Somebody asked for a charge: the worker makes it now rather than at the next sweep."""
        self.charge_asked()

    def _charge_asked(self) -> None:
        parts = self._parts
        if not self._is_set_up():
            return
        charge_due(
            parts.database,
            parts.processors,
            parts.clock,
            actor=ACTOR,
            run_id=None,
            concurrency=8,
            settled=_ignore,
            due=False,
        )
        extend_paid(
            parts.database, parts.processors, parts.clock, actor=ACTOR, concurrency=8, extended=_ignore
        )
        self._send_mail()

    def _sweep(self) -> None:
        """Looks up what is in doubt, takes over what a dead worker left, and makes up for lost nudges."""
        parts = self._parts
        if not self._is_set_up():
            return
        recover(
            parts.database,
            parts.processors,
            parts.clock,
            actor=ACTOR,
            concurrency=CONCURRENCY,
            settled=_ignore,
        )
        self._charge_asked()

    def _renewal_run(self) -> None:
        """Every hour from six in the seller's morning: what an earlier run could not do, a later one does."""
        parts = self._parts
        if not self._is_set_up():
            return
        with parts.database.read() as session:
            zone = seller_of(session).zone
        if _local(parts.clock.now(), zone).time() >= RUN_HOUR:
            counts = run(
                parts.database,
                parts.processors,
                parts.clock,
                mail=parts.deliver_mail,
                concurrency=CONCURRENCY,
            )
            log.info("run.finished", **counts)

    def _send_mail(self) -> None:
        self._parts.deliver_mail(self._parts.clock)

    def _seal_and_forget(self) -> None:
        parts = self._parts
        journal.seal(parts.database)
        forget_removed(parts.database, parts.processors, now=parts.clock.now())

    def _is_set_up(self) -> bool:
        """Without a seller there is nobody in whose name anything could be done."""
        with self._parts.database.read() as session:
            return session.get(Seller, 1) is not None

    @property
    def _parts(self) -> Parts:
        parts: Parts = self._app.extensions["perennial"]
        return parts


def _local(now: datetime, zone: str) -> datetime:
    return now.astimezone(ZoneInfo(zone))


def _ignore(session: Session, statuses: Sequence[StrEnum]) -> None:
    """Outside a run nobody counts."""


def schedule_of(app: Flask) -> Schedule:
    """The application's schedule, made when it is first needed: most commands never touch the queue."""
    if "perennial_schedule" not in app.extensions:
        app.extensions["perennial_schedule"] = Schedule(app)
    schedule: Schedule = app.extensions["perennial_schedule"]
    return schedule


def main(app: Flask) -> None:
    """Works until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("huey").setLevel(logging.WARNING)
    app.extensions["perennial"].database.assert_durable()
    schedule = schedule_of(app)
    schedule.nudge()
    # Two threads: a long run must not keep a client who has just clicked "pay" waiting.
    Consumer(schedule.queue, workers=2, max_delay=0.5, graceful_signal="TERM", flush_locks=True).run()
