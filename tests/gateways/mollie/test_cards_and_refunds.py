"""First payments and mandates, and money given back."""

from datetime import UTC, datetime

import pytest

from gateways.contract import (
    CardStatus,
    LookupAnswer,
    Mode,
    Money,
    NextStepKind,
    RefundRequest,
    RefundStatus,
    RegistrationRequest,
    RegistrationStatus,
)
from gateways.errors import Ambiguous, Rejected
from gateways.mollie import MollieGateway
from gateways.secret import Secret
from tests.gateways.mollie.conftest import API, KEY, NOW, body_of, listed, payment, problem, sent

BACK = "https://panel.example/cards/return"
MANDATE = {
    "resource": "mandate",
    "id": "mdt_1",
    "customerId": "cst_1",
    "status": "valid",
    "method": "creditcard",
    "details": {
        "cardHolder": "Ioana Popescu",
        "cardNumber": "0005",
        "cardLabel": "Mastercard",
        "cardFingerprint": "f1",
        "cardExpiryDate": "2029-02-28",
    },
}
AT = f"{API}/customers/cst_1/mandates/mdt_1"


def first(**changed):
    links = {"checkout": {"href": "https://www.mollie.com/checkout/select-issuer/1"}}
    shown = {"sequenceType": "first", "status": "open", "_links": links, "mandateId": None}
    return payment(**{**shown, "amount": {"currency": "EUR", "value": "0.00"}, **changed})


def test_a_card_is_registered_by_a_first_payment_of_nothing(gateway, ctx, mollie_api):
    mollie_api.post(f"{API}/customers", json={"resource": "customer", "id": "cst_1"}, status=201)
    mollie_api.post(f"{API}/payments", json=first(expiresAt="2027-03-01T12:15:00+00:00"), status=201)
    asked = RegistrationRequest(key="reg-1", return_url=BACK, customer_name="Ioana", account_reference="7")
    step = gateway.start_registration(ctx, asked)
    assert (step.kind, step.ref) == (NextStepKind.REDIRECT, "tr_1")
    assert step.url == "https://www.mollie.com/checkout/select-issuer/1"
    assert step.expires_at == datetime(2027, 3, 1, 12, 15, tzinfo=UTC)
    customer, opened = mollie_api.calls
    assert body_of(customer) == {"name": "Ioana", "metadata": {"account": "7", "perennial_key": "reg-1"}}
    assert body_of(opened) == {
        "amount": {"currency": "EUR", "value": "0.00"},
        "customerId": "cst_1",
        "sequenceType": "first",
        "method": "creditcard",
        "description": "Card for recurring payments",
        "redirectUrl": BACK,
        "metadata": {"perennial_key": "reg-1"},
    }
    keys = [call.request.headers["Idempotency-Key"] for call in mollie_api.calls]
    assert keys == ["reg-1-customer", "reg-1-first"]


def test_a_known_customer_is_used_again_and_the_webhook_address_told(ctx, mollie_api, request_of):
    address = "https://panel.example/webhooks/1/abc"
    gateway = MollieGateway({"api_key": Secret(KEY), "webhook_url": address}, Mode.TEST, "1")
    mollie_api.post(f"{API}/payments", json=first(), status=201)
    gateway.start_registration(ctx, RegistrationRequest(key="r", return_url=BACK, customer_ref="cst_9"))
    gateway.charge(ctx, request_of())
    assert sent(mollie_api) == ["POST /v2/payments", "POST /v2/payments"]
    assert body_of(mollie_api.calls[0])["customerId"] == "cst_9"
    assert [body_of(call)["webhookUrl"] for call in mollie_api.calls] == [address, address]


@pytest.mark.parametrize("status", [408, 409, 500, 302])
def test_a_start_that_may_have_been_heard_is_ambiguous_and_may_be_repeated(gateway, ctx, mollie_api, status):
    mollie_api.post(f"{API}/payments", json=problem(status), status=status)
    with pytest.raises(Ambiguous):
        gateway.start_registration(ctx, RegistrationRequest(key="r", return_url=BACK, customer_ref="cst_1"))


@pytest.mark.parametrize(
    ("shown", "mandate", "status"),
    [
        (first(), None, RegistrationStatus.PENDING),
        (first(status="pending"), None, RegistrationStatus.PENDING),
        (first(status="canceled"), None, RegistrationStatus.CANCELLED),
        (first(status="expired"), None, RegistrationStatus.EXPIRED),
        (first(status="failed", details={"failureReason": "x"}), None, RegistrationStatus.FAILED),
        (first(status="paid"), None, RegistrationStatus.PENDING),
        (first(status="paid", mandateId="mdt_1"), MANDATE, RegistrationStatus.VALIDATED),
        (
            first(status="paid", mandateId="mdt_1"),
            {**MANDATE, "status": "pending"},
            RegistrationStatus.VALIDATED,
        ),
        (
            first(status="paid", mandateId="mdt_1"),
            {**MANDATE, "status": "invalid"},
            RegistrationStatus.FAILED,
        ),
    ],
)
def test_only_mollie_says_what_became_of_it(gateway, ctx, mollie_api, shown, mandate, status):
    mollie_api.get(f"{API}/payments/tr_1", json=shown)
    mollie_api.get(AT, json=mandate)
    result = gateway.get_registration(ctx, "tr_1")
    assert result.status is status
    if status is RegistrationStatus.VALIDATED:
        card = result.instrument
        assert (card.ref, card.customer_ref, card.last4) == ("cst_1-mdt_1", "cst_1", "0005")
        assert (card.exp_month, card.exp_year, card.holder_name) == (2, 2029, "Ioana Popescu")
        assert (card.brand, card.fingerprint, card.kind) == ("Mastercard", "f1", "card")


@pytest.mark.parametrize(
    ("shown", "mandate", "raised"),
    [
        (payment(), MANDATE, Rejected),
        (first(id="tr_2"), MANDATE, Rejected),
        (first(status="new"), MANDATE, Ambiguous),
        (first(status="paid", mandateId="mdt_1"), {**MANDATE, "id": "mdt_2"}, Ambiguous),
        (first(status="paid", mandateId="../x"), MANDATE, Rejected),
    ],
)
def test_what_cannot_be_understood_validates_nothing(gateway, ctx, mollie_api, shown, mandate, raised):
    mollie_api.get(f"{API}/payments/tr_1", json=shown)
    mollie_api.get(AT, json=mandate)
    with pytest.raises(raised):
        gateway.get_registration(ctx, "tr_1")


@pytest.mark.parametrize(
    ("mandate", "status"),
    [
        (MANDATE, CardStatus.VALIDATED),
        ({**MANDATE, "status": "invalid"}, CardStatus.REVOKED),
        ({**MANDATE, "details": {"cardExpiryDate": "2027-02-28"}}, CardStatus.EXPIRED),
        ({**MANDATE, "details": {"cardExpiryDate": "2027-03-31"}}, CardStatus.VALIDATED),
        ({**MANDATE, "details": {}}, CardStatus.VALIDATED),
    ],
)
def test_a_card_follows_mollie(gateway, ctx, mollie_api, mandate, status):
    mollie_api.get(AT, json=mandate)
    assert gateway.get_instrument(ctx, "cst_1-mdt_1").status is status


def test_a_mandate_that_is_gone_is_revoked_and_one_that_cannot_be_asked_for_is_not(gateway, ctx, mollie_api):
    for status in (404, 410):
        mollie_api.upsert("GET", AT, json=problem(status), status=status)
        assert gateway.get_instrument(ctx, "cst_1-mdt_1").status is CardStatus.REVOKED
    mollie_api.upsert("GET", AT, json=problem(401), status=401)
    with pytest.raises(Rejected):
        gateway.get_instrument(ctx, "cst_1-mdt_1")
    with pytest.raises(Rejected):
        gateway.get_instrument(ctx, "mdt_1")


def test_forgetting_twice_is_no_error_and_a_refusal_is(gateway, ctx, mollie_api):
    mollie_api.delete(AT, status=204)
    gateway.forget_instrument(ctx, "cst_1-mdt_1")
    for status in (404, 410):
        mollie_api.upsert("DELETE", AT, json=problem(status), status=status)
        gateway.forget_instrument(ctx, "cst_1-mdt_1")
    mollie_api.upsert("DELETE", AT, json=problem(403), status=403)
    with pytest.raises(Rejected):
        gateway.forget_instrument(ctx, "cst_1-mdt_1")


REFUNDS = f"{API}/payments/tr_1/refunds"


def refund(**changed):
    shown = {
        "resource": "refund",
        "id": "re_1",
        "paymentId": "tr_1",
        "amount": {"currency": "EUR", "value": "5.00"},
        "status": "pending",
        "createdAt": NOW.isoformat(),
        "metadata": {"perennial_key": "refund-1"},
    }
    return {**shown, **changed}


def asked(minor=500, currency="EUR"):
    amount = Money(minor, currency)
    return RefundRequest(idempotency_key="refund-1", charge_ref="tr_1", amount=amount, reason="left us")


def test_a_part_is_given_back_under_a_key(gateway, ctx, mollie_api):
    mollie_api.post(REFUNDS, json=refund(), status=201)
    result = gateway.refund(ctx, asked())
    assert (result.status, result.ref, result.charge_ref) == (RefundStatus.PENDING, "tr_1-re_1", "tr_1")
    (call,) = mollie_api.calls
    assert body_of(call)["amount"] == {"currency": "EUR", "value": "5.00"}
    assert body_of(call)["metadata"] == {"perennial_key": "refund-1"}
    assert call.request.headers["Idempotency-Key"] == "refund-1"


@pytest.mark.parametrize(
    ("status", "body", "becomes"),
    [
        (201, refund(status="queued"), RefundStatus.PENDING),
        (201, refund(status="processing"), RefundStatus.PENDING),
        (201, refund(status="refunded"), RefundStatus.SUCCEEDED),
        (201, refund(status="failed"), RefundStatus.REFUSED),
        (201, refund(status="canceled"), RefundStatus.REFUSED),
        (201, refund(status="new"), RefundStatus.UNKNOWN),
        (201, refund(metadata={}), RefundStatus.UNKNOWN),
        (201, refund(amount={"currency": "EUR", "value": "5.01"}), RefundStatus.UNKNOWN),
        (422, problem(422, field="amount"), RefundStatus.REFUSED),
        (404, problem(404), RefundStatus.REFUSED),
        (409, problem(409), RefundStatus.UNKNOWN),
        (400, problem(400), RefundStatus.UNKNOWN),
        (500, {}, RefundStatus.UNKNOWN),
        (401, problem(401), RefundStatus.NOT_SUBMITTED),
        (429, problem(429), RefundStatus.NOT_SUBMITTED),
    ],
)
def test_what_each_answer_to_a_refund_becomes(gateway, ctx, mollie_api, status, body, becomes):
    mollie_api.post(REFUNDS, json=body, status=status)
    assert gateway.refund(ctx, asked()).status is becomes


def test_a_refund_is_read_below_its_payment(gateway, ctx, mollie_api):
    mollie_api.get(f"{REFUNDS}/re_1", json=refund(status="failed"))
    assert gateway.get_refund(ctx, "tr_1-re_1").status is RefundStatus.REFUSED
    assert gateway.get_refund(ctx, "tr_1/../x-re_1").status is RefundStatus.UNKNOWN
    assert len(mollie_api.calls) == 1


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        (listed("refunds", refund(id="re_0", metadata=None), refund()), LookupAnswer.YES),
        (listed("refunds"), LookupAnswer.NO),
        (listed("refunds", following="re_5"), LookupAnswer.CANNOT_TELL),
        (listed("refunds", refund(), refund(id="re_2")), LookupAnswer.CANNOT_TELL),
        ({}, LookupAnswer.CANNOT_TELL),
    ],
)
def test_a_refund_is_found_by_our_key(gateway, ctx, mollie_api, page, answer):
    mollie_api.get(REFUNDS, json=page)
    assert gateway.find_refund(ctx, "refund-1", "tr_1", NOW).answer is answer
