"""Stripe's decline codes, advice codes and the networks' own advice, sorted by what follows from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from gateways.contract import Decline, DeclineKind
from gateways.reading import Shown, optional_text

AUTHENTICATION_REQUIRED: Final = "authentication_required"

KIND_OF_CODE: Final[dict[str, DeclineKind]] = {
    **dict.fromkeys(
        (
            "approve_with_id",
            "call_issuer",
            "card_declined",
            "card_velocity_exceeded",
            "do_not_honor",
            "duplicate_transaction",
            "generic_decline",
            "incorrect_pin",
            "insufficient_funds",
            "invalid_pin",
            "issuer_not_available",
            "no_action_taken",
            "not_permitted",
            "pin_try_exceeded",
            "processing_error",
            "reenter_transaction",
            "security_violation",
            "service_not_allowed",
            "transaction_not_allowed",
            "try_again_later",
            "withdrawal_count_limit_exceeded",
        ),
        DeclineKind.RETRYABLE,
    ),
    **dict.fromkeys(
        (
            "card_not_supported",
            "do_not_try_again",
            "expired_card",
            "fraudulent",
            "highest_risk_level",
            "incorrect_address",
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_zip",
            "invalid_account",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
            "lost_card",
            "merchant_blacklist",
            "new_account_information_available",
            "payment_method_missing",
            "pickup_card",
            "restricted_card",
            "revocation_of_all_authorizations",
            "revocation_of_authorization",
            "stolen_card",
            "stop_payment_order",
            "testmode_decline",
        ),
        DeclineKind.HARD,
    ),
    **dict.fromkeys(
        (
            AUTHENTICATION_REQUIRED,
            "authentication_not_handled",
            "mobile_device_authentication_required",
            "offline_pin_required",
            "online_or_offline_pin_required",
            "payment_intent_authentication_failure",
        ),
        DeclineKind.AUTHENTICATION,
    ),
    **dict.fromkeys(
        ("currency_not_supported", "invalid_amount", "invalid_charge_amount"), DeclineKind.MERCHANT
    ),
}
"""A code that is not here is RETRYABLE: new ones come without notice, and one more try harms less than a
card stopped for ever."""

KIND_OF_ADVICE: Final = {
    "confirm_card_data": DeclineKind.HARD,
    "do_not_try_again": DeclineKind.HARD,
    "try_again_later": DeclineKind.RETRYABLE,
}
"""What the issuer itself advises says more than the code beside it."""

KIND_OF_NETWORK_ADVICE: Final = {
    "01": DeclineKind.HARD,  # new account information: the old number will not work again
    "02": DeclineKind.RETRYABLE,
    "03": DeclineKind.HARD,
    "21": DeclineKind.HARD,  # the cardholder has cancelled this agreement
}
WAIT_OF_NETWORK_ADVICE: Final = {
    "24": timedelta(hours=1),
    "25": timedelta(hours=24),
    "26": timedelta(days=2),
    "27": timedelta(days=4),
    "28": timedelta(days=6),
    "29": timedelta(days=8),
    "30": timedelta(days=10),
}
"""Mastercard's merchant advice codes, which Stripe hands on; a try before the time named is fined."""


def decline_of(error: Shown, at: datetime | None) -> Decline:
    """Reads a card error, or a PaymentIntent's last_payment_error, that was made `at`."""
    code = optional_text(error, "decline_code") or optional_text(error, "code") or "card_declined"
    network_advice = optional_text(error, "network_advice_code") or ""
    wait = WAIT_OF_NETWORK_ADVICE.get(network_advice)
    return Decline(
        kind=_kind(code, optional_text(error, "advice_code") or "", network_advice),
        code=code,
        network_code=optional_text(error, "network_decline_code"),
        advice=optional_text(error, "advice_code") or network_advice or None,
        not_before=at + wait if at is not None and wait is not None else None,
    )


def wants_the_cardholder(error: Shown) -> bool:
    """Whether the intent that failed so can still be paid, by a customer who authenticates."""
    return AUTHENTICATION_REQUIRED in (error.get("code"), error.get("decline_code"))


def _kind(code: str, advice: str, network_advice: str) -> DeclineKind:
    by_code = KIND_OF_CODE.get(code, DeclineKind.RETRYABLE)
    if by_code is DeclineKind.AUTHENTICATION:
        # "Try again later" beside it must not turn into a silent retry without the cardholder.
        return by_code
    return KIND_OF_ADVICE.get(advice) or KIND_OF_NETWORK_ADVICE.get(network_advice) or by_code
