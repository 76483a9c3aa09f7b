"""The mock gateway's fake is the mock processor itself, run in this process to have its books at hand."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urljoin

from gateways.contract import Context, EventKind, NextStep
from gateways.deadline import Deadline
from gateways.http import Answer, make_session, send
from gateways.mock import DEMO_API_KEY, control, signing
from gateways.mock.books import open_books
from gateways.mock.cards import BEHAVIOURS, INSTRUMENT_PREFIX
from gateways.mock.clock import stamp
from gateways.mock.faults import FaultKind
from gateways.mock.gateway import MockGateway
from gateways.mock.processor import make_app
from gateways.mock.server import serve
from gateways.money import Money
from gateways.secret import Secret
from gateways.testing.conformance import Conformance
from gateways.testing.processor import (
    Movement,
    MovementKind,
    NotOffered,
    Processor,
    StoredCard,
    Visit,
)

_TYPES: Final = {
    EventKind.CHARGE: "charge.succeeded",
    EventKind.REFUND: "refund.succeeded",
    EventKind.REGISTRATION: "registration.validated",
    EventKind.INSTRUMENT: "instrument.updated",
    None: "payout.sent",
}
_NUMBERS: Final = {
    Visit.COMPLETES: "4242424242424242",
    Visit.COMPLETES_3DS: "4000000000001000",
    Visit.FAILS_3DS: "4000000000001000",
}


class MockProcessor(Processor):
    def __init__(self) -> None:
        self._open = ExitStack()
        self._numbers = count(1)

    def __enter__(self) -> Self:
        folder = self._open.enter_context(tempfile.TemporaryDirectory())
        self._books = open_books(Path(folder), DEMO_API_KEY)
        self._open.callback(self._books.database.close)
        self._open.callback(self._books.registry.close)
        server = serve(make_app(self._books), 0)
        self._open.callback(server.server_close)
        self._open.callback(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self._session = self._open.enter_context(make_session(2))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def now(self) -> datetime:
        return self._books.clock.now()

    def set_clock(self, now: datetime | None) -> None:
        self._books.clock.set(now)

    def fault(self, kind: FaultKind, **entry: Any) -> None:
        self._books.faults.add_scripts([{"kind": kind, **entry}])

    def clear_faults(self) -> None:
        self._books.faults.clear()

    def slow_down(self, seconds: float) -> None:
        self._books.latency_s = seconds

    def movements(self) -> list[Movement]:
        return [
            Movement(
                kind=MovementKind(item["kind"]),
                ref=item["ref"],
                instrument_ref=item["instrument"],
                amount=Money(item["amount"], item["currency"]),
                moved=item["status"] == "succeeded",
            )
            for item in control.ledger(self._books, {})[1]["items"]
        ]

    def card(self, behaviour: str) -> StoredCard:
        if behaviour not in BEHAVIOURS:
            raise NotOffered(f"the mock processor has no card that behaves as {behaviour}")
        number = next(self._numbers)
        return StoredCard(
            instrument_ref=f"{INSTRUMENT_PREFIX}{behaviour}_{number}", customer_ref=f"cus_{number}"
        )

    def visit(self, step: NextStep, visit: Visit) -> None:
        assert step.url is not None
        if "/authentications/" in step.url:
            self._press(step.url, "fail" if visit is Visit.FAILS_3DS else "complete")
        elif visit is Visit.CANCELS:
            self._press(step.url, "cancel")
        else:
            self._type_card(step.url, visit)

    def dispute(self, charge_ref: str) -> None:
        with self._books.database.writing():
            self._books.database.rows("UPDATE movements SET disputed = amount WHERE id = ?", charge_ref)

    def event(
        self, about: EventKind | None, ref: str, *, event_id: str, at: datetime, live: bool = False
    ) -> bytes:
        event = {"id": event_id, "type": _TYPES[about], "ref": ref, "created": stamp(at)}
        return json.dumps({**event, "mode": "live" if live else "test"}).encode()

    def sign(self, body: bytes, secrets: Sequence[Secret], at: datetime) -> Mapping[str, str]:
        return {signing.HEADER: signing.sign(body, secrets, int(at.timestamp()))}

    def send_webhooks_to(self, url: str | None, secrets: Sequence[Secret] = ()) -> None:
        self._books.webhooks.point_at(url, tuple(secrets))

    def _type_card(self, url: str, visit: Visit) -> None:
        typed = {"number": _NUMBERS[visit], "expiry": "12/39", "name": "Ioana Popescu", "cvc": "123"}
        answer = self._post(url, {**typed, "action": "save"})
        if visit is not Visit.COMPLETES:
            challenge = urljoin(url, answer.headers["Location"])
            self._press(challenge, "fail" if visit is Visit.FAILS_3DS else "complete")

    def _press(self, url: str, button: str) -> None:
        self._post(url, {"action": button})

    def _post(self, url: str, form: Mapping[str, str]) -> Answer:
        ctx = Context(http=self._session, deadline=Deadline.after(10.0), now=self.now())
        return send(ctx, "POST", url, content=form)


conformance = Conformance(
    gateway=MockGateway,
    processor=MockProcessor,
    settings={
        "base_url": "http://mock.invalid",
        "api_key": Secret(DEMO_API_KEY),
        "webhook_secret": Secret("whsec_of_the_mock"),
    },
)
