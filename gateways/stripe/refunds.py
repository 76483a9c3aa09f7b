"""Giving money back through Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateways.contract import LookupAnswer, RefundLookup, RefundRequest, RefundResult, RefundStatus
from gateways.errors import Ambiguous, Rejected
from gateways.money import MoneyError
from gateways.reading import parts, segment
from gateways.stripe.currencies import from_the_wire, on_the_wire
from gateways.stripe.refusal import Refusal
from gateways.stripe.results import metadata, refund_result

if TYPE_CHECKING:
    from gateways.stripe.sdk import Calls

_PAGE: Final = 100
_REASON_LENGTH: Final = 500


def refund(stripe: Calls, request: RefundRequest) -> RefundResult:
    """Raises NotSent when nothing was asked at all."""
    try:
        problem = _problem(stripe, request)
    except Rejected as refusal:
        return _refused(refusal)
    except Ambiguous as error:
        return RefundResult(status=RefundStatus.NOT_SUBMITTED, message=f"the charge was not shown: {error}")
    if problem is not None:
        return RefundResult(status=RefundStatus.REFUSED, code=problem[0], message=problem[1])
    try:
        return _asked(stripe, request)
    except Refusal as refusal:
        return _refused(refusal)
    except Ambiguous as error:
        return RefundResult(status=RefundStatus.UNKNOWN, message=str(error))


def get_refund(stripe: Calls, ref: str) -> RefundResult:
    """Raises Unreachable or Rejected."""
    path_ref = segment(ref, "refund")
    result = refund_result(stripe.ask(lambda: stripe.v1.refunds.retrieve(path_ref)))
    if result.ref != ref:
        raise Ambiguous("the answer is about another refund")
    return result


def find_refund(stripe: Calls, key: str, charge_ref: str) -> RefundLookup:
    """Raises Unreachable or Rejected."""
    page = stripe.ask(lambda: stripe.v1.refunds.list({"payment_intent": charge_ref, "limit": _PAGE}))
    results = [refund_result(shown) for shown in parts(page, "data")]
    ours = [result for result in results if result.key == key]
    if len(ours) > 1:
        return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message="several refunds carry this key")
    if ours:
        return RefundLookup(answer=LookupAnswer.YES, result=ours[0])
    if page.get("has_more") is not False:
        return RefundLookup(answer=LookupAnswer.CANNOT_TELL, message="the list of refunds is only a part")
    return RefundLookup(answer=LookupAnswer.NO)


def _problem(stripe: Calls, request: RefundRequest) -> tuple[str, str] | None:
    """A refund has no currency of its own there: 1000 yen asked of a charge in euros would be 10 euros."""
    try:
        on_the_wire(request.amount)
    except MoneyError as error:
        return "amount", str(error)
    ref = segment(request.charge_ref, "PaymentIntent")
    charged = from_the_wire(stripe.ask(lambda: stripe.v1.payment_intents.retrieve(ref)))
    if charged.currency != request.amount.currency:
        return "currency", f"the charge is in {charged.currency}"
    return None


def _asked(stripe: Calls, request: RefundRequest) -> RefundResult:
    others = {**request.metadata, "reason": request.reason[:_REASON_LENGTH]}
    shown, request_id = stripe.asked(
        lambda: stripe.v1.refunds.create(
            {
                "payment_intent": request.charge_ref,
                "amount": on_the_wire(request.amount),
                "metadata": metadata(request.idempotency_key, others),
            },
            {"idempotency_key": f"{request.idempotency_key}:refund"},
        )
    )
    result = refund_result(shown, request_id)
    if result.key == request.idempotency_key and result.amount == request.amount:
        return result
    message = f"asked for {request.amount}, the answer shows {result.amount} for {result.key}"
    return RefundResult(status=RefundStatus.UNKNOWN, ref=result.ref, message=message)


def _refused(refusal: Rejected) -> RefundResult:
    status, request_id = RefundStatus.REFUSED, None
    if isinstance(refusal, Refusal):
        request_id = refusal.request_id
        if refusal.http_status == 429 or refusal.at_the_door:
            status = RefundStatus.NOT_SUBMITTED
        elif not refusal.about_the_request and refusal.http_status != 402:
            status = RefundStatus.UNKNOWN
    return RefundResult(
        status=status,
        code=refusal.code or f"http_{refusal.http_status}",
        request_id=request_id,
        message=str(refusal),
    )
