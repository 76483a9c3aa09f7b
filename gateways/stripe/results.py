"""Reads Stripe's PaymentIntents, refunds, Checkout Sessions and PaymentMethods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from gateways.contract import (
    CardStatus,
    ChargeRequest,
    ChargeResult,
    Decline,
    DeclineKind,
    Instrument,
    Money,
    RefundResult,
    RefundStatus,
    RegistrationResult,
    RegistrationStatus,
    Status,
)
from gateways.errors import Ambiguous
from gateways.reading import (
    Shown,
    optional_part,
    optional_text,
    optional_whole,
    part,
    text,
    whole,
)
from gateways.stripe.currencies import from_the_wire
from gateways.stripe.declines import decline_of, wants_the_cardholder
from gateways.stripe.refusal import Refusal

KEY_IN_METADATA: Final = "perennial_key"

_MOVED_BACK: Final = frozenset(
    ("needs_response", "under_review", "lost", "appeal_needs_response", "appeal_under_review")
)
"""Disputes for which the money is with the cardholder; a warning is an inquiry, and moves none."""

_REFUND_STATUSES: Final = {
    "succeeded": RefundStatus.SUCCEEDED,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "failed": RefundStatus.REFUSED,
    "canceled": RefundStatus.REFUSED,
}
_SETUP_STATUSES: Final = {
    "processing": RegistrationStatus.PENDING,
    "requires_action": RegistrationStatus.PENDING,
    "requires_confirmation": RegistrationStatus.PENDING,
    "requires_payment_method": RegistrationStatus.FAILED,
    "canceled": RegistrationStatus.CANCELLED,
}


def metadata(key: str, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our key beside `others`; Stripe takes an empty text for an order to delete, and refuses it."""
    return {name: value for name, value in (others or {}).items() if value} | {KEY_IN_METADATA: key}


def charge_result(intent: Shown, *, disputed_minor: int = 0, request_id: str | None = None) -> ChargeResult:
    """What a PaymentIntent says of the charge. Raises Ambiguous for one that cannot be understood."""
    error = optional_part(intent, "last_payment_error")
    status, message = _status(intent, error)
    amount = from_the_wire(intent, "amount_received" if status is Status.SUCCEEDED else "amount")
    charge = optional_part(intent, "latest_charge")
    created = moment(intent, "created")
    return ChargeResult(
        status=status,
        ref=text(intent, "id"),
        amount=amount,
        decline=_decline(text(intent, "status"), error, status, created),
        refunded_minor=_minor(charge, "amount_refunded", amount) if charge else 0,
        disputed_minor=disputed_minor,
        occurred_at=created,
        request_id=request_id,
        message=message or optional_text(error, "message") or "",
        key=optional_text(optional_part(intent, "metadata"), KEY_IN_METADATA),
        instrument_ref=optional_text(intent, "payment_method") or used_method(intent),
        customer_ref=optional_text(intent, "customer"),
    )


def used_method(intent: Shown) -> str | None:
    """The PaymentMethod of a failed attempt, which the intent itself no longer names."""
    error = optional_part(intent, "last_payment_error")
    return optional_text(optional_part(error, "payment_method"), "id")


def never_confirmed(intent: Shown) -> bool:
    """It was created and nothing else: no bank has heard of it."""
    return intent.get("status") == "requires_confirmation" and intent.get("latest_charge") is None


def is_disputed(intent: Shown) -> bool:
    return optional_part(intent, "latest_charge").get("disputed") is True


def disputed_minor(disputes: Sequence[Shown], charged: Money) -> int:
    """Minor units that are with the cardholder, at most what was charged."""
    amounts = [from_the_wire(dispute) for dispute in disputes if text(dispute, "status") in _MOVED_BACK]
    if any(amount.currency != charged.currency for amount in amounts):
        # Shown in the cardholder's currency: how much of ours that is, is not told. The whole is the safe side.
        return charged.minor
    return min(sum(amount.minor for amount in amounts), charged.minor)


def refused_charge(refusal: Refusal) -> ChargeResult:
    """What an error status says of a charge. Raises Ambiguous where it leaves open whether money moved."""
    request_id = refusal.request_id
    if refusal.http_status == 429:
        return ChargeResult(
            status=Status.NOT_SUBMITTED, request_id=request_id, message="Stripe is busy (429)"
        )
    if refusal.at_the_door:
        # DECLINED would be final, and an earlier sending of this key may have landed.
        return merchant_fault(
            Status.NOT_SUBMITTED, refusal.code or "invalid_api_key", str(refusal), request_id
        )
    if intent := optional_part(refusal.error, "payment_intent"):
        shown = charge_result(intent, request_id=request_id)
        if shown.status is not Status.UNKNOWN:
            return shown
    if refusal.http_status == 402:
        return _card_refused(refusal)
    if not refusal.about_the_request:
        raise Ambiguous(f"HTTP status {refusal.http_status}, {refusal.code or 'no code'}: {refusal}")
    if refusal.param == "payment_method":
        decline = Decline(kind=DeclineKind.HARD, code=refusal.code or "payment_method_unusable")
        return ChargeResult(
            status=Status.DECLINED, decline=decline, request_id=request_id, message=str(refusal)
        )
    return merchant_fault(Status.DECLINED, refusal.code or "invalid_request", str(refusal), request_id)


def merchant_fault(status: Status, code: str, message: str, request_id: str | None = None) -> ChargeResult:
    decline = Decline(kind=DeclineKind.MERCHANT, code=code)
    return ChargeResult(status=status, decline=decline, request_id=request_id, message=message)


def compared(result: ChargeResult, request: ChargeRequest) -> ChargeResult:
    """UNKNOWN unless the charge shown is the one that was asked for."""
    if result.key is not None and result.key != request.idempotency_key:
        message = f"asked for {request.idempotency_key}, the answer is about {result.key}"
    elif result.ref is not None and result.key is None:
        message = f"{result.ref} does not bear our key"
    elif result.amount is not None and result.amount != request.amount:
        message = f"asked for {request.amount}, the answer shows {result.amount}"
    elif result.customer_ref not in (None, request.customer_ref):
        message = "the answer is about another customer"
    else:
        return result
    return replace(result, status=Status.UNKNOWN, decline=None, message=message)


def already_known(created: Shown, request: ChargeRequest) -> ChargeResult | None:
    """The result of a PaymentIntent that must not be confirmed: it was before, or is not what was asked for."""
    result = charge_result(created)
    checked = compared(result, request)
    return None if checked is result and never_confirmed(created) else checked


def refund_result(shown: Shown, request_id: str | None = None) -> RefundResult:
    told = text(shown, "status")
    status = _REFUND_STATUSES.get(told)
    if status is None:
        raise Ambiguous(f"unknown refund status {told!r}")
    return RefundResult(
        status=status,
        ref=text(shown, "id"),
        charge_ref=optional_text(shown, "payment_intent") or optional_text(shown, "charge"),
        amount=from_the_wire(shown),
        code=(optional_text(shown, "failure_reason") or told) if status is RefundStatus.REFUSED else "",
        occurred_at=moment(shown, "created"),
        request_id=request_id,
        key=optional_text(optional_part(shown, "metadata"), KEY_IN_METADATA),
    )


def registration_result(session: Shown, now: datetime) -> RegistrationResult:
    """Reads a Checkout Session whose SetupIntent and PaymentMethod are expanded."""
    ref, customer = text(session, "id"), optional_text(session, "customer")
    setup = optional_part(session, "setup_intent")
    failure = optional_text(optional_part(setup, "last_setup_error"), "message") or ""
    told = text(session, "status")
    if told == "expired":
        return RegistrationResult(
            status=RegistrationStatus.EXPIRED, ref=ref, customer_ref=customer, message=failure
        )
    if told == "open":
        # After a failure the page lets the customer try another card: not over before it expires.
        return RegistrationResult(
            status=RegistrationStatus.PENDING, ref=ref, customer_ref=customer, message=failure
        )
    if told != "complete":
        raise Ambiguous(f"unknown session status {told!r}")
    if text(setup, "status") == "succeeded":
        return RegistrationResult(
            status=RegistrationStatus.VALIDATED,
            ref=ref,
            instrument=instrument(part(setup, "payment_method"), now),
            customer_ref=customer,
        )
    status = _SETUP_STATUSES.get(text(setup, "status"))
    if status is None:
        raise Ambiguous(f"unknown setup status {setup['status']!r}")
    return RegistrationResult(status=status, ref=ref, customer_ref=customer, message=failure)


def instrument(method: Shown, now: datetime) -> Instrument:
    """Reads a PaymentMethod; one without a customer can no longer be charged."""
    kind, customer = text(method, "type"), optional_text(method, "customer")
    card = optional_part(method, kind)
    month, year = optional_whole(card, "exp_month"), optional_whole(card, "exp_year")
    status = CardStatus.VALIDATED
    if customer is None:
        status = CardStatus.REVOKED
    elif month is not None and year is not None and _is_over(month, year, now):
        status = CardStatus.EXPIRED
    return Instrument(
        ref=text(method, "id"),
        customer_ref=customer,
        status=status,
        kind=kind,
        brand=optional_text(card, "brand"),
        last4=optional_text(card, "last4"),
        exp_month=month,
        exp_year=year,
        holder_name=optional_text(optional_part(method, "billing_details"), "name"),
        fingerprint=optional_text(card, "fingerprint"),
    )


def moment(shown: Shown, name: str) -> datetime:
    try:
        return datetime.fromtimestamp(whole(shown, name), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise Ambiguous(f"{name} in the answer is not a time") from error


def _status(intent: Shown, error: Shown) -> tuple[Status, str]:
    match text(intent, "status"):
        case "succeeded":
            return Status.SUCCEEDED, ""
        case "processing":
            return Status.PENDING, ""
        case "requires_action":
            return Status.ACTION_REQUIRED, ""
        case "requires_payment_method" if wants_the_cardholder(error):
            return Status.ACTION_REQUIRED, ""
        case "requires_payment_method" if error:
            return Status.DECLINED, ""
        case "canceled":
            return Status.DECLINED, ""
        case "requires_payment_method" | "requires_confirmation":
            # Not NOT_SUBMITTED: a confirmation that is still under way may land.
            return Status.UNKNOWN, "created, and not confirmed until now"
        case "requires_capture":
            return Status.UNKNOWN, "authorised and not captured, which was never asked for"
        case told:
            raise Ambiguous(f"unknown PaymentIntent status {told!r}")


def _decline(told: str, error: Shown, status: Status, at: datetime) -> Decline | None:
    if status not in (Status.DECLINED, Status.ACTION_REQUIRED):
        return None
    if error:
        return decline_of(error, at)
    kind = DeclineKind.AUTHENTICATION if status is Status.ACTION_REQUIRED else DeclineKind.RETRYABLE
    return Decline(kind=kind, code=told)


def _card_refused(refusal: Refusal) -> ChargeResult:
    status = Status.ACTION_REQUIRED if wants_the_cardholder(refusal.error) else Status.DECLINED
    return ChargeResult(
        status=status,
        decline=decline_of(refusal.error, None),
        request_id=refusal.request_id,
        message=str(refusal),
    )


def _minor(charge: Shown, name: str, amount: Money) -> int:
    return from_the_wire({"currency": amount.currency, name: whole(charge, name)}, name).minor


def _is_over(month: int, year: int, now: datetime) -> bool:
    # Somewhere the last day of the month lasts twelve hours longer than in UTC.
    today = now - timedelta(hours=12)
    return (year, month) < (today.year, today.month)
