"""Keys and modes, the settings' check, webhooks that prove nothing, and what is never shown."""

import logging
import traceback
from datetime import timedelta

import pytest

from gateways.contract import EventKind, Mode, NotSent, Rejected, WebhookRequest, WebhookVerdict, WrongMode
from gateways.mollie import MollieGateway
from gateways.secret import Secret
from tests.gateways.mollie.conftest import API, KEY, NOW, listed, problem

METHODS = f"{API}/methods"


@pytest.mark.parametrize(("key", "mode"), [("test_1", Mode.LIVE), ("live_1", Mode.TEST)])
def test_a_key_of_the_other_mode_is_refused(key, mode):
    with pytest.raises(WrongMode) as caught:
        MollieGateway({"api_key": Secret(key)}, mode, "1")
    assert key not in str(caught.value)


def test_cards_must_be_active(gateway, ctx, mollie_api):
    mollie_api.get(METHODS, json=listed("methods", {"id": "ideal"}, {"id": "creditcard"}))
    assert gateway.check_settings(ctx) == []
    mollie_api.replace("GET", METHODS, json=listed("methods", {"id": "ideal"}))
    (found,) = gateway.check_settings(ctx)
    assert "not active" in found.message


@pytest.mark.parametrize(
    ("status", "field"), [(401, "api_key"), (403, "api_key"), (400, ""), (500, ""), (200, "")]
)
def test_wrong_settings_are_a_problem_and_no_crash(gateway, ctx, mollie_api, status, field):
    mollie_api.get(METHODS, json=problem(status), status=status)
    assert [found.field for found in gateway.check_settings(ctx)] == [field]


@pytest.mark.parametrize("settings", [{}, {"api_key": Secret("")}, {"api_key": Secret("sk_test_1")}])
def test_what_is_no_key_is_a_problem_before_anything_is_sent(ctx, mollie_api, settings):
    problems = MollieGateway(settings, Mode.TEST, "1").check_settings(ctx)
    assert [found.field for found in problems] == ["api_key"]
    assert len(mollie_api.calls) == 0


def test_the_key_is_in_nothing_that_is_shown_even_when_mollie_quotes_it(gateway, ctx, mollie_api, caplog):
    caplog.set_level(logging.DEBUG)
    at = f"{API}/customers/cst_1/mandates/mdt_1"
    mollie_api.get(at, json=problem(401, detail=f"the key {KEY} is not known"), status=401)
    with pytest.raises(Rejected) as caught:
        gateway.get_instrument(ctx, "cst_1-mdt_1")
    shown = [repr(gateway), caplog.text, repr(vars(caught.value)), *traceback.format_exception(caught.value)]
    assert not [text for text in shown if KEY in text]
    assert "••••••" in str(caught.value)


def test_a_key_that_cannot_be_a_header_is_not_quoted_by_whoever_refuses_it(ctx):
    gateway = MollieGateway({"api_key": Secret("test_1\nX-Other: 1")}, Mode.TEST, "1")
    with pytest.raises(NotSent) as caught:
        gateway.get_instrument(ctx, "cst_1-mdt_1")
    assert "test_1" not in "".join(traceback.format_exception(caught.value))


def heard(gateway, body, at=NOW):
    return gateway.parse_webhook(WebhookRequest(body=body, headers={}, now=at))


def test_an_id_is_a_hint_and_nothing_else_of_the_body_counts(gateway):
    result = heard(gateway, b"id=tr_1&status=paid&amount=99")
    assert result.verdict is WebhookVerdict.ACCEPTED
    assert [(hint.kind, hint.ref) for hint in result.events] == [(EventKind.CHARGE, "tr_1")]


def test_a_repetition_has_the_same_id_and_a_later_change_another(gateway):
    first, again, later = (
        heard(gateway, b"id=tr_1", NOW + timedelta(seconds=seconds)).events[0].event_id
        for seconds in (0, 20, 90)
    )
    assert first == again
    assert later != first


@pytest.mark.parametrize(
    "body",
    [
        b"", b"id=", b"id", b"\xff\xfe", b"id=tr_1&id=tr_2", b"id=../payments", b"id=tr_1/refunds", b"id=tr%2f1",
        b"id=tr_1%00", b"id=tr 1", b"id=" + b"x" * 300, b'{"id": "tr_1"}', b"&".join([b"a=1"] * 50),
    ],
)  # fmt: skip
def test_what_names_no_object_is_refused(gateway, body):
    result = heard(gateway, body)
    assert (result.verdict, result.events) == (WebhookVerdict.REJECTED, ())


def test_an_object_that_is_none_of_ours_is_accepted_and_empty(gateway):
    result = heard(gateway, b"id=sub_1")
    assert (result.verdict, result.events) == (WebhookVerdict.ACCEPTED, ())
