"""What Stripe charges in, the least it takes, and how it writes amounts, which is not always as ISO 4217
does."""

from __future__ import annotations

from typing import Final

from gateways.contract import CurrencyRule
from gateways.errors import Ambiguous
from gateways.money import Money, MoneyError, exponent_of
from gateways.reading import Shown, text, whole

_ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
"""Written in whole units. The ariary has fifths by ISO 4217, which nobody pays in."""

_WHOLE_BUT_IN_HUNDREDTHS: Final = frozenset(("ISK", "UGX"))
"""Without decimals by ISO 4217, written with two all the same: 5 ISK are 500."""

_THREE_DECIMALS: Final = frozenset("BHD JOD KWD OMR TND".split())
"""Written in thousandths, of which the last digit is 0: the card networks settle hundredths."""

_TWO_DECIMALS: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC
    CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS
    KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
    PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD
    TZS UAH USD UYU UZS WST XCD YER ZAR ZMW
    """.split()
)

_LEAST: Final = {
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
    "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
"""In minor units, as published. For all others the least depends on the account's settlement currency, and
Stripe refuses what is below it."""

_MOST_ON_THE_WIRE: Final = 99_999_999
_MOST_RUPIAH: Final = 999_999_999_999


def wire_exponent(currency: str) -> int:
    """Decimals that Stripe's integers have: 2 for EUR, 0 for JPY, 3 for KWD, 2 for ISK."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def _rule(currency: str) -> CurrencyRule:
    step = (
        10 if currency in _THREE_DECIMALS else 10 ** max(exponent_of(currency) - wire_exponent(currency), 0)
    )
    most = _MOST_RUPIAH if currency == "IDR" else _MOST_ON_THE_WIRE
    largest = most * 10 ** exponent_of(currency) // 10 ** wire_exponent(currency)
    return CurrencyRule(
        min_minor=_LEAST.get(currency, step), max_minor=largest // step * step, step_minor=step
    )


CURRENCIES: Final = {
    currency: _rule(currency)
    for currency in sorted(_TWO_DECIMALS | _ZERO_DECIMAL | _WHOLE_BUT_IN_HUNDREDTHS | _THREE_DECIMALS)
}


def on_the_wire(amount: Money) -> int:
    """Stripe's integer for `amount`. Raises MoneyError for what it cannot express."""
    rule = CURRENCIES.get(amount.currency)
    if rule is None:
        raise MoneyError(f"Stripe does not charge in {amount.currency}")
    if amount.minor % rule.step_minor:
        raise MoneyError(f"{amount} is not a multiple of {Money(rule.step_minor, amount.currency)}")
    return amount.minor * 10 ** wire_exponent(amount.currency) // 10**amount.exponent


def from_the_wire(shown: Shown, name: str = "amount") -> Money:
    """The amount under `name` in the currency beside it. Raises Ambiguous for what is not money."""
    currency, units = text(shown, "currency").upper(), whole(shown, name)
    try:
        minor, rest = divmod(units * 10 ** exponent_of(currency), 10 ** wire_exponent(currency))
        if rest:
            raise Ambiguous(f"{units} on the wire is not a whole number of minor units of {currency}")
        return Money(minor, currency)
    except MoneyError as error:
        raise Ambiguous(f"the answer's amount is none: {error}") from error
