"""Stripe's signed webhooks: raw bytes, two secrets while one replaces the other, and hints alone."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateways.contract import EventKind, Mode, WebhookRequest, WebhookVerdict
from gateways.secret import Secret
from gateways.stripe import StripeGateway

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
OURS, NEXT = "whsec_ours", "whsec_next"


def body_of(kind="payment_intent.succeeded", shown=None, **changed):
    shown = {"id": "pi_1", "object": "payment_intent"} if shown is None else shown
    event = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": int(NOW.timestamp()),
        "livemode": False,
    }
    return json.dumps({**event, "data": {"object": shown}, **changed}).encode()


def signed(body, *secrets, at=NOW):
    stamp = int(at.timestamp())
    digests = [hmac.new(s.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={stamp}", *(f"v1={digest}" for digest in digests)])


def heard(body, header=None, mode=Mode.TEST, now=NOW, **settings):
    settings = settings or {"webhook_secret": Secret(OURS)}
    header = signed(body, OURS) if header is None else header
    delivery = WebhookRequest(body=body, headers={"stripe-signature": header}, now=now)
    return StripeGateway(settings, mode, "1").parse_webhook(delivery)


@pytest.mark.parametrize(
    ("kind", "shown", "event", "ref"),
    [
        ("payment_intent.succeeded", {"id": "pi_1"}, EventKind.CHARGE, "pi_1"),
        ("payment_intent.payment_failed", {"id": "pi_1"}, EventKind.CHARGE, "pi_1"),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"}, EventKind.CHARGE, "pi_1"),
        ("charge.refund.updated", {"id": "re_1"}, EventKind.REFUND, "re_1"),
        ("refund.failed", {"id": "re_1"}, EventKind.REFUND, "re_1"),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_1"}, EventKind.DISPUTE, "pi_1"),
        ("checkout.session.completed", {"id": "cs_1"}, EventKind.REGISTRATION, "cs_1"),
        ("checkout.session.expired", {"id": "cs_1"}, EventKind.REGISTRATION, "cs_1"),
        ("payment_method.automatically_updated", {"id": "pm_1"}, EventKind.INSTRUMENT, "pm_1"),
        ("payment_method.detached", {"id": "pm_1"}, EventKind.INSTRUMENT, "pm_1"),
    ],
)
def test_what_concerns_us_is_a_hint_at_what_to_ask_for(kind, shown, event, ref):
    result = heard(body_of(kind, shown))
    assert [(hint.kind, hint.ref, hint.event_id) for hint in result.events] == [(event, ref, "evt_1")]
    assert result.events[0].occurred_at == NOW


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("payout.paid", {"id": "po_1"}),
        ("invoice.paid", {}),
        ("charge.refunded", {"id": "ch_1", "payment_intent": None}),
    ],
)
def test_what_does_not_is_accepted_and_empty(kind, shown):
    result = heard(body_of(kind, shown))
    assert (result.verdict, result.events) == (WebhookVerdict.ACCEPTED, ())


def test_either_secret_is_enough_and_either_signature():
    body = body_of()
    both = {"webhook_secret": Secret(NEXT), "webhook_secret_before": Secret(OURS)}
    for header in (signed(body, OURS), signed(body, NEXT), signed(body, "whsec_other", NEXT)):
        assert heard(body, header, **both).verdict is WebhookVerdict.ACCEPTED
    assert heard(body, signed(body, "whsec_other"), **both).verdict is WebhookVerdict.REJECTED
    assert heard(body, signed(body, NEXT)).verdict is WebhookVerdict.REJECTED


@pytest.mark.parametrize("secret", [None, "", Secret("")])
def test_an_empty_secret_accepts_nothing(secret):
    body = body_of()
    result = heard(body, signed(body, ""), webhook_secret=secret)
    assert result.verdict is WebhookVerdict.NOT_CONFIGURED


@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        (timedelta(seconds=-300), WebhookVerdict.ACCEPTED),
        (timedelta(seconds=300), WebhookVerdict.ACCEPTED),
        (timedelta(seconds=-301), WebhookVerdict.REJECTED),
        (timedelta(seconds=301), WebhookVerdict.REJECTED),
        (timedelta(days=365), WebhookVerdict.REJECTED),
    ],
)
def test_the_future_is_refused_like_the_past(later, verdict):
    body = body_of()
    assert heard(body, signed(body, OURS, at=NOW + later)).verdict is verdict


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"", b"[]", b"null", b"{", b'{"id": 1}', b'{"a": 1, "a": 2}', b"[" * 90_000]
)
def test_a_body_that_makes_no_sense_is_refused_even_when_it_is_signed(body):
    assert heard(body).verdict is WebhookVerdict.REJECTED


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=" + "0" * 64, "t=x,v1=" + "0" * 64, "é" * 9000, "t=1,t=2,v1=a"]
)
def test_a_malformed_signature_is_refused(header):
    assert heard(body_of(), header).verdict is WebhookVerdict.REJECTED


def test_the_bytes_count_and_not_what_they_mean():
    body = body_of()
    header = signed(body, OURS)
    assert heard(json.dumps(json.loads(body), indent=1).encode(), header).verdict is WebhookVerdict.REJECTED
    assert heard(body.replace(b"pi_1", b"pi_2"), header).verdict is WebhookVerdict.REJECTED


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("live", [True, False, None, "false"])
def test_an_event_of_the_other_mode_settles_nothing(mode, live):
    result = heard(body_of(livemode=live), mode=mode)
    accepted = live is (mode is Mode.LIVE)
    assert (result.verdict is WebhookVerdict.ACCEPTED) is accepted
    assert bool(result.events) is accepted


@pytest.mark.parametrize("ref", ["../payouts", "pi_1/confirm", "pi_1?a=b", "pi 1", "x" * 256, ""])
def test_ids_that_lead_elsewhere_are_not_hints(ref):
    assert heard(body_of(shown={"id": ref})).events == ()
    assert heard(body_of(id=ref)).events == ()
