"""A payment processor over real HTTP, described rather than written.

Subclass `Fake`, give each call of the API a method marked `@route`, and say how the state reads as a ledger.
All the rest is here: a threaded server on a free loopback port, idempotency keys that are honoured and
expire by the processor's clock, every fault of `gateways.mock.faults` before and after the effect, late
landings, and signed webhooks, sent twice, late or in the wrong order on demand.

    class AcmeFake(Fake):
        key_window_s = 3600

        @route("POST", "/payments")
        def create_payment(self, call: Call) -> Reply:
            card = self.found("cards", call.body["card"])
            payment = self.add("payments", "pay", call.body | {"status": card["outcome"]})
            self.announce(EventKind.CHARGE, payment["id"])
            return 201, payment

        @route("GET", "/payments/<id>")
        def get_payment(self, call: Call, id: str) -> Reply:
            return 200, self.found("payments", id)

        def movements(self) -> list[Movement]: ...   # the payments, as a ledger
        def card(self, behaviour: str) -> StoredCard: ...   # self.add("cards", "card", {"outcome": ...})
        def event(self, about, ref, *, event_id, at, live=False) -> bytes: ...
        def sign(self, body, secrets, at) -> Mapping[str, str]: ...

Routes run one at a time, under the fake's lock. A route that raises `Refused` has had no effect.
`AcmeFake().run(port)` plays the processor until it is interrupted, for trying a gateway by hand.
"""

from __future__ import annotations

import inspect
import json
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from gateways.contract import EventKind
from gateways.mock.faults import Fault, FaultKind, FaultPlan, spoiled
from gateways.mock.server import FAULT, serve
from gateways.secret import Secret
from gateways.testing.calls import Call, Refused, Reply, page, route
from gateways.testing.deliveries import Deliveries
from gateways.testing.falsifying import falsified
from gateways.testing.keys import Keys
from gateways.testing.processor import (
    Movement,
    MovementKind,
    NotOffered,
    Processor,
    StoredCard,
    Visit,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

__all__ = [
    "Call", "Fake", "FaultKind", "Movement", "MovementKind", "NotOffered", "Refused", "Reply", "StoredCard",
    "Visit", "page", "route",
]  # fmt: skip

Row = dict[str, Any]
"""A record of the fake's state, with its "id"."""

_SAID_BY_THE_PROCESSOR: Final = {
    FaultKind.ERROR_BEFORE: (500, "internal", "try later"),
    FaultKind.ERROR_AFTER: (500, "internal", "try later"),
    FaultKind.LATE_LANDING: (500, "internal", "try later"),
    FaultKind.TOO_MANY: (429, "rate_limit", "slow down"),
    FaultKind.UNAUTHORISED: (401, "invalid_api_key", "the API key is not valid"),
}
"""Faults that are answers in the processor's own dialect; the others come from what stands before it."""


@dataclass
class _PutOff:
    """A request that was answered with an error and takes effect later, after somebody has looked."""

    call: Call
    run: Callable[[], Reply]
    fault: Fault
    land_at: float | None = None


class Fake(Processor):
    """The processor. Tables are in `tables`, by name and id; every API call is kept in `calls`."""

    key_window_s: ClassVar[int] = 86_400
    keyed_methods: ClassVar[tuple[str, ...]] = ("POST",)
    """Methods whose key is honoured; on others the header means nothing."""
    amount_names: ClassVar[tuple[str, ...]] = ("amount",)
    """Fields of answers that hold an amount (a number, a decimal text, or an object with `value`), which the
    fault WRONG_AMOUNT makes wrong; likewise the next two."""
    currency_names: ClassVar[tuple[str, ...]] = ("currency",)
    id_names: ClassVar[tuple[str, ...]] = ("id",)

    def __init__(self) -> None:
        self.tables: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        self.calls: list[Call] = []
        self.faults = FaultPlan()
        self.webhooks = Deliveries(self.now)
        self.webhook_secrets: tuple[Secret, ...] = ()
        self._lock = threading.RLock()
        self._keys = Keys(self.key_window_s, self.now)
        self._put_off: list[_PutOff] = []
        self._latency_s = 0.0
        self._set_to: datetime | None = None
        self._set_at = 0.0
        self._server: BaseWSGIServer | None = None
        self._map = _map_of(self)

    # What an author may override.

    def authorise(self, call: Call) -> None:
        """Raises Refused 401 for a request without credentials; by default any Authorization header will
        do."""
        if not call.header("Authorization"):
            raise Refused(401, "invalid_api_key", "the API key is missing")

    def error(self, status: int, code: str, message: str) -> Reply:
        """How the processor says no; codes of the fake itself are key_in_use, key_reused, body, not_found,
        not_allowed, internal, rate_limit and invalid_api_key."""
        return status, {"error": {"type": "api_error", "code": code, "message": message}}

    # What routes use.

    def add(self, table: str, prefix: str, row: Mapping[str, Any]) -> Row:
        """A new row with an id of its own, `<prefix>_…`, and `created` by the processor's clock."""
        kept = {"id": f"{prefix}_{secrets.token_hex(9)}", "created": self.now().isoformat(), **row}
        self.tables[table][kept["id"]] = kept
        return kept

    def found(self, table: str, id: str) -> Row:
        """Raises Refused 404."""
        row = self.tables[table].get(str(id))
        if row is None:
            raise Refused(404, "not_found", f"no such row in {table}")
        return row

    def rows(self, table: str, **wanted: Any) -> list[Row]:
        """Those whose fields equal `wanted`, oldest first."""
        return [
            row
            for row in self.tables[table].values()
            if all(row.get(name) == value for name, value in wanted.items())
        ]

    def announce(self, about: EventKind, ref: str) -> None:
        """Sends an event about `ref`, made by `event` and signed by `sign`, if an address was given."""
        if not self.webhooks.wanted:
            return
        event_id = f"evt_{secrets.token_hex(9)}"
        body = self.event(about, ref, event_id=event_id, at=self.now())
        self.webhooks.put(lambda: (body, self._signed(body)))

    # What the checks use.

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.webhooks.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def start(self, port: int = 0) -> None:
        """Serves from a thread of its own until the program or the `with` block ends."""
        self._server = self._bound(port)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def run(self, port: int = 0) -> None:
        """Serves until it is interrupted, and says where."""
        server = self._bound(port)
        print(f"listening on {self.url}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()

    def now(self) -> datetime:
        if self._set_to is None:
            return datetime.now(UTC)
        return self._set_to + timedelta(seconds=time.monotonic() - self._set_at)

    def set_clock(self, now: datetime | None) -> None:
        self._set_to, self._set_at = now, time.monotonic()

    def fault(self, kind: FaultKind, **entry: Any) -> None:
        self.faults.add_scripts([{"kind": kind, **entry}])

    def clear_faults(self) -> None:
        self.faults.clear()

    def slow_down(self, seconds: float) -> None:
        self._latency_s = seconds

    def send_webhooks_to(self, url: str | None, secrets: Sequence[Secret] = ()) -> None:
        self.webhook_secrets = tuple(secrets)
        self.webhooks.point_at(url)

    # How a request is answered.

    def _bound(self, port: int) -> BaseWSGIServer:
        server = serve(self._app, port)
        self.url = f"http://127.0.0.1:{server.server_port}"
        return server

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._responded(environ)(environ, start_response)

    def _responded(self, environ: WSGIEnvironment) -> Response:
        request = Request(environ)
        try:
            (family, answer), parts = self._map.bind_to_environ(environ).match()
        except HTTPException as error:
            code = "not_found" if error.code == 404 else "not_allowed"
            return _response(self.error(error.code or 500, code, error.name))
        call = Call.read(request, self.key_header if request.method in self.keyed_methods else None)
        if family == "page":
            with self._lock:
                return _response(self._unless_refused(lambda: answer(call, **parts)))
        return self._api(call, lambda: answer(call, **parts), environ)

    def _api(self, call: Call, effect: Callable[[], Reply], environ: WSGIEnvironment) -> Response:
        self._land_due()
        self.calls.append(call)
        fault = self.faults.draw(call.method, call.path, call.key)
        if fault is None:
            response = _response(self._unless_refused(lambda: self._executed(call, effect)))
            self._looked_at(call)
            return response
        environ[FAULT] = fault
        if not fault.effect:
            if fault.kind is FaultKind.LATE_LANDING and call.method in self.keyed_methods:
                self._put_off.append(_PutOff(call, effect, fault))
            return self._spoiled(fault, Response(b"", 500))
        reply = self._unless_refused(lambda: self._executed(call, effect))
        return self._spoiled(fault, _response(self._falsified(fault.kind, reply)))

    def _executed(self, call: Call, effect: Callable[[], Reply]) -> Reply:
        def take_effect() -> Reply:
            time.sleep(self._latency_s)
            with self._lock:
                return effect()

        self.authorise(call)
        return self._keys.answered_once(call, take_effect)

    def _unless_refused(self, answer: Callable[[], Reply]) -> Reply:
        try:
            return answer()
        except Refused as refusal:
            return self.error(refusal.status, refusal.code, refusal.message)

    def _spoiled(self, fault: Fault, response: Response) -> Response:
        said = _SAID_BY_THE_PROCESSOR.get(fault.kind)
        return _response(self.error(*said)) if said is not None else spoiled(fault, response)

    def _falsified(self, kind: FaultKind, reply: Reply) -> Reply:
        if isinstance(reply, Response):
            return reply
        names = {
            FaultKind.WRONG_AMOUNT: self.amount_names,
            FaultKind.WRONG_CURRENCY: self.currency_names,
            FaultKind.WRONG_ID: self.id_names,
        }
        return reply[0], falsified(kind, reply[1], names)

    def _looked_at(self, call: Call) -> None:
        """Somebody was just told that there is nothing: from now on the time to the landing runs."""
        if call.method == "GET":
            with self._lock:
                for waiting in self._put_off:
                    waiting.land_at = waiting.land_at or self._time(waiting.fault) + waiting.fault.after_s

    def _land_due(self) -> None:
        with self._lock:
            due = [
                waiting
                for waiting in self._put_off
                if waiting.land_at is not None and waiting.land_at <= self._time(waiting.fault)
            ]
            self._put_off = [waiting for waiting in self._put_off if waiting not in due]
        for waiting in due:
            self._unless_refused(lambda waiting=waiting: self._executed(waiting.call, waiting.run))  # type: ignore[misc]

    def _time(self, fault: Fault) -> float:
        return time.time() if fault.clock == "real" else self.now().timestamp()

    def _signed(self, body: bytes) -> Mapping[str, str]:
        return self.sign(body, self.webhook_secrets, self.now()) if self.webhook_secrets else {}


def _map_of(fake: Fake) -> Map:
    rules = []
    for name, member in inspect.getmembers(type(fake), inspect.isfunction):
        answer = getattr(fake, name)
        if hasattr(member, "api_route"):
            method, path = member.api_route
            rules.append(Rule(path, methods=[method], endpoint=("api", answer)))
        if hasattr(member, "page_route"):
            rules.append(Rule(member.page_route, methods=["GET", "POST"], endpoint=("page", answer)))
    return Map(rules)


def _response(reply: Reply) -> Response:
    if isinstance(reply, Response):
        return reply
    status, body = reply
    return Response(json.dumps(body), status, mimetype="application/json")
