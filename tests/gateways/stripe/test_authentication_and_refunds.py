"""The cardholder's own confirmation, and money given back."""

import pytest

from gateways.contract import LookupAnswer, Money, NextStepKind, RefundRequest, RefundStatus
from gateways.errors import Rejected
from tests.gateways.stripe.conftest import (
    API,
    CREATED,
    card_error,
    error,
    form_of,
    intent,
    listed,
    paid,
    sent,
)

ONE, CONFIRM = f"{API}/v1/payment_intents/pi_1", f"{API}/v1/payment_intents/pi_1/confirm"
BACK = "https://panel.example/payments/return"
PAGE = "https://hooks.stripe.com/redirect/1"
REFUNDS = f"{API}/v1/refunds"

waiting = card_error(code="authentication_required")["error"]["payment_intent"]


def offering(return_url=BACK, url=PAGE):
    page = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}}
    return intent(status="requires_action", next_action=page)


def test_a_charge_that_needs_the_cardholder_leads_to_the_banks_page(gateway, ctx, stripe_api):
    stripe_api.get(ONE, json=waiting)
    stripe_api.post(CONFIRM, json=offering())
    step = gateway.start_authentication(ctx, "pi_1", BACK)
    assert (step.kind, step.ref, step.url) == (NextStepKind.REDIRECT, "pi_1", PAGE)
    assert form_of(stripe_api.calls[1]) == {"payment_method": "pm_1", "return_url": BACK}


def test_a_page_that_is_offered_already_is_not_asked_for_again(gateway, ctx, stripe_api):
    stripe_api.get(ONE, json=offering())
    assert gateway.start_authentication(ctx, "pi_1", BACK).url == PAGE
    assert sent(stripe_api) == ["GET /v1/payment_intents/pi_1"]
    stripe_api.replace("GET", ONE, json=offering("https://elsewhere.example"))
    stripe_api.post(CONFIRM, json=offering())
    assert gateway.start_authentication(ctx, "pi_1", BACK).url == PAGE


def test_a_bank_that_asks_nothing_after_all_leads_nowhere(gateway, ctx, stripe_api):
    stripe_api.get(ONE, json=waiting)
    stripe_api.post(CONFIRM, json=paid())
    assert gateway.start_authentication(ctx, "pi_1", BACK).kind is NextStepKind.NONE
    stripe_api.replace("GET", ONE, json=paid())
    assert gateway.start_authentication(ctx, "pi_1", BACK).kind is NextStepKind.NONE


@pytest.mark.parametrize(
    "shown",
    [
        intent(status="canceled"),
        card_error(decline_code="lost_card")["error"]["payment_intent"],
        intent(),
    ],
)
def test_what_does_not_wait_for_the_cardholder_is_not_confirmed(gateway, ctx, stripe_api, shown):
    stripe_api.get(ONE, json=shown)
    with pytest.raises(Rejected):
        gateway.start_authentication(ctx, "pi_1", BACK)
    assert len(stripe_api.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [offering(url="javascript:alert(1)"), intent(status="requires_action", next_action={"type": "x"})],
)
def test_what_is_no_page_is_not_led_to(gateway, ctx, stripe_api, answer):
    stripe_api.get(ONE, json=waiting)
    stripe_api.post(CONFIRM, json=answer)
    with pytest.raises(Exception, match="address|wait"):
        gateway.start_authentication(ctx, "pi_1", BACK)


def refund(**changed):
    shown = {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "eur",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": CREATED,
        "status": "succeeded",
        "metadata": {"perennial_key": "refund-1"},
    }
    return {**shown, **changed}


def asked(minor=500, currency="EUR"):
    amount = Money(minor, currency)
    return RefundRequest(idempotency_key="refund-1", charge_ref="pi_1", amount=amount, reason="left us")


def test_a_part_is_given_back_under_a_key(gateway, ctx, stripe_api):
    stripe_api.get(ONE, json=paid())
    stripe_api.post(REFUNDS, json=refund())
    result = gateway.refund(ctx, asked())
    assert (result.status, result.ref, result.charge_ref) == (RefundStatus.SUCCEEDED, "re_1", "pi_1")
    assert form_of(stripe_api.calls[1]) == {
        "payment_intent": "pi_1",
        "amount": "500",
        "metadata[reason]": "left us",
        "metadata[perennial_key]": "refund-1",
    }
    assert stripe_api.calls[1].request.headers["Idempotency-Key"] == "refund-1:refund"


@pytest.mark.parametrize("request_", [asked(1000, "JPY"), asked(1005, "KWD"), asked(100, "CLF")])
def test_no_refund_is_made_in_another_currency_or_off_its_step(gateway, ctx, stripe_api, request_):
    stripe_api.get(ONE, json=paid())
    assert gateway.refund(ctx, request_).status is RefundStatus.REFUSED
    assert not [line for line in sent(stripe_api) if line.startswith("POST")]


@pytest.mark.parametrize(
    ("status", "body", "becomes"),
    [
        (200, refund(status="pending"), RefundStatus.PENDING),
        (200, refund(status="requires_action"), RefundStatus.PENDING),
        (200, refund(status="failed", failure_reason="lost_or_stolen_card"), RefundStatus.REFUSED),
        (200, refund(status="canceled"), RefundStatus.REFUSED),
        (200, refund(amount=501), RefundStatus.UNKNOWN),
        (200, refund(metadata={}), RefundStatus.UNKNOWN),
        (200, refund(status="new"), RefundStatus.UNKNOWN),
        (400, error(code="charge_already_refunded"), RefundStatus.REFUSED),
        (400, error("idempotency_error"), RefundStatus.UNKNOWN),
        (409, error(), RefundStatus.UNKNOWN),
        (500, error(), RefundStatus.UNKNOWN),
        (429, error(), RefundStatus.NOT_SUBMITTED),
        (401, error(), RefundStatus.NOT_SUBMITTED),
    ],
)
def test_what_each_answer_to_a_refund_becomes(gateway, ctx, stripe_api, status, body, becomes):
    stripe_api.get(ONE, json=paid())
    stripe_api.post(REFUNDS, json=body, status=status)
    assert gateway.refund(ctx, asked()).status is becomes


def test_nothing_is_given_back_while_the_charge_cannot_be_read(gateway, ctx, stripe_api):
    stripe_api.get(ONE, status=500)
    assert gateway.refund(ctx, asked()).status is RefundStatus.NOT_SUBMITTED
    assert sent(stripe_api) == ["GET /v1/payment_intents/pi_1"]


def test_a_refund_that_failed_later_reads_as_refused(gateway, ctx, stripe_api):
    stripe_api.get(f"{REFUNDS}/re_1", json=refund(status="failed", failure_reason="declined"))
    result = gateway.get_refund(ctx, "re_1")
    assert (result.status, result.code) == (RefundStatus.REFUSED, "declined")
    assert gateway.get_refund(ctx, "re_1/../x").status is RefundStatus.UNKNOWN


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        (listed(refund(id="re_0", metadata={}), refund()), LookupAnswer.YES),
        (listed(refund(metadata={})), LookupAnswer.NO),
        (listed(refund(metadata={}), has_more=True), LookupAnswer.CANNOT_TELL),
        (listed(refund(), refund(id="re_2")), LookupAnswer.CANNOT_TELL),
    ],
)
def test_a_refund_is_found_by_our_key(gateway, ctx, stripe_api, page, answer):
    stripe_api.get(REFUNDS, json=page)
    assert gateway.find_refund(ctx, "refund-1", "pi_1", ctx.now).answer is answer
