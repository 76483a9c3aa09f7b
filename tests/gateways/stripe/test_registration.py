"""Cards are registered on Stripe's own page, in setup mode, and count once Stripe says so."""

from datetime import UTC, datetime

import pytest

from gateways.contract import CardStatus, NextStepKind, RegistrationRequest, RegistrationStatus
from gateways.errors import Ambiguous, Rejected
from tests.gateways.stripe.conftest import API, CREATED, error, form_of, sent

SESSIONS = f"{API}/v1/checkout/sessions"
BACK = "https://panel.example/cards/return"
METHOD = {
    "id": "pm_1",
    "object": "payment_method",
    "type": "card",
    "customer": "cus_1",
    "card": {"brand": "visa", "last4": "4242", "exp_month": 2, "exp_year": 2029, "fingerprint": "f1"},
    "billing_details": {"name": "Ioana Popescu"},
}


def session(**changed):
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "status": "open",
        "customer": "cus_1",
        "url": "https://checkout.stripe.com/c/pay/cs_test_1",
        "expires_at": CREATED + 86_400,
        "setup_intent": {"id": "seti_1", "status": "requires_payment_method", "last_setup_error": None},
        **changed,
    }


def test_it_is_a_checkout_session_in_setup_mode_for_a_customer_of_our_own(gateway, ctx, stripe_api):
    stripe_api.post(f"{API}/v1/customers", json={"id": "cus_1", "object": "customer"})
    stripe_api.post(SESSIONS, json=session())
    asked = RegistrationRequest(
        key="reg-1",
        return_url=BACK,
        customer_name="Ioana",
        customer_email="i@c.example",
        account_reference="7",
    )
    step = gateway.start_registration(ctx, asked)
    assert (step.kind, step.ref) == (NextStepKind.REDIRECT, "cs_test_1")
    assert step.url == "https://checkout.stripe.com/c/pay/cs_test_1"
    assert step.expires_at == datetime.fromtimestamp(CREATED + 86_400, UTC)
    customer, opened = stripe_api.calls
    assert form_of(customer) == {
        "name": "Ioana",
        "email": "i@c.example",
        "metadata[account]": "7",
        "metadata[perennial_key]": "reg-1",
    }
    form = form_of(opened)
    assert (form["mode"], form["customer"]) == ("setup", "cus_1")
    assert (form["success_url"], form["cancel_url"]) == (BACK, BACK)
    assert form["payment_method_options[card][request_three_d_secure]"] == "any"
    assert "amount" not in form
    keys = [call.request.headers["Idempotency-Key"] for call in stripe_api.calls]
    assert keys == ["reg-1:customer", "reg-1:session"]


def test_a_customer_that_is_known_is_used_again(gateway, ctx, stripe_api):
    stripe_api.post(SESSIONS, json=session(customer="cus_9"))
    gateway.start_registration(ctx, RegistrationRequest(key="r", return_url=BACK, customer_ref="cus_9"))
    assert sent(stripe_api) == ["POST /v1/checkout/sessions"]
    assert form_of(stripe_api.calls[0])["customer"] == "cus_9"


@pytest.mark.parametrize("status", [408, 409, 500, 302])
def test_a_start_that_may_have_been_heard_is_ambiguous_and_may_be_repeated(gateway, ctx, stripe_api, status):
    stripe_api.post(SESSIONS, json=error("idempotency_error", code="idempotency_key_in_use"), status=status)
    with pytest.raises(Ambiguous):
        gateway.start_registration(ctx, RegistrationRequest(key="r", return_url=BACK, customer_ref="cus_1"))


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (session(), RegistrationStatus.PENDING),
        (
            session(setup_intent={"status": "x", "last_setup_error": {"message": "No."}}),
            RegistrationStatus.PENDING,
        ),
        (session(status="expired"), RegistrationStatus.EXPIRED),
        (session(status="complete", setup_intent={"status": "processing"}), RegistrationStatus.PENDING),
        (session(status="complete", setup_intent={"status": "requires_action"}), RegistrationStatus.PENDING),
        (session(status="complete", setup_intent={"status": "canceled"}), RegistrationStatus.CANCELLED),
        (
            session(status="complete", setup_intent={"status": "requires_payment_method"}),
            RegistrationStatus.FAILED,
        ),
    ],
)
def test_only_stripe_says_what_became_of_it(gateway, ctx, stripe_api, shown, status):
    stripe_api.get(f"{SESSIONS}/cs_test_1", json=shown)
    result = gateway.get_registration(ctx, "cs_test_1")
    assert (result.status, result.instrument) == (status, None)


def test_a_validated_card_is_shown_as_stripe_has_it(gateway, ctx, stripe_api):
    done = session(status="complete", setup_intent={"status": "succeeded", "payment_method": METHOD})
    stripe_api.get(f"{SESSIONS}/cs_test_1", json=done)
    result = gateway.get_registration(ctx, "cs_test_1")
    card = result.instrument
    assert (result.status, result.customer_ref) == (RegistrationStatus.VALIDATED, "cus_1")
    assert (card.ref, card.brand, card.last4, card.holder_name) == ("pm_1", "visa", "4242", "Ioana Popescu")
    assert (card.exp_month, card.exp_year, card.fingerprint) == (2, 2029, "f1")
    assert sent(stripe_api) == ["GET /v1/checkout/sessions/cs_test_1?expand[0]=setup_intent.payment_method"]


@pytest.mark.parametrize(
    "shown",
    [
        session(id="cs_test_2"),
        session(status="new"),
        session(status="complete", setup_intent={"status": "new"}),
        session(status="complete", setup_intent={"status": "succeeded", "payment_method": "pm_1"}),
        session(status="complete", setup_intent=None),
    ],
)
def test_what_cannot_be_understood_validates_nothing(gateway, ctx, stripe_api, shown):
    stripe_api.get(f"{SESSIONS}/cs_test_1", json=shown)
    with pytest.raises(Ambiguous):
        gateway.get_registration(ctx, "cs_test_1")


def test_a_registration_that_does_not_exist_is_rejected(gateway, ctx, stripe_api):
    stripe_api.get(f"{SESSIONS}/cs_test_1", json=error(code="resource_missing"), status=404)
    with pytest.raises(Rejected):
        gateway.get_registration(ctx, "cs_test_1")
    with pytest.raises(Rejected):
        gateway.get_registration(ctx, "../customers")
    assert len(stripe_api.calls) == 1


@pytest.mark.parametrize(
    ("changed", "status", "expiry"),
    [
        ({}, CardStatus.VALIDATED, (2, 2029)),
        ({"card": {**METHOD["card"], "exp_month": 8, "exp_year": 2034}}, CardStatus.VALIDATED, (8, 2034)),
        ({"card": {**METHOD["card"], "exp_month": 3, "exp_year": 2027}}, CardStatus.VALIDATED, (3, 2027)),
        ({"card": {**METHOD["card"], "exp_month": 2, "exp_year": 2027}}, CardStatus.EXPIRED, (2, 2027)),
        ({"customer": None}, CardStatus.REVOKED, (2, 2029)),
    ],
)
def test_a_card_follows_stripe(gateway, ctx, stripe_api, changed, status, expiry):
    stripe_api.get(f"{API}/v1/payment_methods/pm_1", json={**METHOD, **changed})
    card = gateway.get_instrument(ctx, "pm_1")
    assert (card.status, (card.exp_month, card.exp_year)) == (status, expiry)


def test_a_card_is_good_to_the_end_of_its_month_everywhere(gateway, make_context, stripe_api):
    card = {**METHOD, "card": {**METHOD["card"], "exp_month": 2, "exp_year": 2027}}
    stripe_api.get(f"{API}/v1/payment_methods/pm_1", json=card)
    for hour, status in ((11, CardStatus.VALIDATED), (12, CardStatus.EXPIRED)):
        ctx = make_context(now=datetime(2027, 3, 1, hour, 30, tzinfo=UTC))
        assert gateway.get_instrument(ctx, "pm_1").status is status


def test_a_card_that_is_unknown_there_is_revoked_and_one_that_cannot_be_asked_for_is_not(
    gateway, ctx, stripe_api
):
    stripe_api.get(f"{API}/v1/payment_methods/pm_1", json=error(code="resource_missing"), status=404)
    assert gateway.get_instrument(ctx, "pm_1").status is CardStatus.REVOKED
    stripe_api.replace("GET", f"{API}/v1/payment_methods/pm_1", json=error(), status=401)
    with pytest.raises(Rejected):
        gateway.get_instrument(ctx, "pm_1")


def test_forgetting_twice_is_no_error_and_a_refusal_is(gateway, ctx, stripe_api):
    detach = f"{API}/v1/payment_methods/pm_1/detach"
    stripe_api.post(detach, json={**METHOD, "customer": None})
    gateway.forget_instrument(ctx, "pm_1")
    stripe_api.replace("POST", detach, json=error(), status=400)
    stripe_api.get(f"{API}/v1/payment_methods/pm_1", json={**METHOD, "customer": None})
    gateway.forget_instrument(ctx, "pm_1")
    stripe_api.replace("GET", f"{API}/v1/payment_methods/pm_1", json=METHOD)
    with pytest.raises(Rejected):
        gateway.forget_instrument(ctx, "pm_1")
