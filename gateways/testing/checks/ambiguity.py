"""What goes wrong on the way: a charge is never called declined, and its key settles it once."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from gateways.contract import ChargeRequest, ChargeResult, DeclineKind, LookupBy, Status
from gateways.mock.faults import FaultKind
from gateways.testing.bench import SHORT_S, Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered

_PERSISTENT = 20
"""Times that a fault comes: more often than any gateway repeats by itself."""


@check("Make NOT_SUBMITTED of a refused connection: nothing has left (gateways.http.send raises NotSent).")
def a_refused_connection_is_not_submitted(bench: Bench) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _never_leaves(bench, f"http://127.0.0.1:{port}")


@check("Make NOT_SUBMITTED of a host that has no address: nothing has left.")
def an_unknown_host_is_not_submitted(bench: Bench) -> None:
    _never_leaves(bench, "http://no-such-host.invalid")


@check("Look at ctx.deadline before sending: with no time left, answer NOT_SUBMITTED and send nothing.")
def nothing_is_sent_when_no_time_is_left(bench: Bench) -> None:
    request = bench.request()
    result = bench.charge(request, seconds=0.0)
    expect(result.status is Status.NOT_SUBMITTED, f"with no time left it became {told(result)}")
    expect(not bench.rows_of(request), "the processor has heard of the charge")


@check("Make UNKNOWN, never DECLINED, of a time-out: the charge may have been made.")
def a_timeout_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, seconds=SHORT_S)


@check("Make UNKNOWN of a connection that breaks, before the answer or in the middle of it.")
def a_broken_connection_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.RESET_MID_BODY)


@check("Make UNKNOWN of a 5xx: the processor may have charged before it failed.")
def a_server_error_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER)


@check("Make UNKNOWN of an HTML page from whatever stands before the processor.")
def a_page_instead_of_an_answer_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.PAGE_502)


@check("Make UNKNOWN of a 200 with an empty body.")
def an_empty_answer_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.EMPTY)


@check("Make UNKNOWN of a 200 whose body cannot be read.")
def garbage_is_unknown(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.GARBAGE)


@check("Make UNKNOWN, or what the ledger says, of JSON with NaN or with a key twice; never DECLINED.")
def odd_json_is_never_a_decline(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.NAN, FaultKind.DUPLICATE_KEYS)


@check("Keep to ctx.deadline as a total, headers and body included (gateways.http.send does).")
def a_slow_answer_ends_at_the_deadline(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.SLOW_DRIP, seconds=SHORT_S)


@check("Read at most gateways.http.BODY_LIMIT bytes, also after decompression, and make UNKNOWN of the rest.")
def an_endless_answer_is_cut_off(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.HUGE_BODY, FaultKind.GZIP_BOMB)


@check("Follow no redirect: it would send the charge, and the key, to a stranger. Make UNKNOWN of it.")
def a_redirect_is_not_followed(bench: Bench) -> None:
    _stays_honest(bench, FaultKind.REDIRECT)
    followed = [sent.path for sent in bench.wire.sent if sent.path == "/elsewhere"]
    expect(not followed, "the redirect was followed")


@check("Make NOT_SUBMITTED of 429: the processor is busy, the card has not been asked.")
def too_many_requests_is_not_a_decline(bench: Bench) -> None:
    request = _refused_at_the_door(bench, FaultKind.TOO_MANY)[0]
    bench.calm()
    result = bench.charge(request)
    expect(result.status is Status.SUCCEEDED, f"afterwards the same key became {told(result)}")
    bench.expect_moved_once(request)


@check("Make NOT_SUBMITTED with a MERCHANT decline of 401: our key was refused, not the customer's card.")
def refused_credentials_are_not_the_cards_fault(bench: Bench) -> None:
    _, result = _refused_at_the_door(bench, FaultKind.UNAUTHORISED)
    expect(
        result.decline is not None and result.decline.kind is DeclineKind.MERCHANT,
        f"a refused API key became {told(result)}",
    )


@check("Call ctx.checkpoint(key, ref) as soon as the object exists, before the request that moves money.")
def the_reference_is_kept_before_money_moves(bench: Bench) -> None:
    if bench.steps < 2 and bench.can.lookup is not LookupBy.REF:
        raise NotOffered("a charge is one request, and our key finds it")
    request = bench.request()
    kept: list[tuple[str, str, int]] = []
    ctx = bench.context(checkpoint=lambda key, ref: kept.append((key, ref, len(bench.moved(request)))))
    result = bench.gateway.charge(ctx, request)
    expect(bool(kept), "ctx.checkpoint was never called")
    key, ref, moved_before = kept[0]
    expect(
        (key, ref) == (request.idempotency_key, result.ref),
        f"kept {key!r} and {ref!r} for the key {request.idempotency_key!r} and the charge {result.ref!r}",
    )
    expect(moved_before == 0, "money had moved before the reference was kept")


@check("Let what ctx.checkpoint raises pass: without a durable reference, no money may move.")
def a_crash_at_the_checkpoint_moves_nothing(bench: Bench) -> None:
    if bench.steps < 2:
        raise NotOffered("a charge is one request")
    request = bench.request()

    def crash(key: str, ref: str) -> None:
        raise _Crash(key)

    with suppress(_Crash):
        bench.gateway.charge(bench.context(checkpoint=crash), request)
    expect(not bench.moved(request), "money moved although the reference could not be kept")
    result = bench.charge(request)
    expect(result.status is Status.SUCCEEDED, f"afterwards the same key became {told(result)}")
    bench.expect_moved_once(request)


class _Crash(BaseException):
    """The end of the process, which no `except Exception` stops."""


def _never_leaves(bench: Bench, address: str) -> None:
    request = bench.request()
    result = bench.gateway.charge(bench.context(5.0, to=address), request)
    expect(result.status is Status.NOT_SUBMITTED, f"it became {told(result)}")


def _stays_honest(bench: Bench, *kinds: FaultKind, seconds: float = 10.0) -> None:
    """Each fault at each request of a charge: what is answered agrees with the ledger, nothing is called
    declined, and the same key then settles it once."""
    steps = bench.steps
    for kind in kinds:
        for step in range(1, steps + 1):
            request = bench.request()
            bench.fault_at(step, kind)
            began = time.monotonic()
            result = bench.charge(request, seconds)
            took = time.monotonic() - began
            bench.calm()
            where = f"{kind.value} at request {step} of {steps}"
            expect(_is_honest(bench, request, result, step == steps), f"{where} became {told(result)}")
            if seconds < 1.0:
                expect(took < seconds + 1.0, f"{where} took {took:.1f} s of the {seconds} s that there were")
            again = bench.charge(request)
            expect(again.status is Status.SUCCEEDED, f"after {where}, the same key became {told(again)}")
            bench.expect_moved_once(request)


def _is_honest(bench: Bench, request: ChargeRequest, result: ChargeResult, last: bool) -> bool:
    match result.status:
        case Status.UNKNOWN:
            return True
        case Status.SUCCEEDED:  # it has repeated by itself, or could read the answer all the same
            return [item.amount for item in bench.moved(request)] == [request.amount]
        case Status.NOT_SUBMITTED:  # the object may exist, the request that moves money was not sent
            return not last and not bench.moved(request)
    return False


def _refused_at_the_door(bench: Bench, kind: FaultKind) -> tuple[ChargeRequest, ChargeResult]:
    """The last one, after each request of a charge has been refused in its turn."""
    steps = bench.steps
    for step in range(1, steps + 1):
        bench.calm()
        request = bench.request()
        bench.fault_at(step, kind, times=_PERSISTENT)
        result = bench.charge(request)
        expect(result.status is Status.NOT_SUBMITTED, f"{kind.value} became {told(result)}")
        expect(not bench.moved(request), "the processor's ledger shows a capture")
    return request, result
