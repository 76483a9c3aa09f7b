"""Recurring Payment All as the panel does it: by its verbs, and by its page.

Each way goes through the same steps as the raw SQL: plan, rows, Confirm, Undo, and Confirm again, when every domain
has a version that must be retired.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from bench.browser import expect, form_of, log_in
from bench.measuring import Step, Steps, peak_mib
from bench.scratch import clock_on, database_of, panel_on, parts_of
from panel.clock import Clock
from panel.database import Database
from panel.records import RoleName, User
from panel.renewals import recurrence, recurrence_plan
from panel.renewals.processors import Processors
from panel.renewals.recurrence import ConsentGiven
from panel.renewals.recurrence_plan import HOLDER_DIFFERS, PER_PAGE, Plan, PlanPage, PlanWarning
from panel.renewals.selection import Selection

# The page is sent with every box ticked: which of them are there is up to the demo's dice.
ACKNOWLEDGED = [HOLDER_DIFFERS, *(warning.value for warning in PlanWarning)]


class Verbs:
    """What the page's views say, without the page."""

    def __init__(self, database: Database, processors: Processors, clock: Clock, account_id: int):
        self.database = database
        self.processors = processors
        self.clock = clock
        self.account_id = account_id
        with database.read() as session:
            self.user_id = session.scalar(sa.select(User.id).where(User.account_id == account_id))

    def plan(self) -> Plan:
        with self.database.read() as session:
            return self._plan(session)

    def _plan(self, session: Session) -> Plan:
        return recurrence_plan.plan(
            session,
            account_id=self.account_id,
            selection=Selection.all(),
            contact_id=None,
            card_id=None,
            processors=self.processors,
            now=self.clock.now(),
        )

    def rows(self, shown: Plan, page: int) -> PlanPage:
        with self.database.read() as session:
            return recurrence_plan.plan_rows(session, shown, page=page)

    def confirm(self, shown: Plan, request_key: str) -> int:
        with self.database.write() as session:
            return recurrence.confirm(
                session,
                account_id=self.account_id,
                selection=Selection.all(),
                contact_id=shown.contact.id,
                card_id=shown.card.id,
                digest=shown.digest,
                acknowledged=set(ACKNOWLEDGED),
                consent=ConsentGiven(self.user_id, is_staff=False, on_behalf_of=shown.account.name),
                request_key=request_key,
                processors=self.processors,
                now=self.clock.now(),
            ).id

    def undo(self, action_id: int) -> None:
        with self.database.write() as session:
            recurrence.undo(
                session,
                account_id=self.account_id,
                action_id=action_id,
                user_id=self.user_id,
                now=self.clock.now(),
            )


def by_verbs(database_url: str, folder: Path, account_id: int, day: date) -> list[Step]:
    with panel_on(database_url, folder) as app:
        verbs = Verbs(database_of(app), parts_of(app).processors, clock_on(app, day), account_id)
        steps = Steps([Step("Start", 0.0, peak_mib())])
        shown = steps.time("Plan", verbs.plan)
        steps.time("First rows", lambda: verbs.rows(shown, 1))
        steps.time("Rows in the middle", lambda: verbs.rows(shown, middle_page(shown.totals.ticked)))
        action_id = steps.time("Confirm", lambda: verbs.confirm(shown, "bench-first-confirm"))
        steps.time("Undo", lambda: verbs.undo(action_id))
        again = verbs.plan()
        steps.time("Confirm again", lambda: verbs.confirm(again, "bench-second-confirm"))
        return steps.steps


def middle_page(domains: int) -> int:
    return max(1, domains // PER_PAGE // 2)


class Page:
    """The client's browser, on the page of Recurring Payment All."""

    def __init__(self, client: FlaskClient, account_id: int):
        self.client = client
        self.actions = f"/accounts/{account_id}/actions"

    def open(self) -> MultiDict[str, str]:
        form = form_of(self.client.get(f"{self.actions}/recurring-payment-all"), "/recurring-payment-all")
        form.setlist("acknowledge", ACKNOWLEDGED)
        return form

    def quote(self, form: MultiDict[str, str], page: int) -> None:
        """The fragment that HTMX asks for when somebody turns a page."""
        asked = MultiDict([*form.items(multi=True), ("go", str(page))])
        url = f"{self.actions}/recurring-payment/quote"
        expect(self.client.post(url, data=asked, headers={"HX-Request": "true"}), 200)

    def confirm(self, form: MultiDict[str, str]) -> str:
        """The address of the page that says what was done."""
        return expect(self.client.post(f"{self.actions}/recurring-payment-all", data=form), 303).headers[
            "Location"
        ]

    def undo(self, done: str) -> None:
        form = form_of(self.client.get(done), "/undo")
        expect(self.client.post(f"{done}/undo", data=form), 200)


def by_page(database_url: str, folder: Path, account_id: int, day: date, domains: int) -> list[Step]:
    with panel_on(database_url, folder) as app:
        parts_of(app).clock = clock_on(app, day)
        page = Page(log_in(app, RoleName.CLIENT), account_id)
        steps = Steps([Step("Start", 0.0, peak_mib())])
        form = steps.time("Plan", page.open)
        steps.time("First rows", lambda: page.quote(form, 1))
        steps.time("Rows in the middle", lambda: page.quote(form, middle_page(domains)))
        done = steps.time("Confirm", lambda: page.confirm(form))
        steps.time("Undo", lambda: page.undo(done))
        again = page.open()
        steps.time("Confirm again", lambda: page.confirm(again))
        return steps.steps
