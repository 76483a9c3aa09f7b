"""Whatever goes wrong on the wire, a charge is never taken for declined; a look-up tells what happened."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from gateways.contract import ChargeRequest, Deadline, LookupAnswer, Mode, Money, Status
from gateways.errors import Ambiguous, NotSent
from gateways.http import BODY_LIMIT, send, strict_json
from gateways.mock.faults import FaultKind
from gateways.mock.gateway import MockGateway
from gateways.secret import Secret

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SLOW = {FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, FaultKind.SLOW_DRIP}
REFUSED_AT_THE_DOOR = {FaultKind.TOO_MANY, FaultKind.UNAUTHORISED}
NOTHING_HAPPENED = {
    FaultKind.TIMEOUT_BEFORE, FaultKind.RESET_BEFORE, FaultKind.ERROR_BEFORE, FaultKind.LATE_LANDING,
    FaultKind.PAGE_502, FaultKind.REDIRECT, *REFUSED_AT_THE_DOOR,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_fault_is_never_a_decline_and_a_look_up_finds_what_happened(
    processor, gateway, call_context, new_request, movements, kind
):
    request = new_request()
    processor.fault(kind, match={"method": "POST", "path_prefix": "/v1/charges"})
    began = time.monotonic()
    result = gateway.charge(call_context(0.6 if kind in SLOW else 10.0), request)
    assert time.monotonic() - began < 5.0
    assert result.status is (Status.NOT_SUBMITTED if kind in REFUSED_AT_THE_DOOR else Status.UNKNOWN)
    found = gateway.find_charge(call_context(), request.idempotency_key, request.customer_ref, LONG_AGO)
    happened = kind not in NOTHING_HAPPENED
    assert found.answer is (LookupAnswer.YES if happened else LookupAnswer.NO)
    assert len(movements(request.idempotency_key)) == happened


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind not in SLOW and kind != "late_landing"])
def test_after_any_fault_the_same_key_settles_it_once(
    processor, gateway, call_context, new_request, movements, kind
):
    request = new_request()
    processor.fault(kind, match={"method": "POST"})
    gateway.charge(call_context(), request)
    assert gateway.charge(call_context(), request).status is Status.SUCCEEDED
    assert len(movements(request.idempotency_key)) == 1


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_look_up_that_meets_a_fault_never_says_no(processor, gateway, call_context, new_request, kind):
    request = new_request()
    gateway.charge(call_context(), request)
    processor.fault(kind, match={"method": "GET"})
    found = gateway.find_charge(
        call_context(0.6 if kind in SLOW else 10.0), request.idempotency_key, request.customer_ref, LONG_AGO
    )
    falsified = {FaultKind.WRONG_AMOUNT, FaultKind.WRONG_CURRENCY}
    assert found.answer is (LookupAnswer.YES if kind in falsified else LookupAnswer.CANNOT_TELL)


@pytest.mark.parametrize("effect", [True, False])
def test_a_gateway_page_tells_nothing_of_the_effect(
    processor, gateway, call_context, new_request, movements, effect
):
    request = new_request()
    processor.fault("502_page", effect=effect, match={"method": "POST"})
    assert gateway.charge(call_context(), request).status is Status.UNKNOWN
    assert len(movements(request.idempotency_key)) == effect


def test_a_late_charge_lands_after_a_look_up_has_said_no(
    processor, gateway, call_context, new_request, movements
):
    noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    processor.set_clock(noon)
    request = new_request()
    processor.fault("late_landing", after_s=40, match={"method": "POST"})
    assert gateway.charge(call_context(), request).status is Status.UNKNOWN
    processor.set_clock(noon + timedelta(hours=2))

    def look():
        return gateway.find_charge(call_context(), request.idempotency_key, request.customer_ref, LONG_AGO)

    assert look().answer is LookupAnswer.NO
    assert movements(request.idempotency_key) == []
    processor.set_clock(noon + timedelta(hours=2, seconds=60))
    assert look().answer is LookupAnswer.YES
    assert len(movements(request.idempotency_key)) == 1


def test_a_late_charge_whose_key_was_sent_again_does_not_land_a_second_time(
    processor, gateway, call_context, new_request, movements
):
    noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    processor.set_clock(noon)
    request = new_request()
    processor.fault("late_landing", after_s=40, match={"method": "POST"})
    gateway.charge(call_context(), request)
    gateway.find_charge(call_context(), request.idempotency_key, request.customer_ref, LONG_AGO)
    assert gateway.charge(call_context(), request).status is Status.SUCCEEDED
    processor.set_clock(noon + timedelta(hours=1))
    assert len(movements(request.idempotency_key)) == 1


def test_a_late_charge_and_a_new_key_charge_twice_which_is_why_no_is_not_enough(
    processor, gateway, call_context, new_request
):
    request = new_request()
    processor.fault("late_landing", after_s=0.2, clock="real", match={"method": "POST"})
    gateway.charge(call_context(), request)
    gateway.find_charge(call_context(), request.idempotency_key, request.customer_ref, LONG_AGO)
    impatient = ChargeRequest(
        idempotency_key=request.idempotency_key + "_again",
        amount=request.amount,
        instrument_ref=request.instrument_ref,
        customer_ref=request.customer_ref,
    )
    gateway.charge(call_context(), impatient)
    time.sleep(0.3)
    assert len([item for item in processor.ledger() if item["customer"] == request.customer_ref]) == 2


def test_random_faults_come_at_their_rate_and_repeat_with_their_seed(
    processor, gateway, call_context, new_request
):
    def drawn():
        processor.clear_faults()
        processor.control("faults", {"rate": 0.2, "kinds": ["500_before", "500_after", "429"], "seed": 7})
        for _ in range(100):
            gateway.charge(call_context(), new_request())
        return processor.control("faults")["drawn"]

    first = drawn()
    assert first == drawn()
    assert 8 <= sum(first.values()) <= 35


@pytest.mark.parametrize(
    "wrong", [{"rate": 2}, {"kinds": []}, [{"kind": "no_such"}], [{}], "x", {"rate": "high"}]
)
def test_a_fault_that_does_not_exist_is_refused(processor, wrong):
    with pytest.raises(requests.HTTPError):
        processor.control("faults", wrong)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://no-such-host.invalid"])
def test_what_provably_never_left_is_not_submitted(call_context, new_request, address):
    url = address.format(port=closed_port())
    gateway = MockGateway({"base_url": url, "api_key": Secret("sk_x")}, Mode.TEST, "1")
    result = gateway.charge(call_context(), new_request())
    assert result.status is Status.NOT_SUBMITTED
    assert "sk_x" not in repr(result)


def test_nothing_is_sent_when_no_time_is_left(gateway, call_context, new_request, movements):
    request = new_request()
    assert gateway.charge(call_context(0.0), request).status is Status.NOT_SUBMITTED
    assert movements(request.idempotency_key) == []


def test_a_server_that_drips_its_headers_is_cut_off_at_the_deadline(call_context):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(Ambiguous, match="no answer in time"):
            send(call_context(0.5), "GET", f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert 0.4 < time.monotonic() - began < 3.0
        thread.join()


def test_a_server_that_falls_silent_half_way_gets_no_second_helping_of_time(call_context):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def begin():
            connection, _ = server.accept()
            with connection:
                time.sleep(0.8)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
                connection.recv(65536)
                connection.recv(1)

        thread = threading.Thread(target=begin)
        thread.start()
        began = time.monotonic()
        with pytest.raises(Ambiguous, match="no answer in time"):
            send(call_context(1.0), "GET", f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert 0.9 < time.monotonic() - began < 1.7
        thread.join()


@pytest.mark.parametrize(
    ("kind", "said"), [("huge_body", "is longer than"), ("gzip_bomb", "unfolds to more")]
)
def test_a_flood_is_stopped_at_the_limit(processor, gateway, call_context, new_request, kind, said):
    processor.fault(kind, match={"method": "POST"})
    assert said in gateway.charge(call_context(), new_request()).message


def test_a_connection_that_is_never_answered_is_ambiguous(call_context):
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Ambiguous):
        send(call_context(0.3), "POST", f"http://127.0.0.1:{server.getsockname()[1]}/", body={"a": 1})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1", "http://", "http://127.0.0.1:99999/"])
def test_an_address_that_is_none_sends_nothing(call_context, url):
    with pytest.raises(NotSent):
        send(call_context(), "GET", url)


def test_a_kept_alive_connection_does_not_inherit_the_last_deadline(processor, call_context, http):
    address = f"{processor.url}/"
    assert send(call_context(0.4), "GET", address).status == 200
    time.sleep(0.5)
    assert send(call_context(5.0), "GET", address).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"{", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}', b"[" * 100_000, b"1" * 5000],
)
def test_json_that_is_not_strict_is_ambiguous(body):
    with pytest.raises(Ambiguous):
        strict_json(body)


def test_a_fraction_is_never_a_float():
    assert strict_json(b'{"a": 0.1}') == {"a": Decimal("0.1")}


def test_a_deadline_counts_down_and_stops_at_zero():
    assert 0.9 < Deadline.after(1.0).remaining() <= 1.0
    assert Deadline.after(-5.0).remaining() == 0.0
    assert Deadline.after(-5.0).passed


def test_a_body_of_exactly_the_limit_is_read(call_context):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {BODY_LIMIT}\r\n\r\n".encode())
                connection.sendall(b" " * BODY_LIMIT)

        thread = threading.Thread(target=answer)
        thread.start()
        assert (
            len(send(call_context(), "GET", f"http://127.0.0.1:{server.getsockname()[1]}/").body)
            == BODY_LIMIT
        )
        thread.join()


def test_money_is_compared_before_success_is_believed(processor, gateway, call_context, new_request):
    processor.fault("wrong_amount", match={"method": "POST"})
    result = gateway.charge(call_context(), new_request(minor=1200))
    assert (result.status, result.amount) == (Status.UNKNOWN, Money(1300, "EUR"))
