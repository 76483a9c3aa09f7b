"""The scripted processor by itself: keys, clock, faults, late landings and webhooks, over real HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from werkzeug.wrappers import Response

from gateways.contract import EventKind
from gateways.mock.faults import FaultKind
from gateways.secret import Secret
from gateways.testing.calls import nested
from gateways.testing.fake import Call, Fake, Refused, Reply, page, route
from gateways.testing.falsifying import falsified
from gateways.testing.receiver import received

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


class Till(Fake):
    key_window_s = 3600

    @route("POST", "/sales")
    def sell(self, call: Call) -> Reply:
        if "amount" not in call.body:
            raise Refused(422, "no_amount", "how much?")
        sale = self.add("sales", "sal", {"amount": call.body["amount"], "by": call.body.get("by")})
        self.announce(EventKind.CHARGE, sale["id"])
        return 201, sale

    @route("GET", "/sales/<id>")
    def show(self, call: Call, id: str) -> Reply:
        return 200, self.found("sales", id)

    @route("GET", "/sales")
    def list(self, call: Call) -> Reply:
        return 200, {"sales": self.rows("sales", **call.query)}

    @page("/counter")
    def counter(self, call: Call) -> Reply:
        return Response(f"<h1>{len(self.rows('sales'))} sales</h1>", mimetype="text/html")

    def event(self, about, ref, *, event_id, at, live=False):
        return f"{event_id} {ref}".encode()

    def sign(self, body, secrets, at):
        return {"X-Signature": "+".join(secret.reveal() for secret in secrets)}


@pytest.fixture
def till():
    with Till() as till:
        yield till


@pytest.fixture
def ask(till):
    def ask(method, path, key=None, authorised=True, **given):
        headers = {"Authorization": "Bearer x"} if authorised else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        return requests.request(method, till.url + path, headers=headers, timeout=3, **given)

    return ask


def test_routes_answer_from_the_state(till, ask):
    sold = ask("POST", "/sales", json={"amount": 5, "by": "ann"}).json()
    assert ask("GET", f"/sales/{sold['id']}").json() == sold
    assert ask("GET", "/sales?by=ann").json()["sales"] == [sold]
    assert ask("GET", "/sales?by=bob").json()["sales"] == []
    assert [call.path for call in till.calls][:2] == ["/sales", f"/sales/{sold['id']}"]


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    [
        ("GET", "/sales/none", {}, 404, "not_found"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("DELETE", "/sales", {}, 405, "not_allowed"),
        ("POST", "/sales", {"json": {}}, 422, "no_amount"),
        ("POST", "/sales", {"data": "{"}, 400, "body"),
        ("POST", "/sales", {"json": []}, 400, "body"),
        ("GET", "/sales", {"authorised": False}, 401, "invalid_api_key"),
    ],
)
def test_what_is_wrong_is_refused_in_the_processors_words(ask, method, path, given, status, code):
    answer = ask(method, path, **given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_page_needs_no_key(till, ask):
    assert "0 sales" in ask("GET", "/counter", authorised=False).text
    assert till.calls == []


def test_a_key_is_honoured_and_expires_by_the_processors_clock(till, ask):
    till.set_clock(NOON)
    first = ask("POST", "/sales", "k", json={"amount": 5}).json()
    till.set_clock(NOON + timedelta(minutes=59))
    assert ask("POST", "/sales", "k", json={"amount": 5}).json() == first
    assert ask("POST", "/sales", "k", json={"amount": 6}).json()["error"]["code"] == "key_reused"
    till.set_clock(NOON + timedelta(minutes=61))
    assert ask("POST", "/sales", "k", json={"amount": 5}).json()["id"] != first["id"]


def test_a_refusal_leaves_its_key_unused(ask):
    assert ask("POST", "/sales", "k", json={}).status_code == 422
    assert ask("POST", "/sales", "k", json={"amount": 5}).status_code == 201


def test_a_key_in_use_is_a_conflict(till, ask):
    till.slow_down(0.3)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: ask("POST", "/sales", "k", json={"amount": 5}).status_code, "12"))
    assert sorted(both) == [201, 409]
    assert len(till.tables["sales"]) == 1


@pytest.mark.parametrize(
    ("kind", "status", "sales"),
    [
        (FaultKind.ERROR_BEFORE, 500, 0),
        (FaultKind.ERROR_AFTER, 500, 1),
        (FaultKind.PAGE_502, 502, 0),
        (FaultKind.TOO_MANY, 429, 0),
        (FaultKind.UNAUTHORISED, 401, 0),
        (FaultKind.EMPTY, 200, 1),
        (FaultKind.GARBAGE, 200, 1),
        (FaultKind.WRONG_AMOUNT, 201, 1),
    ],
)
def test_a_fault_comes_once_before_or_after_the_effect(till, ask, kind, status, sales):
    till.fault(kind, match={"method": "POST"})
    assert ask("POST", "/sales", json={"amount": 5}).status_code == status
    assert len(till.tables["sales"]) == sales
    assert ask("POST", "/sales", json={"amount": 5}).status_code == 201


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_BEFORE, FaultKind.RESET_AFTER, FaultKind.RESET_MID_BODY])
def test_a_connection_breaks_on_demand(till, ask, kind):
    till.fault(kind)
    with pytest.raises(requests.RequestException):
        requests.get(f"{till.url}/sales", headers={"Authorization": "x"}, timeout=0.3)
    assert ask("GET", "/sales").status_code == 200


def test_an_error_is_said_in_the_processors_dialect():
    class Terse(Till):
        def error(self, status, code, message):
            return status, {"oops": code}

    with Terse() as till:
        till.fault(FaultKind.TOO_MANY)
        answers = [requests.get(f"{till.url}/sales", timeout=3).json() for _ in "12"]
    assert answers == [{"oops": "rate_limit"}, {"oops": "invalid_api_key"}]


def test_a_late_request_lands_after_somebody_has_looked(till, ask):
    till.set_clock(NOON)
    till.fault(FaultKind.LATE_LANDING, after_s=30, match={"method": "POST"})
    assert ask("POST", "/sales", "k", json={"amount": 5}).status_code == 500
    till.set_clock(NOON + timedelta(hours=2))
    assert ask("GET", "/sales").json()["sales"] == []
    till.set_clock(NOON + timedelta(hours=2, seconds=31))
    assert len(ask("GET", "/sales").json()["sales"]) == 1
    assert len(ask("GET", "/sales").json()["sales"]) == 1


def test_a_late_request_whose_key_was_sent_again_is_the_same_one(till, ask):
    till.fault(FaultKind.LATE_LANDING, after_s=0, match={"method": "POST"})
    ask("POST", "/sales", "k", json={"amount": 5})
    ask("POST", "/sales", "k", json={"amount": 5})
    ask("GET", "/sales")
    assert len(ask("GET", "/sales").json()["sales"]) == 1


def refs(deliveries):
    return [delivery.body.decode().split()[1] for delivery in deliveries]


def sell(till, ask, number):
    return [ask("POST", "/sales", json={"amount": 5}).json()["id"] for _ in range(number)]


def test_webhooks_are_signed_by_every_secret_and_sent_as_often_as_wanted(till, ask):
    with received(till.now) as receiver:
        till.send_webhooks_to(receiver.url, [Secret("old"), Secret("new")])
        till.webhooks.copies = 2
        (ref,) = sell(till, ask, 1)
        deliveries = receiver.wait_for(lambda found: len(found) >= 2)
    assert refs(deliveries) == [ref, ref]
    assert deliveries[0].body == deliveries[1].body
    assert deliveries[0].header("x-signature") == "old+new"


def test_webhooks_come_late_and_in_the_wrong_order(till, ask):
    with received(till.now) as receiver:
        till.send_webhooks_to(receiver.url, [Secret("s")])
        till.webhooks.hold()
        sold = sell(till, ask, 3)
        assert receiver.wait_for(lambda found: True) == []
        till.webhooks.delay_s = 0.05
        till.webhooks.release(reverse=True)
        deliveries = receiver.wait_for(lambda found: len(found) >= 3)
    assert refs(deliveries) == sold[::-1]


def test_webhooks_stay_on_this_machine(till):
    with pytest.raises(ValueError, match="this machine only"):
        till.send_webhooks_to("https://192.0.2.1/hook", [Secret("s")])


def test_a_form_is_read_as_groups():
    pairs = [("a", "1"), ("b[c]", "2"), ("b[d][e]", "3"), ("l[0]", "x"), ("l[1]", "y"), ("m[]", "z")]
    assert nested(pairs) == {
        "a": "1",
        "b": {"c": "2", "d": {"e": "3"}},
        "l": {"0": "x", "1": "y"},
        "m": {"": "z"},
    }
    with pytest.raises(Refused):
        nested([("a", "1"), ("a[b]", "2")])


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (FaultKind.WRONG_AMOUNT, {"x": [{"amount": 5}]}, {"x": [{"amount": 105}]}),
        (FaultKind.WRONG_AMOUNT, {"amount": "5.00"}, {"amount": "6.00"}),
        (FaultKind.WRONG_AMOUNT, {"amount": "500"}, {"amount": "600"}),
        (FaultKind.WRONG_AMOUNT, {"amount": {"value": "5.00", "currency": "EUR"}},
         {"amount": {"value": "6.00", "currency": "EUR"}}),
        (FaultKind.WRONG_CURRENCY, {"currency": "eur"}, {"currency": "usd"}),
        (FaultKind.WRONG_CURRENCY, {"currency": "USD"}, {"currency": "EUR"}),
        (FaultKind.WRONG_ID, {"id": "a", "amount": 5}, {"id": "ax", "amount": 5}),
        (FaultKind.ERROR_AFTER, {"id": "a"}, {"id": "a"}),
    ],
)  # fmt: skip
def test_an_answer_is_falsified_in_one_respect(kind, right, wrong):
    names = {
        FaultKind.WRONG_AMOUNT: ("amount",),
        FaultKind.WRONG_CURRENCY: ("currency",),
        FaultKind.WRONG_ID: ("id",),
    }
    assert falsified(kind, right, names) == wrong
