import inspect
from datetime import UTC, datetime

import pytest

from gateways.contract import (
    CUSTOMER_TEXT,
    NEXT_STEP_TEXT,
    Capabilities,
    ChargeResult,
    CurrencyRule,
    DeclineKind,
    Gateway,
    Mode,
    Money,
    NotSupported,
    Status,
)
from gateways.mock.gateway import MockGateway
from gateways.registrars.contract import Registrar, RenewRequest, add_years
from gateways.secret import Secret
from gateways.setting_fields import FieldKind, SettingField, problems_in


class Bare(Gateway):
    id = "bare"
    label = "Bare"
    api = (1, 0)
    capabilities = Capabilities(currencies={}, idempotency_window_s=1, settle_delay_s=1)


def test_every_optional_method_says_that_it_is_not_supported():
    gateway = Bare({}, Mode.TEST, "1")
    kept = {"secrets", "check_settings"}
    methods = [
        name
        for name, member in inspect.getmembers(Gateway, inspect.isfunction)
        if not name.startswith("_") and name not in kept
    ]
    assert len(methods) >= 14
    for name in methods:
        needed = len(inspect.signature(getattr(gateway, name)).parameters)
        with pytest.raises(NotSupported, match=f"Bare does not offer {name}"):
            getattr(gateway, name)(*[None] * needed)


@pytest.mark.parametrize("base", [Gateway, Registrar])
def test_every_method_that_does_io_takes_its_context_first(base):
    pure = {"secrets", "parse_webhook"}
    for name, member in inspect.getmembers(base, inspect.isfunction):
        if not name.startswith("_") and name not in pure:
            assert list(inspect.signature(member).parameters)[1] == "ctx", name


def test_a_declined_result_says_why():
    with pytest.raises(ValueError, match="decline is missing"):
        ChargeResult(status=Status.DECLINED)
    with pytest.raises(ValueError, match="ref and an amount"):
        ChargeResult(status=Status.SUCCEEDED)


def test_each_decline_kind_has_its_texts():
    assert set(CUSTOMER_TEXT) == set(NEXT_STEP_TEXT) == set(DeclineKind)


@pytest.mark.parametrize(
    ("minor", "currency", "problem"),
    [
        (1000, "KWD", None),
        (1005, "KWD", "amount_off_step"),
        (100, "KWD", "amount_below_minimum"),
        (10_000_000, "KWD", "amount_above_maximum"),
        (1000, "EUR", "currency_not_supported"),
        (-1000, "KWD", "amount_below_minimum"),
    ],
)
def test_an_amount_that_the_processor_would_not_take_is_known_beforehand(minor, currency, problem):
    rule = CurrencyRule(min_minor=150, max_minor=1_000_000, step_minor=10)
    capabilities = Capabilities(currencies={"KWD": rule}, idempotency_window_s=1, settle_delay_s=1)
    assert capabilities.amount_problem(Money(minor, currency)) == problem


FIELDS = (
    SettingField(key="url", label="Address", kind=FieldKind.URL),
    SettingField(key="key", label="Key", kind=FieldKind.SECRET, pattern="sk_[a-z]+"),
    SettingField(
        key="way", label="Way", kind=FieldKind.CHOICE, choices=(("a", "A"), ("b", "B")), required=False
    ),
    SettingField(key="extra", label="Extra", required=False, required_when=("way", "b")),
    SettingField(key="days", label="Days", kind=FieldKind.INTEGER, required=False),
)
RIGHT = {"url": "https://pay.example/api", "key": Secret("sk_abc")}


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({}, None, None),
        ({"url": ""}, "url", "Address is missing"),
        ({"url": "javascript:alert(1)"}, "url", "Address is not a web address"),
        ({"url": "https://user@host/"}, "url", "Address is not a web address"),
        ({"key": "sk_abc"}, "key", "Key must be a Secret"),
        ({"key": Secret("")}, "key", "Key is missing"),
        ({"key": Secret("other")}, "key", "Key has not the expected form"),
        ({"way": "c"}, "way", "Way is not one of the choices"),
        ({"way": "a"}, None, None),
        ({"way": "b"}, "extra", "Extra is missing"),
        ({"days": True}, "days", "Days is not a whole number"),
        ({"colour": "red"}, "colour", "colour is not a setting"),
    ],
)
def test_settings_are_checked_against_their_fields(changed, field, message):
    problems = problems_in(FIELDS, {**RIGHT, **changed})
    assert [(problem.field, problem.message) for problem in problems] == ([(field, message)] if field else [])


def test_a_problem_never_shows_a_secret():
    problems = problems_in(FIELDS, {**RIGHT, "key": Secret("hunter2")})
    assert "hunter2" not in repr(problems)


def test_an_instance_prints_without_its_settings():
    gateway = MockGateway({"api_key": Secret("hunter2")}, Mode.TEST, "7")
    assert repr(gateway) == "<MockGateway 7 test>"


@pytest.mark.parametrize(
    ("day", "years", "becomes"),
    [
        ((2027, 3, 31), 1, (2028, 3, 31)),
        ((2028, 2, 29), 1, (2029, 2, 28)),
        ((2028, 2, 29), 4, (2032, 2, 28)),
        ((2027, 2, 28), 1, (2028, 2, 28)),
    ],
)
def test_a_leap_day_becomes_the_28th_and_stays_it(day, years, becomes):
    at = datetime(*day, 23, 59, tzinfo=UTC)
    assert add_years(at, years) == datetime(*becomes, 23, 59, tzinfo=UTC)


def test_a_renewal_needs_a_time_zone_and_a_year():
    with pytest.raises(ValueError, match="aware"):
        RenewRequest(key="k", domain="a.example", believed_expiry=datetime(2027, 1, 1))
    with pytest.raises(ValueError, match="one year"):
        RenewRequest(key="k", domain="a.example", believed_expiry=datetime(2027, 1, 1, tzinfo=UTC), years=0)
