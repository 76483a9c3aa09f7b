"""Finds payments in Mollie's lists, which know neither our keys nor times: newest first, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

from gateways.contract import ChargePage, Lookup, LookupAnswer, Status
from gateways.errors import Ambiguous, Rejected
from gateways.mollie.results import charge_result, instant, key_of
from gateways.mollie.wire import Calls
from gateways.reading import Shown, is_ref, optional_part, part, parts, segment, text

_PAGE: Final = "100"
"""As many as surely fit into what one answer may hold."""

_CLOCKS_MAY_DIFFER: Final = timedelta(days=3)
_BACK: Final = re.compile(r"back\+([A-Za-z0-9_]+)\+([A-Za-z0-9_]*)")
_ON: Final = re.compile(r"on\+([A-Za-z0-9_]+)")


def find(mollie: Calls, key: str, customer_ref: str, since: datetime) -> Lookup:
    """The customer's payment that bears `key`. Raises Unreachable or Rejected."""
    found = [item for item in _payments_of(mollie, customer_ref, since) if key_of(item) == key]
    results = [charge_result(item) for item in found if item.get("sequenceType") == "recurring"]
    captured = [result for result in results if result.status is Status.SUCCEEDED]
    if len(captured) > 1:
        refs = ", ".join(str(result.ref) for result in captured)
        return Lookup(answer=LookupAnswer.CANNOT_TELL, message=f"several payments carry this key: {refs}")
    if not results:
        return Lookup(answer=LookupAnswer.NO)
    return Lookup(answer=LookupAnswer.YES, result=(captured or results)[0])


def charges(mollie: Calls, since: datetime, until: datetime, cursor: str | None) -> ChargePage:
    """Recurring payments that bear a key of ours, oldest first; one request for each call.

    The list has no dates to ask for: the first calls go back from the newest page to the first payment of
    the time wanted, and answer with nothing; the later ones come forward from there.
    """
    forward = _ON.fullmatch(cursor) if cursor is not None else None
    if forward is not None:
        return _forward(mollie, forward[1], until)
    back = _BACK.fullmatch(cursor) if cursor is not None else None
    if cursor is not None and back is None:
        raise Rejected(f"{cursor[:80]!r} is not a cursor", code="cursor", http_status=400)
    return _back(mollie, since, back[1] if back else None, back[2] if back else "")


def _back(mollie: Calls, since: datetime, start: str | None, oldest: str) -> ChargePage:
    page = _page(mollie, "/v2/payments", start)
    payments = _items(page)
    wanted = [item for item in payments if instant(item, "createdAt") >= since]
    if wanted:
        oldest = text(wanted[-1], "id")
    following = _next(page)
    if len(wanted) == len(payments) and following is not None:
        return ChargePage(charges=(), next_cursor=f"back+{following}+{oldest}")
    return ChargePage(charges=(), next_cursor=f"on+{oldest}" if oldest else None)


def _forward(mollie: Calls, start: str, until: datetime) -> ChargePage:
    page = _page(mollie, "/v2/payments", start, sort="asc")
    wanted = [item for item in _items(page) if instant(item, "createdAt") < until]
    ours = [item for item in wanted if item.get("sequenceType") == "recurring" and key_of(item) is not None]
    following = _next(page) if len(wanted) == len(_items(page)) else None
    return ChargePage(
        charges=tuple(charge_result(item) for item in ours),
        next_cursor=f"on+{following}" if following is not None else None,
    )


def _payments_of(mollie: Calls, customer_ref: str, since: datetime) -> Iterator[Shown]:
    """Newest first, down to well before `since`: the two clocks may differ, and a page is read whole."""
    path = f"/v2/customers/{segment(customer_ref, 'customer')}/payments"
    start: str | None = None
    while True:
        page = _page(mollie, path, start)
        payments = _items(page)
        yield from payments
        start = _next(page)
        if start is None or instant(payments[-1], "createdAt") < since - _CLOCKS_MAY_DIFFER:
            return


def _page(mollie: Calls, path: str, start: str | None, *, sort: str | None = None) -> Shown:
    params = {"limit": _PAGE}
    if start is not None:
        params["from"] = start
    if sort is not None:
        params["sort"] = sort
    return mollie.get(path, params)


def _items(page: Shown) -> list[Shown]:
    return parts(part(page, "_embedded"), "payments")


def _next(page: Shown) -> str | None:
    """The id that the next page starts with, taken out of its address: the address itself is not followed."""
    links = part(page, "_links")
    if "next" not in links:
        raise Ambiguous("the list does not say whether it goes on")
    if links["next"] is None:
        return None
    found = parse_qs(urlsplit(text(optional_part(links, "next"), "href")).query).get("from", [])
    if len(found) != 1 or not is_ref(found[0]) or not _items(page):
        raise Ambiguous("the list does not say how it goes on")
    return found[0]
