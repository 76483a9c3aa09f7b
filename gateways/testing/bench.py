"""The workplace of one check: a fresh fake, the gateway before it, and what went over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any, Final

import requests

from gateways.contract import (
    Capabilities,
    ChargeRequest,
    ChargeResult,
    Context,
    Gateway,
    SettingValue,
    Status,
    WebhookRequest,
    WebhookResult,
)
from gateways.contract import keep_nothing as nothing_kept
from gateways.deadline import Deadline
from gateways.mock.faults import FaultKind
from gateways.money import Money
from gateways.secret import Secret
from gateways.testing.behaviours import OK
from gateways.testing.conformance import Conformance
from gateways.testing.processor import Movement, MovementKind, NotOffered, Processor
from gateways.testing.wire import Sent, Wire

SHORT_S: Final = 0.5
"""Seconds given to calls that are never answered."""


class Nonconforming(AssertionError):
    """What a check saw that should not be."""


def expect(condition: bool, seen: str) -> None:
    if not condition:
        raise Nonconforming(seen)


class Bench:
    def __init__(self, conformance: Conformance, processor: Processor) -> None:
        self.conformance = conformance
        self.processor = processor
        self.can: Capabilities = conformance.gateway.capabilities
        self.wire = Wire(processor.url)
        self._sessions: dict[str | None, requests.Session] = {}
        self._numbers = count(1)

    # The gateway and its calls.

    @property
    def gateway(self) -> Gateway:
        """A new instance each time: what one call remembers in memory, another process would not know."""
        return self.with_settings({})

    def with_settings(self, changed: Mapping[str, SettingValue]) -> Gateway:
        settings = {**self.conformance.settings, **changed}
        return self.conformance.new_gateway(settings, self.conformance.mode, "1")

    def context(
        self,
        seconds: float = 10.0,
        *,
        to: str | None = None,
        checkpoint: Callable[[str, str], None] = nothing_kept,
    ) -> Context:
        """`to` leads to another address than the fake's."""
        if to not in self._sessions:
            self._sessions[to] = self.wire.session(to)
        return Context(
            http=self._sessions[to],
            deadline=Deadline.after(seconds),
            now=self.processor.now(),
            checkpoint=checkpoint,
        )

    def request(self, behaviour: str = OK, amount: Money | None = None) -> ChargeRequest:
        """A charge that nobody has asked for yet, on a card of its own."""
        card = self.processor.card(behaviour)
        return ChargeRequest(
            idempotency_key=f"attempt-{next(self._numbers)}-{id(self):x}",
            amount=self.amount() if amount is None else amount,
            instrument_ref=card.instrument_ref,
            customer_ref=card.customer_ref,
            description="Renewal of conformance.example",
        )

    def again(self, request: ChargeRequest, **changed: Any) -> ChargeRequest:
        """Another charge on the same card, with a key of its own unless one is given."""
        fresh = {"idempotency_key": f"attempt-{next(self._numbers)}-{id(self):x}"}
        return replace(request, **{**fresh, **changed})

    def charge(self, request: ChargeRequest, seconds: float = 10.0) -> ChargeResult:
        return self.gateway.charge(self.context(seconds), request)

    def paid(self, amount: Money | None = None) -> tuple[ChargeRequest, str]:
        """A charge that has succeeded: its request and the processor's reference."""
        request = self.request(amount=amount)
        result = self.charge(request)
        expect(result.status is Status.SUCCEEDED, f"a plain charge on a good card became {told(result)}")
        assert result.ref is not None
        return request, result.ref

    def hear(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        now: datetime | None = None,
        settings: Mapping[str, SettingValue] | None = None,
    ) -> WebhookResult:
        delivery = WebhookRequest(body=body, headers=headers, now=now or self.processor.now())
        return self.with_settings(settings or {}).parse_webhook(delivery)

    # Amounts.

    def amount(self, currency: str | None = None, *, at_least: int = 1237) -> Money:
        """An amount that the processor takes, of no round number."""
        chosen = currency or ("EUR" if "EUR" in self.can.currencies else next(iter(self.can.currencies), ""))
        if chosen not in self.can.currencies:
            raise NotOffered("no currency is declared")
        rule = self.can.currencies[chosen]
        minor = max(rule.min_minor, at_least)
        minor += -minor % rule.step_minor
        return Money(min(minor, rule.max_minor - rule.max_minor % rule.step_minor), chosen)

    @cached_property
    def currencies(self) -> list[str]:
        return list(self.conformance.currencies or self.can.currencies)

    # Faults.

    @cached_property
    def steps(self) -> int:
        """How many requests that may change something one charge takes."""
        before = len(self.wire.writes())
        self.paid()
        return len(self.wire.writes()) - before

    def fault_at(self, step: int, kind: FaultKind, **entry: Any) -> None:
        """The `step`-th such request from now on (1 is the next one) meets the fault; earlier ones pass."""
        left = count(1)

        def arm(sent: Sent) -> None:
            if sent.method not in ("GET", "HEAD") and next(left) == step:
                self.processor.fault(kind, match={"method": sent.method}, **entry)

        self.wire.before = arm

    def calm(self) -> None:
        """No more faults."""
        self.wire.before = None
        self.processor.clear_faults()

    # What happened there.

    def moved(self, request: ChargeRequest) -> list[Movement]:
        """The captures on the request's card, whatever key they carry."""
        return [item for item in self.rows_of(request) if item.moved]

    def rows_of(self, request: ChargeRequest) -> list[Movement]:
        """Every charge on the request's card, declined ones too."""
        return [
            item
            for item in self.processor.movements()
            if item.kind is MovementKind.CHARGE and item.instrument_ref == request.instrument_ref
        ]

    def refunds(self) -> list[Movement]:
        return [
            item for item in self.processor.movements() if item.kind is MovementKind.REFUND and item.moved
        ]

    def expect_moved_once(self, request: ChargeRequest) -> None:
        captures = self.moved(request)
        amounts = ", ".join(str(item.amount) for item in captures) or "nothing"
        expect(
            [item.amount for item in captures] == [request.amount],
            f"for {request.amount} the processor's ledger shows {amounts}",
        )

    def hours_later(self, hours: float) -> None:
        self.processor.set_clock(self.processor.now() + timedelta(hours=hours))

    # Secrets.

    @cached_property
    def secret_texts(self) -> list[str]:
        values = self.conformance.settings.values()
        return [value.reveal() for value in values if isinstance(value, Secret) and value]

    @property
    def webhook_secret(self) -> Secret:
        """Raises NotOffered when webhooks are not signed."""
        name = self.conformance.webhook_secret
        secret = self.conformance.settings.get(name) if name is not None else None
        if not isinstance(secret, Secret) or not secret:
            raise NotOffered("no webhook secret is among the settings of the conformance")
        return secret


def told(result: object) -> str:
    """A result in a few words."""
    if not isinstance(result, ChargeResult):
        return f"{type(result).__name__} {str(result)[:200]}"
    why = f" ({result.decline.kind.name} {result.decline.code})" if result.decline is not None else ""
    amount = f" of {result.amount}" if result.amount is not None else ""
    return f"{result.status.name}{amount}{why}{': ' + result.message[:160] if result.message else ''}"
