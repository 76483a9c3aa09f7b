"""What a registrar is: whoever renews, suspends and deletes domains at their registries.

A renewal is guarded by the expiry that we believe in: it is done only if the registry shows that expiry,
and a repetition of the same key gets the same answer. So an answer that was lost can be asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from gateways.contract import Context, Mode
from gateways.errors import NotSupported, WrongMode
from gateways.registrars.expiry import add_years
from gateways.secret import Secret
from gateways.setting_fields import Problem, SettingField, SettingValue, problems_in

__all__ = [
    "ActionResult", "ActionStatus", "DomainState", "DomainStatus", "RefusalReason", "Registrar",
    "RegistrarCapabilities", "RenewRequest", "RenewResult", "RenewStatus", "add_years",
]  # fmt: skip


class RenewStatus(StrEnum):
    RENEWED = "renewed"
    """The registry shows believed expiry + years, by this key; `new_expiry` is what it shows."""
    REFUSED = "refused"
    """No, and final for this key; `reason` says why, `new_expiry` what the registry shows, if anything."""
    WORKLIST = "worklist"
    """A person must do it and record the new expiry."""
    NOT_SUBMITTED = "not_submitted"
    """Provably nothing was processed by this sending: the same request may be repeated."""
    UNKNOWN = "unknown"
    """It may have been done: repeat with the same key and believed expiry, or look at the domain. Never
    blindly."""


class RefusalReason(StrEnum):
    EXPIRY_DIFFERS = "expiry_differs"
    NOT_HERE = "not_here"
    """The domain is not with this registrar: moved away, deleted, never was."""
    TOO_EARLY = "too_early"
    TERM_NOT_OFFERED = "term_not_offered"
    CREDENTIALS = "credentials"
    KEY_REUSED = "key_reused"
    """The key was used for another domain, expiry or number of years: our fault."""
    OTHER = "other"


class ActionStatus(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    WORKLIST = "worklist"
    NOT_SUBMITTED = "not_submitted"
    UNKNOWN = "unknown"
    """May have been done; these actions may be repeated safely."""


class DomainStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REDEMPTION = "redemption"
    DELETED = "deleted"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class RegistrarCapabilities:
    automatic: bool
    """False: staff do the work from a worklist; every action answers WORKLIST."""
    suspend: bool = False
    delete: bool = False
    state: bool = False
    """`get_domain` answers."""


@dataclass(frozen=True, kw_only=True)
class RenewRequest:
    """`key` is ours and unchanged on repeats; `domain` in its ASCII form; `believed_expiry` an aware
    datetime."""

    key: str
    domain: str
    believed_expiry: datetime
    years: int = 1

    def __post_init__(self) -> None:
        if self.believed_expiry.tzinfo is None:
            raise ValueError("believed_expiry is an aware datetime")
        if self.years < 1:
            raise ValueError("a renewal is for at least one year")

    @property
    def wanted_expiry(self) -> datetime:
        return add_years(self.believed_expiry, self.years)


@dataclass(frozen=True, kw_only=True)
class RenewResult:
    status: RenewStatus
    new_expiry: datetime | None = None
    ref: str | None = None
    reason: RefusalReason | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if self.status is RenewStatus.RENEWED and self.new_expiry is None:
            raise ValueError("a renewal that was done shows the new expiry")
        if (self.status is RenewStatus.REFUSED) != (self.reason is not None):
            raise ValueError("a reason is given when, and only when, a renewal is REFUSED")


@dataclass(frozen=True, kw_only=True)
class ActionResult:
    status: ActionStatus
    ref: str | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class DomainState:
    """What the registrar shows. `found` False: it answered that the domain is not with it."""

    found: bool
    expires_at: datetime | None = None
    status: DomainStatus = DomainStatus.UNKNOWN


class Registrar:
    """One configured account at a registrar. `renew` is required; the rest agrees with `capabilities`."""

    id: ClassVar[str]
    label: ClassVar[str]
    api: ClassVar[tuple[int, int]]
    capabilities: ClassVar[RegistrarCapabilities]
    setting_fields: ClassVar[tuple[SettingField, ...]] = ()
    modes: ClassVar[frozenset[Mode]] = frozenset(Mode)

    def __init__(self, settings: Mapping[str, SettingValue], mode: Mode, account_id: str) -> None:
        self.settings = dict(settings)
        self.mode = Mode(mode)
        self.account_id = account_id
        if self.mode not in self.modes:
            raise WrongMode(f"{self.label} is not offered in {self.mode.value} mode")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.account_id} {self.mode.value}>"

    def secrets(self) -> list[Secret]:
        return [value for value in self.settings.values() if isinstance(value, Secret)]

    def check_settings(self, ctx: Context) -> list[Problem]:
        return problems_in(self.setting_fields, self.settings)

    def renew(self, ctx: Context, request: RenewRequest) -> RenewResult:
        """Answers with a status for whatever happens on the wire; raises only for its own faults."""
        raise self._unsupported("renew")

    def get_domain(self, ctx: Context, name: str) -> DomainState:
        """Raises Unreachable when the registrar cannot be asked, Rejected when it refuses to answer."""
        raise self._unsupported("get_domain")

    def suspend(self, ctx: Context, name: str) -> ActionResult:
        raise self._unsupported("suspend")

    def unsuspend(self, ctx: Context, name: str) -> ActionResult:
        raise self._unsupported("unsuspend")

    def delete(self, ctx: Context, name: str) -> ActionResult:
        raise self._unsupported("delete")

    def _unsupported(self, method: str) -> NotSupported:
        return NotSupported(f"{self.label} does not offer {method}")
