"""All checks, in the order in which an author meets them: what loads comes before what charges."""

from __future__ import annotations

from typing import Final

from gateways.testing.checks import (
    accounts,
    ambiguity,
    idempotency,
    instruments,
    loading,
    lookups,
    money,
    outcomes,
    refunds,
    registration,
    secrets,
    webhooks,
)
from gateways.testing.checks.registry import REGISTERED, Check

_IN_ORDER = (
    loading, money, outcomes, idempotency, ambiguity, lookups, registration, instruments, refunds, webhooks,
    secrets, accounts,
)  # fmt: skip

GROUPS: Final = tuple(module.__name__.rpartition(".")[2] for module in _IN_ORDER)
ALL: Final[tuple[Check, ...]] = tuple(
    found for group in GROUPS for found in REGISTERED.values() if found.group == group
)
