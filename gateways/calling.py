"""Calls a gateway that may be a stranger's code: whatever it does, the answer is a status that can be
trusted."""

from __future__ import annotations

from datetime import datetime

from gateways.contract import (
    ChargeRequest,
    ChargeResult,
    Context,
    Gateway,
    Lookup,
    LookupAnswer,
    Money,
    NotSent,
    Status,
)
from gateways.secret import redact


def charge(gateway: Gateway, ctx: Context, request: ChargeRequest) -> ChargeResult:
    """`gateway.charge`, where anything that escapes, and any result that is not about this request, is
    UNKNOWN."""
    try:
        result = gateway.charge(ctx, request)
    except NotSent as error:
        return ChargeResult(status=Status.NOT_SUBMITTED, message=described(gateway, error))
    except (
        Exception,
        SystemExit,
    ) as error:  # a plugin may raise anything; the money may have moved all the same
        return ChargeResult(status=Status.UNKNOWN, message=described(gateway, error))
    return compared(result, request.amount)


def get_charge(gateway: Gateway, ctx: Context, ref: str, amount: Money) -> ChargeResult:
    """`gateway.get_charge`, compared with the `amount` that was asked for."""
    try:
        result = gateway.get_charge(ctx, ref)
    except (Exception, SystemExit) as error:  # as above
        return ChargeResult(status=Status.UNKNOWN, ref=ref, message=described(gateway, error))
    return compared(result, amount)


def find_charge(
    gateway: Gateway, ctx: Context, key: str, customer_ref: str, since: datetime, amount: Money
) -> Lookup:
    """`gateway.find_charge`, where anything that escapes is CANNOT_TELL, and a success with another amount
    a YES whose result is UNKNOWN."""
    try:
        lookup: object = gateway.find_charge(ctx, key, customer_ref, since)
    except (Exception, SystemExit) as error:  # as above
        return Lookup(answer=LookupAnswer.CANNOT_TELL, message=described(gateway, error))
    if not isinstance(lookup, Lookup):
        message = f"the gateway answered {type(lookup).__name__}"
        return Lookup(answer=LookupAnswer.CANNOT_TELL, message=message)
    if lookup.answer is not LookupAnswer.YES:
        return lookup
    return Lookup(answer=LookupAnswer.YES, result=compared(lookup.result, amount), message=lookup.message)


def compared(result: object, amount: Money) -> ChargeResult:
    """UNKNOWN for what is not a result, and for a success with another amount or currency."""
    if not isinstance(result, ChargeResult):
        return ChargeResult(status=Status.UNKNOWN, message=f"the gateway answered {type(result).__name__}")
    if result.status is Status.SUCCEEDED and result.amount != amount:
        message = f"asked for {amount}, the processor shows {result.amount}"
        return ChargeResult(status=Status.UNKNOWN, ref=result.ref, amount=result.amount, message=message)
    return result


def described(gateway: Gateway, error: BaseException) -> str:
    """The error on one line, without this account's secrets."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return redact(said, gateway.secrets())[:500]
