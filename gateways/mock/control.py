"""What tests and demos do to the processor from outside: its clock, its faults, its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from gateways.mock.books import Books, Reply, invalid
from gateways.mock.clock import stamp
from gateways.secret import Secret

_PAGE: Final = 1000


def set_clock(books: Books, body: dict[str, Any]) -> Reply:
    """{"now": "2027-01-31T06:00:00+00:00"} sets it, and it runs on from there; {"now": null} is real time
    again."""
    text = body.get("now")
    try:
        now = datetime.fromisoformat(text) if text is not None else None
    except (TypeError, ValueError) as error:
        raise invalid("now", "now is an ISO 8601 time with its offset, or null") from error
    if now is not None and now.tzinfo is None:
        raise invalid("now", "the time has no offset from UTC")
    books.clock.set(now)
    return get_clock(books)


def get_clock(books: Books) -> Reply:
    return 200, {"now": stamp(books.clock.now())}


def set_faults(books: Books, body: Any) -> Reply:
    """A list adds scripted faults; {"rate": 0.2, "kinds": [...], "seed": 1} sets the random ones."""
    try:
        if isinstance(body, list):
            books.faults.add_scripts(body)
        else:
            books.faults.set_rate(float(body["rate"]), body.get("kinds") or [], int(body.get("seed", 0)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise invalid("faults", f"not a fault: {error}") from error
    return get_faults(books)


def clear_faults(books: Books) -> Reply:
    """Forgets scripts, rate and counts. Requests that were put off land all the same."""
    books.faults.clear()
    return get_faults(books)


def get_faults(books: Books) -> Reply:
    return 200, {"drawn": books.faults.drawn()}


def set_webhook(books: Books, body: dict[str, Any]) -> Reply:
    """{"url": ..., "secrets": [...]}; {"url": null} switches them off. Only this machine is written to."""
    url = body.get("url")
    if url is None:
        books.webhooks.point_at(None)
        return 200, {"url": None}
    parts = urlsplit(str(url))
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise invalid("url", "webhooks go to an http address of this machine only")
    keys = body.get("secrets")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise invalid("secrets", "secrets is a list with at least one text")
    books.webhooks.point_at(str(url), tuple(Secret(key) for key in keys))
    return 200, {"url": url}


def ledger(books: Books, asked: Mapping[str, str]) -> Reply:
    """Every movement, oldest first: {"items": [...], "next": cursor or null}."""
    sql = f"SELECT * FROM movements WHERE seq > ? ORDER BY seq LIMIT {_PAGE}"
    rows = books.database.rows(sql, asked.get("cursor") or 0)
    cursor = str(rows[-1]["seq"]) if len(rows) == _PAGE else None
    names = ("seq", "kind", "charge", "customer", "instrument", "fingerprint", "amount", "currency", "status",
             "decline_code", "refunded", "disputed", "created")  # fmt: skip
    items = [
        {"ref": row["id"], "key": row["reference"], **{name: row[name] for name in names}} for row in rows
    ]
    return 200, {"items": items, "next": cursor}
