"""Charges in two steps: what goes out, and what each answer becomes."""

import json
from dataclasses import replace

import pytest
import requests

from gateways.contract import DeclineKind, Mode, Money, Status
from gateways.stripe import StripeGateway
from gateways.stripe.sdk import PINNED_VERSION
from tests.gateways.stripe.conftest import API, KEY, card_error, error, form_of, intent, paid, sent

CREATE, CONFIRM = f"{API}/v1/payment_intents", f"{API}/v1/payment_intents/pi_1/confirm"


def test_an_intent_is_created_unconfirmed_kept_and_then_confirmed(
    gateway, make_context, stripe_api, request_of
):
    kept = []
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=paid(), headers={"Request-Id": "req_9"})
    ctx = make_context(checkpoint=lambda key, ref: kept.append((key, ref, len(stripe_api.calls))))
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.ref, result.amount) == (Status.SUCCEEDED, "pi_1", Money(1237, "EUR"))
    assert (result.key, result.request_id) == ("attempt-7", "req_9")
    assert kept == [("attempt-7", "pi_1", 1)]
    create, confirm = stripe_api.calls
    assert form_of(create) == {
        "amount": "1237",
        "currency": "eur",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "allowed_payment_method_types[0]": "card",
        "description": "Renewal of amber.example",
        "metadata[perennial_key]": "attempt-7",
    }
    assert form_of(confirm) == {"off_session": "true"}
    assert create.request.headers["Idempotency-Key"] == "attempt-7:create"
    assert confirm.request.headers["Idempotency-Key"] == "attempt-7:confirm"
    for call in stripe_api.calls:
        assert call.request.headers["Stripe-Version"] == PINNED_VERSION
        assert call.request.headers["Authorization"] == f"Bearer {KEY}"


def test_without_a_durable_reference_nothing_is_confirmed(gateway, make_context, stripe_api, request_of):
    stripe_api.post(CREATE, json=intent())

    def fail(key, ref):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        gateway.charge(make_context(checkpoint=fail), request_of())
    assert sent(stripe_api) == ["POST /v1/payment_intents"]


def test_what_is_empty_is_left_out_because_stripe_takes_it_for_an_order_to_delete(
    gateway, ctx, stripe_api, request_of
):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=paid())
    gateway.charge(ctx, request_of(description="", metadata={"proforma": "P-1", "note": ""}))
    form = form_of(stripe_api.calls[0])
    assert "description" not in form
    assert form["metadata[proforma]"] == "P-1"
    assert "metadata[note]" not in form


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 1337},
        {"currency": "usd"},
        {"metadata": {"perennial_key": "attempt-8"}},
        {"metadata": {}},
        {"customer": "cus_2"},
        {"status": "succeeded", "amount_received": 1337},
    ],
)
def test_an_intent_that_is_not_what_was_asked_for_is_never_confirmed(
    gateway, ctx, stripe_api, request_of, wrong
):
    stripe_api.post(CREATE, json=intent(**wrong))
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN
    assert sent(stripe_api) == ["POST /v1/payment_intents"]


def test_a_create_that_replays_a_paid_intent_is_its_result(gateway, ctx, stripe_api, request_of):
    stripe_api.post(CREATE, json=paid())
    assert gateway.charge(ctx, request_of()).status is Status.SUCCEEDED
    assert len(stripe_api.calls) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_received": 1236},
        {"currency": "usd"},
        {"id": "pi_2"},
        {"metadata": {"perennial_key": "other"}},
    ],
)
def test_a_confirmation_that_shows_something_else_is_unknown(gateway, ctx, stripe_api, request_of, wrong):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=paid(**wrong))
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"decline_code": "insufficient_funds"}, DeclineKind.RETRYABLE),
        ({"decline_code": "do_not_honor"}, DeclineKind.RETRYABLE),
        ({"decline_code": "call_issuer"}, DeclineKind.RETRYABLE),
        ({"decline_code": "card_velocity_exceeded"}, DeclineKind.RETRYABLE),
        ({"decline_code": "generic_decline"}, DeclineKind.RETRYABLE),
        ({"decline_code": "issuer_not_available"}, DeclineKind.RETRYABLE),
        ({"decline_code": "reenter_transaction"}, DeclineKind.RETRYABLE),
        ({"decline_code": "try_again_later"}, DeclineKind.RETRYABLE),
        ({"decline_code": "withdrawal_count_limit_exceeded"}, DeclineKind.RETRYABLE),
        ({"code": "processing_error"}, DeclineKind.RETRYABLE),
        ({"code": "card_declined"}, DeclineKind.RETRYABLE),
        ({"decline_code": "made_up_tomorrow"}, DeclineKind.RETRYABLE),
        ({"code": "made_up_tomorrow"}, DeclineKind.RETRYABLE),
        ({"decline_code": "lost_card"}, DeclineKind.HARD),
        ({"decline_code": "stolen_card"}, DeclineKind.HARD),
        ({"decline_code": "pickup_card"}, DeclineKind.HARD),
        ({"decline_code": "restricted_card"}, DeclineKind.HARD),
        ({"decline_code": "fraudulent"}, DeclineKind.HARD),
        ({"decline_code": "merchant_blacklist"}, DeclineKind.HARD),
        ({"decline_code": "invalid_account"}, DeclineKind.HARD),
        ({"decline_code": "new_account_information_available"}, DeclineKind.HARD),
        ({"decline_code": "revocation_of_authorization"}, DeclineKind.HARD),
        ({"decline_code": "revocation_of_all_authorizations"}, DeclineKind.HARD),
        ({"decline_code": "stop_payment_order"}, DeclineKind.HARD),
        ({"decline_code": "do_not_try_again"}, DeclineKind.HARD),
        ({"code": "expired_card"}, DeclineKind.HARD),
        ({"code": "incorrect_number"}, DeclineKind.HARD),
        ({"code": "incorrect_cvc"}, DeclineKind.HARD),
        ({"decline_code": "currency_not_supported"}, DeclineKind.MERCHANT),
        ({"decline_code": "do_not_honor", "advice_code": "do_not_try_again"}, DeclineKind.HARD),
        ({"decline_code": "do_not_honor", "advice_code": "confirm_card_data"}, DeclineKind.HARD),
        ({"decline_code": "pickup_card", "advice_code": "try_again_later"}, DeclineKind.RETRYABLE),
        ({"decline_code": "do_not_honor", "advice_code": "made_up"}, DeclineKind.RETRYABLE),
        ({"decline_code": "generic_decline", "network_advice_code": "03"}, DeclineKind.HARD),
        ({"decline_code": "generic_decline", "network_advice_code": "02"}, DeclineKind.RETRYABLE),
    ],
)
def test_each_decline_has_its_kind(gateway, ctx, stripe_api, request_of, told, kind):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=card_error(**told), status=402)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline.kind) == (Status.DECLINED, kind)
    assert result.decline.code == told.get("decline_code", told.get("code"))
    assert (result.ref, result.instrument_ref) == ("pi_1", "pm_1")


def test_the_networks_advice_says_when_to_try_again(gateway, ctx, stripe_api, request_of):
    told = {"decline_code": "insufficient_funds", "network_advice_code": "26", "network_decline_code": "51"}
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=card_error(**told), status=402)
    decline = gateway.charge(ctx, request_of()).decline
    assert (decline.network_code, decline.advice) == ("51", "26")
    assert decline.not_before.isoformat() == "2027-03-03T12:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, card_error(code="authentication_required", decline_code="authentication_required")),
        (402, card_error(decline_code="authentication_required")),
        (402, card_error(decline_code="authentication_required", advice_code="try_again_later")),
        (402, error("card_error", code="authentication_required")),
        (200, intent(status="requires_action", next_action={"type": "use_stripe_sdk"})),
    ],
)
def test_the_cardholder_is_asked_for_whichever_way_stripe_says_so(
    gateway, ctx, stripe_api, request_of, status, body
):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, json=body, status=status)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.ref) == (Status.ACTION_REQUIRED, "pi_1")
    assert result.decline.kind is DeclineKind.AUTHENTICATION


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, error("idempotency_error", code="idempotency_key_in_use")),
        (409, error("api_error")),
        (400, error("idempotency_error")),
        (400, error("api_error")),
        (404, error("made_up")),
        (402, {"error": "invalid_grant"}),
        (418, {}),
        (408, {}),
        (500, error("api_error")),
        (503, {}),
        (307, {}),
        (200, {"object": "payment_intent"}),
        (200, intent(status="a_new_one")),
        (200, intent(status="requires_capture")),
        (200, {**intent(), "object": ["?"]}),
        (200, {**intent(), "currency": "eurocents"}),
    ],
)
@pytest.mark.parametrize("step", [CREATE, CONFIRM])
def test_what_leaves_it_open_is_unknown(gateway, ctx, stripe_api, request_of, step, status, body):
    if step == CONFIRM:
        stripe_api.post(CREATE, json=intent())
    stripe_api.post(step, json=body, status=status)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline) == (Status.UNKNOWN, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"paid"', b"\xff\xfe", b'{"a": NaN}'])
def test_an_unreadable_success_is_unknown(gateway, ctx, stripe_api, request_of, body):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, body=body)
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


@pytest.mark.parametrize("odd", ['"status": "canceled", ', '"score": NaN, ', '"score": -Infinity, '])
def test_a_success_in_odd_json_is_unknown(gateway, ctx, stripe_api, request_of, odd):
    stripe_api.post(CREATE, json=intent())
    stripe_api.post(CONFIRM, body="{" + odd + json.dumps(paid())[1:])
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


@pytest.mark.parametrize("step", [CREATE, CONFIRM])
def test_a_time_out_is_unknown_and_no_room_on_the_line_is_not_submitted(
    gateway, ctx, stripe_api, request_of, step
):
    if step == CONFIRM:
        stripe_api.post(CREATE, json=intent())
    stripe_api.post(step, body=requests.exceptions.ReadTimeout())
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN
    stripe_api.replace("POST", step, body=requests.exceptions.ConnectTimeout())
    assert gateway.charge(ctx, request_of()).status is Status.NOT_SUBMITTED


@pytest.mark.parametrize("step", [CREATE, CONFIRM])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_our_fault_and_final_for_nothing(gateway, ctx, stripe_api, request_of, step, status):
    if step == CONFIRM:
        stripe_api.post(CREATE, json=intent())
    stripe_api.post(step, json=error(), status=status)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline.kind) == (Status.NOT_SUBMITTED, DeclineKind.MERCHANT)


def test_too_many_requests_are_not_a_decline(gateway, ctx, stripe_api, request_of):
    stripe_api.post(CREATE, json=error(code="rate_limit"), status=429)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline) == (Status.NOT_SUBMITTED, None)


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [
        ({"code": "amount_too_small", "param": "amount"}, DeclineKind.MERCHANT, "amount_too_small"),
        ({"code": "resource_missing", "param": "customer"}, DeclineKind.MERCHANT, "resource_missing"),
        ({"code": "resource_missing", "param": "payment_method"}, DeclineKind.HARD, "resource_missing"),
        ({"param": "payment_method"}, DeclineKind.HARD, "payment_method_unusable"),
        ({}, DeclineKind.MERCHANT, "invalid_request"),
    ],
)
def test_a_request_that_stripe_refuses_is_ours_or_the_cards_fault(
    gateway, ctx, stripe_api, request_of, told, kind, code
):
    stripe_api.post(CREATE, json=error(**told), status=400)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline.kind, result.decline.code) == (Status.DECLINED, kind, code)


def test_a_confirmation_of_what_is_paid_already_reads_as_paid(gateway, ctx, stripe_api, request_of):
    stripe_api.post(CREATE, json=intent())
    told = error(code="payment_intent_unexpected_state", payment_intent=paid())
    stripe_api.post(CONFIRM, json=told, status=400)
    assert gateway.charge(ctx, request_of()).status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("minor", "currency"),
    [
        (49, "EUR"),
        (0, "EUR"),
        (29, "GBP"),
        (17_499, "HUF"),
        (1005, "KWD"),
        (1050, "MGA"),
        (100, "XCG"),
        (1, "CLF"),
    ],
)
def test_an_amount_that_cannot_be_charged_is_refused_without_a_request(
    gateway, ctx, stripe_api, request_of, minor, currency
):
    if currency == "XCG":
        minor = 10**12
    result = gateway.charge(ctx, request_of(minor, currency))
    assert (result.status, result.decline.kind) == (Status.DECLINED, DeclineKind.MERCHANT)
    assert sent(stripe_api) == []


def test_without_a_key_nothing_is_sent(ctx, stripe_api, request_of):
    result = StripeGateway({}, Mode.TEST, "1").charge(ctx, request_of())
    assert result.status is Status.NOT_SUBMITTED
    assert sent(stripe_api) == []


def test_references_never_leave_their_place_in_the_path(gateway, ctx, stripe_api, request_of):
    stripe_api.post(CREATE, json={**intent(), "id": "pi_1/../../v1/payouts"})
    result = gateway.charge(ctx, replace(request_of(), description=""))
    assert result.status is not Status.SUCCEEDED
    assert sent(stripe_api) == ["POST /v1/payment_intents"]
    assert gateway.get_charge(ctx, "../payouts").status is Status.UNKNOWN
    assert len(stripe_api.calls) == 1
