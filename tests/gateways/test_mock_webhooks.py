import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from gateways.contract import EventKind, Mode, WebhookRequest, WebhookVerdict
from gateways.mock.gateway import MockGateway
from gateways.mock.signing import HEADER, sign
from gateways.secret import Secret

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
OURS = Secret("whsec_ours")
EVENT = {
    "id": "evt_1",
    "type": "charge.succeeded",
    "ref": "ch_1",
    "mode": "test",
    "created": "2027-03-01T12:00:00+00:00",
}


def delivered(body, secrets=(OURS,), at=NOW, header=None, configured=OURS):
    gateway = MockGateway({"webhook_secret": configured}, Mode.TEST, "1")
    if header is None:
        header = sign(body, secrets, int(at.timestamp()))
    return gateway.parse_webhook(WebhookRequest(body=body, headers={HEADER.lower(): header}, now=NOW))


def body_with(**changed):
    return json.dumps({**EVENT, **changed}).encode()


def test_a_signed_event_is_a_hint_at_an_object():
    result = delivered(body_with())
    assert result.verdict is WebhookVerdict.ACCEPTED
    (event,) = result.events
    assert (event.kind, event.ref, event.event_id) == (EventKind.CHARGE, "ch_1", "evt_1")


def test_either_secret_of_a_rotation_is_enough():
    assert delivered(body_with(), (Secret("whsec_old"), OURS)).verdict is WebhookVerdict.ACCEPTED


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_clocks_may_differ_a_little(seconds):
    assert delivered(body_with(), at=NOW + timedelta(seconds=seconds)).verdict is WebhookVerdict.ACCEPTED


@pytest.mark.parametrize(
    ("seconds", "reason"), [(-301, "too old"), (301, "from the future"), (86400 * 365, "from the future")]
)
def test_old_and_future_deliveries_are_refused_alike(seconds, reason):
    result = delivered(body_with(), at=NOW + timedelta(seconds=seconds))
    assert result.verdict is WebhookVerdict.REJECTED
    assert reason in result.reason


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        "t=1",
        "v1=" + "0" * 64,
        "t=abc,v1=" + "0" * 64,
        "t=1,t=2,v1=" + "0" * 64,
        "t=1,v1=é" * 5000,
    ],
)
def test_a_malformed_signature_is_refused(header):
    assert delivered(body_with(), header=header).verdict is WebhookVerdict.REJECTED


def test_an_altered_byte_and_a_strangers_secret_are_refused():
    body = body_with()
    header = sign(body, (OURS,), int(NOW.timestamp()))
    assert delivered(body.replace(b"ch_1", b"ch_2"), header=header).verdict is WebhookVerdict.REJECTED
    assert delivered(body, (Secret("whsec_other"),)).verdict is WebhookVerdict.REJECTED


@pytest.mark.parametrize("configured", [None, Secret("")])
def test_without_a_secret_nothing_is_accepted(configured):
    assert delivered(body_with(), configured=configured).verdict is WebhookVerdict.NOT_CONFIGURED


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        body_with(mode="live"),
        body_with(ref="../../v1/charges"),
        body_with(id="evt/1"),
        body_with(ref=7),
        body_with(created="yesterday"),
    ],
)
def test_a_signed_body_that_makes_no_sense_is_refused_and_never_a_crash(body):
    assert delivered(body).verdict is WebhookVerdict.REJECTED


def test_an_event_of_a_kind_that_is_not_ours_is_accepted_and_empty():
    result = delivered(body_with(type="payout.sent"))
    assert (result.verdict, result.events) == (WebhookVerdict.ACCEPTED, ())


def test_the_processor_sends_signed_events_to_the_configured_address(processor, gateway, charge, new_request):
    received, arrived = [], threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(WebhookRequest(body=body, headers=dict(self.headers), now=datetime.now(UTC)))
            self.send_response(500 if len(received) == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if len(received) == 2:
                arrived.set()

        def log_message(self, format, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        secret = gateway.settings["webhook_secret"].reveal()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        processor.control("webhook", {"url": url, "secrets": [secret]})
        result = charge(new_request())
        assert arrived.wait(10)
    finally:
        processor.control("webhook", {"url": None})
        server.shutdown()
        thread.join()
        server.server_close()
    for delivery in received:
        heard = gateway.parse_webhook(delivery)
        assert heard.verdict is WebhookVerdict.ACCEPTED
        assert heard.events[0].ref == result.ref


@pytest.mark.parametrize("url", ["http://192.0.2.1/hook", "file:///etc/passwd", "https://127.0.0.1/"])
def test_the_processor_writes_to_this_machine_only(processor, url):
    with pytest.raises(requests.HTTPError):
        processor.control("webhook", {"url": url, "secrets": ["x"]})
