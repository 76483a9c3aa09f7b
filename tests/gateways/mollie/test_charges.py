"""Recurring payments: what goes out, what each answer becomes, and what the amounts tell afterwards."""

import json
from datetime import timedelta

import pytest
import requests

from gateways.contract import DeclineKind, LookupAnswer, Money, Status
from gateways.errors import Rejected, Unreachable
from tests.gateways.mollie.conftest import API, KEY, NOW, body_of, failed, listed, payment, problem, sent

PAYMENTS, OF_CUSTOMER = f"{API}/payments", f"{API}/customers/cst_1/payments"


def test_a_recurring_payment_is_made_on_a_mandate_under_our_key(gateway, ctx, mollie_api, request_of):
    mollie_api.post(PAYMENTS, json=payment(), status=201)
    result = gateway.charge(ctx, request_of(metadata={"proforma": "P-1"}))
    assert (result.status, result.ref, result.amount) == (Status.SUCCEEDED, "tr_1", Money(1237, "EUR"))
    assert (result.key, result.instrument_ref) == ("attempt-7", "cst_1-mdt_1")
    (call,) = mollie_api.calls
    assert body_of(call) == {
        "amount": {"currency": "EUR", "value": "12.37"},
        "customerId": "cst_1",
        "mandateId": "mdt_1",
        "sequenceType": "recurring",
        "description": "Renewal of amber.example",
        "metadata": {"proforma": "P-1", "perennial_key": "attempt-7"},
    }
    assert call.request.headers["Idempotency-Key"] == "attempt-7"
    assert call.request.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        (Money(5, "EUR"), "0.05"),
        (Money(1250, "JPY"), "1250"),
        (Money(990, "ISK"), "990"),
        (Money(5, "HUF"), "0.05"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(gateway, ctx, mollie_api, request_of, amount, value):
    written = {"currency": amount.currency, "value": value}
    zero = {"currency": amount.currency, "value": Money.zero(amount.currency).major_text()}
    mollie_api.post(PAYMENTS, json=payment(amount=written, amountRefunded=zero), status=201)
    result = gateway.charge(ctx, request_of(amount.minor, amount.currency))
    assert body_of(mollie_api.calls[0])["amount"] == written
    assert (result.status, result.amount) == (Status.SUCCEEDED, amount)


def test_a_long_description_is_cut_and_a_missing_one_is_our_key(gateway, ctx, mollie_api, request_of):
    mollie_api.post(PAYMENTS, json=payment(), status=201)
    gateway.charge(ctx, request_of(description="x" * 300))
    gateway.charge(ctx, request_of(description=""))
    assert [len(body_of(call)["description"]) for call in mollie_api.calls] == [255, len("attempt-7")]


@pytest.mark.parametrize(
    ("failure", "reason", "kind", "code"),
    [
        ("insufficient_funds", None, DeclineKind.RETRYABLE, "insufficient_funds"),
        ("refused_by_issuer", None, DeclineKind.RETRYABLE, "refused_by_issuer"),
        ("card_declined", None, DeclineKind.RETRYABLE, "card_declined"),
        ("unknown_reason", None, DeclineKind.RETRYABLE, "unknown_reason"),
        ("made_up_tomorrow", None, DeclineKind.RETRYABLE, "made_up_tomorrow"),
        (None, None, DeclineKind.RETRYABLE, "unknown_reason"),
        (None, "made_up_tomorrow", DeclineKind.RETRYABLE, "made_up_tomorrow"),
        ("card_expired", None, DeclineKind.HARD, "card_expired"),
        ("inactive_card", None, DeclineKind.HARD, "inactive_card"),
        ("invalid_card_number", None, DeclineKind.HARD, "invalid_card_number"),
        ("invalid_card_holder_name", None, DeclineKind.HARD, "invalid_card_holder_name"),
        ("invalid_card_type", None, DeclineKind.HARD, "invalid_card_type"),
        ("invalid_cvv", None, DeclineKind.HARD, "invalid_cvv"),
        ("possible_fraud", None, DeclineKind.HARD, "possible_fraud"),
        ("refused_by_issuer", "lost_card", DeclineKind.HARD, "lost_card"),
        ("refused_by_issuer", "stolen_card", DeclineKind.HARD, "stolen_card"),
        ("refused_by_issuer", "closed_account", DeclineKind.HARD, "closed_account"),
        (
            "card_declined",
            "revocation_of_all_authorizations",
            DeclineKind.HARD,
            "revocation_of_all_authorizations",
        ),
        ("card_declined", "do_not_honor", DeclineKind.RETRYABLE, "do_not_honor"),
        ("insufficient_funds", "made_up_tomorrow", DeclineKind.RETRYABLE, "insufficient_funds"),
        ("authentication_required", None, DeclineKind.AUTHENTICATION, "authentication_required"),
        ("authentication_failed", None, DeclineKind.AUTHENTICATION, "authentication_failed"),
        ("card_declined", "invalid_merchant", DeclineKind.MERCHANT, "invalid_merchant"),
        ("card_declined", "invalid_currency", DeclineKind.MERCHANT, "invalid_currency"),
    ],
)
def test_each_failure_has_its_kind(gateway, ctx, mollie_api, request_of, failure, reason, kind, code):
    mollie_api.post(PAYMENTS, json=failed(failure, reason), status=201)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline.kind, result.decline.code) == (Status.DECLINED, kind, code)


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (payment(status="open"), Status.PENDING),
        (payment(status="pending"), Status.PENDING),
        (payment(status="authorized"), Status.PENDING),
        (payment(status="canceled"), Status.DECLINED),
        (payment(status="expired"), Status.DECLINED),
        (payment(status="a_new_one"), Status.UNKNOWN),
        (payment(amount={"currency": "EUR", "value": "12.38"}), Status.UNKNOWN),
        (payment(amount={"currency": "USD", "value": "12.37"}, amountRefunded=None), Status.UNKNOWN),
        (payment(amount={"currency": "EUR", "value": "12.370"}), Status.UNKNOWN),
        (payment(amount={"currency": "EUR", "value": 12.37}), Status.UNKNOWN),
        (payment(metadata={"perennial_key": "attempt-8"}), Status.UNKNOWN),
        (payment(metadata=None), Status.UNKNOWN),
        (payment(mandateId="mdt_2"), Status.UNKNOWN),
        (payment(customerId="cst_2"), Status.UNKNOWN),
        ({}, Status.UNKNOWN),
    ],
)
def test_what_each_payment_becomes(gateway, ctx, mollie_api, request_of, shown, status):
    mollie_api.post(PAYMENTS, json=shown, status=201)
    assert gateway.charge(ctx, request_of()).status is status


@pytest.mark.parametrize("status", [302, 400, 408, 409, 418, 500, 502, 503])
def test_what_leaves_it_open_is_unknown(gateway, ctx, mollie_api, request_of, status):
    mollie_api.post(PAYMENTS, json=problem(status), status=status)
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline) == (Status.UNKNOWN, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"a": NaN}', b'{"id": "1", "id": "2"}'])
def test_an_unreadable_success_is_unknown(gateway, ctx, mollie_api, request_of, body):
    mollie_api.post(PAYMENTS, body=body, status=201)
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


@pytest.mark.parametrize("odd", ['"status": "failed", ', '"score": NaN, '])
def test_a_success_in_odd_json_is_unknown(gateway, ctx, mollie_api, request_of, odd):
    mollie_api.post(PAYMENTS, body="{" + odd + json.dumps(payment())[1:], status=201)
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


def test_a_time_out_is_unknown_and_no_room_on_the_line_is_not_submitted(gateway, ctx, mollie_api, request_of):
    mollie_api.post(PAYMENTS, body=requests.exceptions.ReadTimeout())
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN
    mollie_api.replace("POST", PAYMENTS, body=requests.exceptions.ConnectTimeout())
    assert gateway.charge(ctx, request_of()).status is Status.NOT_SUBMITTED


@pytest.mark.parametrize(
    ("status", "kind"), [(401, DeclineKind.MERCHANT), (403, DeclineKind.MERCHANT), (429, None)]
)
def test_what_is_refused_at_the_door_is_not_submitted(gateway, ctx, mollie_api, request_of, status, kind):
    mollie_api.post(PAYMENTS, json=problem(status), status=status)
    result = gateway.charge(ctx, request_of())
    assert result.status is Status.NOT_SUBMITTED
    assert (result.decline.kind if result.decline else None) is kind


@pytest.mark.parametrize(
    ("status", "told", "kind", "code"),
    [
        (422, {"field": "mandateId"}, DeclineKind.HARD, "mandateId"),
        (410, {}, DeclineKind.HARD, "unprocessable_entity"),
        (422, {"field": "amount"}, DeclineKind.MERCHANT, "amount"),
        (422, {"field": "customerId"}, DeclineKind.MERCHANT, "customerId"),
        (422, {}, DeclineKind.MERCHANT, "unprocessable_entity"),
    ],
)
def test_a_request_that_mollie_refuses_is_final_once_its_list_shows_no_payment(
    gateway, ctx, mollie_api, request_of, status, told, kind, code
):
    mollie_api.post(PAYMENTS, json=problem(status, **told), status=status)
    mollie_api.get(OF_CUSTOMER, json=listed("payments", payment(metadata={"perennial_key": "attempt-6"})))
    result = gateway.charge(ctx, request_of())
    assert (result.status, result.decline.kind, result.decline.code) == (Status.DECLINED, kind, code)


def test_a_payment_that_was_made_beside_a_refusal_is_the_result(gateway, ctx, mollie_api, request_of):
    mollie_api.post(PAYMENTS, json=problem(422, detail="The card was not found"), status=422)
    mollie_api.get(OF_CUSTOMER, json=listed("payments", payment()))
    assert gateway.charge(ctx, request_of()).status is Status.SUCCEEDED
    mollie_api.replace("GET", OF_CUSTOMER, status=500)
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN
    mollie_api.replace(
        "GET", OF_CUSTOMER, json=listed("payments", payment(amount={"currency": "EUR", "value": "99.00"}))
    )
    assert gateway.charge(ctx, request_of()).status is Status.UNKNOWN


@pytest.mark.parametrize("ref", ["mdt_1", "cst_1-", "cst_1-mdt_1-x", "cst_1-../x", ""])
def test_an_instrument_that_is_none_of_ours_is_never_sent(gateway, ctx, mollie_api, request_of, ref):
    result = gateway.charge(ctx, request_of(instrument_ref=ref))
    assert (result.status, result.decline.kind) == (Status.DECLINED, DeclineKind.HARD)
    assert sent(mollie_api) == []


@pytest.mark.parametrize(
    ("minor", "currency"), [(0, "EUR"), (100_000_000, "EUR"), (100, "KWD"), (100, "BRL")]
)
def test_an_amount_that_cannot_be_charged_is_refused_without_a_request(
    gateway, ctx, mollie_api, request_of, minor, currency
):
    result = gateway.charge(ctx, request_of(minor, currency))
    assert (result.status, result.decline.kind) == (Status.DECLINED, DeclineKind.MERCHANT)
    assert sent(mollie_api) == []


def test_after_a_refund_or_a_chargeback_only_the_amounts_tell(gateway, ctx, mollie_api):
    given = {"currency": "EUR", "value": "2.00"}
    taken = {"currency": "EUR", "value": "12.37"}
    mollie_api.get(f"{PAYMENTS}/tr_1", json=payment(amountRefunded=given, amountChargedBack=taken))
    result = gateway.get_charge(ctx, "tr_1")
    assert (result.status, result.refunded_minor, result.disputed_minor) == (Status.SUCCEEDED, 200, 1237)


@pytest.mark.parametrize(
    ("shown", "status"), [(payment(id="tr_2"), 200), (problem(404), 404), (problem(401), 401), ({}, 200)]
)
def test_a_charge_that_cannot_be_read_is_unknown(gateway, ctx, mollie_api, shown, status):
    mollie_api.get(f"{PAYMENTS}/tr_1", json=shown, status=status)
    assert gateway.get_charge(ctx, "tr_1").status is Status.UNKNOWN
    assert gateway.get_charge(ctx, "../customers").status is Status.UNKNOWN
    assert len(mollie_api.calls) == 1


def test_what_mollie_does_not_cancel_is_read_as_it_is(gateway, ctx, mollie_api):
    mollie_api.delete(f"{PAYMENTS}/tr_1", json=problem(422), status=422)
    mollie_api.get(f"{PAYMENTS}/tr_1", json=payment())
    assert gateway.cancel_charge(ctx, "tr_1").status is Status.SUCCEEDED
    mollie_api.replace("DELETE", f"{PAYMENTS}/tr_1", json=payment(status="canceled"))
    mollie_api.replace("GET", f"{PAYMENTS}/tr_1", json=payment(status="canceled"))
    assert gateway.cancel_charge(ctx, "tr_1").status is Status.DECLINED
    mollie_api.replace("DELETE", f"{PAYMENTS}/tr_1", status=500)
    assert gateway.cancel_charge(ctx, "tr_1").status is Status.UNKNOWN


def find(gateway, ctx, since=NOW):
    return gateway.find_charge(ctx, "attempt-7", "cst_1", since)


def test_a_charge_is_found_on_any_page_and_the_pages_address_is_not_followed(gateway, ctx, mollie_api):
    other = payment(id="tr_9", metadata={"perennial_key": "attempt-8"})
    mollie_api.get(OF_CUSTOMER, json=listed("payments", other, following="tr_5"))
    mollie_api.get(OF_CUSTOMER, json=listed("payments", payment()))
    found = find(gateway, ctx)
    assert (found.answer, found.result.ref) == (LookupAnswer.YES, "tr_1")
    assert sent(mollie_api) == [
        "GET /v2/customers/cst_1/payments?limit=100",
        "GET /v2/customers/cst_1/payments?limit=100&from=tr_5",
    ]


def test_it_stops_well_before_the_first_sending(gateway, ctx, mollie_api):
    old = payment(metadata=None, createdAt="2027-02-20T12:00:00+00:00")
    mollie_api.get(OF_CUSTOMER, json=listed("payments", old, following="tr_0"))
    assert find(gateway, ctx).answer is LookupAnswer.NO
    assert len(mollie_api.calls) == 1


@pytest.mark.parametrize(
    ("status", "page"),
    [
        (200, listed("payments", payment(), payment(id="tr_2"))),
        (200, {"_embedded": {"payments": []}}),
        (200, {"_embedded": {"payments": []}, "_links": {"next": {"href": "https://x/?from=tr_1"}}}),
        (200, {"_embedded": {"payments": [payment()]}, "_links": {"next": {"href": "https://x/"}}}),
        (200, {"_embedded": {"payments": [payment()]}, "_links": {"next": {"href": "https://x/?from=../x"}}}),
        (200, {"_links": {"next": None}}),
        (401, problem(401)),
        (404, problem(404)),
        (503, {}),
    ],
)
def test_a_look_up_that_is_not_whole_cannot_tell(gateway, ctx, mollie_api, status, page):
    mollie_api.get(OF_CUSTOMER, json=page, status=status)
    assert find(gateway, ctx).answer is LookupAnswer.CANNOT_TELL


def dated(number, minutes, **changed):
    return payment(id=f"tr_{number}", createdAt=(NOW + timedelta(minutes=minutes)).isoformat(), **changed)


def test_the_list_goes_back_to_the_beginning_and_then_forward(gateway, ctx, mollie_api):
    def page(cursor):
        return gateway.list_charges(ctx, NOW, NOW + timedelta(minutes=10), cursor)

    mollie_api.get(PAYMENTS, json=listed("payments", dated(6, 20), dated(5, 9), following="tr_4"))
    mollie_api.get(
        PAYMENTS, json=listed("payments", dated(4, 8), dated(3, 0), dated(2, -5), following="tr_1")
    )
    first = page(None)
    second = page(first.next_cursor)
    assert (first.charges, second.charges) == ((), ())
    registration = dated(31, 1, sequenceType="first")
    foreign = dated(32, 2, metadata=None)
    oldest = listed("payments", dated(3, 0), registration, foreign, dated(4, 8), following="tr_5")
    mollie_api.get(PAYMENTS, json=oldest)
    mollie_api.get(PAYMENTS, json=listed("payments", dated(5, 9), dated(6, 20)))
    third = page(second.next_cursor)
    fourth = page(third.next_cursor)
    assert [charge.ref for charge in third.charges + fourth.charges] == ["tr_3", "tr_4", "tr_5"]
    assert fourth.next_cursor is None
    assert [line.partition("?")[2] for line in sent(mollie_api)] == [
        "limit=100",
        "limit=100&from=tr_4",
        "limit=100&from=tr_3&sort=asc",
        "limit=100&from=tr_5&sort=asc",
    ]


def test_a_time_without_payments_has_an_empty_list(gateway, ctx, mollie_api):
    mollie_api.get(PAYMENTS, json=listed("payments", dated(1, -5)))
    page = gateway.list_charges(ctx, NOW, NOW + timedelta(minutes=10))
    assert (page.charges, page.next_cursor) == ((), None)


def test_the_list_raises_rather_than_be_a_part(gateway, ctx, mollie_api):
    mollie_api.get(PAYMENTS, status=500)
    with pytest.raises(Unreachable):
        gateway.list_charges(ctx, NOW, NOW)
    with pytest.raises(Rejected):
        gateway.list_charges(ctx, NOW, NOW, "on+../x")
