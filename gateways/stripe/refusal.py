"""Stripe's readable "no", with the error object that says why."""

from __future__ import annotations

from gateways.errors import Rejected
from gateways.reading import Shown


class Refusal(Rejected):
    """`type` and `param` are Stripe's; `error` is its whole error object, which may show a PaymentIntent."""

    def __init__(self, message: str, *, http_status: int, error: Shown, request_id: str | None) -> None:
        super().__init__(message, code=_text(error, "code"), http_status=http_status)
        self.error = error
        self.type = _text(error, "type")
        self.param = _text(error, "param")
        self.request_id = request_id

    @property
    def at_the_door(self) -> bool:
        """The key was refused, or may not do this: nothing was looked at, let alone processed."""
        return self.http_status in (401, 403)

    @property
    def about_the_request(self) -> bool:
        """What was asked for is refused for good."""
        return self.http_status in (400, 404) and self.type == "invalid_request_error"


def _text(error: Shown, name: str) -> str:
    value = error.get(name)
    return value if isinstance(value, str) else ""
