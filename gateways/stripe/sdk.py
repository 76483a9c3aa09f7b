"""Stripe's library, kept to one attempt under our deadline. No other module may import it: see `gateway`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import stripe
from requests.structures import CaseInsensitiveDict

from gateways.contract import Context
from gateways.errors import Ambiguous
from gateways.http import send, strict_json
from gateways.reading import Shown
from gateways.secret import Secret, redact
from gateways.stripe.refusal import Refusal

PINNED_VERSION: Final = "2026-10-28.endive"
"""The API version whose shapes are read here: without it, a setting in the account's dashboard would
decide."""

# Its DEBUG and INFO lines hold whole answers: client secrets, names and addresses. A filter, unlike a level,
# is not undone by whoever turns on all logs.
logging.getLogger("stripe").addFilter(lambda record: record.levelno >= logging.WARNING)


class BoundedClient(stripe.RequestsClient):
    """The library's client on `requests`, which by itself waits 80 seconds for each read and reads without
    end."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(session=ctx.http)
        self._ctx = ctx

    def request(  # type: ignore[override]  # the library's own subclasses narrow it so
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Raises NotSent or Ambiguous, which the library lets pass."""
        content = post_data.encode() if isinstance(post_data, str) else post_data
        answer = send(self._ctx, method.upper(), url, headers=headers, content=content)
        if 300 <= answer.status < 400 or answer.status >= 500 or answer.status in (408, 409):
            # A saved 500 and a key in use look final to the library; the request may have been executed.
            raise Ambiguous(f"HTTP status {answer.status}")
        if not isinstance(strict_json(answer.body), dict):
            raise Ambiguous("the answer is not a JSON object")
        request_id = answer.headers.get("Request-Id")
        kept = CaseInsensitiveDict({"Request-Id": request_id} if request_id else {})
        return answer.body, answer.status, kept


class Calls:
    """Stripe's API for one call of ours; making one is cheap, the connections are those of `ctx`."""

    def __init__(self, ctx: Context, api_key: Secret, secrets: list[Secret]) -> None:
        self.v1 = stripe.StripeClient(
            api_key.reveal(),
            stripe_version=PINNED_VERSION,
            http_client=BoundedClient(ctx),
            max_network_retries=0,
        ).v1
        self._secrets = secrets

    def ask(self, request: Callable[[], stripe.StripeObject]) -> Shown:
        """The JSON object that answers `request`. Raises NotSent, Ambiguous or Refusal."""
        return self.asked(request)[0]

    def asked(self, request: Callable[[], stripe.StripeObject]) -> tuple[Shown, str | None]:
        """The same, with Stripe's id of the request."""
        try:
            answer = request().last_response
        except stripe.StripeError as error:
            # "from None": the library's errors carry whole bodies, and a refused key may be quoted in them.
            raise _refusal(error, self._secrets) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The library turns an answer into objects on the assumption that it has the documented shape.
            raise Ambiguous(f"the answer cannot be read: {type(error).__name__}") from None
        data = getattr(answer, "data", None)
        if not isinstance(data, Mapping):
            raise Ambiguous("the answer is not a JSON object")
        return data, getattr(answer, "request_id", None)


def _refusal(error: stripe.StripeError, secrets: list[Secret]) -> Refusal | Ambiguous:
    told = error.json_body.get("error") if isinstance(error.json_body, Mapping) else None
    status = error.http_status
    if status is None or not isinstance(told, Mapping):
        return Ambiguous(f"HTTP status {status} without a readable error")
    said = told.get("message")
    message = redact(said, secrets) if isinstance(said, str) else f"HTTP status {status}"
    shown = {**told, "message": message}
    return Refusal(message[:500], http_status=status, error=shown, request_id=error.request_id)
