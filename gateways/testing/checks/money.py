"""Amounts: in the processor's own units on the wire, the same in its ledger, the same in the answer."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from gateways.contract import ChargeRequest, DeclineKind, Status
from gateways.mock.faults import FaultKind
from gateways.money import EXPONENTS, Money
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered
from gateways.testing.wire import Sent


@check("Send an amount of a currency with two decimals in the unit that the processor asks for.")
def two_decimals_on_the_wire_and_back(bench: Bench) -> None:
    _round_trip(bench, _some(bench, 2)[:1])


@check("Send JPY and its like without decimals: their minor unit is the unit itself, so multiply by nothing.")
def no_decimals_on_the_wire_and_back(bench: Bench) -> None:
    _round_trip(bench, _some(bench, 0)[:1])


@check("Send KWD and its like with three decimals: 1.230 KWD are 1230 minor units, not 123.")
def three_decimals_on_the_wire_and_back(bench: Bench) -> None:
    _round_trip(bench, _some(bench, 3)[:1])


@check(
    "Look up the decimals of every currency that you declare, in ISO 4217 and in the processor's own list of "
    "exceptions (Conformance.wire_exponents)."
)
def every_currency_on_the_wire_and_back(bench: Bench) -> None:
    _round_trip(bench, bench.currencies)


@check("Ask capabilities.amount_problem first, and answer DECLINED (MERCHANT) without a request.")
def an_amount_out_of_bounds_is_refused_before_any_request(bench: Bench) -> None:
    currency = bench.amount().currency
    rule = bench.can.currencies[currency]
    for minor in (0, rule.min_minor - rule.step_minor, rule.max_minor + rule.step_minor):
        _refused_here(bench, Money(minor, currency))


@check("Ask capabilities.amount_problem first: an amount off the currency's step cannot be sent exactly.")
def an_amount_off_the_step_is_refused_before_any_request(bench: Bench) -> None:
    stepped = [code for code, rule in bench.can.currencies.items() if rule.step_minor > 1]
    if not stepped:
        raise NotOffered("every declared currency takes every minor unit")
    for currency in stepped:
        _refused_here(bench, Money(bench.amount(currency).minor + 1, currency))


@check(
    "Ask capabilities.amount_problem first: a currency that you do not declare is our fault, not the card's."
)
def a_currency_that_is_not_declared_is_refused_before_any_request(bench: Bench) -> None:
    undeclared = next((code for code in EXPONENTS if code not in bench.can.currencies), None)
    if undeclared is None:
        raise NotOffered("every currency is declared")
    _refused_here(bench, Money(123_450, undeclared))


@check("Compare the amount that the answer shows with the request, and answer UNKNOWN when they differ.")
def another_amount_is_unknown(bench: Bench) -> None:
    _mismatch_is_unknown(bench, FaultKind.WRONG_AMOUNT)


@check("Compare the currency that the answer shows with the request, and answer UNKNOWN when they differ.")
def another_currency_is_unknown(bench: Bench) -> None:
    _mismatch_is_unknown(bench, FaultKind.WRONG_CURRENCY)


@check("Compare the reference that the answer shows with the request, and answer UNKNOWN when they differ.")
def an_answer_about_another_charge_is_unknown(bench: Bench) -> None:
    _mismatch_is_unknown(bench, FaultKind.WRONG_ID)


def _some(bench: Bench, decimals: int) -> list[str]:
    found = [code for code in bench.currencies if EXPONENTS[code] == decimals]
    if not found:
        raise NotOffered(f"no currency with {decimals} decimals is declared")
    return found


def _round_trip(bench: Bench, currencies: Iterable[str]) -> None:
    for currency in currencies:
        amount = bench.amount(currency)
        request = bench.request(amount=amount)
        before = len(bench.wire.writes())
        result = bench.charge(request)
        _expect_on_the_wire(bench, request, bench.wire.writes()[before:])
        expect(
            (result.status, result.amount) == (Status.SUCCEEDED, amount),
            f"{amount} on a good card became {told(result)}",
        )
        bench.expect_moved_once(request)
        assert result.ref is not None
        read = bench.gateway.get_charge(bench.context(), result.ref)
        expect(read.amount == amount, f"a charge of {amount} is read back as {told(read)}")


def _expect_on_the_wire(bench: Bench, request: ChargeRequest, writes: list[Sent]) -> None:
    amount = request.amount
    exponent = bench.conformance.wire_exponents.get(amount.currency, amount.exponent)
    major = Decimal(amount.minor).scaleb(-amount.exponent)
    numbers = [number for sent in writes for number in sent.numbers()]
    expect(
        bool(writes), "no request went through ctx.http: send every request with the session of its context"
    )
    wanted = " or ".join(dict.fromkeys((f"{major.scaleb(exponent):f}", f"{major:.{exponent}f}")))
    seen = ", ".join(numbers) or "the numbers (there is none)"
    expect(
        any(_is(number, major, exponent) for number in numbers),
        f"{amount} went out as none of {seen}; expected {wanted}",
    )


def _is(number: str, major: Decimal, exponent: int) -> bool:
    return Decimal(number) == (major if "." in number else major.scaleb(exponent))


def _refused_here(bench: Bench, amount: Money) -> None:
    request = bench.request(amount=amount)
    before = len(bench.wire.sent)
    result = bench.charge(request)
    kind = result.decline.kind if result.decline is not None else None
    expect(
        result.status in (Status.DECLINED, Status.NOT_SUBMITTED) and kind is DeclineKind.MERCHANT,
        f"{amount} became {told(result)}",
    )
    expect(len(bench.wire.sent) == before, f"{amount} was sent to the processor all the same")


def _mismatch_is_unknown(bench: Bench, kind: FaultKind) -> None:
    steps = bench.steps
    request = bench.request()
    bench.fault_at(steps, kind)
    result = bench.charge(request)
    expect(result.status is Status.UNKNOWN, f"an answer with {kind.value} became {told(result)}")
