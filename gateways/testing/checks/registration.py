"""Registering a card: the customer goes to the processor's page and back, and only the processor says what
became of it."""

from __future__ import annotations

from datetime import timedelta

from gateways.contract import (
    CardStatus,
    ChargeRequest,
    NextStep,
    NextStepKind,
    RegistrationKind,
    RegistrationRequest,
    RegistrationResult,
    RegistrationStatus,
    Rejected,
    Status,
    Unreachable,
)
from gateways.errors import Ambiguous, NotSent
from gateways.mock.faults import FaultKind
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered, Visit

BACK = "https://panel.example/cards/return"
_NOT_VALIDATED = (
    RegistrationStatus.PENDING,
    RegistrationStatus.CANCELLED,
    RegistrationStatus.FAILED,
    RegistrationStatus.EXPIRED,
)


@check("Answer start_registration with a page to go to and the ref under which get_registration finds it.")
def it_begins_at_the_processors_page(bench: Bench) -> None:
    step = _started(bench)
    if bench.can.registration is RegistrationKind.HOSTED:
        url = step.url or ""
        expect(
            step.kind is NextStepKind.REDIRECT and url.startswith(("https://", "http://")),
            f"it leads to {step.kind.name} {url!r}",
        )
    else:
        expect(step.kind is NextStepKind.EMBEDDED and bool(step.client), "there is no data for the form")
    expect(_read(bench, step).status is RegistrationStatus.PENDING, "it is not PENDING before anybody came")


@check(
    "Make VALIDATED of a completed registration, with instrument and customer such that charge accepts them."
)
def a_registered_card_can_be_charged(bench: Bench) -> None:
    _expect_chargeable(bench, _visited(bench, Visit.COMPLETES))


@check("Make VALIDATED of a card whose holder passed 3-D Secure, not before they did.")
def a_card_that_passed_3d_secure_can_be_charged(bench: Bench) -> None:
    _expect_chargeable(bench, _visited(bench, Visit.COMPLETES_3DS))


@check("Never make VALIDATED of a card whose holder failed 3-D Secure.")
def a_card_that_failed_3d_secure_is_not_validated(bench: Bench) -> None:
    _expect_none(_visited(bench, Visit.FAILS_3DS))


@check("Make CANCELLED of a page that the customer left by its Cancel button.")
def a_cancelled_page_gives_no_card(bench: Bench) -> None:
    _expect_none(_visited(bench, Visit.CANCELS))


@check("Keep PENDING for as long as the processor does: a return to our page proves nothing.")
def an_abandoned_page_stays_pending(bench: Bench) -> None:
    step = _started(bench)
    for _ in "12":
        result = _read(bench, step)
        expect(
            result.status is RegistrationStatus.PENDING and result.instrument is None,
            f"a page that nobody has visited reads {result.status.name}",
        )


@check("Make EXPIRED of a page whose time is over, by NextStep.expires_at.")
def a_page_whose_time_is_over_gives_no_card(bench: Bench) -> None:
    step = _started(bench)
    if step.expires_at is None:
        raise NotOffered("NextStep.expires_at is None")
    bench.processor.set_clock(step.expires_at + timedelta(minutes=1))
    status = _read(bench, step).status
    expect(status is RegistrationStatus.EXPIRED, f"after its time it reads {status.name}")


@check(
    "Send RegistrationRequest.key as the idempotency key, so that a repeated start is the same registration."
)
def started_twice_it_is_one_registration(bench: Bench) -> None:
    if bench.processor.key_header is None:
        raise NotOffered("the processor knows no idempotency keys")
    first, again = _started(bench, "twice"), _started(bench, "twice")
    expect(first.ref == again.ref, f"the same key began {first.ref} and {again.ref}")
    _visit(bench, first, Visit.COMPLETES)
    one, other = _read(bench, first), _read(bench, first)
    expect(one == other, "a completed registration reads differently the second time")


@check("Raise Ambiguous for a start whose answer is lost; the same key again must find the way.")
def a_start_whose_answer_is_lost_can_be_repeated(bench: Bench) -> None:
    for kind in (FaultKind.ERROR_AFTER, FaultKind.RESET_AFTER, FaultKind.GARBAGE, FaultKind.PAGE_502):
        bench.fault_at(1, kind)
        raised = _raised(bench, f"lost-{kind.value}")
        bench.calm()
        expect(
            raised is None or isinstance(raised, Ambiguous),
            f"a start that met {kind.value} raised {type(raised).__name__}",
        )
        step = _started(bench, f"lost-{kind.value}")
        expect(bool(step.ref), "the repeated start has no ref")


@check("Raise NotSent or Ambiguous when the processor cannot be reached, and nothing of your own.")
def an_unreachable_processor_is_said_so(bench: Bench) -> None:
    step = _started(bench)
    nowhere = bench.context(5.0, to="http://127.0.0.1:1")
    try:
        bench.gateway.start_registration(nowhere, _request("nowhere"))
        expect(False, "start_registration answered although nothing was there")
    except NotSent:
        pass
    try:
        bench.gateway.get_registration(nowhere, step.ref)
        expect(False, "get_registration answered although nothing was there")
    except Unreachable:
        pass


@check("Raise Rejected for a registration that does not exist, and put no foreign text into a path.")
def a_registration_that_does_not_exist_is_rejected(bench: Bench) -> None:
    step = _started(bench)
    for ref in (f"{step.ref[:-1]}{'0' if step.ref[-1] != '0' else '1'}", "../../elsewhere", "a/../b?c=#"):
        try:
            result = bench.gateway.get_registration(bench.context(), ref)
            expect(result.status is not RegistrationStatus.VALIDATED, f"{ref!r} is VALIDATED")
            expect(False, f"{ref!r} was answered with {result.status.name}")
        except Rejected:
            pass
    led = [sent.path for sent in bench.wire.sent if "elsewhere" in sent.path or ".." in sent.path]
    expect(not led, f"a reference led to the path {led[:1]}")


@check("Verify a card with an amount of zero (capabilities.zero_amount_verification says that you do).")
def registering_moves_no_money(bench: Bench) -> None:
    if not bench.can.zero_amount_verification:
        raise NotOffered("capabilities.zero_amount_verification is False")
    _visited(bench, Visit.COMPLETES)
    moved = [f"{item.amount}" for item in bench.processor.movements() if item.moved]
    expect(
        moved in ([], ["0"]) or all(text.startswith("0") for text in moved), f"it moved {', '.join(moved)}"
    )


@check("Pass RegistrationRequest.customer_ref on, so that a second card belongs to the same customer.")
def a_second_card_belongs_to_the_same_customer(bench: Bench) -> None:
    first = _visited(bench, Visit.COMPLETES)
    step = _started(bench, "second", first.customer_ref)
    _visit(bench, step, Visit.COMPLETES)
    second = _read(bench, step)
    expect(
        second.customer_ref == first.customer_ref,
        f"the second card belongs to {second.customer_ref}, the first to {first.customer_ref}",
    )


def _request(key: str, customer_ref: str | None = None) -> RegistrationRequest:
    return RegistrationRequest(
        key=f"registration-{key}",
        return_url=BACK,
        customer_ref=customer_ref,
        description="Card for Ioana Popescu",
        customer_name="Ioana Popescu",
        customer_email="ioana@client.example",
        account_reference="account-1",
    )


def _started(bench: Bench, key: str = "1", customer_ref: str | None = None) -> NextStep:
    if bench.can.registration is RegistrationKind.NONE:
        raise NotOffered("capabilities.registration is NONE")
    return bench.gateway.start_registration(bench.context(), _request(key, customer_ref))


def _raised(bench: Bench, key: str) -> Unreachable | None:
    try:
        _started(bench, key)
    except Unreachable as error:
        return error
    return None


def _visit(bench: Bench, step: NextStep, visit: Visit) -> None:
    bench.processor.visit(step, visit)


def _visited(bench: Bench, visit: Visit) -> RegistrationResult:
    step = _started(bench, visit.value)
    _visit(bench, step, visit)
    return _read(bench, step)


def _read(bench: Bench, step: NextStep) -> RegistrationResult:
    return bench.gateway.get_registration(bench.context(), step.ref)


def _expect_none(result: RegistrationResult) -> None:
    expect(
        result.status in _NOT_VALIDATED and result.instrument is None,
        f"it reads {result.status.name}, with {'an' if result.instrument else 'no'} instrument",
    )


def _expect_chargeable(bench: Bench, result: RegistrationResult) -> None:
    expect(result.status is RegistrationStatus.VALIDATED, f"it reads {result.status.name}: {result.message}")
    assert result.instrument is not None
    customer = result.customer_ref or result.instrument.customer_ref
    expect(
        customer is not None and result.instrument.status is CardStatus.VALIDATED,
        f"the instrument is {result.instrument.status.name}, the customer {customer}",
    )
    request = ChargeRequest(
        idempotency_key=f"first-charge-of-{result.ref}",
        amount=bench.amount(),
        instrument_ref=result.instrument.ref,
        customer_ref=customer or "",
    )
    charged = bench.charge(request)
    expect(charged.status is Status.SUCCEEDED, f"its first charge became {told(charged)}")
    if bench.can.instruments:
        read = bench.gateway.get_instrument(bench.context(), result.instrument.ref)
        expect(read.status is CardStatus.VALIDATED, f"get_instrument says {read.status.name}")
        expect(read.last4 == result.instrument.last4, "get_instrument shows another card")
