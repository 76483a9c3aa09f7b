"""Renew and Renew All: proformas for early renewal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from panel.clock import SimulatedClock
from panel.database import Database
from panel.records import (
    Attempt,
    ContactKind,
    DomainStatus,
    Proforma,
    ProformaLine,
    RoleName,
    Term,
    Tld,
    TldPrice,
)
from tests import cast
from tests.panel.form_reading import fields_of


@dataclass
class Stage:
    """Alice's account with two domains that expire in January 2027."""

    database: Database
    account: Any
    contact: Any
    domains: list[Any]
    browser: Any

    @property
    def base(self) -> str:
        return f"/accounts/{self.account.id}/actions"

    def open(self, action: str = "renew-all", ticks: tuple[int, ...] = ()) -> Any:
        return self.browser.get(f"{self.base}/{action}", query_string={"tick": list(ticks)})

    def form(self, action: str = "renew-all", ticks: tuple[int, ...] = ()) -> MultiDict[str, str]:
        return fields_of(self.open(action, ticks).text, f"/{action}")

    def confirm(self, form: MultiDict[str, str], action: str = "renew-all", **headers: str) -> Any:
        return self.browser.post(f"{self.base}/{action}", data=form, headers=headers)

    def quote(self, form: MultiDict[str, str], **headers: str) -> Any:
        return self.browser.post(f"{self.base}/renew/quote", data=form, headers=headers)

    def rows(self, model: type) -> list[Any]:
        with Session(self.database.engine) as session:
            return list(session.scalars(sa.select(model)))

    def change(self, row: Any, **values: Any) -> None:
        with self.database.write() as session:
            for name, value in values.items():
                setattr(session.get(type(row), row.id), name, value)


@pytest.fixture
def stage(app, database, log_in) -> Stage:
    app.extensions["perennial"].clock = SimulatedClock(date(2026, 11, 22), "Europe/Vienna")
    account = cast.make_account(database, "Amber Studio")
    contact = cast.make_contact(database, account)
    domains = [cast.make_domain(database, account, f"{name}.com") for name in ("amber", "bronze")]
    alice = cast.make_user(database, RoleName.CLIENT, account)
    return Stage(database, account, contact, domains, log_in(alice))


def test_the_page_shows_years_price_and_new_expiry_and_needs_no_card(stage):
    page = stage.open("renew", (stage.domains[0].id,))
    assert page.status_code == 200
    assert f'name="years-{stage.domains[0].id}"' in page.text
    assert "€12.00" in page.text
    assert "21 Jan 2028" in page.text
    form = fields_of(page.text, "/renew")
    assert form.getlist("tick") == [str(stage.domains[0].id)]


def test_confirm_makes_one_proforma_and_goes_to_it(stage):
    answer = stage.confirm(stage.form())
    assert answer.status_code == 303
    [proforma] = stage.rows(Proforma)
    assert answer.headers["Location"].endswith(f"/proformas/{proforma.id}")
    assert (proforma.net_minor, proforma.total_minor, proforma.contact_id) == (2400, 2880, stage.contact.id)
    assert len(stage.rows(Term)) == 2
    assert stage.rows(Attempt) == []
    assert proforma.number in stage.browser.get(answer.headers["Location"]).text


def test_one_proforma_for_each_contact_and_then_to_the_list(stage):
    other = cast.make_contact(stage.database, stage.account, "Ben Book", kind=ContactKind.BILLING)
    card = cast.make_card(stage.database, stage.account)
    cast.make_recurrence(stage.database, stage.domains[0], other, card)
    page = stage.open()
    assert "Ben Book" in page.text
    answer = stage.confirm(fields_of(page.text, "/renew-all"))
    assert answer.headers["Location"].endswith(f"/accounts/{stage.account.id}/proformas")
    assert {row.contact_id for row in stage.rows(Proforma)} == {stage.contact.id, other.id}
    text = stage.browser.get(answer.headers["Location"]).text
    assert all(row.number in text for row in stage.rows(Proforma))


def test_another_contact_can_be_chosen_for_domains_without_recurring_payment(stage):
    other = cast.make_contact(stage.database, stage.account, "Ben Book", kind=ContactKind.BILLING)
    form = stage.form()
    form["contact"] = str(other.id)
    fresh = fields_of(stage.quote(form).text, "/renew-all")
    assert stage.confirm(fresh).status_code == 303
    assert {row.contact_id for row in stage.rows(Proforma)} == {other.id}


def test_years_are_chosen_row_by_row_and_survive_the_quote(stage):
    form = stage.form()
    form[f"years-{stage.domains[1].id}"] = "3"
    partial = stage.quote(form, **{"HX-Request": "true"}).text
    assert partial.lstrip().startswith("<form")
    assert "€36.00" in partial
    assert stage.confirm(fields_of(partial, "/renew-all")).status_code == 303
    assert sorted(line.years for line in stage.rows(ProformaLine)) == [1, 3]


def test_years_chosen_on_one_page_are_kept_while_turning_to_another(stage):
    for number in range(60):
        cast.make_domain(stage.database, stage.account, f"many-{number:02d}.com")
    form = stage.form()
    form[f"years-{stage.domains[0].id}"] = "2"
    form["go"] = "2"
    second = fields_of(stage.quote(form).text, "/renew-all")
    assert f"years-{stage.domains[0].id}" not in second
    assert stage.confirm(second).status_code == 303
    years = {line.domain_id: line.years for line in stage.rows(ProformaLine)}
    assert years[stage.domains[0].id] == 2
    assert len(years) == 62


@pytest.mark.parametrize("years", ["0", "-1", "11", "99", "1e309", "NaN", "1.5", "one"])
def test_years_that_are_not_offered_renew_nothing(stage, years):
    form = stage.form("renew", (stage.domains[0].id,))
    form[f"years-{stage.domains[0].id}"] = years
    answer = stage.confirm(form, "renew")
    assert answer.status_code in (409, 422)
    assert 'id="plan-error"' in answer.text
    assert stage.rows(Proforma) == []


def test_a_registry_that_does_not_renew_yet_is_said_with_the_day_and_left_out(stage):
    with stage.database.write() as session:
        session.get(Tld, "com").renewal_window_days = 30
    page = unescape(stage.open().text)
    assert "Its registry renews it from 22 Dec 2026 on" in page
    assert "2 × Its registry doesn't renew it yet." in page
    answer = stage.confirm(stage.form())
    assert answer.status_code == 422
    assert "can be renewed now" in unescape(answer.text)
    assert stage.rows(Proforma) == []


def test_what_is_leaving_has_no_price_or_is_on_a_proforma_already_is_left_out(stage):
    stage.change(stage.domains[0], status=DomainStatus.LEAVING)
    cast.make_proforma(stage.database, stage.account, stage.contact, [stage.domains[1]])
    page = unescape(stage.open().text)
    assert "It is leaving or was cancelled" in page
    assert "is on proforma PF-" in page
    with stage.database.write() as session:
        session.execute(sa.delete(TldPrice))
    cast.make_domain(stage.database, stage.account, "copper.com")
    assert "There is no renewal price for its TLD" in unescape(stage.open().text)


def test_nothing_ticked_is_refused_by_confirm_alone(stage):
    form = stage.form("renew")
    answer = stage.confirm(form, "renew")
    assert answer.status_code == 422
    assert "Tick at least one domain" in answer.text


def test_the_same_form_twice_makes_the_same_proforma(stage):
    form = stage.form()
    first, second = stage.confirm(form), stage.confirm(form)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(stage.rows(Proforma)) == 1


def test_a_price_that_changed_since_is_a_conflict_that_shows_the_new_one(stage):
    form = stage.form()
    with stage.database.write() as session:
        session.execute(sa.update(TldPrice).values(minor=1500))
    answer = stage.confirm(form)
    assert answer.status_code == 409
    assert "Something changed since this page was shown" in answer.text
    assert "€15.00" in answer.text
    assert stage.rows(Proforma) == []


def test_another_accounts_domain_or_contact_makes_nothing(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    domain, contact = (
        cast.make_domain(stage.database, bob, "birch.com"),
        cast.make_contact(stage.database, bob),
    )
    form = stage.form()
    form["contact"] = str(contact.id)
    assert stage.confirm(form).status_code in (409, 422)
    form = stage.form("renew")
    form["tick"] = form["shown"] = str(domain.id)
    answer = stage.confirm(form, "renew")
    assert answer.status_code == 422
    assert "birch" not in answer.text.lower()
    assert stage.rows(Proforma) == []


def test_with_htmx_confirm_moves_the_whole_page(stage):
    answer = stage.confirm(stage.form(), **{"HX-Request": "true"})
    [proforma] = stage.rows(Proforma)
    assert answer.headers["HX-Redirect"].endswith(f"/proformas/{proforma.id}")


def test_staff_who_may_only_read_make_no_proformas(stage, log_in):
    stage.browser = log_in(cast.make_user(stage.database, RoleName.READ_ONLY))
    page = stage.open()
    assert 'id="confirm"' not in page.text
    assert stage.confirm(fields_of(page.text, "/renew-all")).status_code == 403
    assert stage.rows(Proforma) == []
