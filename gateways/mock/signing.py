"""The mock's webhook signature: HMAC-SHA256 over the time and the raw body."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from gateways.secret import Secret

HEADER: Final = "Mock-Signature"
TOLERANCE_S: Final = 300

_HEX = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{1,12}")


def sign(body: bytes, secrets: Sequence[Secret], at: int) -> str:
    """The header's value; several secrets sign while one replaces another. `at` is in seconds since the
    epoch."""
    parts = [f"t={at}"] + [f"v1={_digest(body, secret, at)}" for secret in secrets]
    return ",".join(parts)


def complaint(header: str, body: bytes, secret: Secret, now: int) -> str | None:
    """Why the signature is not accepted, or None. What lies in the future is refused like what is old."""
    parts = [part.partition("=")[::2] for part in header.split(",")[:10]]
    times = [value for key, value in parts if key == "t"]
    digests = [value for key, value in parts if key == "v1"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not digests:
        return "the signature is missing or malformed"
    at = int(times[0])
    expected = _digest(body, secret, at)
    if not any(_HEX.fullmatch(found) and hmac.compare_digest(found, expected) for found in digests):
        return "the signature does not match"
    if at < now - TOLERANCE_S:
        return "the signature is too old"
    if at > now + TOLERANCE_S:
        return "the signature is from the future"
    return None


def _digest(body: bytes, secret: Secret, at: int) -> str:
    return hmac.new(secret.reveal().encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
