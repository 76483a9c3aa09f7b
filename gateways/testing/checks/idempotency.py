"""One key, one movement of money: whatever is repeated, by whom, and when."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from gateways.contract import LookupAnswer, LookupBy, Status
from gateways.mock.faults import FaultKind
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.outcomes import a_decline_reads_the_same_later
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered
from gateways.testing.wire import Sent


@check("Send the request's idempotency key, so that the same request again moves no more money.")
def the_same_key_moves_money_once(bench: Bench) -> None:
    request = bench.request()
    first, again = bench.charge(request), bench.charge(request)
    bench.expect_moved_once(request)
    expect(
        (again.status, again.ref) == (first.status, first.ref),
        f"{told(first)} became {told(again)} when the same request was sent again",
    )


@check("Derive every key from the request's own, the same on each repetition: a new key is a new charge.")
def the_key_is_unchanged_on_repetitions(bench: Bench) -> None:
    header = bench.processor.key_header
    if header is None:
        raise NotOffered("the processor knows no idempotency keys")
    steps = bench.steps
    for kind in (FaultKind.ERROR_BEFORE, FaultKind.RESET_AFTER, FaultKind.TOO_MANY, FaultKind.PAGE_502):
        for step in range(1, steps + 1):
            request, before = bench.request(), len(bench.wire.writes())
            bench.fault_at(step, kind)
            bench.charge(request)
            bench.calm()
            bench.charge(request)
            _expect_one_key_each(bench.wire.writes()[before:], header, kind)
            bench.expect_moved_once(request)


@check("Send a key with every request that moves or creates something, not only with the first.")
def different_charges_have_different_keys(bench: Bench) -> None:
    header = bench.processor.key_header
    if header is None:
        raise NotOffered("the processor knows no idempotency keys")
    first = bench.request()
    second = bench.again(first)
    for request in (first, second):
        bench.charge(request)
    keys = [sent.header(header) for sent in bench.wire.writes()]
    expect(len(set(keys)) == len(keys), f"two charges were sent with {len(set(keys))} keys in all")
    expect(len(bench.moved(first)) == 2, f"two charges moved money {len(bench.moved(first))} times")


@check(
    "Make UNKNOWN of a key that the processor has seen with another amount: the first may have moved money."
)
def a_key_with_another_amount_never_succeeds(bench: Bench) -> None:
    request = bench.request()
    bench.charge(request)
    other = replace(request, amount=bench.amount(request.amount.currency, at_least=99_990))
    result = bench.charge(other)
    expect(result.status is Status.UNKNOWN, f"the key with another amount became {told(result)}")
    bench.expect_moved_once(request)


@check("Keep nothing of a declined attempt: a fresh key is a fresh charge.")
def a_fresh_key_after_a_decline_charges(bench: Bench) -> None:
    a_decline_reads_the_same_later(bench)
    request = bench.request()
    result = bench.charge(request)
    expect(result.status is Status.SUCCEEDED, f"a fresh key on a good card became {told(result)}")
    bench.expect_moved_once(request)


@check("Make UNKNOWN of 409: while another request with this key is under way, nobody knows its outcome.")
def two_requests_at_once_move_money_once(bench: Bench) -> None:
    request = bench.request()
    bench.processor.slow_down(0.3)
    with ThreadPoolExecutor(2) as pool:
        results = [done.result() for done in [pool.submit(bench.charge, request) for _ in "12"]]
    bench.processor.slow_down(0.0)
    statuses = {result.status for result in results}
    seen = " and ".join(told(result) for result in results)
    expect(statuses <= {Status.SUCCEEDED, Status.PENDING, Status.UNKNOWN}, f"the two became {seen}")
    expect(Status.SUCCEEDED in statuses, f"none of the two succeeded: {seen}")
    bench.expect_moved_once(request)


@check("Declare in idempotency_window_s no more than the processor really remembers a key.")
def the_declared_window_is_the_processors(bench: Bench) -> None:
    request = bench.request()
    bench.processor.set_clock(bench.processor.now())
    bench.charge(request)
    window = timedelta(seconds=bench.can.idempotency_window_s)
    bench.processor.set_clock(bench.processor.now() + window - timedelta(minutes=1))
    bench.charge(request)
    bench.expect_moved_once(request)


@check("After the window, tell by a look-up what a key has done; two captures under one key are CANNOT_TELL.")
def two_captures_under_one_key_are_for_a_person(bench: Bench) -> None:
    if bench.can.lookup is not LookupBy.KEY:
        raise NotOffered("the processor is not searched by our key")
    request, since = bench.request(), bench.processor.now()
    bench.charge(request)
    bench.hours_later(24 * 40)
    bench.charge(request)
    if len(bench.moved(request)) != 2:
        raise NotOffered("the processor or the gateway refuses the old key")
    found = bench.gateway.find_charge(bench.context(), request.idempotency_key, request.customer_ref, since)
    expect(found.answer is LookupAnswer.CANNOT_TELL, f"two captures were answered with {found.answer.name}")


def _expect_one_key_each(writes: list[Sent], header: str, kind: FaultKind) -> None:
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for sent in writes:
        keys[f"{sent.method} {sent.path}"].add(sent.header(header) or "")
    for what, used in keys.items():
        expect("" not in used, f"{what} was sent without {header}")
        expect(len(used) == 1, f"after {kind.value}, {what} was sent with {len(used)} different keys")
