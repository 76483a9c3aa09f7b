"""Keys and modes, the settings' check, what is never shown, and when Stripe's library is loaded."""

import logging
import os
import subprocess
import sys
import traceback

import pytest

from gateways.contract import Mode, NotSent, RegistrationRequest, Rejected, Status, WrongMode
from gateways.secret import Secret
from gateways.stripe import StripeGateway
from tests.gateways.stripe.conftest import API, KEY, error, intent, listed

LIST = f"{API}/v1/payment_intents"
QUOTING = error(message=f"Invalid API Key provided: {KEY}", code="api_key_expired")


@pytest.mark.parametrize("key", ["sk_test_1", "rk_test_1", "pk_test_1"])
def test_a_test_key_is_refused_in_live_mode(key):
    with pytest.raises(WrongMode) as caught:
        StripeGateway({"api_key": Secret(key)}, Mode.LIVE, "1")
    assert key not in str(caught.value)
    StripeGateway({"api_key": Secret(key)}, Mode.TEST, "1")


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
def test_a_live_key_is_refused_in_test_mode(key):
    with pytest.raises(WrongMode):
        StripeGateway({"api_key": Secret(key)}, Mode.TEST, "1")
    StripeGateway({"api_key": Secret(key)}, Mode.LIVE, "1")


def test_right_settings_have_no_problem(gateway, ctx, stripe_api):
    stripe_api.get(LIST, json=listed())
    assert gateway.check_settings(ctx) == []


@pytest.mark.parametrize(
    ("status", "field"), [(401, "api_key"), (403, "api_key"), (400, ""), (500, ""), (302, "")]
)
def test_wrong_settings_are_a_problem_and_no_crash(gateway, ctx, stripe_api, status, field):
    stripe_api.get(LIST, json=error(), status=status)
    (problem,) = gateway.check_settings(ctx)
    assert problem.field == field


@pytest.mark.parametrize("key", ["pk_test_1", "whsec_1", "sk_test_ö", "sk_test_1\n", "sk_test_"])
def test_what_is_no_secret_key_is_a_problem_before_anything_is_sent(ctx, stripe_api, key):
    problems = StripeGateway({"api_key": Secret(key)}, Mode.TEST, "1").check_settings(ctx)
    assert [problem.field for problem in problems] == ["api_key"]
    assert len(stripe_api.calls) == 0


def test_a_key_that_cannot_be_a_header_is_not_quoted_by_whoever_refuses_it(ctx):
    gateway = StripeGateway({"api_key": Secret("sk_test_1\nX-Other: 1")}, Mode.TEST, "1")
    with pytest.raises(NotSent) as caught:
        gateway.get_instrument(ctx, "pm_1")
    assert "sk_test_1" not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_in_nothing_that_is_shown_even_when_stripe_quotes_it(
    gateway, ctx, stripe_api, request_of, caplog
):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("stripe").setLevel(logging.DEBUG)
    stripe_api.post(LIST, json=QUOTING, status=401)
    stripe_api.get(LIST, json=QUOTING, status=401)
    stripe_api.post(f"{API}/v1/customers", json=QUOTING, status=401)
    result = gateway.charge(ctx, request_of())
    problems = gateway.check_settings(ctx)
    with pytest.raises(Rejected) as caught:
        gateway.start_registration(ctx, RegistrationRequest(key="r", return_url="https://p.example"))
    assert result.status is Status.NOT_SUBMITTED
    shown = [repr(result), repr(problems), repr(gateway), caplog.text]
    shown += traceback.format_exception(caught.value)
    shown.append(repr(vars(caught.value)))
    assert not [text for text in shown if KEY in text]
    assert "••••••" in result.message


def test_client_secrets_and_names_are_in_no_log(gateway, ctx, stripe_api, request_of, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("stripe").setLevel(logging.DEBUG)
    stripe_api.post(LIST, json=intent(client_secret="pi_1_secret_2", description="Ioana Popescu"))
    gateway.charge(ctx, request_of(description="Ioana Popescu"))
    assert "pi_1_secret_2" not in caplog.text
    assert "Ioana" not in caplog.text


@pytest.mark.parametrize(
    "statement",
    [
        "import gateways",
        "import gateways.stripe",
        "from gateways.loading import load; assert {'stripe', 'mollie'} <= load(entry_points=False).gateways.keys()",
    ],
)
def test_stripes_library_is_not_loaded_before_it_is_used(statement):
    code = f"{statement}\nimport sys\nassert 'stripe' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())


def test_without_stripes_library_the_gateway_is_set_aside_with_a_clear_line():
    code = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'stripe' else real(name, *rest)\n"
        "from gateways.loading import load\n"
        "found = load(entry_points=False)\n"
        "(item,) = found.quarantined\n"
        "assert item.name == 'gateways.stripe' and 'not installed' in item.error, item\n"
        "assert 'mollie' in found.gateways\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd(), capture_output=True)
