"""Reads Mollie's payments, refunds and mandates.

Mandates and refunds are found there below their customer or payment only, so that our references to them
name both: `cst_…-mdt_…`, `tr_…-re_…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar

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
from gateways.errors import Ambiguous, Rejected
from gateways.mollie.declines import decline_of
from gateways.money import MoneyError
from gateways.reading import Shown, is_ref, optional_part, optional_text, part, text

Known = TypeVar("Known", Status, RefundStatus, CardStatus, RegistrationStatus)

KEY_IN_METADATA: Final = "perennial_key"

_STATUSES: Final = {
    "open": Status.PENDING,
    "pending": Status.PENDING,
    "authorized": Status.PENDING,
    "paid": Status.SUCCEEDED,
    "failed": Status.DECLINED,
    "canceled": Status.DECLINED,
    "expired": Status.DECLINED,
}
_REFUND_STATUSES: Final = {
    "queued": RefundStatus.PENDING,
    "pending": RefundStatus.PENDING,
    "processing": RefundStatus.PENDING,
    "refunded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.REFUSED,
    "canceled": RefundStatus.REFUSED,
}
_REGISTRATION_STATUSES: Final = {
    "open": RegistrationStatus.PENDING,
    "pending": RegistrationStatus.PENDING,
    "authorized": RegistrationStatus.PENDING,
    "failed": RegistrationStatus.FAILED,
    "canceled": RegistrationStatus.CANCELLED,
    "expired": RegistrationStatus.EXPIRED,
}
_MANDATE_STATUSES: Final = {
    # A pending mandate can be charged; it becomes valid with the first payment's settlement.
    "valid": CardStatus.VALIDATED,
    "pending": CardStatus.VALIDATED,
    "invalid": CardStatus.REVOKED,
}


def joined(owner: str, owned: str) -> str:
    return f"{owner}-{owned}"


def split(ref: str, what: str) -> tuple[str, str]:
    """The two references in one of `joined`. Raises Rejected for what is none."""
    owner, _, owned = ref.partition("-")
    if not (is_ref(owner) and is_ref(owned)) or "-" in owned:
        raise Rejected(f"{ref[:80]!r} is not a {what} reference", code="not_found", http_status=404)
    return owner, owned


def metadata(key: str, others: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**(others or {}), KEY_IN_METADATA: key}


def charge_result(payment: Shown) -> ChargeResult:
    """Raises Ambiguous for a payment that cannot be understood.

    After a refund or a chargeback the status is still `paid`: only the amounts tell.
    """
    status = _known(_STATUSES, payment)
    charged = amount(payment, "amount")
    customer, mandate = optional_text(payment, "customerId"), optional_text(payment, "mandateId")
    return ChargeResult(
        status=status,
        ref=text(payment, "id"),
        amount=charged,
        decline=decline_of(payment) if status is Status.DECLINED else None,
        refunded_minor=_minor(payment, "amountRefunded", charged),
        disputed_minor=_minor(payment, "amountChargedBack", charged),
        occurred_at=instant(payment, "createdAt"),
        message=optional_text(optional_part(payment, "statusReason"), "message") or "",
        key=key_of(payment),
        instrument_ref=joined(customer, mandate) if customer and mandate else None,
        customer_ref=customer,
    )


def compared(result: ChargeResult, request: ChargeRequest) -> ChargeResult:
    """UNKNOWN unless the payment shown is the one that was asked for."""
    if result.key != request.idempotency_key:
        message = f"asked for {request.idempotency_key}, the answer is about {result.key}"
    elif result.amount != request.amount:
        message = f"asked for {request.amount}, the answer shows {result.amount}"
    elif result.instrument_ref != request.instrument_ref:
        message = f"asked for {request.instrument_ref}, the answer is about {result.instrument_ref}"
    else:
        return result
    return replace(result, status=Status.UNKNOWN, decline=None, message=message)


def merchant_fault(status: Status, code: str, message: str) -> ChargeResult:
    return ChargeResult(status=status, decline=Decline(kind=DeclineKind.MERCHANT, code=code), message=message)


def refund_result(refund: Shown) -> RefundResult:
    status, charge_ref = _known(_REFUND_STATUSES, refund), text(refund, "paymentId")
    return RefundResult(
        status=status,
        ref=joined(charge_ref, text(refund, "id")),
        charge_ref=charge_ref,
        amount=amount(refund, "amount"),
        code=text(refund, "status") if status is RefundStatus.REFUSED else "",
        occurred_at=instant(refund, "createdAt"),
        key=key_of(refund),
    )


def instrument(mandate: Shown, now: datetime) -> Instrument:
    details, customer = optional_part(mandate, "details"), text(mandate, "customerId")
    status = _known(_MANDATE_STATUSES, mandate)
    expiry = _expiry(details)
    # Somewhere the last day of the month lasts twelve hours longer than in UTC.
    if status is CardStatus.VALIDATED and expiry and expiry < (now - timedelta(hours=12)).date():
        status = CardStatus.EXPIRED
    number = optional_text(details, "cardNumber")
    return Instrument(
        ref=joined(customer, text(mandate, "id")),
        customer_ref=customer,
        status=status,
        kind="card" if mandate.get("method") == "creditcard" else text(mandate, "method"),
        brand=optional_text(details, "cardLabel"),
        last4=number[-4:] if number else None,
        exp_month=expiry.month if expiry else None,
        exp_year=expiry.year if expiry else None,
        holder_name=optional_text(details, "cardHolder"),
        fingerprint=optional_text(details, "cardFingerprint"),
    )


def unfinished_registration(payment: Shown) -> RegistrationResult:
    """Reads a first payment that is not paid."""
    return RegistrationResult(
        status=_known(_REGISTRATION_STATUSES, payment),
        ref=text(payment, "id"),
        customer_ref=text(payment, "customerId"),
        message=optional_text(optional_part(payment, "details"), "failureReason") or "",
    )


def key_of(shown: Shown) -> str | None:
    return optional_text(optional_part(shown, "metadata"), KEY_IN_METADATA)


def amount(shown: Shown, name: str) -> Money:
    """{"currency": "EUR", "value": "10.00"}. Raises Ambiguous for what is not money."""
    told = part(shown, name)
    try:
        return Money.parse(text(told, "value"), text(told, "currency"))
    except MoneyError as error:
        raise Ambiguous(f"{name} in the answer is not an amount: {error}") from error


def instant(shown: Shown, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text(shown, name))
    except ValueError as error:
        raise Ambiguous(f"{name} in the answer is not a time") from error
    if at.tzinfo is None:
        raise Ambiguous(f"{name} in the answer has no time zone")
    return at.astimezone(UTC)


def _known(statuses: Mapping[str, Known], shown: Shown) -> Known:
    status = statuses.get(text(shown, "status"))
    if status is None:
        raise Ambiguous(f"unknown status {shown['status']!r}")
    return status


def _minor(payment: Shown, name: str, charged: Money) -> int:
    if payment.get(name) is None:
        return 0
    found = amount(payment, name)
    if found.currency != charged.currency:
        raise Ambiguous(f"{name} is in {found.currency}, the payment in {charged.currency}")
    return found.minor


def _expiry(details: Shown) -> date | None:
    told = optional_text(details, "cardExpiryDate")
    try:
        return date.fromisoformat(told) if told else None
    except ValueError as error:
        raise Ambiguous("the card's expiry date is not a date") from error
