"""What a payment gateway is: the base class, its requests and results, and what each status promises.

One instance stands for one configured account. Every method that does I/O takes a `Context` first, made
for that one call, so that threads and accounts never mix. Requests and results are frozen and
keyword-only; fields that are added later come with defaults.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from gateways.deadline import Deadline
from gateways.declines import CUSTOMER_TEXT, NEXT_STEP_TEXT, Decline, DeclineKind
from gateways.errors import Ambiguous, GatewayError, NotSent, NotSupported, Rejected, Unreachable, WrongMode
from gateways.money import Money
from gateways.secret import Secret
from gateways.setting_fields import FieldKind, Problem, SettingField, SettingValue, problems_in

if TYPE_CHECKING:
    import requests

__all__ = [
    "API_VERSION", "CUSTOMER_TEXT", "NEXT_STEP_TEXT",
    "Ambiguous", "Capabilities", "CardStatus", "ChargePage", "ChargeRequest", "ChargeResult", "Context",
    "CurrencyRule", "Deadline", "Decline", "DeclineKind", "EventKind", "FieldKind", "Gateway", "GatewayError",
    "GatewayEvent", "Instrument", "Lookup", "LookupAnswer", "LookupBy", "Mode", "Money", "NextStep",
    "NextStepKind", "NotSent", "NotSupported", "Problem", "RefundLookup", "RefundRequest", "RefundResult",
    "RefundStatus", "RefundSupport", "RegistrationKind", "RegistrationRequest", "RegistrationResult",
    "RegistrationStatus", "Rejected", "Secret", "SettingField", "SettingValue", "StateChange", "StateSubject",
    "Status", "Unreachable", "WebhookAuth", "WebhookRequest", "WebhookResult", "WebhookVerdict", "WrongMode",
]  # fmt: skip

API_VERSION: Final = (1, 0)
"""(major, minor): a plugin of another major is quarantined; minors only add what has a default."""


class Mode(StrEnum):
    TEST = "test"
    LIVE = "live"


class Status(StrEnum):
    """What is known about a charge (or a request for one)."""

    SUCCEEDED = "succeeded"
    """Money moved; amount and currency equal the request."""
    PENDING = "pending"
    """Accepted, the outcome comes later; no new attempt meanwhile."""
    ACTION_REQUIRED = "action_required"
    """The customer must authenticate; never retried silently."""
    DECLINED = "declined"
    """No, and final for this key; `decline` says why."""
    NOT_SUBMITTED = "not_submitted"
    """Provably nothing was processed by *this* sending: the same key may be sent again. It proves nothing
    about an earlier sending of the key. A `decline` of kind MERCHANT beside it (our credentials were
    refused at the door) asks that charging through this account stop until staff have looked."""
    UNKNOWN = "unknown"
    """All else. Never charge again blindly: look it up."""


class LookupAnswer(StrEnum):
    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"


class CardStatus(StrEnum):
    VALIDATED = "validated"
    EXPIRED = "expired"
    REVOKED = "revoked"
    """Refused, withdrawn, forgotten, or no longer known to the processor."""


class RegistrationStatus(StrEnum):
    PENDING = "pending"
    VALIDATED = "validated"
    CANCELLED = "cancelled"
    FAILED = "failed"
    EXPIRED = "expired"


class RefundStatus(StrEnum):
    SUCCEEDED = "succeeded"
    PENDING = "pending"
    REFUSED = "refused"
    """No, and final for this key: over the remainder, charge not refundable, failed later."""
    NOT_SUBMITTED = "not_submitted"
    UNKNOWN = "unknown"


class NextStepKind(StrEnum):
    REDIRECT = "redirect"
    EMBEDDED = "embedded"
    NONE = "none"


class EventKind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    REGISTRATION = "registration"
    INSTRUMENT = "instrument"


class WebhookVerdict(StrEnum):
    ACCEPTED = "accepted"
    """Authentic (or to be fetched back); `events` may be empty when nothing in it concerns us."""
    REJECTED = "rejected"
    """Forged, altered, too old, from the future, unreadable."""
    NOT_CONFIGURED = "not_configured"
    """No secret is set: answered with 503, never accepted."""


class RegistrationKind(StrEnum):
    HOSTED = "hosted"
    EMBEDDED = "embedded"
    NONE = "none"


class RefundSupport(StrEnum):
    NONE = "none"
    FULL = "full"
    PARTIAL = "partial"


class WebhookAuth(StrEnum):
    SIGNATURE = "signature"
    FETCH_BACK = "fetch_back"
    NONE = "none"


class LookupBy(StrEnum):
    KEY = "key"
    REF = "ref"
    NONE = "none"


class StateSubject(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"
    INSTRUMENT = "instrument"


@dataclass(frozen=True, kw_only=True)
class CurrencyRule:
    """What the processor accepts of one currency, in minor units: a multiple of `step_minor` between both
    ends."""

    min_minor: int = 1
    max_minor: int = 99_999_999
    step_minor: int = 1


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a gateway can do; each flag agrees with a method that is overridden (checked at load)."""

    currencies: Mapping[str, CurrencyRule]
    idempotency_window_s: int
    """Seconds for which the processor surely remembers a key, counted from the first sending."""
    settle_delay_s: int
    """Seconds after which a look-up's *no* means that the request will not land any more."""
    registration: RegistrationKind = RegistrationKind.HOSTED
    zero_amount_verification: bool = True
    lookup: LookupBy = LookupBy.KEY
    webhook_auth: WebhookAuth = WebhookAuth.SIGNATURE
    refunds: RefundSupport = RefundSupport.NONE
    authentication: bool = False
    cancel: bool = False
    list_charges: bool = False
    instruments: bool = False
    """`get_instrument` answers."""
    forget: bool = False
    """`forget_instrument` answers."""
    card_updates: bool = False
    """The processor renews expired cards by itself and tells us."""
    asynchronous: bool = False
    """A charge may stay PENDING for days (direct debit)."""
    modes: frozenset[Mode] = frozenset(Mode)

    def amount_problem(self, amount: Money) -> str | None:
        """Why the processor would not take `amount` (a code in snake case), or None when it would."""
        rule = self.currencies.get(amount.currency)
        if rule is None:
            return "currency_not_supported"
        if amount.minor < rule.min_minor:
            return "amount_below_minimum"
        if amount.minor > rule.max_minor:
            return "amount_above_maximum"
        if amount.minor % rule.step_minor:
            return "amount_off_step"
        return None


class Log(Protocol):
    """The part of a standard or structlog logger that gateways use; never give it a secret's text."""

    def debug(self, message: str, /, *args: Any) -> Any: ...
    def info(self, message: str, /, *args: Any) -> Any: ...
    def warning(self, message: str, /, *args: Any) -> Any: ...


def keep_nothing(key: str, ref: str) -> None:
    """A checkpoint for calls that have no attempt to attach a reference to."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What one call may use. `now` is an aware UTC datetime of the caller's (perhaps simulated) clock;
    `deadline` is real time. `checkpoint(key, ref)` returns once the processor's reference for our key is
    durable."""

    http: requests.Session
    deadline: Deadline
    now: datetime
    checkpoint: Callable[[str, str], None] = keep_nothing
    log: Log = field(default_factory=lambda: logging.getLogger("gateways"))


@dataclass(frozen=True, kw_only=True)
class ChargeRequest:
    """An off-session, merchant-initiated charge. The key is ours, unique for the attempt, unchanged on
    repeats."""

    idempotency_key: str
    amount: Money
    instrument_ref: str
    customer_ref: str
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChargeResult:
    """What the processor says of a charge. `amount` is what *it* shows; `key` our key, when it shows that
    too."""

    status: Status
    ref: str | None = None
    amount: Money | None = None
    decline: Decline | None = None
    refunded_minor: int = 0
    disputed_minor: int = 0
    occurred_at: datetime | None = None
    request_id: str | None = None
    message: str = ""
    key: str | None = None
    instrument_ref: str | None = None
    customer_ref: str | None = None

    def __post_init__(self) -> None:
        if self.status is Status.DECLINED and self.decline is None:
            raise ValueError("a DECLINED charge says why: decline is missing")
        if self.status is Status.SUCCEEDED and (self.ref is None or self.amount is None):
            raise ValueError("a SUCCEEDED charge has a ref and an amount")
        if self.status in (Status.SUCCEEDED, Status.PENDING) and self.decline is not None:
            raise ValueError(f"a {self.status.name} charge has no decline")


@dataclass(frozen=True, kw_only=True)
class ChargePage:
    """Part of the processor's own list, oldest first; `next_cursor` is None on the last page."""

    charges: tuple[ChargeResult, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """NO means that the processor searched and has nothing; an error or a partial answer is CANNOT_TELL."""

    answer: LookupAnswer
    result: ChargeResult | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if (self.answer is LookupAnswer.YES) != (self.result is not None):
            raise ValueError("a look-up has a result when, and only when, its answer is YES")


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A stored card or mandate. What the processor does not tell is None (`holder_name` often is)."""

    ref: str
    customer_ref: str | None
    status: CardStatus
    kind: str = "card"
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    holder_name: str | None = None
    fingerprint: str | None = None
    """Equal for the same card stored twice; retry limits are counted on it."""


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """Where the customer goes: a `url` to redirect to, or `client` data for an embedded form."""

    kind: NextStepKind
    ref: str
    url: str | None = None
    client: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationRequest:
    """Asks the processor's page for a card, with consent to later off-session charges."""

    key: str
    return_url: str
    customer_ref: str | None = None
    description: str = ""
    customer_name: str = ""
    customer_email: str = ""
    account_reference: str = ""


@dataclass(frozen=True, kw_only=True)
class RegistrationResult:
    status: RegistrationStatus
    ref: str
    instrument: Instrument | None = None
    customer_ref: str | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if (self.status is RegistrationStatus.VALIDATED) != (self.instrument is not None):
            raise ValueError("a registration has an instrument when, and only when, it is VALIDATED")


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    idempotency_key: str
    charge_ref: str
    amount: Money
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RefundResult:
    status: RefundStatus
    ref: str | None = None
    charge_ref: str | None = None
    amount: Money | None = None
    code: str = ""
    occurred_at: datetime | None = None
    request_id: str | None = None
    message: str = ""
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class RefundLookup:
    answer: LookupAnswer
    result: RefundResult | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class GatewayEvent:
    """A hint that an object has changed: the panel asks the processor before it believes anything."""

    kind: EventKind
    ref: str
    event_id: str
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """The raw delivery. Header names are matched without regard to case; `now` is the panel's clock."""

    body: bytes
    headers: Mapping[str, str]
    now: datetime

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True, kw_only=True)
class WebhookResult:
    verdict: WebhookVerdict
    events: tuple[GatewayEvent, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StateChange:
    """Told to plugins after the commit. `old` is None for something new; states are the values of the
    enums here."""

    subject: StateSubject
    gateway_id: str
    account_id: str
    mode: Mode
    key: str
    ref: str | None
    old: str | None
    new: str
    amount: Money | None
    occurred_at: datetime


class Gateway:
    """One configured account at a payment processor. Subclasses set the four class attributes and override at
    least `charge`, `find_charge` (or `get_charge`), the two registration methods and `parse_webhook`."""

    id: ClassVar[str]
    label: ClassVar[str]
    api: ClassVar[tuple[int, int]]
    """The API version it was written for; there is no default, which would follow us and say nothing."""
    capabilities: ClassVar[Capabilities]
    setting_fields: ClassVar[tuple[SettingField, ...]] = ()

    def __init__(self, settings: Mapping[str, SettingValue], mode: Mode, account_id: str) -> None:
        """Does no I/O. Raises WrongMode when the gateway or its keys do not belong to `mode`."""
        self.settings = dict(settings)
        self.mode = Mode(mode)
        self.account_id = account_id
        if self.mode not in self.capabilities.modes:
            raise WrongMode(f"{self.label} is not offered in {self.mode.value} mode")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.account_id} {self.mode.value}>"

    def secrets(self) -> list[Secret]:
        """The secrets among the settings, for redacting messages."""
        return [value for value in self.settings.values() if isinstance(value, Secret)]

    def check_settings(self, ctx: Context) -> list[Problem]:
        """The "Test connection" button: read-only at the processor. Raises nothing that a wrong setting
        causes."""
        return problems_in(self.setting_fields, self.settings)

    def start_registration(self, ctx: Context, request: RegistrationRequest) -> NextStep:
        """Raises NotSent, Ambiguous (the same key may be sent again) or Rejected."""
        raise self._unsupported("start_registration")

    def get_registration(self, ctx: Context, ref: str) -> RegistrationResult:
        """Return page, webhook and polling all end here. Raises Unreachable or Rejected."""
        raise self._unsupported("get_registration")

    def charge(self, ctx: Context, request: ChargeRequest) -> ChargeResult:
        """Answers with a status for whatever happens on the wire; raises only for its own faults."""
        raise self._unsupported("charge")

    def get_charge(self, ctx: Context, ref: str) -> ChargeResult:
        """UNKNOWN when the processor cannot be asked or does not know `ref`."""
        raise self._unsupported("get_charge")

    def find_charge(self, ctx: Context, key: str, customer_ref: str, since: datetime) -> Lookup:
        """By our own reference; `since` is when the key was first sent. Reads only: never a POST that
        creates."""
        raise self._unsupported("find_charge")

    def cancel_charge(self, ctx: Context, ref: str) -> ChargeResult:
        """Gives up a charge that has not succeeded; answers with the state that it has afterwards."""
        raise self._unsupported("cancel_charge")

    def start_authentication(self, ctx: Context, ref: str, return_url: str) -> NextStep:
        """Where the customer completes 3-D Secure for a charge that is ACTION_REQUIRED. Raises as
        registration."""
        raise self._unsupported("start_authentication")

    def refund(self, ctx: Context, request: RefundRequest) -> RefundResult:
        raise self._unsupported("refund")

    def get_refund(self, ctx: Context, ref: str) -> RefundResult:
        raise self._unsupported("get_refund")

    def find_refund(self, ctx: Context, key: str, charge_ref: str, since: datetime) -> RefundLookup:
        raise self._unsupported("find_refund")

    def list_charges(
        self, ctx: Context, since: datetime, until: datetime, cursor: str | None = None
    ) -> ChargePage:
        """Everything created in [since, until), declined attempts included. Raises Unreachable or
        Rejected."""
        raise self._unsupported("list_charges")

    def get_instrument(self, ctx: Context, ref: str) -> Instrument:
        """Raises Unreachable or Rejected; an instrument that is gone is answered as REVOKED."""
        raise self._unsupported("get_instrument")

    def forget_instrument(self, ctx: Context, ref: str) -> None:
        """After it, charges on `ref` are refused there. Forgetting twice is not an error."""
        raise self._unsupported("forget_instrument")

    def parse_webhook(self, request: WebhookRequest) -> WebhookResult:
        """Pure: bytes and headers in, hints out; no database, no network, and no exception for bad input."""
        raise self._unsupported("parse_webhook")

    def _unsupported(self, method: str) -> NotSupported:
        return NotSupported(f"{self.label} does not offer {method}")
