"""A stranger's gateway: whatever it does in a charge, the answer is a status that can be trusted."""

from datetime import UTC, datetime

import pytest

from gateways import calling
from gateways.contract import (
    Capabilities,
    ChargeResult,
    Gateway,
    Lookup,
    LookupAnswer,
    Mode,
    Money,
    NotSent,
    Status,
)
from gateways.secret import Secret

EUR_12 = Money(1200, "EUR")


def strange(do):
    class Strange(Gateway):
        id = "strange"
        label = "Strange"
        api = (1, 0)
        capabilities = Capabilities(currencies={}, idempotency_window_s=1, settle_delay_s=1)

        def charge(self, ctx, request):
            return do(self)

        def get_charge(self, ctx, ref):
            return do(self)

        def find_charge(self, ctx, key, customer_ref, since):
            return do(self)

    return Strange({"api_key": Secret("sk_hunter2")}, Mode.TEST, "1")


def fail(error):
    raise error


@pytest.mark.parametrize(
    "do",
    [
        lambda self: None,
        lambda self: "succeeded",
        lambda self: True,
        lambda self: ChargeResult(status=Status.SUCCEEDED, ref="x", amount=Money(120000, "EUR")),
        lambda self: ChargeResult(status=Status.SUCCEEDED, ref="x", amount=Money(1200, "USD")),
        lambda self: ChargeResult(status=Status.DECLINED),
        lambda self: fail(RuntimeError("with " + self.settings["api_key"].reveal())),
        lambda self: fail(SystemExit(1)),
        lambda self: fail(RecursionError()),
    ],
)
def test_whatever_it_does_is_unknown(do, call_context, new_request):
    gateway = strange(do)
    result = calling.charge(gateway, call_context(), new_request())
    assert result.status is Status.UNKNOWN
    assert result.message
    assert "hunter2" not in repr(result)
    assert calling.get_charge(gateway, call_context(), "x", EUR_12).status is Status.UNKNOWN
    found = calling.find_charge(gateway, call_context(), "k", "c", datetime.now(UTC), EUR_12)
    assert found.answer is LookupAnswer.CANNOT_TELL


def test_what_it_says_was_not_sent_is_not_submitted(call_context, new_request):
    result = calling.charge(strange(lambda self: fail(NotSent("refused"))), call_context(), new_request())
    assert result.status is Status.NOT_SUBMITTED


def test_a_right_result_passes_unchanged(call_context, new_request):
    right = ChargeResult(status=Status.SUCCEEDED, ref="x", amount=EUR_12)
    assert calling.charge(strange(lambda self: right), call_context(), new_request()) is right
    assert calling.get_charge(strange(lambda self: right), call_context(), "x", EUR_12) is right


def test_a_charge_that_is_found_with_another_amount_is_unknown(call_context):
    wrong = ChargeResult(status=Status.SUCCEEDED, ref="x", amount=Money(1, "EUR"))
    gateway = strange(lambda self: Lookup(answer=LookupAnswer.YES, result=wrong))
    found = calling.find_charge(gateway, call_context(), "k", "c", datetime.now(UTC), EUR_12)
    assert (found.answer, found.result.status) == (LookupAnswer.YES, Status.UNKNOWN)
