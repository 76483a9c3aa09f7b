"""Cards: added on the processor's own page over real HTTP, named, preferred, asked about, moved off, removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.mock.process import RunningProcessor, running_processor
from panel.clock import SimulatedClock
from panel.database import Database
from panel.records import (
    Account,
    Action,
    ActionKind,
    Card,
    CardRegistration,
    CardStatus,
    Consent,
    GatewayAccount,
    PaymentMethod,
    Recurrence,
    RegistrationState,
    RoleName,
)
from tests import cast
from tests.panel.form_reading import fields_of

CHALLENGED, REFUSED, NAMELESS = "4000000000001000", "4000000000002008", "4000000000003006"


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcessor]:
    with running_processor(tmp_path_factory.mktemp("processor")) as running:
        yield running


@dataclass
class Stage:
    """Alice's account, without cards, and a gateway account at a processor that answers."""

    database: Database
    account: Account
    contact: Any
    gateway_account: GatewayAccount
    browser: Any

    def url(self, *rest: object) -> str:
        return "/".join([f"/accounts/{self.account.id}/cards", *map(str, rest)])

    def get(self, *rest: object, **headers: str) -> Any:
        return self.browser.get(self.url(*rest), headers=headers)

    def post(self, *rest: object, **fields: str) -> Any:
        return self.browser.send(self.url(*rest), fields)

    def rows(self, model: type) -> list[Any]:
        with Session(self.database.engine) as session:
            return list(session.scalars(sa.select(model).order_by(model.id)))

    def change(self, row: Any, **values: Any) -> None:
        with self.database.write() as session:
            for name, value in values.items():
                setattr(session.get(type(row), row.id), name, value)

    def start(self, label: str = "") -> str:
        """Alice asks to add a card; the address of the processor's page that she is sent to."""
        form = fields_of(self.get("add").text, "/cards/add")
        form["label"] = label
        answer = self.browser.post(self.url("add"), data=form)
        assert answer.status_code == 303, unescape(answer.text)
        return answer.headers["Location"]

    def come_back(self, hosted: str, number: str = "4242424242424242", action: str = "save") -> str:
        """She types a card there, passes the challenge if there is one, and is sent back to this path."""
        typed = {"number": number, "expiry": "12/30", "name": "Anne Martin", "cvc": "123", "action": action}
        answer = requests.post(hosted, data=typed, allow_redirects=False, timeout=10)
        while "/hosted/" in answer.headers.get("Location", ""):
            challenge = requests.compat.urljoin(hosted, answer.headers["Location"])
            answer = requests.post(challenge, data={"action": "complete"}, allow_redirects=False, timeout=10)
        assert "Location" in answer.headers, answer.text
        return urlsplit(answer.headers["Location"]).path

    def hang(self, card: Card, count: int = 1) -> list[Any]:
        """Domains whose recurring payment is by this card."""
        domains = [cast.make_domain(self.database, self.account) for _ in range(count)]
        for domain in domains:
            cast.make_recurrence(self.database, domain, self.contact, card)
        return domains

    def card(self, **changes: Any) -> Card:
        return cast.make_card(self.database, self.account, self.gateway_account, **changes)


@pytest.fixture
def stage(app, database, log_in, processor) -> Stage:
    processor.clear_faults()
    app.extensions["perennial"].clock = SimulatedClock(date(2026, 11, 22), "Europe/Vienna")
    account = cast.make_account(database, "Amber Studio")
    contact = cast.make_contact(database, account)
    gateway_account = cast.make_gateway_account(database, processor.url)
    alice = cast.make_user(database, RoleName.CLIENT, account)
    return Stage(database, account, contact, gateway_account, log_in(alice))


# Adding


def test_without_cards_the_page_says_what_one_is_for_and_that_it_costs_nothing(stage):
    page = stage.get().text
    assert "No cards yet" in page
    assert "Adding one costs nothing" in page
    assert stage.url("add") in page


def test_a_card_is_added_on_the_processors_page_and_validated_by_its_word(stage, processor):
    hosted = stage.start("Office card")
    assert hosted.startswith(processor.url)
    assert stage.rows(Card) == []
    back = stage.browser.get(stage.come_back(hosted))
    assert back.status_code == 303
    [card] = stage.rows(Card)
    assert (card.label, card.last4, card.status, card.holder_name) == (
        "Office card",
        "4242",
        CardStatus.VALIDATED,
        "Anne Martin",
    )
    page = stage.browser.get(back.headers["Location"]).text
    assert "The card was validated by its processor" in page
    assert "•••• 4242" in page
    assert "12/2030" in page
    assert "4242 4242" not in page


def test_a_card_with_a_3d_secure_challenge_is_added_as_well(stage):
    stage.browser.get(stage.come_back(stage.start(), CHALLENGED))
    assert [card.last4 for card in stage.rows(Card)] == ["1000"]


def test_a_card_whose_processor_tells_no_name_says_so(stage):
    stage.browser.get(stage.come_back(stage.start(), NAMELESS))
    assert "not told" in stage.get().text


def test_coming_back_proves_nothing_while_the_processor_has_not_decided(stage):
    stage.start()
    [registration] = stage.rows(CardRegistration)
    page = stage.browser.get(stage.url("added", registration.id) + "?status=success")
    assert page.status_code == 200
    assert "hasn't decided yet" in unescape(page.text)
    assert 'hx-trigger="every 2s"' in page.text
    assert stage.rows(Card) == []


def test_the_polling_fragment_moves_the_whole_page_once_the_card_is_validated(stage):
    hosted = stage.start()
    [registration] = stage.rows(CardRegistration)
    fragment = stage.get("added", registration.id, **{"HX-Request": "true"})
    assert fragment.text.lstrip().startswith("<section")
    stage.come_back(hosted)
    moved = stage.get("added", registration.id, **{"HX-Request": "true"})
    assert moved.headers["HX-Redirect"].endswith("/cards")


def test_cancelled_there_means_no_card_and_a_way_to_try_again(stage):
    page = stage.browser.get(stage.come_back(stage.start(), action="cancel"))
    assert "was cancelled" in page.text
    assert "nothing was charged" in page.text
    assert "hx-trigger" not in page.text
    assert stage.url("add") in page.text
    assert stage.rows(Card) == []


def test_coming_back_twice_keeps_one_card(stage):
    back = stage.come_back(stage.start())
    assert [stage.browser.get(back).status_code for _ in range(2)] == [303, 303]
    assert len(stage.rows(Card)) == 1


def test_an_unreachable_processor_is_said_in_words_and_leaves_no_card(stage):
    stage.change(
        stage.gateway_account, settings={"base_url": "http://127.0.0.1:9", "api_key": "mock_key_demo"}
    )
    form = fields_of(stage.get("add").text, "/cards/add")
    answer = stage.browser.post(stage.url("add"), data=form)
    assert answer.status_code == 422
    assert "can't be reached" in unescape(answer.text)
    assert stage.rows(Card) == []


def test_a_processor_that_fails_while_we_ask_is_said_and_asked_again(stage, processor):
    back = stage.come_back(stage.start())
    processor.fault("500_before", times=4, match={"method": "GET"})
    page = stage.browser.get(back)
    assert page.status_code == 200
    assert "can't be reached" in unescape(page.text)
    processor.clear_faults()
    assert stage.browser.get(back).status_code == 303
    assert len(stage.rows(Card)) == 1


def test_a_card_number_as_its_name_is_refused_not_stored_and_not_repeated(stage):
    answer = stage.browser.send(
        stage.url("add"), {"label": "4242 4242 4242 4242", "gateway_account": str(stage.gateway_account.id)}
    )
    assert answer.status_code == 422
    assert "looks like a card number" in answer.text
    assert "4242 4242" not in answer.text
    assert stage.rows(CardRegistration) == []


def test_with_several_gateways_one_is_chosen_and_a_foreign_one_is_refused(stage, processor):
    other = cast.make_gateway_account(stage.database, processor.url, label="Second")
    off = cast.make_gateway_account(stage.database, processor.url, label="Off", enabled=False)
    page = stage.get("add").text
    assert f'<option value="{other.id}">Second</option>' in page
    assert ">Off<" not in page
    for wrong in (str(off.id), "99999", "one"):
        assert stage.post("add", label="", gateway_account=wrong).status_code == 422
    assert stage.rows(CardRegistration) == []


def test_staff_are_told_that_only_the_cardholder_passes_the_check(stage, log_in):
    stage.browser = log_in(cast.make_user(stage.database, RoleName.BILLING))
    assert "Only the cardholder can pass" in stage.get("add").text


def test_another_accounts_registration_answers_like_an_absent_one(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    theirs = cast.make_registration(stage.database, bob, stage.gateway_account)
    assert stage.get("added", theirs.id).status_code == 404
    assert stage.get("added", theirs.id + 1000).status_code == 404


# One card


def test_the_list_counts_the_domains_that_hang_on_each_card(stage):
    stage.hang(stage.card(last4="1111"), 3)
    page = stage.get().text
    assert '<td data-label="Domains it pays">3</td>' in page


def test_an_expired_card_is_shown_as_expired(stage):
    stage.card(exp_year=2026, exp_month=10)
    assert ">expired<" in stage.get().text


def test_a_card_is_renamed(stage):
    card = stage.card()
    assert stage.post(card.id, "rename", label="  Travel   card ").status_code == 303
    assert stage.rows(Card)[0].label == "Travel card"
    assert stage.post(card.id, "rename", label="x" * 101).status_code == 422
    assert stage.post(card.id, "rename", label="4242424242424242").status_code == 422
    assert stage.rows(Card)[0].label == "Travel card"


def test_the_default_card_is_one_at_a_time(stage):
    first, second = stage.card(is_default=True), stage.card()
    assert stage.post(second.id, "default").status_code == 303
    assert [card.is_default for card in stage.rows(Card)] == [False, True]
    stage.change(first, status=CardStatus.REVOKED)
    assert stage.post(first.id, "default").status_code == 422


def test_validate_again_asks_the_processor(stage):
    stage.browser.get(stage.come_back(stage.start()))
    [card] = stage.rows(Card)
    stage.change(card, status=CardStatus.EXPIRED)
    answer = stage.post(card.id, "validate")
    assert answer.status_code == 303
    assert "The processor says that the card is valid" in stage.browser.get(answer.headers["Location"]).text
    assert stage.rows(Card)[0].status is CardStatus.VALIDATED


def test_validate_again_believes_a_processor_that_knows_nothing_of_the_card(stage):
    card = stage.card(instrument_ref="pm_nobody_knows")
    stage.post(card.id, "validate")
    assert stage.rows(Card)[0].status is not CardStatus.VALIDATED
    assert stage.get(card.id).status_code == 200


# Removing and moving


def test_removing_first_shows_which_domains_lose_their_payment_and_when(stage):
    card, other = stage.card(last4="1111"), stage.card(last4="2222")
    domains = stage.hang(card, 2)
    cast.make_proforma(
        stage.database,
        stage.account,
        stage.contact,
        [cast.make_domain(stage.database, stage.account)],
        method=PaymentMethod.CARD,
        card_id=card.id,
    )
    page = stage.get(card.id, "remove").text
    assert "2 domains lose their payment" in page
    assert all(domain.shown in page for domain in domains)
    assert "billed on" in page
    assert "PF-" in page
    assert stage.url(card.id, "move") in page
    assert stage.rows(Card)[0].status is CardStatus.VALIDATED
    stage.change(other, status=CardStatus.REVOKED)
    assert "Add another card first" in stage.get(card.id, "remove").text


def test_a_card_without_domains_loses_nothing(stage):
    assert "none loses its payment" in stage.get(stage.card().id, "remove").text


def test_a_removed_card_is_not_charged_any_more_and_the_removal_can_be_undone(stage):
    card = stage.card()
    answer = stage.post(card.id, "remove")
    assert answer.status_code == 303
    page = stage.browser.get(answer.headers["Location"]).text
    assert "This card was removed on" in page
    assert "Undo" in page
    assert "Removed cards" in stage.get().text
    assert stage.rows(Card)[0].status is CardStatus.REMOVED
    assert stage.post(card.id, "undo-remove").status_code == 303
    assert stage.rows(Card)[0].status is CardStatus.VALIDATED


def test_after_a_day_a_removal_stays(stage):
    card = stage.card()
    stage.post(card.id, "remove")
    stage.change(card, removed_at=cast.NOW - timedelta(days=2))
    assert "Undo" not in stage.get(card.id).text
    assert stage.post(card.id, "undo-remove").status_code == 422
    assert stage.rows(Card)[0].status is CardStatus.REMOVED


def test_removing_twice_is_a_conflict(stage):
    card = stage.card()
    stage.post(card.id, "remove")
    assert stage.post(card.id, "remove").status_code == 409


def test_domains_are_moved_to_another_card_with_consent_and_undo(stage):
    card, other = stage.card(last4="1111"), stage.card(last4="2222")
    domains = stage.hang(card, 3)
    page = stage.get(card.id, "move").text
    assert "3 domains move from" in page
    form = fields_of(page, "/move")
    assert form["to_card"] == str(other.id)
    answer = stage.browser.post(stage.url(card.id, "move"), data=form)
    assert answer.status_code == 303
    assert (
        stage.browser.post(stage.url(card.id, "move"), data=form).headers["Location"]
        == answer.headers["Location"]
    )
    current = [row for row in stage.rows(Recurrence) if row.current]
    assert {row.card_id for row in current} == {other.id}
    assert {row.domain_id for row in current} == {domain.id for domain in domains}
    action = stage.rows(Action)[-1]
    assert (action.kind, action.domains_changed) == (ActionKind.MOVE_CARD, 3)
    assert stage.rows(Consent)[-1].card_id == other.id
    done = stage.browser.get(answer.headers["Location"]).text
    assert "Domains were moved to another card" in done
    stage.browser.send(f"{answer.headers['Location']}/undo")
    assert {row.card_id for row in stage.rows(Recurrence) if row.current} == {card.id}


def test_staff_move_domains_only_with_the_reference_of_the_clients_consent(stage, log_in):
    card, _other = stage.card(), stage.card()
    stage.hang(card)
    stage.browser = log_in(cast.make_user(stage.database, RoleName.BILLING))
    form = fields_of(stage.get(card.id, "move").text, "/move")
    answer = stage.browser.post(stage.url(card.id, "move"), data=form)
    assert answer.status_code == 422
    assert 'aria-describedby="reference-hint move-error"' in answer.text
    form["reference"] = "ticket 77"
    assert stage.browser.post(stage.url(card.id, "move"), data=form).status_code == 303
    assert stage.rows(Consent)[-1].reference == "ticket 77"


@pytest.mark.parametrize("target", ["", "one", "999999"])
def test_a_card_to_move_to_must_be_one_of_the_account(stage, target):
    card = stage.card()
    stage.card()
    stage.hang(card)
    form = fields_of(stage.get(card.id, "move").text, "/move")
    form["to_card"] = target
    assert stage.browser.post(stage.url(card.id, "move"), data=form).status_code in (404, 422)
    assert {row.card_id for row in stage.rows(Recurrence) if row.current} == {card.id}


def test_domains_are_not_moved_to_another_accounts_card(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    theirs = cast.make_card(stage.database, bob, stage.gateway_account)
    card = stage.card()
    stage.card()
    stage.hang(card)
    form = fields_of(stage.get(card.id, "move").text, "/move")
    form["to_card"] = str(theirs.id)
    assert stage.browser.post(stage.url(card.id, "move"), data=form).status_code in (404, 422)
    assert {row.card_id for row in stage.rows(Recurrence) if row.current} == {card.id}


def test_another_accounts_card_answers_like_an_absent_one_everywhere(stage):
    bob = cast.make_account(stage.database, "Birch Works")
    theirs = cast.make_card(stage.database, bob, stage.gateway_account, label="Bob's")
    for card_id in (theirs.id, theirs.id + 1000):
        assert stage.get(card_id).status_code == 404
        assert stage.get(card_id, "remove").status_code == 404
        assert stage.get(card_id, "move").status_code == 404
        for verb in ("rename", "default", "validate", "remove", "undo-remove", "move"):
            assert (
                stage.post(card_id, verb, label="mine", to_card="1", request_key="x" * 32).status_code == 404
            )
    [stored] = stage.rows(Card)
    assert (stored.label, stored.status) == ("Bob's", CardStatus.VALIDATED)


def test_staff_who_may_only_read_are_offered_nothing_that_changes(stage, log_in):
    card = stage.card()
    stage.browser = log_in(cast.make_user(stage.database, RoleName.READ_ONLY))
    page = stage.get(card.id).text
    assert "Remove this card" not in page
    assert "Validate again" not in page
    assert stage.post(card.id, "remove").status_code == 403


def test_hostile_text_in_a_cards_name_is_shown_as_text(stage):
    stage.card(label="<script>alert(1)</script>", holder_name='"><img src=x>')
    page = stage.get().text
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_a_refused_card_adds_none(stage):
    hosted = stage.start()
    typed = {"number": REFUSED, "expiry": "12/30", "name": "Anne Martin", "cvc": "123", "action": "save"}
    requests.post(hosted, data=typed, allow_redirects=False, timeout=10)
    [registration] = stage.rows(CardRegistration)
    stage.get("added", registration.id)
    assert stage.rows(Card) == []
    assert stage.rows(CardRegistration)[0].state is not RegistrationState.VALIDATED
