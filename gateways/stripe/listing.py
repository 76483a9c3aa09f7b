"""Reads charges back from Stripe: one, those of a customer, those of a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from gateways.contract import ChargePage, ChargeResult, Lookup, LookupAnswer, Status
from gateways.errors import Ambiguous
from gateways.reading import Shown, optional_part, parts, segment, text
from gateways.stripe.currencies import from_the_wire
from gateways.stripe.results import (
    KEY_IN_METADATA,
    charge_result,
    disputed_minor,
    is_disputed,
    moment,
    never_confirmed,
)
from gateways.stripe.time_slices import Slice

if TYPE_CHECKING:
    from stripe.params import PaymentIntentListParams

    from gateways.stripe.sdk import Calls

_PAGE: Final = 100
_WITH_CHARGE: Final = 50
"""Rows a page that shows each intent's charge too: a hundred could exceed what one answer may hold."""

_CLOCKS_MAY_DIFFER: Final = timedelta(days=3)


def charge_state(stripe: Calls, ref: str) -> ChargeResult:
    """A PaymentIntent as it is now, with what went back. Raises Unreachable or Rejected."""
    path_ref = segment(ref, "PaymentIntent")
    shown, request_id = stripe.asked(
        lambda: stripe.v1.payment_intents.retrieve(path_ref, {"expand": ["latest_charge"]})
    )
    if text(shown, "id") != ref:
        raise Ambiguous("the answer is about another charge")
    return replace(_with_disputes(stripe, shown), request_id=request_id)


def find(stripe: Calls, key: str, customer_ref: str, since: datetime) -> Lookup:
    """The customer's PaymentIntent that bears `key`. Raises Unreachable or Rejected.

    One that was never confirmed moved nothing and cannot by itself: with only such ones the answer is NO, and
    the key may be sent again.
    """
    found = [
        intent
        for intent in _intents_of(stripe, customer_ref, since)
        if optional_part(intent, "metadata").get(KEY_IN_METADATA) == key
    ]
    refs = [text(intent, "id") for intent in found if not never_confirmed(intent)]
    results = [charge_state(stripe, ref) for ref in refs]
    captured = [result for result in results if result.status is Status.SUCCEEDED]
    if len(captured) > 1:
        message = f"several charges carry this key: {', '.join(refs)}"
        return Lookup(answer=LookupAnswer.CANNOT_TELL, message=message)
    if not results:
        return Lookup(answer=LookupAnswer.NO, message="created, and never confirmed" if found else "")
    return Lookup(answer=LookupAnswer.YES, result=(captured or results)[0])


def charges(stripe: Calls, place: Slice) -> ChargePage:
    """Those in `place` that bear a key of ours, oldest first. Raises Unreachable or Rejected."""
    page = _page(stripe, place)
    while _goes_on(page) and not place.shortest:
        place = place.narrower()
        page = _page(stripe, place)
    intents = parts(page, "data")
    while _goes_on(page):
        page = _page(stripe, place, after=text(intents[-1], "id"))
        intents = [*intents, *parts(page, "data")]
    ours = [
        intent
        for intent in reversed(intents)
        if KEY_IN_METADATA in optional_part(intent, "metadata") and not never_confirmed(intent)
    ]
    return ChargePage(
        charges=tuple(_with_disputes(stripe, intent) for intent in ours),
        next_cursor=place.cursor_after(len(intents), _WITH_CHARGE),
    )


def _intents_of(stripe: Calls, customer_ref: str, since: datetime) -> Iterator[Shown]:
    """Newest first. Stripe's search by metadata lags by up to an hour; its lists do not.

    `since` is not sent: were the two clocks to differ, it would hide the very charge we look for.
    """
    params: PaymentIntentListParams = {"customer": customer_ref, "limit": _PAGE}
    while True:
        page = stripe.ask(lambda: stripe.v1.payment_intents.list(params))  # noqa: B023  # called at once
        intents = parts(page, "data")
        yield from intents
        if not _goes_on(page) or moment(intents[-1], "created") < since - _CLOCKS_MAY_DIFFER:
            return
        params = {**params, "starting_after": text(intents[-1], "id")}


def _page(stripe: Calls, place: Slice, after: str | None = None) -> Shown:
    params: PaymentIntentListParams = {
        "created": {"gte": place.start, "lt": place.end},
        "limit": _WITH_CHARGE,
        "expand": ["data.latest_charge"],
    }
    if after is not None:
        params["starting_after"] = after
    return stripe.ask(lambda: stripe.v1.payment_intents.list(params))


def _goes_on(page: Shown) -> bool:
    more = page.get("has_more")
    if not isinstance(more, bool) or (more and not parts(page, "data")):
        raise Ambiguous("the list does not say whether it goes on")
    return more


def _with_disputes(stripe: Calls, intent: Shown) -> ChargeResult:
    if not is_disputed(intent):
        return charge_result(intent)
    ref = text(intent, "id")
    page = stripe.ask(lambda: stripe.v1.disputes.list({"payment_intent": ref, "limit": _PAGE}))
    moved = disputed_minor(parts(page, "data"), from_the_wire(intent))
    return charge_result(intent, disputed_minor=moved)
