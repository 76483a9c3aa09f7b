"""Mollie's reasons for a failed card payment, sorted by what follows from them."""

from __future__ import annotations

from typing import Final

from gateways.contract import Decline, DeclineKind
from gateways.reading import Shown, optional_part, optional_text

KIND_OF_CODE: Final[dict[str, DeclineKind]] = {
    **dict.fromkeys(
        (
            "card_declined",
            "credit_issuer_unavailable",
            "contact_card_issuer",
            "cryptographic_failure",
            "do_not_honor",
            "duplicate_transaction",
            "error",
            "exceeds_withdrawal_amount_limit",
            "exceeds_withdrawal_count_limit",
            "insufficient_funds",
            "issuer_unavailable",
            "no_action_taken",
            "policy_related",
            "re_enter_transaction",
            "refer_to_card_issuer",
            "refused_by_issuer",
            "security_violation",
            "service_failed",
            "system_malfunction",
            "transaction_not_permitted_to_cardholder",
            "unable_to_route_transaction",
            "unknown_reason",
        ),
        DeclineKind.RETRYABLE,
    ),
    **dict.fromkeys(
        (
            "blocked_first_used",
            "capture_card",
            "card_does_not_exist",
            "card_expired",
            "card_is_blocked",
            "card_is_not_active",
            "card_is_transferred",
            "closed_account",
            "decline_for_cvv2_failure",
            "expired_card",
            "fraud_security_related",
            "inactive_card",
            "invalid_account_number",
            "invalid_card_holder_name",
            "invalid_card_id",
            "invalid_card_number",
            "invalid_card_type",
            "invalid_cvv",
            "invalid_issuer",
            "lifecycle_related",
            "lost_card",
            "no_checking_account",
            "no_credit_account",
            "no_savings_account",
            "pick_up_card_special_condition",
            "possible_fraud",
            "restricted_card",
            "revocation_of_all_authorizations",
            "revocation_of_authorization",
            "stolen_card",
            "stop_payment_order",
            "suspected_fraud",
        ),
        DeclineKind.HARD,
    ),
    **dict.fromkeys(
        (
            "additional_customer_authentication_required",
            "authentication_abandoned",
            "authentication_failed",
            "authentication_required",
            "authentication_unavailable_acs",
            "card_authentication_failed",
        ),
        DeclineKind.AUTHENTICATION,
    ),
    **dict.fromkeys(
        (
            "authorization_error",
            "format_error",
            "invalid_amount",
            "invalid_category_code",
            "invalid_currency",
            "invalid_merchant",
            "invalid_merchant_data",
            "invalid_operation",
            "invalid_processor_id",
            "merchant_account_closed",
            "merchant_id_not_found",
            "merchant_not_registered_for_amex",
            "merchant_not_registered_vbv",
            "sub_merchant_account_closed",
            "wrong_currency",
        ),
        DeclineKind.MERCHANT,
    ),
}
"""Failure reasons and status reasons together; one that is not here is RETRYABLE, spaced and capped."""


def decline_of(payment: Shown) -> Decline:
    """Reads why a payment failed, was cancelled or ran out of time."""
    status = optional_text(payment, "status") or "failed"
    if status != "failed":
        return Decline(kind=DeclineKind.RETRYABLE, code=status)
    failure = optional_text(optional_part(payment, "details"), "failureReason")
    reason = optional_text(optional_part(payment, "statusReason"), "code")
    # The bank's own word is more precise than the group that Mollie puts it in.
    code = reason if reason in KIND_OF_CODE else failure or reason or "unknown_reason"
    kind = KIND_OF_CODE.get(code, DeclineKind.RETRYABLE)
    return Decline(kind=kind, code=code, network_code=reason if reason != code else None)
