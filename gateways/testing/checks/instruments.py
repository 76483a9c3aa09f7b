"""Stored cards afterwards: forgotten for good, and read as what the processor says."""

from __future__ import annotations

from gateways.contract import CardStatus, Rejected, Status, Unreachable
from gateways.mock.faults import FaultKind
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered


@check("Make DECLINED (HARD or MERCHANT) of a charge on a forgotten instrument; no money may move.")
def a_forgotten_instrument_is_not_charged(bench: Bench) -> None:
    _forgets(bench)
    request, _ = bench.paid()
    bench.gateway.forget_instrument(bench.context(), request.instrument_ref)
    result = bench.charge(bench.again(request))
    expect(result.status is Status.DECLINED, f"a charge on it became {told(result)}")
    expect(len(bench.moved(request)) == 1, "money moved on it")


@check("Forget twice without an error: what is gone is gone.")
def forgetting_twice_is_no_error(bench: Bench) -> None:
    _forgets(bench)
    request, _ = bench.paid()
    for _ in "12":
        bench.gateway.forget_instrument(bench.context(), request.instrument_ref)


@check("Answer get_instrument with VALIDATED for a good card and with REVOKED for one that is gone.")
def an_instrument_reads_as_the_processor_says(bench: Bench) -> None:
    _reads(bench)
    request, _ = bench.paid()
    good = bench.gateway.get_instrument(bench.context(), request.instrument_ref)
    expect(
        (good.ref, good.status) == (request.instrument_ref, CardStatus.VALIDATED),
        f"a good card reads {good.ref} {good.status.name}",
    )
    if bench.can.forget:
        bench.gateway.forget_instrument(bench.context(), request.instrument_ref)
        gone = bench.gateway.get_instrument(bench.context(), request.instrument_ref)
        expect(gone.status is CardStatus.REVOKED, f"a forgotten card reads {gone.status.name}")


@check("Raise Unreachable when an instrument cannot be asked for: REVOKED would stop a card that is good.")
def an_outage_revokes_no_card(bench: Bench) -> None:
    _reads(bench)
    request, _ = bench.paid()
    for kind in (FaultKind.ERROR_AFTER, FaultKind.PAGE_502, FaultKind.GARBAGE, FaultKind.UNAUTHORISED):
        bench.processor.fault(kind, match={"method": "GET"}, times=20)
        try:
            found = bench.gateway.get_instrument(bench.context(), request.instrument_ref)
            expect(False, f"a read that met {kind.value} became {found.status.name}")
        except (Unreachable, Rejected):
            bench.calm()


def _forgets(bench: Bench) -> None:
    if not bench.can.forget:
        raise NotOffered("capabilities.forget is False")


def _reads(bench: Bench) -> None:
    if not bench.can.instruments:
        raise NotOffered("capabilities.instruments is False")
