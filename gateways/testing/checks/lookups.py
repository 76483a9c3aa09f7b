"""Look-ups are the evidence that decides about charging again: they only read, and say no only when they
know."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateways.contract import ChargeRequest, Lookup, LookupAnswer, LookupBy, Status
from gateways.mock.faults import FaultKind
from gateways.testing.bench import SHORT_S, Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered

_ON_READING = (
    FaultKind.ERROR_AFTER,
    FaultKind.PAGE_502,
    FaultKind.EMPTY,
    FaultKind.GARBAGE,
    FaultKind.RESET_MID_BODY,
    FaultKind.TOO_MANY,
    FaultKind.UNAUTHORISED,
    FaultKind.REDIRECT,
    FaultKind.TIMEOUT_BEFORE,
)


@check("Find by our key (or by the checkpointed ref) what a lost answer did: YES, SUCCEEDED, with its ref.")
def a_lost_answer_is_found(bench: Bench) -> None:
    steps = bench.steps
    request, since, kept = bench.request(), bench.processor.now(), []
    bench.fault_at(steps, FaultKind.TIMEOUT_AFTER, times=20)
    ctx = bench.context(SHORT_S, checkpoint=lambda key, ref: kept.append(ref))
    bench.gateway.charge(ctx, request)
    bench.calm()
    (capture,) = bench.moved(request)
    if bench.can.lookup is LookupBy.KEY:
        result = _find(bench, request, since).result
    elif kept:
        result = bench.gateway.get_charge(bench.context(), kept[-1])
    else:
        raise NotOffered("capabilities.lookup is NONE")
    expect(
        result is not None
        and (result.status, result.ref, result.amount) == (Status.SUCCEEDED, capture.ref, capture.amount),
        f"the ledger has {capture.ref}; the look-up found {told(result)}",
    )


@check("Answer NO only when the processor has searched and has nothing.")
def what_was_never_charged_is_a_no(bench: Bench) -> None:
    _by_key(bench)
    request, _ = bench.paid()
    never = bench.again(request)
    found = _find(bench, never, bench.processor.now())
    expect(
        found.answer is LookupAnswer.NO, f"a key that was never sent was answered with {found.answer.name}"
    )


@check("Go through every page of the processor's list before you answer NO.")
def a_charge_is_found_among_many(bench: Bench) -> None:
    _by_key(bench)
    first, since = bench.request(), bench.processor.now()
    bench.charge(first)
    middle = bench.again(first)
    for request in (
        *(bench.again(first) for _ in range(60)),
        middle,
        *(bench.again(first) for _ in range(60)),
    ):
        bench.charge(request)
    for request in (first, middle):
        found = _find(bench, request, since)
        expect(found.answer is LookupAnswer.YES, f"one of 122 charges was answered with {found.answer.name}")


@check("Answer CANNOT_TELL, never NO, when the look-up itself meets an error, and raise nothing.")
def a_look_up_that_fails_cannot_tell(bench: Bench) -> None:
    _by_key(bench)
    request, since = bench.request(), bench.processor.now()
    bench.charge(request)
    for kind in _ON_READING:
        bench.processor.fault(kind, match={"method": "GET"}, times=20)
        seconds = SHORT_S if kind is FaultKind.TIMEOUT_BEFORE else 10.0
        ctx = bench.context(seconds)
        found = bench.gateway.find_charge(ctx, request.idempotency_key, request.customer_ref, since)
        bench.calm()
        expect(
            found.answer is LookupAnswer.CANNOT_TELL,
            f"a look-up that met {kind.value} was answered with {found.answer.name}",
        )


@check("Answer UNKNOWN from get_charge when the processor cannot be asked or does not know the reference.")
def a_charge_that_cannot_be_read_is_unknown(bench: Bench) -> None:
    if bench.can.lookup is LookupBy.NONE:
        raise NotOffered("capabilities.lookup is NONE")
    _, ref = bench.paid()
    for kind in (FaultKind.ERROR_AFTER, FaultKind.GARBAGE, FaultKind.TOO_MANY, FaultKind.UNAUTHORISED):
        bench.processor.fault(kind, match={"method": "GET"}, times=20)
        read = bench.gateway.get_charge(bench.context(), ref)
        bench.calm()
        expect(read.status is Status.UNKNOWN, f"a read that met {kind.value} became {told(read)}")
    for unknown in (ref[:-1] + ("0" if ref[-1] != "0" else "1"), "../../elsewhere", ref + "/../x?y=#"):
        read = bench.gateway.get_charge(bench.context(), unknown)
        expect(read.status is Status.UNKNOWN, f"the reference {unknown!r} became {told(read)}")
    leads = [sent.path for sent in bench.wire.sent if "elsewhere" in sent.path or ".." in sent.path]
    expect(not leads, f"a reference led to the path {leads[:1]}")


@check("Look up with GET alone: a POST may create what you were looking for.")
def a_look_up_only_reads(bench: Bench) -> None:
    if bench.can.lookup is LookupBy.NONE:
        raise NotOffered("capabilities.lookup is NONE")
    request, ref = bench.paid()
    before = len(bench.wire.writes())
    bench.gateway.get_charge(bench.context(), ref)
    if bench.can.lookup is LookupBy.KEY:
        _find(bench, request, bench.processor.now() - timedelta(hours=1))
        _find(bench, bench.again(request), bench.processor.now())
    writes = [f"{sent.method} {sent.path}" for sent in bench.wire.writes()[before:]]
    expect(not writes, f"a look-up sent {', '.join(writes)}")
    expect(len(bench.rows_of(request)) == 1, "a look-up left a charge behind")


@check("Keep no answer of a look-up: what was a NO may land later, and must then be a YES.")
def a_charge_that_lands_late_is_found(bench: Bench) -> None:
    _by_key(bench)
    steps = bench.steps
    request, since = bench.request(), bench.processor.now()
    bench.processor.set_clock(since)
    bench.fault_at(steps, FaultKind.LATE_LANDING, after_s=30)
    expect(bench.charge(request).status is Status.UNKNOWN, "a charge that lands late was not UNKNOWN")
    bench.calm()
    early = _find(bench, request, since)
    expect(
        early.result is None or early.result.status not in (Status.SUCCEEDED, Status.DECLINED),
        f"before it landed, the look-up found {told(early.result)}",
    )
    bench.hours_later(1)
    found = _find(bench, request, since)
    expect(
        found.result is not None and found.result.status is Status.SUCCEEDED,
        f"after it landed, the look-up was answered with {found.answer.name}, {told(found.result)}",
    )
    bench.expect_moved_once(request)


@check("List every charge of the time asked for, declined ones too, page by page, oldest first.")
def the_list_is_whole(bench: Bench) -> None:
    if not bench.can.list_charges:
        raise NotOffered("capabilities.list_charges is False")
    bench.processor.set_clock(datetime.fromisoformat("2031-05-01T00:00:00+00:00"))
    since = bench.processor.now()
    refs = []
    for _ in range(125):
        refs.append(bench.paid()[1])
    until = bench.processor.now() + timedelta(hours=1)
    listed, cursor = [], None
    for _ in refs:
        page = bench.gateway.list_charges(bench.context(), since, until, cursor)
        listed += [result.ref for result in page.charges]
        cursor = page.next_cursor
        if cursor is None:
            break
    expect(listed == refs, f"of {len(refs)} charges {len(set(listed) & set(refs))} were listed")
    earlier = bench.gateway.list_charges(
        bench.context(), since - timedelta(days=1), since - timedelta(hours=1)
    )
    expect(not earlier.charges, "charges of another day were listed")


def _by_key(bench: Bench) -> None:
    if bench.can.lookup is not LookupBy.KEY:
        raise NotOffered("the processor is not searched by our key")


def _find(bench: Bench, request: ChargeRequest, since: datetime) -> Lookup:
    key, customer = request.idempotency_key, request.customer_ref
    return bench.gateway.find_charge(bench.context(), key, customer, since)
