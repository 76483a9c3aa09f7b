"""What the checks ask of a fake processor, whatever it is made of.

`fake.Fake` implements all that is not about one processor's own words; an author adds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self

from gateways.contract import EventKind, NextStep
from gateways.mock.faults import FaultKind
from gateways.money import Money
from gateways.secret import Secret


class NotOffered(Exception):
    """This processor, or its fake, has no such thing; the check is reported as "not offered", with the
    text."""


class Visit(StrEnum):
    """What a customer does on the processor's page."""

    COMPLETES = "completes"
    """Types a good card or confirms the payment; passes 3-D Secure if the bank asks for it."""
    COMPLETES_3DS = "completes_3ds"
    """Types a card for which the bank asks 3-D Secure, and passes it."""
    FAILS_3DS = "fails_3ds"
    """Is asked by the bank and is not authenticated."""
    CANCELS = "cancels"


class MovementKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One row of the processor's own ledger. `amount` is what the processor understood, in minor units of
    ISO 4217; `moved` whether money moved: a declined or unconfirmed charge is a row too."""

    kind: MovementKind
    ref: str
    instrument_ref: str
    amount: Money
    moved: bool


@dataclass(frozen=True, kw_only=True)
class StoredCard:
    """An instrument that a customer has registered earlier, as the gateway's requests name it."""

    instrument_ref: str
    customer_ref: str


class Processor:
    """A context manager: running between entering and leaving, at `url`, on the loopback interface."""

    url: str
    key_header: ClassVar[str | None] = "Idempotency-Key"
    """The header that carries the idempotency key; None for a processor that knows no keys."""

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        raise NotImplementedError

    # Time, faults, and what happened.

    def now(self) -> datetime:
        """The processor's clock: an aware UTC datetime."""
        raise NotImplementedError

    def set_clock(self, now: datetime | None) -> None:
        """It runs on from `now`; None is real time again. Keys and pages expire by this clock."""
        raise NotImplementedError

    def fault(self, kind: FaultKind, **entry: Any) -> None:
        """One scripted fault: times=1, match={"method", "path_prefix", "key"}, effect, after_s, clock,
        answer; as in `gateways.mock.faults`."""
        raise NotImplementedError

    def clear_faults(self) -> None:
        raise NotImplementedError

    def slow_down(self, seconds: float) -> None:
        """Every call takes at least so long, keys in use meanwhile."""
        raise NotImplementedError

    def movements(self) -> list[Movement]:
        """The ledger, oldest first."""
        raise NotImplementedError

    # The bank and the customer: behaviours and actions that are not offered need not be written.

    def card(self, behaviour: str) -> StoredCard:
        """A new customer's new card. Behaviours are those of `behaviours.STANDARD` and those that the
        author's own `declines` name; raise NotOffered for one that the processor cannot show."""
        raise NotImplementedError

    def visit(self, step: NextStep, visit: Visit) -> None:
        """The customer acts on the page that `step` leads to: a registration, or an authentication."""
        self._not_offered("visit")

    def settle(self, charge_ref: str, succeeded: bool) -> None:
        """The outcome of a charge that was PENDING arrives."""
        self._not_offered("settle")

    def fail_refund(self, refund_ref: str) -> None:
        """A refund that was accepted comes back from the bank."""
        self._not_offered("fail_refund")

    def dispute(self, charge_ref: str) -> None:
        """The cardholder takes the whole charge back through the bank."""
        self._not_offered("dispute")

    # Webhooks.

    def event(
        self, about: EventKind | None, ref: str, *, event_id: str, at: datetime, live: bool = False
    ) -> bytes:
        """The body that tells of `ref`; `about` None is a type that no gateway has ever heard of."""
        self._not_offered("event")

    def sign(self, body: bytes, secrets: Sequence[Secret], at: datetime) -> Mapping[str, str]:
        """The headers that prove `body`, signed with every one of `secrets` (two while one replaces the
        other)."""
        self._not_offered("sign")

    def send_webhooks_to(self, url: str | None, secrets: Sequence[Secret] = ()) -> None:
        """From now on; None switches them off."""
        self._not_offered("send_webhooks_to")

    def _not_offered(self, method: str) -> NoReturn:
        raise NotOffered(f"{type(self).__name__} does not define {method}")
