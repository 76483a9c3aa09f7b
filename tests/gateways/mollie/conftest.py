"""Mollie's answers by `responses`: what goes out is asserted, what comes back is written by hand."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import responses

from gateways.contract import ChargeRequest, Context, Deadline, Mode, Money
from gateways.mollie import MollieGateway
from gateways.secret import Secret

API = "https://api.mollie.com/v2"
KEY = "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM"
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def gateway() -> MollieGateway:
    return MollieGateway({"api_key": Secret(KEY)}, Mode.TEST, "1")


@pytest.fixture
def ctx() -> Context:
    # A session of the library's own: with it, what never left is told by the kind of error alone.
    return Context(http=requests.Session(), deadline=Deadline.after(10.0), now=NOW)


@pytest.fixture
def mollie_api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def request_of() -> Callable[..., ChargeRequest]:
    def make(minor: int = 1237, currency: str = "EUR", **changed: Any) -> ChargeRequest:
        values = {
            "idempotency_key": "attempt-7",
            "amount": Money(minor, currency),
            "instrument_ref": "cst_1-mdt_1",
            "customer_ref": "cst_1",
            "description": "Renewal of amber.example",
        }
        return ChargeRequest(**{**values, **changed})

    return make


def payment(**changed: Any) -> dict[str, Any]:
    """A recurring payment as Mollie shows it, as much of it as is read."""
    return {
        "resource": "payment",
        "id": "tr_1",
        "mode": "test",
        "createdAt": "2027-03-01T12:00:00+00:00",
        "amount": {"currency": "EUR", "value": "12.37"},
        "amountRefunded": {"currency": "EUR", "value": "0.00"},
        "description": "Renewal of amber.example",
        "metadata": {"perennial_key": "attempt-7"},
        "status": "paid",
        "sequenceType": "recurring",
        "customerId": "cst_1",
        "mandateId": "mdt_1",
        "details": {"cardNumber": "0005"},
        **changed,
    }


def failed(failure: str | None, reason: str | None = None) -> dict[str, Any]:
    details = {"failureReason": failure} if failure else {}
    told = {"statusReason": {"code": reason, "message": "The bank said no."}} if reason else {}
    return payment(status="failed", details=details, **told)


def problem(status: int, **told: str) -> dict[str, Any]:
    return {"status": status, "title": "Unprocessable Entity", "detail": "No.", **told}


def listed(name: str, *items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    link = {"href": f"https://api.mollie.com/v2/x?from={following}&limit=100"} if following else None
    return {"count": len(items), "_embedded": {name: list(items)}, "_links": {"next": link}}


def body_of(call: responses.Call) -> dict[str, Any]:
    return json.loads(call.request.body)


def sent(mock: responses.RequestsMock) -> list[str]:
    return [f"{call.request.method} {unquote(call.request.path_url)}" for call in mock.calls]
