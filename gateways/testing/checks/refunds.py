"""Money given back: once for each key, never more than was taken, and visible on the charge."""

from __future__ import annotations

from datetime import datetime

from gateways.contract import (
    LookupAnswer,
    LookupBy,
    Money,
    NotSupported,
    RefundLookup,
    RefundRequest,
    RefundResult,
    RefundStatus,
    RefundSupport,
    Status,
)
from gateways.mock.faults import FaultKind
from gateways.testing.bench import SHORT_S, Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered

_DONE = (RefundStatus.SUCCEEDED, RefundStatus.PENDING)
_PERSISTENT = 20


@check("Refund the whole amount, and show it in the charge's refunded_minor; its status stays SUCCEEDED.")
def a_full_refund_shows_on_the_charge(bench: Bench) -> None:
    amount, ref = _paid(bench)
    _expect_done(bench, _refund(bench, ref, amount), [amount])
    _expect_refunded(bench, ref, amount)


@check("Refund parts up to the whole amount, and add them up in refunded_minor.")
def partial_refunds_add_up(bench: Bench) -> None:
    if bench.can.refunds is RefundSupport.FULL:
        raise NotOffered("capabilities.refunds is FULL")
    amount, ref = _paid(bench)
    part = _half(bench, amount)
    _expect_done(bench, _refund(bench, ref, part, "1"), [part])
    _expect_refunded(bench, ref, part)
    rest = amount - part
    _expect_done(bench, _refund(bench, ref, rest, "2"), [part, rest])
    _expect_refunded(bench, ref, amount)


@check("Make REFUSED of a refund of more than is left, and SUCCEEDED of nothing that the processor refused.")
def an_over_refund_is_refused(bench: Bench) -> None:
    amount, ref = _paid(bench)
    step = Money(bench.can.currencies[amount.currency].step_minor, amount.currency)
    _expect_refused(bench, _refund(bench, ref, amount + step, "1"), [])
    _expect_done(bench, _refund(bench, ref, amount, "2"), [amount])
    _expect_refused(bench, _refund(bench, ref, amount, "3"), [amount])


@check("Make REFUSED of a refund in another currency than the charge's.")
def a_refund_in_another_currency_is_refused(bench: Bench) -> None:
    amount, ref = _paid(bench)
    others = [code for code in bench.can.currencies if code != amount.currency]
    if not others:
        raise NotOffered("only one currency is declared")
    _expect_refused(bench, _refund(bench, ref, Money(amount.minor, others[0])), [])


@check("Send the refund's idempotency key, so that the same request again gives back nothing more.")
def the_same_key_refunds_once(bench: Bench) -> None:
    amount, ref = _paid(bench)
    part = _half(bench, amount)
    first, again = _refund(bench, ref, part), _refund(bench, ref, part)
    _expect_done(bench, again, [part])
    expect(first.ref == again.ref, f"the same key made the refunds {first.ref} and {again.ref}")


@check("Make UNKNOWN, never REFUSED, of a refund whose answer is lost, and settle it once with the same key.")
def a_lost_answer_is_unknown_and_settled_once(bench: Bench) -> None:
    for kind in (
        FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER, FaultKind.RESET_AFTER, FaultKind.RESET_MID_BODY,
        FaultKind.PAGE_502, FaultKind.EMPTY, FaultKind.GARBAGE, FaultKind.TIMEOUT_AFTER, FaultKind.REDIRECT,
    ):  # fmt: skip
        amount, ref = _paid(bench)
        before = bench.refunds()
        bench.fault_at(1, kind)
        seconds = SHORT_S if kind is FaultKind.TIMEOUT_AFTER else 10.0
        result = _refund(bench, ref, amount, seconds=seconds)
        bench.calm()
        expect(result.status in (RefundStatus.UNKNOWN, *_DONE), f"a refund that met {kind.value} became "
               f"{_said(result)}")  # fmt: skip
        again = _refund(bench, ref, amount)
        expect(again.status in _DONE, f"after {kind.value}, the same key became {_said(again)}")
        made = [item.amount for item in bench.refunds()[len(before) :]]
        expect(made == [amount], f"after {kind.value} the ledger shows the refunds {made}")


@check("Make NOT_SUBMITTED of a refund that met 429 or 401: nobody has looked at it.")
def a_refund_refused_at_the_door_is_not_submitted(bench: Bench) -> None:
    amount, ref = _paid(bench)
    for kind in (FaultKind.TOO_MANY, FaultKind.UNAUTHORISED):
        bench.fault_at(1, kind, times=_PERSISTENT)
        result = _refund(bench, ref, amount)
        bench.calm()
        expect(result.status is RefundStatus.NOT_SUBMITTED, f"{kind.value} became {_said(result)}")
    nowhere = bench.context(5.0, to="http://127.0.0.1:1")
    result = bench.gateway.refund(nowhere, _request(ref, amount))
    expect(result.status is RefundStatus.NOT_SUBMITTED, f"a refused connection became {_said(result)}")


@check(
    "Compare the amount that the refund's answer shows with the request, and answer UNKNOWN when they differ."
)
def another_refunded_amount_is_unknown(bench: Bench) -> None:
    amount, ref = _paid(bench)
    bench.fault_at(1, FaultKind.WRONG_AMOUNT)
    result = _refund(bench, ref, amount)
    expect(result.status is RefundStatus.UNKNOWN, f"an answer with another amount became {_said(result)}")


@check("Find a refund by our key: YES with its result, NO when there is none, CANNOT_TELL when asking fails.")
def a_refund_is_found_by_our_key(bench: Bench) -> None:
    amount, ref = _paid(bench)
    since = bench.processor.now()
    made = _refund(bench, ref, amount, "found")
    found = _find(bench, "found", ref, since)
    expect(
        found.answer is LookupAnswer.YES and found.result is not None and found.result.ref == made.ref,
        f"a refund that was made was answered with {found.answer.name}",
    )
    never = _find(bench, "never", ref, since)
    expect(never.answer is LookupAnswer.NO, f"one that was not was answered with {never.answer.name}")
    bench.processor.fault(FaultKind.ERROR_AFTER, match={"method": "GET"}, times=_PERSISTENT)
    failed = _find(bench, "found", ref, since)
    expect(failed.answer is LookupAnswer.CANNOT_TELL, f"a failing look-up said {failed.answer.name}")


@check("Make REFUSED of a refund that fails after it was accepted, and take it out of refunded_minor again.")
def a_refund_that_fails_later_is_read_as_refused(bench: Bench) -> None:
    amount, ref = _paid(bench)
    made = _refund(bench, ref, amount)
    assert made.ref is not None
    bench.processor.fail_refund(made.ref)
    read = bench.gateway.get_refund(bench.context(), made.ref)
    expect(read.status is RefundStatus.REFUSED, f"it is read as {_said(read)}")
    _expect_refunded(bench, ref, Money(0, amount.currency))


def _paid(bench: Bench) -> tuple[Money, str]:
    if bench.can.refunds is RefundSupport.NONE:
        raise NotOffered("capabilities.refunds is NONE")
    request, ref = bench.paid()
    return request.amount, ref


def _half(bench: Bench, amount: Money) -> Money:
    """About half where parts are offered; all of it where not."""
    if bench.can.refunds is RefundSupport.FULL:
        return amount
    step = bench.can.currencies[amount.currency].step_minor
    return Money(amount.minor // 2 // step * step, amount.currency)


def _request(charge_ref: str, amount: Money, key: str = "1") -> RefundRequest:
    return RefundRequest(
        idempotency_key=f"refund-{key}-of-{charge_ref}",
        charge_ref=charge_ref,
        amount=amount,
        reason="returned",
    )


def _refund(
    bench: Bench, charge_ref: str, amount: Money, key: str = "1", *, seconds: float = 10.0
) -> RefundResult:
    return bench.gateway.refund(bench.context(seconds), _request(charge_ref, amount, key))


def _find(bench: Bench, key: str, charge_ref: str, since: datetime) -> RefundLookup:
    if bench.can.lookup is not LookupBy.KEY:
        raise NotOffered("the processor is not searched by our key")
    try:
        whole_key = f"refund-{key}-of-{charge_ref}"
        return bench.gateway.find_refund(bench.context(), whole_key, charge_ref, since)
    except NotSupported as error:
        raise NotOffered("find_refund is not defined") from error


def _expect_done(bench: Bench, result: RefundResult, given_back: list[Money]) -> None:
    expect(result.status in _DONE, f"the refund became {_said(result)}")
    expect(result.amount in (None, given_back[-1]), f"its result shows {result.amount}")
    _expect_given_back(bench, given_back)


def _expect_refused(bench: Bench, result: RefundResult, given_back: list[Money]) -> None:
    expect(result.status is RefundStatus.REFUSED, f"the refund became {_said(result)}")
    _expect_given_back(bench, given_back)


def _expect_given_back(bench: Bench, amounts: list[Money]) -> None:
    shown = [item.amount for item in bench.refunds()]
    expect(shown == amounts, f"the processor's ledger shows refunds of {[str(amount) for amount in shown]}")


def _expect_refunded(bench: Bench, charge_ref: str, amount: Money) -> None:
    read = bench.gateway.get_charge(bench.context(), charge_ref)
    expect(
        (read.status, read.refunded_minor) == (Status.SUCCEEDED, amount.minor),
        f"the charge reads {told(read)}, refunded {read.refunded_minor}",
    )


def _said(result: RefundResult) -> str:
    return f"{result.status.name} {result.code} {result.message[:160]}".rstrip()
