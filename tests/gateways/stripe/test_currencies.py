"""Amounts as Stripe writes them, against a list that is not the gateway's own."""

import pytest

from gateways.contract import Money
from gateways.errors import Ambiguous
from gateways.money import MoneyError
from gateways.stripe.currencies import CURRENCIES, from_the_wire, on_the_wire


@pytest.mark.parametrize(
    ("amount", "wire"),
    [
        (Money(1000, "USD"), 1000),
        (Money(1000, "EUR"), 1000),
        (Money(500, "JPY"), 500),
        (Money(500, "KRW"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(5120, "KWD"), 5120),
        (Money(5120, "BHD"), 5120),
        (Money(5120, "JOD"), 5120),
        (Money(5120, "OMR"), 5120),
        (Money(5120, "TND"), 5120),
        (Money(50_000, "MGA"), 500),
        (Money(17_500, "HUF"), 17_500),
        (Money(80_000, "TWD"), 80_000),
        (Money(100, "XAF"), 100),
    ],
)
def test_amounts_are_written_as_stripe_writes_them(amount, wire):
    assert on_the_wire(amount) == wire
    assert from_the_wire({"amount": wire, "currency": amount.currency.lower()}) == amount


def test_every_currency_comes_back_as_it_went():
    for currency, rule in CURRENCIES.items():
        for minor in (rule.min_minor, rule.max_minor, rule.min_minor + 10 * rule.step_minor):
            wire = on_the_wire(Money(minor, currency))
            assert from_the_wire({"amount": wire, "currency": currency.lower()}) == Money(minor, currency)
            assert 0 < wire <= 999_999_999_999


@pytest.mark.parametrize(
    "amount", [Money(5125, "KWD"), Money(1050, "MGA"), Money(1, "BHD"), Money(100, "CLF"), Money(100, "IRR")]
)
def test_what_stripe_cannot_express_is_refused_rather_than_rounded(amount):
    with pytest.raises(MoneyError):
        on_the_wire(amount)


@pytest.mark.parametrize(
    "shown",
    [
        {"amount": 550, "currency": "isk"},
        {"amount": 5.0, "currency": "eur"},
        {"amount": "500", "currency": "eur"},
        {"amount": True, "currency": "eur"},
        {"amount": 500, "currency": "usdc"},
        {"amount": 500},
    ],
)
def test_an_amount_that_is_none_is_ambiguous(shown):
    with pytest.raises(Ambiguous):
        from_the_wire(shown)


@pytest.mark.parametrize(
    ("currency", "least"), [("EUR", 50), ("GBP", 30), ("JPY", 50), ("CZK", 1500), ("KWD", 10), ("ISK", 1)]
)
def test_the_least_amounts_are_declared(currency, least):
    assert CURRENCIES[currency].min_minor == least
