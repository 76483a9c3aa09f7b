"""The hosted card page: what a customer types, what the gateway is then told, what the processor keeps."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import requests

from gateways.contract import (
    CardStatus,
    ChargeRequest,
    DeclineKind,
    Money,
    NextStepKind,
    RegistrationRequest,
    RegistrationStatus,
    Rejected,
    Status,
)
from gateways.mock.cards import BEHAVIOURS, TEST_CARDS, behaviour_in

BACK = "https://panel.example/cards/return"
CHALLENGE = "4000 0000 0000 1000"


@pytest.fixture
def start(gateway, call_context):
    def start(key=None, customer=None):
        key = key or f"reg_{datetime.now(UTC).timestamp()}"
        request = RegistrationRequest(
            key=key,
            customer_ref=customer,
            return_url=BACK,
            description="Card for Ioana <b>",
            customer_name="Ioana P",
        )
        return gateway.start_registration(call_context(), request)

    return start


def submit(url, number="4242 4242 4242 4242", expiry="12/39", name="Ioana Popescu", action="save"):
    typed = {"number": number, "expiry": expiry, "name": name, "cvc": "123", "action": action}
    return requests.post(url, data=typed, allow_redirects=False, timeout=10)


def registered(gateway, call_context, start, number="4242424242424242", **typed):
    step = start()
    assert submit(step.url, number, **typed).headers["Location"] == BACK
    return gateway.get_registration(call_context(), step.ref)


def luhn_valid(number):
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def test_every_test_number_is_well_formed_and_behaves():
    assert all(luhn_valid(card.number) for card in TEST_CARDS)
    assert {card.behaviour for card in TEST_CARDS} <= set(BEHAVIOURS)
    assert all(behaviour_in(f"pm_test_{name}_7") == name for name in BEHAVIOURS)


def test_the_page_shows_the_numbers_and_escapes_what_the_merchant_wrote(start):
    step = start()
    assert step.kind is NextStepKind.REDIRECT
    page = requests.get(step.url, timeout=10)
    assert "4242 4242 4242 4242" in page.text
    assert "Ioana &lt;b&gt;" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for field in ("name", "number", "expiry", "cvc"):
        assert f'<label for="{field}">' in page.text


def test_a_card_is_validated_when_the_processor_says_so(gateway, call_context, start):
    step = start()
    assert gateway.get_registration(call_context(), step.ref).status is RegistrationStatus.PENDING
    assert submit(step.url).headers["Location"] == BACK
    result = gateway.get_registration(call_context(), step.ref)
    assert result.status is RegistrationStatus.VALIDATED
    card = result.instrument
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("visa", "4242", 12, 2039)
    assert (card.holder_name, card.status) == ("Ioana Popescu", CardStatus.VALIDATED)
    assert card.customer_ref == result.customer_ref
    assert gateway.get_instrument(call_context(), card.ref) == card


def test_the_same_card_has_the_same_fingerprint_and_its_number_is_nowhere(
    gateway, call_context, start, shared_processor
):
    one = registered(gateway, call_context, start).instrument
    two = registered(gateway, call_context, start).instrument
    other = registered(gateway, call_context, start, "5555555555554444").instrument
    assert one.ref != two.ref
    assert one.fingerprint == two.fingerprint != other.fingerprint
    assert "4242424242424242" not in repr(shared_processor.ledger()) + repr(one)


def test_a_customer_keeps_its_reference_for_a_second_card(gateway, call_context, start):
    first = registered(gateway, call_context, start)
    step = start(customer=first.customer_ref)
    submit(step.url)
    assert gateway.get_registration(call_context(), step.ref).customer_ref == first.customer_ref


@pytest.mark.parametrize(("button", "status"), [("complete", "validated"), ("fail", "failed")])
def test_the_challenge_decides(gateway, call_context, start, button, status):
    step = start()
    answer = submit(step.url, CHALLENGE)
    challenge = requests.compat.urljoin(step.url, answer.headers["Location"])
    assert "challenges" in challenge
    assert gateway.get_registration(call_context(), step.ref).status is RegistrationStatus.PENDING
    assert "Complete" in requests.get(challenge, timeout=10).text
    done = requests.post(challenge, data={"action": button}, allow_redirects=False, timeout=10)
    assert done.headers["Location"] == BACK
    assert gateway.get_registration(call_context(), step.ref).status == status


def test_a_challenge_cannot_be_skipped_by_submitting_another_card(gateway, call_context, start):
    step = start()
    submit(step.url, CHALLENGE)
    challenge = step.url.replace("registrations", "challenges")
    submit(step.url, "4242424242424242")
    result = gateway.get_registration(call_context(), step.ref)
    assert result.instrument.last4 == "4242"
    requests.post(challenge, data={"action": "complete"}, allow_redirects=False, timeout=10)
    assert gateway.get_registration(call_context(), step.ref).instrument.last4 == "4242"


def test_a_card_that_the_bank_refuses_fails_and_cancelling_cancels(gateway, call_context, start):
    assert registered(gateway, call_context, start, "4000000000002008").status is RegistrationStatus.FAILED
    step = start()
    assert submit(step.url, action="cancel").headers["Location"] == BACK
    assert gateway.get_registration(call_context(), step.ref).status is RegistrationStatus.CANCELLED


def test_a_page_that_is_left_alone_expires(processor, gateway, call_context, start):
    processor.set_clock(datetime(2027, 3, 1, 8, tzinfo=UTC))
    step = start()
    processor.set_clock(datetime(2027, 3, 1, 8, tzinfo=UTC) + timedelta(hours=2))
    assert gateway.get_registration(call_context(), step.ref).status is RegistrationStatus.EXPIRED


def test_no_holder_name_is_given_for_the_card_that_tells_none(gateway, call_context, start):
    assert registered(gateway, call_context, start, "4000000000003006").instrument.holder_name is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"number": "4111111111111111"}, "not one of the test numbers"),
        ({"expiry": "13/39"}, "as MM/YY"),
        ({"expiry": "01/20"}, "has expired"),
        ({"name": " "}, "Write the name"),
    ],
)
def test_a_mistake_is_said_on_the_page_and_nothing_is_kept(gateway, call_context, start, typed, said):
    step = start()
    page = submit(step.url, **typed)
    assert page.status_code == 422
    assert said in re.search(r'role="alert"[^>]*>([^<]*)', page.text)[1]
    assert gateway.get_registration(call_context(), step.ref).status is RegistrationStatus.PENDING


def test_a_used_page_leads_back_and_changes_nothing(gateway, call_context, start):
    step = start()
    submit(step.url)
    assert "has been used" in requests.get(step.url, timeout=10).text
    submit(step.url, "5555555555554444")
    assert gateway.get_registration(call_context(), step.ref).instrument.last4 == "4242"


def test_a_repeated_start_leads_to_the_same_page(start):
    assert start(key="reg_same") == start(key="reg_same")


def test_what_does_not_exist_is_rejected(gateway, call_context):
    with pytest.raises(Rejected):
        gateway.get_registration(call_context(), "reg_none")
    assert gateway.get_instrument(call_context(), "pm_none").status is CardStatus.REVOKED


def test_a_card_expires_by_the_processors_clock_after_the_last_day_of_its_month(
    processor, gateway, call_context, start, charge
):
    processor.set_clock(datetime(2027, 3, 1, tzinfo=UTC))
    result = registered(gateway, call_context, start, expiry="03/27")

    def attempt(key):
        return charge(
            ChargeRequest(
                idempotency_key=f"{result.ref}_{key}",
                amount=Money(1200, "EUR"),
                instrument_ref=result.instrument.ref,
                customer_ref=result.customer_ref,
            )
        )

    processor.set_clock(datetime(2027, 3, 31, 23, 50, tzinfo=UTC))
    assert attempt("last_day").status is Status.SUCCEEDED
    processor.set_clock(datetime(2027, 4, 1, tzinfo=UTC))
    refused = attempt("day_after")
    assert (refused.decline.kind, refused.decline.code) == (DeclineKind.HARD, "expired_card")
    assert gateway.get_instrument(call_context(), result.instrument.ref).status is CardStatus.EXPIRED


@pytest.mark.parametrize(("button", "status"), [("complete", Status.SUCCEEDED), ("fail", Status.DECLINED)])
def test_the_cardholder_confirms_a_charge_on_the_processors_page(
    gateway, call_context, charge, new_request, movements, button, status
):
    request = new_request("authentication", minor=4900)
    waiting = charge(request)
    assert waiting.status is Status.ACTION_REQUIRED
    step = gateway.start_authentication(call_context(), waiting.ref, BACK)
    assert "49.00 EUR" in requests.get(step.url, timeout=10).text
    done = requests.post(step.url, data={"action": button}, allow_redirects=False, timeout=10)
    assert done.headers["Location"] == BACK
    result = gateway.get_charge(call_context(), waiting.ref)
    assert result.status is status
    if status is Status.DECLINED:
        assert result.decline.kind is DeclineKind.AUTHENTICATION
    requests.post(step.url, data={"action": "complete"}, allow_redirects=False, timeout=10)
    assert gateway.get_charge(call_context(), waiting.ref).status is status
    assert len(movements(request.idempotency_key)) == 1
