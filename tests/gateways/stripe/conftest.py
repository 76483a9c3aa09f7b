"""Stripe's answers by `responses`: what goes out is asserted, what comes back is written by hand."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
import requests
import responses

from gateways.contract import ChargeRequest, Context, Deadline, Mode, Money
from gateways.secret import Secret
from gateways.stripe import StripeGateway

API = "https://api.stripe.com"
KEY = "sk_test_of_nobody_4eC39HqLyjWDarjtT1zdp7dc"
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
CREATED = int(NOW.timestamp())


@pytest.fixture
def gateway() -> StripeGateway:
    settings = {"api_key": Secret(KEY), "webhook_secret": Secret("whsec_ours")}
    return StripeGateway(settings, Mode.TEST, "1")


@pytest.fixture
def make_context() -> Callable[..., Context]:
    def make(**changed: Any) -> Context:
        # A session of the library's own: with it, what never left is told by the kind of error alone.
        values = {"http": requests.Session(), "deadline": Deadline.after(10.0), "now": NOW}
        return Context(**{**values, **changed})

    return make


@pytest.fixture
def ctx(make_context: Callable[..., Context]) -> Context:
    return make_context()


@pytest.fixture
def stripe_api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def request_of() -> Callable[..., ChargeRequest]:
    def make(minor: int = 1237, currency: str = "EUR", **changed: Any) -> ChargeRequest:
        values = {
            "idempotency_key": "attempt-7",
            "amount": Money(minor, currency),
            "instrument_ref": "pm_1",
            "customer_ref": "cus_1",
            "description": "Renewal of amber.example",
        }
        return ChargeRequest(**{**values, **changed})

    return make


def intent(**changed: Any) -> dict[str, Any]:
    """A PaymentIntent as Stripe shows it, as much of it as is read."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1237,
        "amount_received": 0,
        "currency": "eur",
        "created": CREATED,
        "customer": "cus_1",
        "payment_method": "pm_1",
        "metadata": {"perennial_key": "attempt-7"},
        "status": "requires_confirmation",
        "latest_charge": None,
        "last_payment_error": None,
        "next_action": None,
        **changed,
    }


def paid(**changed: Any) -> dict[str, Any]:
    return intent(**{"status": "succeeded", "amount_received": 1237, "latest_charge": "ch_1", **changed})


def card_error(**told: Any) -> dict[str, Any]:
    """The body of a 402: the error, and the intent that failed."""
    error = {"type": "card_error", "code": "card_declined", "message": "Your card was declined.", **told}
    failed = intent(
        status="requires_payment_method",
        payment_method=None,
        last_payment_error={**error, "payment_method": {"id": "pm_1", "object": "payment_method"}},
    )
    return {"error": {**error, "payment_intent": failed}}


def error(kind: str = "invalid_request_error", **told: Any) -> dict[str, Any]:
    return {"error": {"type": kind, "message": "No.", **told}}


def listed(*items: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": has_more, "url": "/v1/x"}


def form_of(call: responses.Call) -> dict[str, str]:
    body = call.request.body or b""
    return dict(parse_qsl(body.decode() if isinstance(body, bytes) else body))


def sent(mock: responses.RequestsMock) -> list[str]:
    return [f"{call.request.method} {unquote(call.request.path_url)}" for call in mock.calls]
