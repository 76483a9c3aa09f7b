"""How test cards behave: the names that every fake is asked for, and what each must become."""

from __future__ import annotations

from typing import Final

from gateways.contract import DeclineKind

OK: Final = "ok"
AUTHENTICATION: Final = "authentication"
"""The bank wants the cardholder; the processor says so with an error status (402)."""
AUTHENTICATION_200: Final = "authentication_200"
"""The same, said with a 200 whose status asks for action."""
PENDING: Final = "pending"
"""Accepted; the outcome comes later (direct debit)."""

RETRYABLE: Final = ("insufficient_funds", "do_not_honor", "try_again_later", "processing_error", "generic")
UNHEARD_OF: Final = "unheard_of"
"""Declines with a code that no documentation has."""
HARD: Final = ("lost", "stolen", "expired", "closed", "revoked", "fraud")
MERCHANT: Final = ("merchant", "currency_refused")
STOP: Final = "stop"
"""A mild code (do_not_honor) beside the issuer's advice never to try again."""

STANDARD: Final[dict[str, DeclineKind]] = {
    **dict.fromkeys((*RETRYABLE, UNHEARD_OF), DeclineKind.RETRYABLE),
    **dict.fromkeys((*HARD, STOP), DeclineKind.HARD),
    **dict.fromkeys(MERCHANT, DeclineKind.MERCHANT),
    **dict.fromkeys((AUTHENTICATION, AUTHENTICATION_200), DeclineKind.AUTHENTICATION),
}
"""Declines and refusals by name; OK and PENDING are not among them."""
