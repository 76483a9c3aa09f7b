"""Look-ups, the list, disputes and cancelling: what Stripe knows of a charge afterwards."""

from datetime import timedelta

import pytest

from gateways.contract import LookupAnswer, Status
from gateways.errors import Rejected, Unreachable
from tests.gateways.stripe.conftest import API, CREATED, NOW, card_error, error, intent, listed, paid, sent

LIST, ONE = f"{API}/v1/payment_intents", f"{API}/v1/payment_intents/pi_1"
CHARGE = {"id": "ch_1", "object": "charge", "amount_refunded": 200, "disputed": False}


def find(gateway, ctx, since=NOW):
    return gateway.find_charge(ctx, "attempt-7", "cus_1", since)


def test_a_charge_is_found_in_the_customers_list_and_not_by_the_search_that_lags(gateway, ctx, stripe_api):
    other = intent(id="pi_0", metadata={"perennial_key": "attempt-6"})
    stripe_api.get(LIST, json=listed(other, paid()))
    stripe_api.get(ONE, json=paid(latest_charge=CHARGE))
    found = find(gateway, ctx)
    assert (found.answer, found.result.status, found.result.ref) == (
        LookupAnswer.YES,
        Status.SUCCEEDED,
        "pi_1",
    )
    assert found.result.refunded_minor == 200
    assert sent(stripe_api) == [
        "GET /v1/payment_intents?customer=cus_1&limit=100",
        "GET /v1/payment_intents/pi_1?expand[0]=latest_charge",
    ]


def test_it_goes_through_all_pages_down_to_well_before_the_first_sending(gateway, ctx, stripe_api):
    pages = [
        listed(intent(id="pi_9", metadata={}, created=CREATED), has_more=True),
        listed(intent(id="pi_8", metadata={}, created=CREATED - 86_400), has_more=True),
        listed(intent(id="pi_7", metadata={}, created=CREATED - 5 * 86_400), has_more=True),
    ]
    for page in pages:
        stripe_api.get(LIST, json=page)
    assert find(gateway, ctx).answer is LookupAnswer.NO
    assert [path.partition("starting_after=")[2] for path in sent(stripe_api)] == ["", "pi_9", "pi_8"]


def test_an_intent_that_was_never_confirmed_moved_nothing(gateway, ctx, stripe_api):
    stripe_api.get(LIST, json=listed(intent()))
    found = find(gateway, ctx)
    assert (found.answer, found.message) == (LookupAnswer.NO, "created, and never confirmed")


def test_two_captures_under_one_key_are_for_a_person(gateway, ctx, stripe_api):
    stripe_api.get(LIST, json=listed(paid(id="pi_2"), paid()))
    stripe_api.get(ONE, json=paid())
    stripe_api.get(f"{LIST}/pi_2", json=paid(id="pi_2"))
    found = find(gateway, ctx)
    assert found.answer is LookupAnswer.CANNOT_TELL
    assert "pi_2, pi_1" in found.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (401, error()),
        (400, error(code="resource_missing", param="customer")),
        (429, error()),
        (200, {"data": []}),
        (200, {"data": None, "has_more": False}),
        (200, listed(has_more=True)),
    ],
)
def test_a_look_up_that_fails_cannot_tell(gateway, ctx, stripe_api, status, body):
    stripe_api.get(LIST, json=body, status=status)
    assert find(gateway, ctx).answer is LookupAnswer.CANNOT_TELL


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (intent(status="processing"), Status.PENDING),
        (intent(status="requires_action"), Status.ACTION_REQUIRED),
        (intent(), Status.UNKNOWN),
        (intent(status="requires_payment_method"), Status.UNKNOWN),
        (intent(status="requires_capture"), Status.UNKNOWN),
        (intent(status="canceled"), Status.DECLINED),
        (card_error(decline_code="lost_card")["error"]["payment_intent"], Status.DECLINED),
        (card_error(code="authentication_required")["error"]["payment_intent"], Status.ACTION_REQUIRED),
        (
            card_error(code="payment_intent_authentication_failure")["error"]["payment_intent"],
            Status.DECLINED,
        ),
        (paid(latest_charge=CHARGE), Status.SUCCEEDED),
        (paid(id="pi_2"), Status.UNKNOWN),
    ],
)
def test_every_state_of_an_intent_has_its_status(gateway, ctx, stripe_api, shown, status):
    stripe_api.get(ONE, json=shown)
    assert gateway.get_charge(ctx, "pi_1").status is status


@pytest.mark.parametrize(
    ("disputes", "minor"),
    [
        ([("needs_response", 1237, "eur")], 1237),
        ([("lost", 500, "eur")], 500),
        ([("under_review", 300, "eur"), ("won", 900, "eur")], 300),
        ([("appeal_under_review", 1237, "eur")], 1237),
        ([("warning_needs_response", 1237, "eur")], 0),
        ([("prevented", 1237, "eur")], 0),
        ([("won", 1237, "eur")], 0),
        ([("lost", 900, "eur"), ("lost", 900, "eur")], 1237),
        ([("lost", 1400, "usd")], 1237),
    ],
)
def test_what_the_cardholder_took_back_shows_beside_the_status(gateway, ctx, stripe_api, disputes, minor):
    stripe_api.get(ONE, json=paid(latest_charge={**CHARGE, "disputed": True}))
    shown = [
        {"id": "dp_1", "object": "dispute", "status": status, "amount": amount, "currency": currency}
        for status, amount, currency in disputes
    ]
    stripe_api.get(f"{API}/v1/disputes", json=listed(*shown))
    result = gateway.get_charge(ctx, "pi_1")
    assert (result.status, result.disputed_minor) == (Status.SUCCEEDED, minor)


def test_the_list_is_walked_by_slices_of_time_from_its_oldest_end(gateway, ctx, stripe_api):
    since, until = NOW, NOW + timedelta(seconds=64)
    old, new = paid(id="pi_1"), paid(id="pi_2")
    stripe_api.get(LIST, json=listed(paid(id="pi_9"), has_more=True))
    stripe_api.get(LIST, json=listed(new, old))
    first = gateway.list_charges(ctx, since, until)
    assert [charge.ref for charge in first.charges] == ["pi_1", "pi_2"]
    stripe_api.get(LIST, json=listed(paid(id="pi_9"), intent(id="pi_8"), paid(id="pi_7", metadata={})))
    second = gateway.list_charges(ctx, since, until, first.next_cursor)
    assert [charge.ref for charge in second.charges] == ["pi_9"]
    assert second.next_cursor is None
    spans = [path.split("&expand")[0].partition("?")[2] for path in sent(stripe_api)]
    assert spans == [
        f"created[gte]={CREATED}&created[lt]={CREATED + 64}&limit=50",
        f"created[gte]={CREATED}&created[lt]={CREATED + 16}&limit=50",
        f"created[gte]={CREATED + 16}&created[lt]={CREATED + 64}&limit=50",
    ]


def test_a_second_with_more_than_a_page_is_read_to_its_end(gateway, ctx, stripe_api):
    stripe_api.get(LIST, json=listed(paid(id="pi_3"), paid(id="pi_2"), has_more=True))
    stripe_api.get(LIST, json=listed(paid(id="pi_1")))
    page = gateway.list_charges(ctx, NOW, NOW + timedelta(seconds=1))
    assert [charge.ref for charge in page.charges] == ["pi_1", "pi_2", "pi_3"]


def test_the_list_raises_rather_than_be_a_part(gateway, ctx, stripe_api):
    stripe_api.get(LIST, status=500)
    with pytest.raises(Unreachable):
        gateway.list_charges(ctx, NOW, NOW + timedelta(days=1))
    with pytest.raises(Rejected):
        gateway.list_charges(ctx, NOW, NOW + timedelta(days=1), "../elsewhere")


def test_cancelling_answers_with_the_state_afterwards(gateway, ctx, stripe_api):
    stripe_api.post(f"{ONE}/cancel", json=intent(status="canceled"))
    assert gateway.cancel_charge(ctx, "pi_1").status is Status.DECLINED
    stripe_api.replace(
        "POST", f"{ONE}/cancel", json=error(code="payment_intent_unexpected_state"), status=400
    )
    stripe_api.get(ONE, json=paid(latest_charge=CHARGE))
    assert gateway.cancel_charge(ctx, "pi_1").status is Status.SUCCEEDED
    stripe_api.replace("POST", f"{ONE}/cancel", status=500)
    assert gateway.cancel_charge(ctx, "pi_1").status is Status.UNKNOWN
