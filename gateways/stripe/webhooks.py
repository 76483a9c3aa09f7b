"""Stripe's webhook signature and what its events are about.

Checked here and not by Stripe's library, which accepts times from the future and raises on a body that is not
UTF-8.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from gateways.contract import (
    EventKind,
    GatewayEvent,
    Mode,
    WebhookRequest,
    WebhookResult,
    WebhookVerdict,
)
from gateways.errors import Ambiguous
from gateways.http import strict_json
from gateways.reading import Shown, is_ref, optional_text, part, text
from gateways.secret import Secret
from gateways.stripe.results import moment

HEADER: Final = "Stripe-Signature"
TOLERANCE_S: Final = 300

_HEX = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{1,12}")

_FAMILIES: Final = (
    ("payment_intent.", EventKind.CHARGE, "id"),
    ("charge.dispute.", EventKind.DISPUTE, "payment_intent"),
    ("charge.refund.", EventKind.REFUND, "id"),
    ("refund.", EventKind.REFUND, "id"),
    ("charge.", EventKind.CHARGE, "payment_intent"),
    ("checkout.session.", EventKind.REGISTRATION, "id"),
    ("payment_method.", EventKind.INSTRUMENT, "id"),
)
"""(start of the event's type, what it hints at, the field of its object that names that); the first that
fits."""


def heard(request: WebhookRequest, secrets: Sequence[Secret], mode: Mode) -> WebhookResult:
    """Several `secrets` are valid while one replaces another."""
    usable = [secret for secret in secrets if secret]
    if not usable:
        return WebhookResult(verdict=WebhookVerdict.NOT_CONFIGURED, reason="no webhook secret is configured")
    reason = _complaint(request, usable)
    if reason is not None:
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=reason)
    try:
        return _read(strict_json(request.body), mode)
    except Ambiguous as error:
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=str(error))


def _complaint(request: WebhookRequest, secrets: Sequence[Secret]) -> str | None:
    parts = [part.strip().partition("=")[::2] for part in request.header(HEADER).split(",")[:20]]
    times = [value for key, value in parts if key == "t"]
    digests = [value for key, value in parts if key == "v1" and _HEX.fullmatch(value)]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not digests:
        return "the signature is missing or malformed"
    expected = [_digest(request.body, secret, times[0]) for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in digests for other in expected):
        return "the signature does not match"
    at, now = int(times[0]), int(request.now.timestamp())
    if at < now - TOLERANCE_S:
        return "the signature is too old"
    if at > now + TOLERANCE_S:
        return "the signature is from the future"
    return None


def _digest(body: bytes, secret: Secret, at: str) -> str:
    return hmac.new(secret.reveal().encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def _read(event: object, mode: Mode) -> WebhookResult:
    if not isinstance(event, dict):
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="the event is not a JSON object")
    if event.get("livemode") is not (mode is Mode.LIVE):
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason=f"not an event of {mode.value} mode")
    event_id, told = text(event, "id"), text(event, "type")
    if not is_ref(event_id):
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="an id has characters that no id has")
    family = next((family for family in _FAMILIES if told.startswith(family[0])), None)
    if family is None:
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, reason=f"nothing of ours: {told[:80]}")
    return _hint(event, event_id, family[1], family[2])


def _hint(event: Shown, event_id: str, kind: EventKind, name: str) -> WebhookResult:
    ref = optional_text(part(part(event, "data"), "object"), name)
    if ref is None:
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, reason=f"nothing of ours: it has no {name}")
    if not is_ref(ref):
        return WebhookResult(verdict=WebhookVerdict.REJECTED, reason="an id has characters that no id has")
    hint = GatewayEvent(kind=kind, ref=ref, event_id=event_id, occurred_at=moment(event, "created"))
    return WebhookResult(verdict=WebhookVerdict.ACCEPTED, events=(hint,))
