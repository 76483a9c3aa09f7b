from decimal import Decimal

import pytest

from gateways.money import EXPONENTS, LARGEST_MINOR, Money, MoneyError


@pytest.mark.parametrize("minor", [12.5, 12.0, True, Decimal(12), "12", None])
def test_minor_units_are_an_int_and_nothing_that_looks_like_one(minor):
    with pytest.raises(MoneyError, match="minor units are an int"):
        Money(minor, "EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "XXX", "", None, 978, "E R"])
def test_a_currency_that_iso_4217_does_not_list_is_refused(currency):
    with pytest.raises(MoneyError, match="not an ISO 4217"):
        Money(1, currency)


def test_sums_and_differences_stay_in_their_currency():
    assert Money(1250, "EUR") + Money(50, "EUR") == Money(1300, "EUR")
    assert Money(50, "EUR") - Money(1250, "EUR") == Money(-1200, "EUR")
    assert Money(995, "EUR") * 3 == 3 * Money(995, "EUR") == Money(2985, "EUR")
    assert -Money(1, "JPY") == Money(-1, "JPY")
    assert abs(Money(-1, "JPY")) == Money(1, "JPY")
    assert Money.total([Money(1, "EUR"), Money(2, "EUR")], "EUR") == Money(3, "EUR")
    assert Money.total([], "EUR").is_zero


@pytest.mark.parametrize(
    "mix",
    [
        lambda one, other: one + other,
        lambda one, other: one - other,
        lambda one, other: one < other,
        lambda one, other: one >= other,
        lambda one, other: one <= other,
        lambda one, other: one > other,
    ],
)
@pytest.mark.parametrize("other", [Money(1, "USD"), 1, 1.0, None])
def test_nothing_is_combined_or_compared_across_currencies(mix, other):
    with pytest.raises(MoneyError):
        mix(Money(1, "EUR"), other)


def test_equal_numbers_of_two_currencies_are_not_equal():
    assert Money(1, "EUR") != Money(1, "USD")
    assert Money(1, "EUR") != 1
    assert sorted([Money(2, "EUR"), Money(1, "EUR")])[0] == Money(1, "EUR")


@pytest.mark.parametrize("factor", [1.5, True, Decimal(2), Money(1, "EUR")])
def test_money_is_multiplied_by_whole_numbers_alone(factor):
    with pytest.raises(MoneyError):
        Money(1, "EUR") * factor


def test_money_has_no_truth_value():
    with pytest.raises(MoneyError, match="truth"):
        bool(Money(0, "EUR"))


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (1250, "JPY", "1250"),
        (1250, "KWD", "1.250"),
        (-7, "KWD", "-0.007"),
        (12345, "CLF", "1.2345"),
        (LARGEST_MINOR, "EUR", "92233720368547758.07"),
    ],
)
def test_text_and_back(minor, currency, text):
    assert Money(minor, currency).major_text() == text
    assert Money.parse(text, currency) == Money(minor, currency)


def test_fewer_decimals_than_the_currency_has_are_filled_up():
    assert Money.parse("12", "EUR") == Money(1200, "EUR")
    assert Money.parse("12.5", "KWD") == Money(12500, "KWD")


@pytest.mark.parametrize(
    ("text", "currency", "complaint"),
    [
        ("12,50", "EUR", "'12,50' is not a plain decimal number such as 12.50"),
        ("1'000", "EUR", "is not a plain decimal"),
        ("1e3", "EUR", "is not a plain decimal"),
        ("NaN", "EUR", "is not a plain decimal"),
        ("", "EUR", "is not a plain decimal"),
        (" 1", "EUR", "is not a plain decimal"),
        (".5", "EUR", "is not a plain decimal"),
        ("١٢", "EUR", "is not a plain decimal"),
        ("9" * 500, "EUR", "is not a plain decimal"),
        (12, "EUR", "is not a plain decimal"),
        ("12.505", "EUR", "'12.505' has 3 decimals; EUR has 2"),
        ("12.5", "JPY", "'12.5' has 1 decimals; JPY has 0"),
        ("1", "eur", "'eur' is not an ISO 4217 currency code"),
        ("9" * 19, "EUR", "do not fit in 64 bits"),
    ],
)
def test_what_cannot_be_read_says_why(text, currency, complaint):
    with pytest.raises(MoneyError) as refused:
        Money.parse(text, currency)
    assert complaint in str(refused.value)


def test_amounts_fit_in_a_64_bit_column():
    with pytest.raises(MoneyError, match="64 bits"):
        Money(LARGEST_MINOR, "EUR") + Money(1, "EUR")


def test_exponents_of_iso_4217():
    assert {EXPONENTS[code] for code in ("EUR", "USD", "RON", "ISK", "UGX", "KWD", "CLF")} == {0, 2, 3, 4}
    assert (EXPONENTS["ISK"], EXPONENTS["UGX"], EXPONENTS["HUF"], EXPONENTS["TND"]) == (0, 0, 2, 3)
    assert len(EXPONENTS) > 160
