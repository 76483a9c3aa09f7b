"""Recurring Payment and Recurring Payment All: choose, look, Confirm, Undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from panel.clock import SimulatedClock
from panel.database import Database
from panel.records import (
    Action,
    ActionKind,
    Attempt,
    CardStatus,
    Consent,
    ConsentKind,
    ContactKind,
    DomainStatus,
    Recurrence,
    RecurrenceState,
    RoleName,
    TldPrice,
)
from tests import cast
from tests.panel.form_reading import fields_of


@dataclass
class Stage:
    """Alice's account with three domains, a main contact and a card in the contact's name."""

    database: Database
    account: object
    contact: object
    card: object
    domains: list
    browser: object

    @property
    def base(self) -> str:
        return f"/accounts/{self.account.id}/actions"

    def open(self, action: str = "recurring-payment", ticks: list[int] = (), **query: object):
        return self.browser.get(f"{self.base}/{action}", query_string={"tick": list(ticks), **query})

    def form(self, action: str = "recurring-payment", ticks: list[int] = (), **query: object) -> MultiDict:
        page = self.open(action, ticks, **query)
        assert page.status_code == 200, page.text
        return fields_of(page.text, f"/{action}")

    def confirm(self, form: MultiDict, action: str = "recurring-payment", **headers: str):
        return self.browser.post(f"{self.base}/{action}", data=form, headers=headers)

    def quote(self, form: MultiDict, **headers: str):
        return self.browser.post(f"{self.base}/recurring-payment/quote", data=form, headers=headers)

    def on(self) -> dict[int, Recurrence]:
        with Session(self.database.engine) as session:
            rows = session.scalars(
                sa.select(Recurrence).where(Recurrence.current, Recurrence.state == RecurrenceState.ON)
            )
            return {row.domain_id: row for row in rows}

    def count(self, model: type) -> int:
        with self.database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(model))

    def change(self, row: object, **values: object) -> None:
        with self.database.write() as session:
            stored = session.get(type(row), row.id)
            for name, value in values.items():
                setattr(stored, name, value)


@pytest.fixture
def stage(app, database, log_in) -> Stage:
    app.extensions["perennial"].clock = SimulatedClock(date(2026, 11, 22), "Europe/Vienna")
    account = cast.make_account(database, "Amber Studio")
    contact = cast.make_contact(database, account)
    card = cast.make_card(database, account)
    domains = [cast.make_domain(database, account, f"{name}.com") for name in ("amber", "bronze", "copper")]
    alice = cast.make_user(database, RoleName.CLIENT, account)
    return Stage(database, account, contact, card, domains, log_in(alice))


def done_id(answer) -> int:
    assert answer.status_code == 303, unescape(answer.text)
    return int(answer.headers["Location"].rpartition("/")[2])


def test_without_a_validated_card_the_page_is_not_there_and_says_where_to_add_one(stage):
    stage.change(stage.card, status=CardStatus.REVOKED)
    for action in ("recurring-payment", "recurring-payment-all"):
        page = stage.open(action)
        assert page.status_code == 409
        assert "needs a validated card" in page.text
        assert f"/accounts/{stage.account.id}/cards/add" in page.text


def test_a_card_that_has_expired_counts_as_none(stage):
    stage.change(stage.card, exp_year=2026, exp_month=10)
    assert stage.open().status_code == 409


def test_arriving_with_ticks_shows_them_ticked_and_the_others_not(stage):
    form = stage.form(ticks=[stage.domains[0].id, stage.domains[2].id])
    assert form.getlist("tick") == [str(stage.domains[0].id), str(stage.domains[2].id)]


def test_nothing_ticked_is_fine_on_arrival_and_refused_by_confirm(stage):
    form = stage.form()
    assert form.getlist("tick") == []
    answer = stage.confirm(form)
    assert answer.status_code == 422
    assert "Tick at least one domain" in answer.text
    assert stage.count(Action) == 0


def test_all_arrives_with_every_domain_ticked(stage):
    form = stage.form("recurring-payment-all")
    assert form.getlist("tick") == [str(domain.id) for domain in stage.domains]
    assert (form["everything"], form["exceptions"]) == ("1", "")


def test_confirm_switches_on_what_is_ticked_and_charges_nothing(stage):
    form = stage.form(ticks=[stage.domains[0].id, stage.domains[1].id])
    answer = stage.confirm(form)
    done_id(answer)
    on = stage.on()
    assert set(on) == {stage.domains[0].id, stage.domains[1].id}
    assert {(row.card_id, row.contact_id, row.agreed_minor) for row in on.values()} == {
        (stage.card.id, stage.contact.id, 1200)
    }
    assert stage.count(Attempt) == 0
    page = stage.browser.get(answer.headers["Location"]).text
    assert "2 domains are now paid by card" in page
    assert "•••• 4242" in page
    assert "Undo" in page


def test_the_consent_of_a_client_is_kept_with_who_when_what_and_from_where(stage):
    done_id(stage.confirm(stage.form(ticks=[stage.domains[0].id])))
    with Session(stage.database.engine) as session:
        consent = session.scalars(sa.select(Consent)).one()
    assert consent.kind is ConsentKind.ONLINE
    assert consent.on_behalf_of == "Amber Studio"
    assert consent.remote_address == "127.0.0.1"
    assert consent.card_id == stage.card.id


def test_the_same_form_sent_twice_is_one_action_with_the_same_answer(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    first, second = done_id(stage.confirm(form)), done_id(stage.confirm(form))
    assert first == second
    assert stage.count(Action) == 1


def test_undo_restores_and_says_how_many(stage):
    action = done_id(stage.confirm(stage.form("recurring-payment-all"), "recurring-payment-all"))
    answer = stage.browser.send(f"{stage.base}/{action}/undo")
    assert answer.status_code == 200
    assert "3 domains got back what they had before" in answer.text
    assert stage.on() == {}


def test_undo_lists_what_it_leaves_because_it_changed_since(stage):
    action = done_id(stage.confirm(stage.form("recurring-payment-all"), "recurring-payment-all"))
    other = cast.make_contact(stage.database, stage.account, "Ben Book", kind=ContactKind.BILLING)
    form = stage.form(ticks=[stage.domains[1].id], contact=other.id)
    form["acknowledge"] = "holder_differs"
    done_id(stage.confirm(form))
    answer = stage.browser.send(f"{stage.base}/{action}/undo")
    assert "2 domains got back what they had before" in answer.text
    assert "1 domain was left as it is" in answer.text
    assert "bronze.com" in answer.text
    assert set(stage.on()) == {stage.domains[1].id}


def test_undo_twice_is_a_conflict_and_changes_nothing_more(stage):
    action = done_id(stage.confirm(stage.form(ticks=[stage.domains[0].id])))
    assert stage.browser.send(f"{stage.base}/{action}/undo").status_code == 200
    again = stage.browser.send(f"{stage.base}/{action}/undo")
    assert again.status_code == 409
    assert "undone already" in again.text


def test_after_a_day_there_is_nothing_to_undo(stage):
    action = done_id(stage.confirm(stage.form(ticks=[stage.domains[0].id])))
    with stage.database.write() as session:
        session.get(Action, action).undo_until = cast.NOW - timedelta(days=1)
    page = stage.browser.get(f"{stage.base}/{action}").text
    assert "The time for undoing this has passed" in page
    assert stage.browser.send(f"{stage.base}/{action}/undo").status_code == 422
    assert set(stage.on()) == {stage.domains[0].id}


def test_a_cardholder_who_differs_must_be_acknowledged_in_so_many_words(stage):
    stage.change(stage.card, holder_name="Zoe Quick")
    page = stage.open(ticks=[stage.domains[0].id])
    text = unescape(page.text)
    assert "The cardholder, Zoe Quick, differs from the contact, Anne Martin" in text
    form = fields_of(page.text, "/recurring-payment")
    refused = stage.confirm(form)
    assert refused.status_code == 422
    assert stage.on() == {}
    assert 'aria-invalid="true" aria-describedby="plan-error"' in refused.text
    form["acknowledge"] = "holder_differs"
    done_id(stage.confirm(form))
    with stage.database.read() as session:
        assert session.scalars(sa.select(Consent)).one().acknowledged == ["holder_differs"]


def test_a_cardholder_who_matches_needs_no_acknowledgement(stage):
    page = stage.open(ticks=[stage.domains[0].id]).text
    assert "matches the contact" in page
    assert 'name="acknowledge"' not in page


def test_a_processor_that_tells_no_name_is_said_and_needs_no_acknowledgement(stage):
    stage.change(stage.card, holder_name=None)
    page = unescape(stage.open(ticks=[stage.domains[0].id]).text)
    assert "doesn't tell the cardholder's name" in page
    assert 'name="acknowledge"' not in page


def test_a_card_that_expires_before_the_bill_day_is_told_for_each_domain_with_the_day(stage):
    stage.change(stage.card, exp_year=2026, exp_month=12)
    late = cast.make_domain(stage.database, stage.account, "late.com", expires_in=300)
    page = stage.open("recurring-payment-all")
    text = unescape(page.text)
    assert "The card expires before 4 domains are billed" in text
    assert "late.com: The card expires before the bill date" in text
    form = fields_of(page.text, "/recurring-payment-all")
    assert stage.confirm(form, "recurring-payment-all").status_code == 422
    assert late.id not in stage.on()
    form.setlist("acknowledge", ["expires_before_bill", "expires_before_last_retry"])
    done_id(stage.confirm(form, "recurring-payment-all"))
    assert late.id in stage.on()


def test_a_domain_that_is_leaving_is_left_out_with_the_reason(stage):
    stage.change(stage.domains[1], status=DomainStatus.LEAVING)
    page = stage.open("recurring-payment-all")
    assert "It is leaving or was cancelled" in unescape(page.text)
    form = fields_of(page.text, "/recurring-payment-all")
    assert str(stage.domains[1].id) not in form.getlist("tick")
    done_id(stage.confirm(form, "recurring-payment-all"))
    assert set(stage.on()) == {stage.domains[0].id, stage.domains[2].id}


def test_a_tld_without_a_price_is_left_out_with_the_reason(stage):
    with stage.database.write() as session:
        session.execute(sa.delete(TldPrice))
    page = unescape(stage.open("recurring-payment-all").text)
    assert "3 × There is no renewal price for its TLD" in page


def test_a_row_that_is_recurring_already_shows_what_it_changes_from(stage):
    old = cast.make_card(stage.database, stage.account, last4="1881")
    cast.make_recurrence(stage.database, stage.domains[0], stage.contact, old)
    page = stage.open(ticks=[stage.domains[0].id], card=stage.card.id).text
    assert "Change from card •••• 1881, contact Anne Martin" in page


def test_the_card_of_ticked_domains_is_changed_by_the_same_action(stage):
    done_id(stage.confirm(stage.form("recurring-payment-all"), "recurring-payment-all"))
    new = cast.make_card(stage.database, stage.account, last4="1881")
    form = stage.form(ticks=[stage.domains[0].id])
    form["card"] = str(new.id)
    fresh = fields_of(stage.quote(form).text, "/recurring-payment")
    done_id(stage.confirm(fresh))
    assert {row.card_id for row in stage.on().values()} == {stage.card.id, new.id}
    assert stage.on()[stage.domains[0].id].card_id == new.id


def test_htmx_gets_the_plan_alone_and_a_browser_without_it_the_whole_page(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    partial = stage.quote(form, **{"HX-Request": "true"}).text
    assert partial.lstrip().startswith("<form")
    assert "<html" not in partial
    assert "<html" in stage.quote(form).text
    assert stage.count(Action) == 0


def test_a_price_that_changed_since_is_said_and_nothing_is_applied(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    with stage.database.write() as session:
        session.execute(sa.update(TldPrice).values(minor=1500))
    answer = stage.confirm(form)
    assert answer.status_code == 409
    text = unescape(answer.text)
    assert "Something changed since this page was shown" in text
    assert "The price of some of the domains." in text
    assert "€15.00" in text
    assert stage.on() == {}
    done_id(stage.confirm(fields_of(answer.text, "/recurring-payment")))


def test_all_means_the_domains_that_exist_at_confirm_so_a_new_one_asks_again(stage):
    form = stage.form("recurring-payment-all")
    cast.make_domain(stage.database, stage.account, "dawn.com")
    answer = stage.confirm(form, "recurring-payment-all")
    assert answer.status_code == 409
    assert "Which domains are concerned" in answer.text
    done_id(stage.confirm(fields_of(answer.text, "/recurring-payment-all"), "recurring-payment-all"))
    assert len(stage.on()) == 4


def test_a_card_removed_between_page_and_confirm_is_refused_naming_the_field(stage):
    spare = cast.make_card(stage.database, stage.account, last4="1881")
    form = stage.form(ticks=[stage.domains[0].id], card=spare.id)
    stage.change(spare, status=CardStatus.REMOVED)
    answer = stage.confirm(form)
    assert answer.status_code in (409, 422)
    assert "card can" in unescape(answer.text).lower()
    assert 'href="#card"' in answer.text
    assert stage.on() == {}


def test_the_last_card_removed_in_an_htmx_request_leaves_the_page(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    stage.change(stage.card, status=CardStatus.REMOVED)
    answer = stage.confirm(form, **{"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].endswith("/recurring-payment")


def test_another_accounts_card_contact_and_domain_are_refused(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    card, contact = cast.make_card(stage.database, bob), cast.make_contact(stage.database, bob, "Bob Birch")
    domain = cast.make_domain(stage.database, bob, "birch.com")
    for name, row in (("card", card), ("contact", contact), ("tick", domain)):
        form = stage.form(ticks=[stage.domains[0].id])
        form[name] = str(row.id)
        if name == "tick":
            form["shown"] = str(row.id)
        answer = stage.confirm(form)
        assert answer.status_code in (404, 409, 422), (name, answer.status_code)
        assert "birch" not in answer.text.lower()
    assert stage.on() == {}


def test_a_domain_twice_counts_once(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    form.add("tick", str(stage.domains[0].id))
    done_id(stage.confirm(form))
    assert len(stage.on()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick", "one"),
        ("tick", "-1"),
        ("tick", str(10**30)),
        ("card", "0x10"),
        ("contact", "1e309"),
        ("exceptions", "1,2,;--"),
        ("page", "-3"),
        ("digest", ""),
        ("request_key", ""),
        ("only", "' OR 1=1"),
    ],
)
def test_nonsense_in_a_field_is_answered_in_words_and_changes_nothing(stage, field, value):
    form = stage.form(ticks=[stage.domains[0].id])
    form[field] = value
    if field in ("page", "only"):
        done_id(stage.confirm(form))
        return
    answer = stage.confirm(form)
    assert answer.status_code in (409, 422), answer.status_code
    assert 'id="plan-error"' in answer.text
    assert stage.on() == {}


def test_a_hundred_thousand_posted_ids_are_refused_with_the_way_out(stage):
    form = stage.form(ticks=[stage.domains[0].id])
    form["exceptions"] = ",".join(str(number) for number in range(1, 100_001))
    answer = stage.confirm(form)
    assert answer.status_code == 422
    assert "use the action for all of them instead" in answer.text
    assert stage.on() == {}


def test_ticks_survive_paging_and_only_one_page_is_rendered(stage):
    for number in range(120):
        cast.make_domain(stage.database, stage.account, f"many-{number:03d}.com")
    page = stage.open("recurring-payment-all").text
    assert page.count('name="tick"') == 50
    first = fields_of(page, "/recurring-payment-all")
    left = first.poplist("tick")
    first.setlist("tick", left[1:])
    first["go"] = "2"
    second = fields_of(stage.quote(first).text, "/recurring-payment-all")
    assert second["page"] == "2"
    assert second["exceptions"] == left[0]
    done_id(stage.confirm(second, "recurring-payment-all"))
    assert len(stage.on()) == 122
    assert int(left[0]) not in stage.on()


def test_tick_all_and_untick_all_are_buttons_of_the_same_form(stage):
    form = stage.form()
    form["choose"] = "all"
    everything = fields_of(stage.quote(form).text, "/recurring-payment")
    assert len(everything.getlist("tick")) == 3
    everything["choose"] = "none"
    assert fields_of(stage.quote(everything).text, "/recurring-payment").getlist("tick") == []


def test_the_rows_can_be_narrowed_to_what_needs_a_look(stage):
    stage.change(stage.domains[1], status=DomainStatus.LEAVING)
    form = stage.form("recurring-payment-all")
    form["only"] = "excluded"
    page = stage.quote(form).text
    assert f'id="tick-{stage.domains[1].id}"' in page
    assert f'id="tick-{stage.domains[0].id}"' not in page
    kept = fields_of(page, "/recurring-payment-all")
    done_id(stage.confirm(kept, "recurring-payment-all"))
    assert len(stage.on()) == 2


def test_staff_confirm_for_a_client_only_with_the_reference_of_its_consent(stage, log_in):
    stage.browser = log_in(cast.make_user(stage.database, RoleName.BILLING))
    form = stage.form(ticks=[stage.domains[0].id])
    answer = stage.confirm(form)
    assert answer.status_code == 422
    assert 'href="#reference"' in answer.text
    assert stage.on() == {}
    form["reference"] = "letter of 3 November"
    done_id(stage.confirm(form))
    with Session(stage.database.engine) as session:
        consent = session.scalars(sa.select(Consent)).one()
    assert (consent.kind, consent.reference) == (ConsentKind.OFFLINE, "letter of 3 November")


def test_a_card_number_as_reference_is_refused_and_not_repeated(stage, log_in):
    stage.browser = log_in(cast.make_user(stage.database, RoleName.BILLING))
    form = stage.form(ticks=[stage.domains[0].id])
    form["reference"] = "4242 4242 4242 4242"
    answer = stage.confirm(form)
    assert answer.status_code == 422
    assert "looks like a card number" in answer.text
    assert "4242 4242" not in answer.text
    assert stage.count(Consent) == 0


def test_a_client_is_never_asked_for_a_reference(stage):
    assert 'name="reference"' not in stage.open().text


def test_the_page_says_what_is_agreed_to_and_that_nothing_is_charged(stage):
    text = unescape(stage.open(ticks=[stage.domains[0].id]).text)
    assert "up to 20 % above it" in text
    assert "Confirm charges nothing today" in text
    assert "Confirm for 1 domain" in text


def test_hostile_text_in_names_is_shown_as_text(stage):
    stage.change(stage.card, holder_name="<script>alert(1)</script>", label="{{7*7}}")
    stage.change(stage.contact, name="<img src=x onerror=alert(2)>")
    text = stage.open(ticks=[stage.domains[0].id]).text
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert "{{7*7}}" in text


def test_an_action_of_another_account_answers_like_an_absent_one(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    theirs = cast.make_action(stage.database, bob)
    absent = stage.browser.get(f"{stage.base}/{theirs.id + 1000}")
    foreign = stage.browser.get(f"{stage.base}/{theirs.id}")
    assert absent.status_code == foreign.status_code == 404
    assert stage.browser.send(f"{stage.base}/{theirs.id}/undo").status_code == 404


def test_undo_is_recorded_as_an_action_of_its_own(stage):
    action = done_id(stage.confirm(stage.form(ticks=[stage.domains[0].id])))
    stage.browser.send(f"{stage.base}/{action}/undo")
    with stage.database.read() as session:
        kinds = session.scalars(sa.select(Action.kind).order_by(Action.id)).all()
    assert kinds == [ActionKind.RECURRING_PAYMENT, ActionKind.UNDO]
    page = stage.browser.get(f"{stage.base}/{action}").text
    assert "This was undone" in page


def test_staff_who_may_only_read_see_the_plan_and_may_not_confirm(stage, log_in):
    stage.browser = log_in(cast.make_user(stage.database, RoleName.READ_ONLY))
    page = stage.open(ticks=[stage.domains[0].id])
    assert page.status_code == 200
    assert 'id="confirm"' not in page.text
    form = fields_of(page.text, "/recurring-payment")
    assert stage.confirm(form).status_code == 403
    assert stage.on() == {}
