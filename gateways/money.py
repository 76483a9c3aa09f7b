"""Amounts as integer minor units with their ISO 4217 code, together, everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_TWO_DECIMALS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

EXPONENTS: Final[dict[str, int]] = {
    code: exponent
    for exponent, codes in (
        (0, _NO_DECIMALS),
        (2, _TWO_DECIMALS),
        (3, _THREE_DECIMALS),
        (4, _FOUR_DECIMALS),
    )
    for code in codes.split()
}
"""Digits after the decimal point of each active ISO 4217 currency (funds codes included, metals and tests
not)."""

# What a signed 64-bit column holds: a sum that would not fit in the books must not exist in memory either.
LARGEST_MINOR: Final = 2**63 - 1

_PLAIN_DECIMAL = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,4}))?")


class MoneyError(ValueError):
    """An amount that is not one: unknown currency, fraction of a minor unit, mixed currencies, too large."""


def exponent_of(currency: str) -> int:
    """Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD. Raises MoneyError for an unknown
    code."""
    if not isinstance(currency, str) or currency not in EXPONENTS:
        raise MoneyError(f"{currency!r} is not an ISO 4217 currency code")
    return EXPONENTS[currency]


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units (cents, yen, fils) of `currency`; negative amounts are allowed (credit notes,
    differences)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"minor units are an int, not {type(self.minor).__name__} {self.minor!r}")
        exponent_of(self.currency)
        if abs(self.minor) > LARGEST_MINOR:
            raise MoneyError(f"{self.minor} minor units do not fit in 64 bits")

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str) -> Money:
        """The sum of amounts that are all in `currency` (zero of it when there are none)."""
        result = cls.zero(currency)
        for amount in amounts:
            result += amount
        return result

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Reads a plain decimal ("12", "12.5", "-12.50"): a point, no grouping, no locale, nothing rounded.

        Raises MoneyError that says what is wrong: not a number, or more decimals than the currency has.
        """
        exponent = exponent_of(currency)
        found = _PLAIN_DECIMAL.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise MoneyError(f"{text!r} is not a plain decimal number such as 12.50")
        sign, whole, fraction = found[1], found[2], found[3] or ""
        if len(fraction) > exponent:
            raise MoneyError(f"{text!r} has {len(fraction)} decimals; {currency} has {exponent}")
        minor = int(whole + fraction.ljust(exponent, "0"))
        return cls(-minor if sign else minor, currency)

    @property
    def exponent(self) -> int:
        return EXPONENTS[self.currency]

    @property
    def is_zero(self) -> bool:
        return self.minor == 0

    def major_text(self) -> str:
        """A plain decimal with the currency's own number of decimals: "12.50", "1250" (JPY), "-0.005"
        (KWD)."""
        sign = "-" if self.minor < 0 else ""
        digits = str(abs(self.minor)).rjust(self.exponent + 1, "0")
        if self.exponent == 0:
            return sign + digits
        return f"{sign}{digits[: -self.exponent]}.{digits[-self.exponent :]}"

    def __str__(self) -> str:
        return f"{self.major_text()} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same_currency(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same_currency(other), self.currency)

    def __mul__(self, count: int) -> Money:
        if type(count) is not int:
            raise MoneyError(f"money is multiplied by an int, not {type(count).__name__} {count!r}")
        return Money(self.minor * count, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same_currency(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same_currency(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same_currency(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same_currency(other)

    def __bool__(self) -> bool:
        # "if amount:" reads as "is there an amount?" and would be false for a free domain.
        raise MoneyError("money has no truth value; ask is_zero, or compare")

    def _same_currency(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise MoneyError(f"{self} cannot be combined with {type(other).__name__} {other!r}")
        if other.currency != self.currency:
            raise MoneyError(f"{self} and {other} are in different currencies")
        return other.minor
