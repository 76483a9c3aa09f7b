"""The test numbers of the hosted page, and how the instruments made from them behave."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from gateways.contract import CurrencyRule


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a charge ends in; the codes are the mock's own words, network codes those of ISO 8583."""

    status: str
    code: str | None = None
    network_code: str | None = None
    advice: str | None = None


@dataclass(frozen=True, kw_only=True)
class SampleCard:
    number: str
    brand: str
    behaviour: str
    label: str
    challenge: bool = False
    refused: bool = False
    """The bank refuses to register it."""
    tells_holder: bool = True


SUCCEEDED: Final = Outcome(status="succeeded")
INSUFFICIENT_FUNDS: Final = Outcome(
    status="declined", code="insufficient_funds", network_code="51", advice="try_again_later"
)
EXPIRED: Final = Outcome(status="declined", code="expired_card", network_code="54")
FORGOTTEN: Final = Outcome(status="declined", code="instrument_forgotten")

BEHAVIOURS: Final[dict[str, Outcome]] = {
    "ok": SUCCEEDED,
    "insufficient_funds": INSUFFICIENT_FUNDS,
    "lost": Outcome(status="declined", code="lost_card", network_code="41", advice="do_not_try_again"),
    "expired": EXPIRED,
    "do_not_honor": Outcome(status="declined", code="do_not_honor", network_code="05"),
    "stop": Outcome(status="declined", code="do_not_honor", network_code="05", advice="do_not_try_again"),
    "authentication": Outcome(status="requires_action", code="authentication_required", network_code="1A"),
    "merchant": Outcome(status="declined", code="merchant_not_enabled"),
    "flaky30": SUCCEEDED,
}

TEST_CARDS: Final = (
    SampleCard(number="4242424242424242", brand="visa", behaviour="ok", label="Success"),
    SampleCard(number="5555555555554444", brand="mastercard", behaviour="ok", label="Success"),
    SampleCard(
        number="4000000000001000", brand="visa", behaviour="ok", label="3-D Secure challenge", challenge=True
    ),
    SampleCard(number="4000000000002008", brand="visa", behaviour="ok", label="Refused here", refused=True),
    SampleCard(
        number="4000000000003006",
        brand="visa",
        behaviour="ok",
        label="Success; no holder name is passed on",
        tells_holder=False,
    ),
    SampleCard(
        number="4000000000004004",
        brand="visa",
        behaviour="insufficient_funds",
        label="Registers; charges decline: insufficient funds",
    ),
    SampleCard(
        number="4000000000005001", brand="visa", behaviour="lost", label="Registers; charges decline: lost"
    ),
    SampleCard(
        number="4000000000006009",
        brand="visa",
        behaviour="expired",
        label="Registers; charges decline: expired",
    ),
    SampleCard(
        number="4000000000007007",
        brand="visa",
        behaviour="do_not_honor",
        label="Registers; charges decline: do not honor",
    ),
    SampleCard(
        number="4000000000008005",
        brand="visa",
        behaviour="authentication",
        label="Registers; charges need the cardholder",
    ),
    SampleCard(
        number="4000000000009003",
        brand="visa",
        behaviour="merchant",
        label="Registers; charges fail by the merchant's fault",
    ),
    SampleCard(
        number="4000000000010001",
        brand="visa",
        behaviour="stop",
        label="Registers; charges decline: never try again",
    ),
    SampleCard(
        number="4000000000011009",
        brand="visa",
        behaviour="flaky30",
        label="Registers; 30 % of charges decline",
    ),
)

CURRENCIES: Final[dict[str, CurrencyRule]] = {
    "EUR": CurrencyRule(min_minor=50),
    "USD": CurrencyRule(min_minor=50),
    "GBP": CurrencyRule(min_minor=30),
    "RON": CurrencyRule(min_minor=200),
    "CHF": CurrencyRule(min_minor=50),
    "PLN": CurrencyRule(min_minor=200),
    "CZK": CurrencyRule(min_minor=1500),
    "SEK": CurrencyRule(min_minor=300),
    "JPY": CurrencyRule(min_minor=50),
    # Card networks settle dinars in hundredths: the third decimal must be 0.
    "KWD": CurrencyRule(min_minor=150, step_minor=10),
}

INSTRUMENT_PREFIX: Final = "pm_test_"


def card_with(number: str) -> SampleCard | None:
    return next((card for card in TEST_CARDS if card.number == number), None)


def behaviour_in(instrument: str) -> str | None:
    """The behaviour that `pm_test_<behaviour>_<anything>` names, or None when it names none."""
    described = instrument.removeprefix(INSTRUMENT_PREFIX)
    if described == instrument:
        return None
    named = [name for name in BEHAVIOURS if described.startswith(f"{name}_") and described != f"{name}_"]
    return max(named, key=len, default=None)


def outcome_of(behaviour: str, key: str) -> Outcome:
    """flaky30 declines 30 % of keys, always the same ones: a repeated key must not change its mind."""
    if behaviour == "flaky30" and int(hashlib.sha256(key.encode()).hexdigest(), 16) % 100 < 30:
        return INSUFFICIENT_FUNDS
    return BEHAVIOURS[behaviour]
