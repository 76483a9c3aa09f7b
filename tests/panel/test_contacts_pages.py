"""Contacts: list, add, change with its version, remove."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import Contact, ContactKind, RoleName
from tests import cast
from tests.panel.form_reading import fields_of

BEN = {
    "name": "Ben Book",
    "company": "Book & Sons",
    "email": "ben@book.example",
    "phone": "+43 1 234 56",
    "street": "3 Page Road",
    "postcode": "1010",
    "city": "Vienna",
    "country": "AT",
    "vat_id": "",
}


@pytest.fixture
def account(database):
    return cast.make_account(database, "Amber Studio")


@pytest.fixture
def main(database, account):
    return cast.make_contact(database, account)


@pytest.fixture
def alice(database, account, main, log_in):
    return log_in(cast.make_user(database, RoleName.CLIENT, account))


def contacts_of(database, account) -> list[Any]:
    with Session(database.engine) as session:
        return list(
            session.scalars(sa.select(Contact).where(Contact.account_id == account.id).order_by(Contact.id))
        )


def url(account, *rest: object) -> str:
    return "/".join(["/accounts", str(account.id), "contacts", *map(str, rest)])


def send(browser, account, values: dict[str, str], *rest: object):
    form = fields_of(browser.get(url(account, *rest)).text, url(account, *rest))
    form.update(values)
    for name, value in values.items():
        form[name] = value
    return browser.post(url(account, *rest), data=form)


def test_the_list_shows_the_main_contact_first_and_says_which_it_is(alice, database, account):
    cast.make_contact(database, account, "Aaron Early", kind=ContactKind.BILLING)
    page = alice.get(url(account)).text
    assert page.index("Anne Martin") < page.index("Aaron Early")
    assert "main contact" in page
    assert "Austria" in page


def test_an_account_without_contacts_says_what_one_is_for(database, log_in):
    empty = cast.make_account(database)
    page = log_in(cast.make_user(database, RoleName.CLIENT, empty)).get(url(empty)).text
    assert "No contacts yet" in page


def test_a_billing_sub_contact_is_added(alice, database, account):
    answer = send(alice, account, BEN, "add")
    assert answer.status_code == 303
    added = contacts_of(database, account)[-1]
    assert (added.name, added.kind, added.country, added.vat_id) == (
        "Ben Book",
        ContactKind.BILLING,
        "AT",
        None,
    )
    assert "Book &amp; Sons (Ben Book) was added" in alice.get(answer.headers["Location"]).text


def test_missing_fields_are_named_all_at_once_and_what_was_typed_stays(alice, database, account):
    answer = send(alice, account, BEN | {"name": "", "city": "  ", "country": ""}, "add")
    assert answer.status_code == 422
    assert 'href="#name"' in answer.text
    assert 'href="#country"' in answer.text
    assert 'value="3 Page Road"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert len(contacts_of(database, account)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ben"),
        ("email", "ben@book.example\r\nBcc: all@example.com"),
        ("country", "ZZ"),
        ("country", "<script>"),
        ("vat_id", "ATU1"),
        ("phone", "call me"),
        ("name", "x" * 300),
        ("street", "\u202egnirts"),
        ("company", "4242 4242 4242 4242"),
    ],
)
def test_what_cannot_stand_is_refused_at_its_field(alice, database, account, field, value):
    answer = send(alice, account, BEN | {field: value}, "add")
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "4242 4242" not in answer.text
    assert len(contacts_of(database, account)) == 1


def test_extra_fields_in_the_form_change_nothing_else(alice, database, account, main):
    other = cast.make_account(database)
    send(alice, account, BEN | {"account_id": str(other.id), "kind": "main", "id": str(main.id)}, "add")
    added = contacts_of(database, account)[-1]
    assert (added.account_id, added.kind) == (account.id, ContactKind.BILLING)


def test_a_contact_is_changed_and_its_version_counts_on(alice, database, account, main):
    answer = send(alice, account, {"street": "4 New Street"}, main.id)
    assert answer.status_code == 303
    stored = contacts_of(database, account)[0]
    assert (stored.street, stored.version) == ("4 New Street", 2)


def test_the_second_of_two_editors_gets_what_differs_and_loses_nothing(alice, database, account, main):
    form = fields_of(alice.get(url(account, main.id)).text, url(account, main.id))
    send(alice, account, {"city": "Linz"}, main.id)
    form["street"] = "5 Late Lane"
    answer = alice.post(url(account, main.id), data=form)
    assert answer.status_code == 409
    text = unescape(answer.text)
    assert "Somebody else saved this contact" in text
    assert "City: Linz" in text
    assert 'value="5 Late Lane"' in text
    assert contacts_of(database, account)[0].street == "2 Mill Lane"
    again = fields_of(answer.text, url(account, main.id))
    again["city"] = "Linz"
    assert alice.post(url(account, main.id), data=again).status_code == 303
    stored = contacts_of(database, account)[0]
    assert (stored.street, stored.city) == ("5 Late Lane", "Linz")


@pytest.mark.parametrize("version", ["", "one", "-1", "9" * 30])
def test_a_damaged_version_never_overwrites(alice, database, account, main, version):
    answer = send(alice, account, {"street": "6 Forced Road", "version": version}, main.id)
    assert answer.status_code == 409
    assert contacts_of(database, account)[0].street == "2 Mill Lane"


def test_a_sub_contact_is_removed(alice, database, account):
    ben = cast.make_contact(database, account, "Ben Book", kind=ContactKind.BILLING)
    answer = alice.send(url(account, ben.id, "remove"))
    assert answer.status_code == 303
    assert contacts_of(database, account)[-1].removed_at is not None
    assert "Ben Book was removed" in alice.get(answer.headers["Location"]).text
    assert "was removed on" in alice.get(url(account, ben.id)).text


def test_a_contact_that_domains_need_stays_and_says_why(alice, database, account):
    ben = cast.make_contact(database, account, "Ben Book", kind=ContactKind.BILLING)
    cast.make_recurrence(
        database, cast.make_domain(database, account), ben, cast.make_card(database, account)
    )
    answer = alice.send(url(account, ben.id, "remove"))
    assert answer.status_code == 422
    assert "domains with recurring payment: 1" in answer.text
    assert contacts_of(database, account)[-1].removed_at is None


def test_the_main_contact_cannot_be_removed(alice, database, account, main):
    assert alice.send(url(account, main.id, "remove")).status_code == 422
    assert contacts_of(database, account)[0].removed_at is None
    assert "/remove" not in alice.get(url(account, main.id)).text


def test_another_accounts_contact_answers_like_an_absent_one(alice, database, account):
    bob = cast.make_account(database, "Birch Works")
    theirs = cast.make_contact(database, bob, "Bob Birch")
    for rest in ((theirs.id,), (theirs.id + 1000,)):
        assert alice.get(url(account, *rest)).status_code == 404
        assert alice.send(url(account, *rest), BEN).status_code == 404
        assert alice.send(url(account, *rest, "remove")).status_code == 404
    assert contacts_of(database, bob)[0].name == "Bob Birch"


def test_staff_who_may_only_read_see_facts_and_no_form(database, account, main, log_in):
    rosa = log_in(cast.make_user(database, RoleName.READ_ONLY))
    page = rosa.get(url(account, main.id)).text
    assert "2 Mill Lane" in page
    assert 'name="street"' not in page
    assert rosa.send(url(account, main.id), BEN).status_code == 403


def test_countries_are_named_in_the_readers_language(alice, database, account):
    alice.send("/language", {"locale": "fr"})
    assert ">Autriche<" in alice.get(url(account, "add")).text
