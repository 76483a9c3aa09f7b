"""Webhooks: authentic or refused, hints alone, and the same whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from gateways.contract import (
    EventKind,
    GatewayEvent,
    Status,
    WebhookAuth,
    WebhookRequest,
    WebhookResult,
    WebhookVerdict,
)
from gateways.secret import Secret
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.outside import reached_outside
from gateways.testing.processor import NotOffered
from gateways.testing.receiver import received

_STRANGERS = Secret("whsec_of_somebody_else")


@check("Answer ACCEPTED with one event that names the object, and nothing else of what the body claims.")
def an_authentic_event_is_a_hint(bench: Bench) -> None:
    _offered(bench)
    _, ref = bench.paid()
    body = _body(bench, ref)
    heard = bench.hear(body, _headers(bench, body))
    expect(heard.verdict is WebhookVerdict.ACCEPTED, f"it was {_said(heard)}")
    events = [(event.kind, event.ref) for event in heard.events]
    expect(events == [(EventKind.CHARGE, ref)], f"it was heard as {events}")


@check("Match header names without regard to case (WebhookRequest.header does).")
def header_names_come_in_any_case(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "ch_1")
    for change in (str.lower, str.upper):
        headers = {change(name): value for name, value in _headers(bench, body).items()}
        expect(_accepted(bench.hear(body, headers)), "a header in another case was not found")


@check("Accept a delivery that either of two secrets has signed, so that secrets can be replaced.")
def either_secret_of_a_rotation_is_enough(bench: Bench) -> None:
    _signed(bench)
    body, at = _body(bench, "ch_1"), bench.processor.now()
    for secrets in ((_STRANGERS, bench.webhook_secret), (bench.webhook_secret, _STRANGERS)):
        heard = bench.hear(body, bench.processor.sign(body, secrets, at))
        expect(_accepted(heard), f"signed with two secrets, one of them ours, it was {_said(heard)}")


@check("Answer NOT_CONFIGURED while no webhook secret is set: an empty secret signs anything.")
def without_a_secret_nothing_is_accepted(bench: Bench) -> None:
    _signed(bench)
    name = bench.conformance.webhook_secret or ""
    body, at = _body(bench, "ch_1"), bench.processor.now()
    for unset in (None, "", Secret("")):
        for signature in (bench.processor.sign(body, (Secret(""),), at), {}):
            heard = bench.hear(body, signature, settings={name: unset})
            expect(
                heard.verdict is WebhookVerdict.NOT_CONFIGURED,
                f"with the secret {unset!r} it was {_said(heard)}",
            )


@check("Refuse a delivery without a signature, or with one that is malformed, and raise nothing.")
def a_missing_or_malformed_signature_is_refused(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "ch_1")
    right = _headers(bench, body)
    expect(_refused(bench.hear(body, {})), "without its signature it was not refused")
    for name, value in right.items():
        for wrong in ("", "garbage", "t=1", "v1=" + "0" * 64, value[:-4], value[4:], "é" * 5000):
            heard = bench.hear(body, {**right, name: wrong})
            expect(_refused(heard), f"with {name}: {wrong[:40]!r} it was {_said(heard)}")


@check("Compare the signature with hmac.compare_digest over the raw bytes: one altered byte must break it.")
def an_altered_byte_is_refused(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "ch_1")
    headers = _headers(bench, body)
    altered = [body.replace(b"ch_1", b"ch_2"), body + b" ", body[:-1], b" " + body, b""]
    for at in range(0, len(body), 7):
        altered.append(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    for changed in altered:
        heard = bench.hear(changed, headers)
        expect(_refused(heard), f"with {changed[:60]!r} for {body[:60]!r} it was {_said(heard)}")


@check("Refuse what somebody else's secret has signed.")
def a_strangers_signature_is_refused(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "ch_1")
    heard = bench.hear(body, bench.processor.sign(body, (_STRANGERS,), bench.processor.now()))
    expect(_refused(heard), f"signed with another secret it was {_said(heard)}")


@check("Refuse a signature that is older than some minutes: an old delivery may be a recorded one.")
def an_old_signature_is_refused(bench: Bench) -> None:
    _at_another_time(bench, timedelta(days=-1))
    _at_another_time(bench, timedelta(hours=-1))


@check("Refuse a signature from the future as you refuse an old one: it would stay valid for long.")
def a_signature_from_the_future_is_refused(bench: Bench) -> None:
    _at_another_time(bench, timedelta(hours=1))
    _at_another_time(bench, timedelta(days=365))


@check("Refuse a body that is not UTF-8, or not what the processor sends, and raise nothing.")
def a_body_that_makes_no_sense_is_refused(bench: Bench) -> None:
    _offered(bench)
    for body in (
        b"\xff\xfe\x00",
        b"",
        b"[]",
        b"null",
        b"{}",
        b"7",
        b"[" * 50_000,
        b'{"id": 7}',
        b"\x00" * 99,
    ):
        heard = bench.hear(body, _headers(bench, body))
        expect(not heard.events, f"{body[:30]!r} was heard as {heard.events}")
        if bench.can.webhook_auth is WebhookAuth.SIGNATURE:
            expect(_refused(heard), f"{body[:30]!r} was {_said(heard)}")


@check("Accept a type that you do not know, with no events: the processor adds types as it likes.")
def an_unknown_type_is_accepted_and_empty(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "po_1", about=None)
    heard = bench.hear(body, _headers(bench, body))
    expect(_accepted(heard) and not heard.events, f"it was {_said(heard)} with {len(heard.events)} events")


@check("Refuse ids with characters that no id has: they end up in the path of your next request.")
def ids_that_look_like_paths_are_refused(bench: Bench) -> None:
    _offered(bench)
    for ref in (
        "../../v1/charges",
        "ch_1/../x",
        "ch_1?x=y",
        "ch_1#",
        "ch 1",
        "ch_1%2f..",
        "x" * 5000,
        "ch_\n1",
    ):
        body = _body(bench, ref)
        events = bench.hear(body, _headers(bench, body)).events
        expect(not events, f"{ref[:40]!r} was heard as {[event.ref[:40] for event in events]}")


@check("Refuse an event of the other mode: a test event must settle nothing in live mode, nor the reverse.")
def an_event_of_the_other_mode_is_refused(bench: Bench) -> None:
    _signed(bench)
    body = _body(bench, "ch_1", live=True)
    heard = bench.hear(body, _headers(bench, body))
    expect(not heard.events, f"an event of live mode was {_said(heard)} in test mode")


@check("Let parse_webhook work on its arguments alone: no network, no database.")
def it_reaches_for_nothing_outside(bench: Bench) -> None:
    _offered(bench)
    body = _body(bench, "ch_1")
    headers = _headers(bench, body)
    gateway = bench.gateway
    request = WebhookRequest(body=body, headers=headers, now=bench.processor.now())
    with reached_outside() as reached:
        gateway.parse_webhook(request)
    expect(not reached, f"parse_webhook asked for {', '.join(reached)}")


@check("Accept what the processor really sends for a charge, and name that charge.")
def a_real_delivery_names_its_charge(bench: Bench) -> None:
    _offered(bench)
    (ref,), deliveries = _delivered(bench, charges=1)
    refs = {event.ref for event in _events(bench, deliveries)}
    expect(refs == {ref}, f"for the charge {ref} the deliveries name {refs or 'nothing'}")


@check("Give the same event the same event_id each time, so that the panel can drop its repetitions.")
def a_duplicate_has_the_same_event_id(bench: Bench) -> None:
    _offered(bench)
    _, ref = bench.paid()
    body = _body(bench, ref)
    ids = {event.event_id for _ in "12" for event in bench.hear(body, _headers(bench, body)).events}
    expect(len(ids) == 1 and "" not in ids, f"one delivery, sent twice, has the event ids {sorted(ids)}")
    if bench.can.webhook_auth is WebhookAuth.SIGNATURE:
        other = _body(bench, ref, event_id="evt_2")
        ids |= {event.event_id for event in bench.hear(other, _headers(bench, other)).events}
        expect(len(ids) == 2, "two events have the same event id")


@check(
    "Answer from the processor, not from the delivery: in whatever order they come, the charge is the same."
)
def the_order_of_deliveries_decides_nothing(bench: Bench) -> None:
    _offered(bench)
    refs, deliveries = _delivered(bench, charges=3)
    events = list(_events(bench, deliveries))
    for order in (events, events[::-1], events * 2):
        read = {event.ref: bench.gateway.get_charge(bench.context(), event.ref) for event in order}
        expect(set(read) == set(refs), f"the deliveries name {sorted(read)}, the charges are {sorted(refs)}")
        for result in read.values():
            expect(result.status is Status.SUCCEEDED, f"a charge that succeeded is read as {told(result)}")


def _offered(bench: Bench) -> None:
    if bench.can.webhook_auth is WebhookAuth.NONE:
        raise NotOffered("capabilities.webhook_auth is NONE")


def _signed(bench: Bench) -> None:
    if bench.can.webhook_auth is not WebhookAuth.SIGNATURE:
        raise NotOffered(f"webhooks are not signed (webhook_auth is {bench.can.webhook_auth.name})")


def _body(
    bench: Bench,
    ref: str,
    *,
    about: EventKind | None = EventKind.CHARGE,
    event_id: str = "evt_1",
    live: bool = False,
) -> bytes:
    return bench.processor.event(about, ref, event_id=event_id, at=bench.processor.now(), live=live)


def _headers(bench: Bench, body: bytes) -> Mapping[str, str]:
    if bench.can.webhook_auth is not WebhookAuth.SIGNATURE:
        return {}
    return bench.processor.sign(body, (bench.webhook_secret,), bench.processor.now())


def _at_another_time(bench: Bench, later: timedelta) -> None:
    _signed(bench)
    body, at = _body(bench, "ch_1"), bench.processor.now() + later
    heard = bench.hear(body, bench.processor.sign(body, (bench.webhook_secret,), at))
    expect(_refused(heard), f"signed {later} from now it was {_said(heard)}")


def _delivered(bench: Bench, charges: int) -> tuple[list[str], list[WebhookRequest]]:
    secrets = (bench.webhook_secret,) if bench.can.webhook_auth is WebhookAuth.SIGNATURE else ()
    with received(bench.processor.now) as receiver:
        bench.processor.send_webhooks_to(receiver.url, secrets)
        refs = [bench.paid()[1] for _ in range(charges)]
        deliveries = receiver.wait_for(_naming(bench, refs))
        bench.processor.send_webhooks_to(None)
    return refs, deliveries


def _naming(bench: Bench, refs: list[str]) -> Callable[[list[WebhookRequest]], bool]:
    return lambda deliveries: {event.ref for event in _events(bench, deliveries)} >= set(refs)


def _events(bench: Bench, deliveries: list[WebhookRequest]) -> Iterator[GatewayEvent]:
    for delivery in deliveries:
        heard = bench.gateway.parse_webhook(delivery)
        expect(_accepted(heard), f"what the processor sent was {_said(heard)}")
        yield from (event for event in heard.events if event.kind is EventKind.CHARGE)


def _accepted(heard: WebhookResult) -> bool:
    return heard.verdict is WebhookVerdict.ACCEPTED


def _refused(heard: WebhookResult) -> bool:
    return heard.verdict is WebhookVerdict.REJECTED and not heard.events


def _said(heard: WebhookResult) -> str:
    return f"{heard.verdict.name}{': ' + heard.reason[:120] if heard.reason else ''}"
