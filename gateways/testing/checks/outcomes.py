"""What the bank says, and what becomes of it: a decline of the right kind, a link for the cardholder, a wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateways.contract import ChargeRequest, ChargeResult, DeclineKind, NextStepKind, Status
from gateways.testing import behaviours
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered, Visit

BACK = "https://panel.example/payments/return"


@check("Answer SUCCEEDED with ref and amount once money has moved, and with the same from get_charge.")
def a_good_card_succeeds_and_reads_the_same_later(bench: Bench) -> None:
    request, ref = bench.paid()
    bench.expect_moved_once(request)
    read = bench.gateway.get_charge(bench.context(), ref)
    expect(
        (read.status, read.ref, read.amount) == (Status.SUCCEEDED, ref, request.amount),
        f"a charge that succeeded reads {told(read)}",
    )


@check("Make RETRYABLE of every mild decline: no funds, do not honor, try again later, processing error.")
def mild_declines_are_retryable(bench: Bench) -> None:
    _each(bench, dict.fromkeys(behaviours.RETRYABLE, DeclineKind.RETRYABLE))


@check("Make RETRYABLE, not HARD, of a decline code that you have never heard of.")
def an_unheard_of_code_is_retryable(bench: Bench) -> None:
    _each(bench, {behaviours.UNHEARD_OF: DeclineKind.RETRYABLE})


@check("Make HARD of a card that is lost, stolen, expired, closed, revoked or fraudulent: it must rest.")
def dead_cards_are_hard(bench: Bench) -> None:
    _each(bench, dict.fromkeys(behaviours.HARD, DeclineKind.HARD))


@check("Let the issuer's advice override the code: do_not_honor with 'do not try again' is HARD.")
def the_issuers_advice_overrides_the_code(bench: Bench) -> None:
    _each(bench, {behaviours.STOP: DeclineKind.HARD})


@check("Make MERCHANT of refusals that are our fault, so that staff hear of them and customers do not.")
def our_own_faults_are_the_merchants(bench: Bench) -> None:
    _each(bench, dict.fromkeys(behaviours.MERCHANT, DeclineKind.MERCHANT))


@check("Give every code of the processor's documentation the kind that your conformance says.")
def every_documented_code_has_its_kind(bench: Bench) -> None:
    if not bench.conformance.declines:
        raise NotOffered("the conformance lists no declines beyond the standard ones")
    _each(bench, bench.conformance.declines)


@check("Keep a decline's outcome: get_charge and the same key must say DECLINED again, with the same kind.")
def a_decline_reads_the_same_later(bench: Bench) -> None:
    request = _on_the_first_card_that_declines(bench)
    result = bench.charge(request)
    again = bench.charge(request)
    expect(_same(again, result), f"{told(result)} became {told(again)} when its key was sent again")
    if result.ref is not None:
        read = bench.gateway.get_charge(bench.context(), result.ref)
        expect(_same(read, result), f"{told(result)} is read back as {told(read)}")


@check("Answer ACTION_REQUIRED when the processor says authentication_required with an error status.")
def authentication_as_an_error_is_action_required(bench: Bench) -> None:
    _waits(bench, behaviours.AUTHENTICATION)


@check("Answer ACTION_REQUIRED when a 200 says that the cardholder must act: it is not a success.")
def authentication_as_a_200_is_action_required(bench: Bench) -> None:
    _waits(bench, behaviours.AUTHENTICATION_200)


@check("Lead the cardholder to the processor's page, and let get_charge say what became of it.")
def a_confirmed_payment_succeeds(bench: Bench) -> None:
    request, result = _visited(bench, Visit.COMPLETES)
    expect(result.status is Status.SUCCEEDED, f"a payment that was confirmed reads {told(result)}")
    bench.expect_moved_once(request)


@check("Make DECLINED (AUTHENTICATION) of a payment that the cardholder failed to confirm.")
def a_payment_that_is_not_confirmed_moves_nothing(bench: Bench) -> None:
    request, result = _visited(bench, Visit.FAILS_3DS)
    expect(
        result.status in (Status.DECLINED, Status.ACTION_REQUIRED),
        f"a payment that was not confirmed reads {told(result)}",
    )
    expect(not bench.moved(request), "the processor's ledger shows a capture")


@check("Answer PENDING, not SUCCEEDED, while the outcome is still to come; then read it with get_charge.")
def a_slow_payment_is_pending_until_it_is_known(bench: Bench) -> None:
    if not bench.can.asynchronous:
        raise NotOffered("capabilities.asynchronous is False")
    for succeeded, status in ((True, Status.SUCCEEDED), (False, Status.DECLINED)):
        request = bench.request(behaviours.PENDING)
        result = bench.charge(request)
        expect(
            result.status is Status.PENDING and result.ref is not None,
            f"a payment that is under way became {told(result)}",
        )
        assert result.ref is not None
        bench.processor.settle(result.ref, succeeded)
        read = bench.gateway.get_charge(bench.context(), result.ref)
        expect(read.status is status, f"once it had {status.value} it was read as {told(read)}")
        expect(len(bench.moved(request)) == succeeded, "answer and ledger differ")


@check(
    "Let cancel_charge give up what has not succeeded, leave what has, and answer with the state afterwards."
)
def cancelling_gives_up_only_what_has_not_succeeded(bench: Bench) -> None:
    if not bench.can.cancel:
        raise NotOffered("capabilities.cancel is False")
    _, ref = bench.paid()
    kept = bench.gateway.cancel_charge(bench.context(), ref)
    expect(kept.status is Status.SUCCEEDED, f"a charge that had succeeded became {told(kept)}")
    waiting = bench.charge(bench.request(_that_waits(bench)))
    assert waiting.ref is not None
    given_up = bench.gateway.cancel_charge(bench.context(), waiting.ref)
    expect(given_up.status is Status.DECLINED, f"a charge that waited became {told(given_up)}")


@check("Show in disputed_minor what the cardholder took back; the status stays SUCCEEDED.")
def a_dispute_shows_in_the_amounts(bench: Bench) -> None:
    request, ref = bench.paid()
    bench.processor.dispute(ref)
    read = bench.gateway.get_charge(bench.context(), ref)
    expect(
        (read.status, read.disputed_minor) == (Status.SUCCEEDED, request.amount.minor),
        f"a disputed charge reads {told(read)}, disputed {read.disputed_minor}",
    )


def _each(bench: Bench, kinds: Mapping[str, DeclineKind]) -> None:
    for behaviour, request in _requests(bench, kinds):
        result = bench.charge(request)
        wanted = kinds[behaviour]
        got = result.decline.kind if result.decline is not None else None
        expect(got is wanted and _fits(result), f"{behaviour} became {told(result)}, not {wanted.name}")
        assert result.decline is not None
        expect(bool(result.decline.code), f"{behaviour} came without the processor's own code")
        expect(not bench.moved(request), f"{behaviour}: the processor's ledger shows a capture")


def _fits(result: ChargeResult) -> bool:
    """The status that goes with the decline's kind."""
    assert result.decline is not None
    match result.decline.kind:
        case DeclineKind.AUTHENTICATION:
            return result.status in (Status.ACTION_REQUIRED, Status.DECLINED)
        case DeclineKind.MERCHANT:
            return result.status in (Status.DECLINED, Status.NOT_SUBMITTED)
    return result.status is Status.DECLINED


def _requests(bench: Bench, names: Iterable[str]) -> list[tuple[str, ChargeRequest]]:
    """A request for each behaviour that the fake has a card for; raises NotOffered when it has none."""
    found: list[tuple[str, ChargeRequest]] = []
    missing: list[str] = []
    for name in names:
        try:
            found.append((name, bench.request(name)))
        except NotOffered:
            missing.append(name)
    if not found:
        raise NotOffered(f"the fake has no card that behaves as {', '.join(missing)}")
    return found


def _on_the_first_card_that_declines(bench: Bench) -> ChargeRequest:
    return _requests(bench, (*behaviours.RETRYABLE, *behaviours.HARD))[0][1]


def _that_waits(bench: Bench) -> str:
    waiting = (behaviours.AUTHENTICATION, behaviours.AUTHENTICATION_200, behaviours.PENDING)
    return _requests(bench, waiting)[0][0]


def _waits(bench: Bench, behaviour: str) -> ChargeResult:
    request = bench.request(behaviour)
    result = bench.charge(request)
    got = result.decline.kind if result.decline is not None else None
    if bench.can.authentication:
        expect(
            result.status is Status.ACTION_REQUIRED and result.ref is not None,
            f"a charge that needs the cardholder became {told(result)}",
        )
    expect(
        got in (None, DeclineKind.AUTHENTICATION) and result.status is not Status.SUCCEEDED,
        f"a charge that needs the cardholder became {told(result)}",
    )
    expect(not bench.moved(request), "the processor's ledger shows a capture")
    return result


def _visited(bench: Bench, visit: Visit) -> tuple[ChargeRequest, ChargeResult]:
    if not bench.can.authentication:
        raise NotOffered("capabilities.authentication is False")
    request = _requests(bench, (behaviours.AUTHENTICATION, behaviours.AUTHENTICATION_200))[0][1]
    waiting = bench.charge(request)
    assert waiting.ref is not None
    step = bench.gateway.start_authentication(bench.context(), waiting.ref, BACK)
    expect(step.kind is not NextStepKind.NONE, "start_authentication leads nowhere")
    bench.processor.visit(step, visit)
    return request, bench.gateway.get_charge(bench.context(), waiting.ref)


def _same(one: ChargeResult, other: ChargeResult) -> bool:
    kinds = [result.decline.kind if result.decline is not None else None for result in (one, other)]
    return one.status is other.status and kinds[0] is kinds[1]
