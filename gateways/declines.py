"""Why a charge was refused, what the customer reads, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


def N_(text: str) -> str:
    """Marks a text for extraction; whoever shows it translates it."""
    return text


class DeclineKind(StrEnum):
    RETRYABLE = "retryable"
    """Insufficient funds, try again later, do_not_honor, generic and unknown codes: spaced and capped
    retries."""
    HARD = "hard"
    """Lost, stolen, expired, closed, revoked, fraud: stop this card, ask for another one."""
    AUTHENTICATION = "authentication"
    """The cardholder must take part: send them a link, never repeat without them."""
    MERCHANT = "merchant"
    """Our key, our request, the currency: staff must act; the customer is not dunned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decline:
    """`code`, `network_code` and `advice` are the processor's own words; `not_before` is its earliest next
    try."""

    kind: DeclineKind
    code: str
    network_code: str | None = None
    advice: str | None = None
    not_before: datetime | None = None


CUSTOMER_TEXT: dict[DeclineKind, str] = {
    DeclineKind.RETRYABLE: N_("Your bank did not approve the payment this time. We will try again later."),
    DeclineKind.HARD: N_("Your bank refuses payments with this card. Please add another card."),
    DeclineKind.AUTHENTICATION: N_("Your bank asks you to confirm this payment yourself."),
    DeclineKind.MERCHANT: N_(
        "The payment could not be made for a reason on our side. You need not do anything."
    ),
}
"""What the customer is told, in English; the panel translates it."""

NEXT_STEP_TEXT: dict[DeclineKind, str] = {
    DeclineKind.RETRYABLE: N_("Make sure that the account has sufficient funds, or choose another card."),
    DeclineKind.HARD: N_("Add another card and choose it for the domains that this card pays for."),
    DeclineKind.AUTHENTICATION: N_("Open the link in our message and confirm the payment with your bank."),
    DeclineKind.MERCHANT: N_("Our staff has been told and will put it right."),
}
"""What the customer can do about it, in English; the panel translates it."""
