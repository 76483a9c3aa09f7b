"""Every request of the gateway against the parameter types of Stripe's own library."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import stripe.params
import stripe.params.checkout

import gateways.stripe
from gateways.contract import (
    ChargeRequest,
    Context,
    Deadline,
    Money,
    RefundRequest,
    RegistrationRequest,
    Status,
)
from gateways.stripe import sdk
from gateways.testing.behaviours import AUTHENTICATION
from gateways.testing.fakes.stripe import conformance
from gateways.testing.processor import Visit
from gateways.testing.wire import Wire
from tests.gateways.stripe.parameter_types import WrongParameters, checked, complain_about

BACK = "https://panel.example/back"
FAKE_KEY = conformance.settings["api_key"]


@pytest.fixture
def seen(monkeypatch):
    """The names of the library's methods that were called, each with parameters of the right types."""
    found = set()

    class CheckedCalls(sdk.Calls):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            checked(self, found)

    monkeypatch.setattr(sdk, "Calls", CheckedCalls)
    return found


def everything(gateway, processor):
    """Each method of the gateway, with optional things given and left out."""
    wire = Wire(processor.url)

    def ctx():
        return Context(http=wire.session(), deadline=Deadline.after(10.0), now=processor.now())

    def charge(behaviour, number, **changed):
        card = processor.card(behaviour)
        told = {"instrument_ref": card.instrument_ref, "customer_ref": card.customer_ref, **changed}
        amount = Money(1237, "EUR")
        request = ChargeRequest(idempotency_key=f"key-{number}", amount=amount, **told)
        return request, gateway.charge(ctx(), request)

    assert gateway.check_settings(ctx()) == []
    bare = RegistrationRequest(key="bare", return_url=BACK)
    whole = RegistrationRequest(
        key="whole",
        return_url=BACK,
        description="Ioana's card",
        customer_name="Ioana Popescu",
        customer_email="ioana@client.example",
        account_reference="7",
    )
    for asked in (bare, whole):
        step = gateway.start_registration(ctx(), asked)
        processor.visit(step, Visit.COMPLETES)
        gateway.get_registration(ctx(), step.ref)
    request, result = charge("ok", 1, description="Renewal", metadata={"proforma": "P-1"})
    assert result.status is Status.SUCCEEDED
    refund = RefundRequest(
        idempotency_key="refund-1", charge_ref=result.ref, amount=Money(200, "EUR"), reason="left"
    )
    given_back = gateway.refund(ctx(), refund)
    gateway.get_refund(ctx(), given_back.ref)
    gateway.find_refund(ctx(), "refund-1", result.ref, processor.now())
    processor.dispute(result.ref)
    assert gateway.get_charge(ctx(), result.ref).disputed_minor == 1237
    gateway.find_charge(ctx(), "key-1", request.customer_ref, processor.now())
    assert gateway.list_charges(ctx(), processor.now() - timedelta(days=1), processor.now()).charges
    waiting = charge(AUTHENTICATION, 2)[1]
    gateway.start_authentication(ctx(), waiting.ref, BACK)
    gateway.cancel_charge(ctx(), waiting.ref)
    gateway.get_instrument(ctx(), request.instrument_ref)
    gateway.forget_instrument(ctx(), request.instrument_ref)


def test_every_request_fits_the_librarys_types(seen):
    with conformance.processor() as processor:
        everything(conformance.new_gateway(conformance.settings, conformance.mode, "1"), processor)
    assert seen == written_in_the_source()


def written_in_the_source():
    """Every method of the library that the gateway's code names."""
    files = Path(gateways.stripe.__file__).parent.glob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r"stripe\.v1\.([a-z_.]+)\(", text))


def test_all_calls_are_looked_for():
    assert len(written_in_the_source()) >= 14


CREATE = stripe.params.PaymentIntentCreateParams
RIGHT = {"amount": 1237, "currency": "eur", "allowed_payment_method_types": ["card"], "metadata": {"a": "b"}}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({**RIGHT, "payment_method_types": ["card"]}, "no parameter payment_method_types"),
        ({"currency": "eur"}, "lacks amount"),
        ({**RIGHT, "amount": "1237"}, "amount is '1237'"),
        ({**RIGHT, "amount": 12.37}, "amount is 12.37"),
        ({**RIGHT, "amount": True}, "amount is True"),
        ({**RIGHT, "customer": None}, "customer is None"),
        ({**RIGHT, "metadata": {"a": 1}}, r"metadata\[a\] is 1"),
        ({**RIGHT, "allowed_payment_method_types": "card"}, "no list"),
        ({**RIGHT, "allowed_payment_method_types": ["crad"]}, "crad"),
        ({**RIGHT, "capture_method": "automatik"}, "automatik"),
        ({**RIGHT, "payment_method_options": {"card": {"request_three_d_secure": "always"}}}, "always"),
        ({**RIGHT, "payment_method_options": {"card": {"three_d_secure_request": "any"}}}, "no parameter"),
    ],
)
def test_unknown_missing_and_mistyped_parameters_are_found(params, says):
    complain_about(RIGHT, CREATE, "create")
    with pytest.raises(WrongParameters, match=says):
        complain_about(params, CREATE, "create")


def test_the_version_is_the_one_whose_types_are_installed():
    assert stripe.api_version == sdk.PINNED_VERSION
