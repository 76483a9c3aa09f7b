"""The mock registrar's server: domains adopted at first sight, renewals guarded by the expiry believed in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateways.mock import late
from gateways.mock.books import ApiError, Books, Reply, invalid, not_found, text_in
from gateways.mock.clock import stamp
from gateways.mock.database import Row
from gateways.registrars.expiry import add_years

ACTIONS: Final = {"suspend": "suspended", "unsuspend": "active", "delete": "deleted"}
_GONE: Final = ("deleted", "elsewhere")
_STATUSES: Final = ("active", "suspended", "redemption", *_GONE)
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")
_PAGE: Final = 1000


def renew(books: Books, body: dict[str, Any]) -> Reply:
    """A key is answered for ever: renewing has no window after which a repetition is safe."""
    key, domain = text_in(body, "key"), _name(text_in(body, "domain"))
    believed, years = _instant(body.get("believed_expiry")), body.get("years")
    if type(years) is not int or not 1 <= years <= 10:
        raise invalid("years", "years is a number from 1 to 10")
    books.pause()
    with books.registry.writing():
        saved = books.registry.row("SELECT * FROM movements WHERE key = ?", key)
        if saved is None:
            saved = _renewed(books, key, domain, believed, years)
        elif (saved["domain"], saved["believed_expiry"], saved["years"]) != (domain, stamp(believed), years):
            raise ApiError(409, "idempotency", "key_reused", "this key was used for another renewal")
    return 200, _shown(saved)


def get_domain(books: Books, name: str) -> Reply:
    row = _domain(books, _name(name))
    late.looked_up(books, name)
    if row is None:
        raise not_found("domain")
    return 200, {"object": "domain", **dict(row)}


def act(books: Books, name: str, action: str) -> Reply:
    if action not in ACTIONS:
        raise not_found("action")
    with books.registry.writing():
        row = _domain(books, _name(name)) or _adopted(books, name, None)
        refused = row["status"] in _GONE and action != "delete"
        if not refused:
            books.registry.rows("UPDATE domains SET status = ? WHERE name = ?", ACTIONS[action], name)
        _record(books, kind=action, domain=name, status="refused" if refused else "done",
                reason="not_here" if refused else None)  # fmt: skip
    return 200, {"object": "action", "status": "refused" if refused else "done"}


def set_domain(books: Books, body: dict[str, Any]) -> Reply:
    """What happens elsewhere: renewed by hand, moved away, deleted."""
    name = _name(text_in(body, "name"))
    with books.registry.writing():
        _domain(books, name) or _adopted(books, name, None)
        if "expires_at" in body:
            expires = stamp(_instant(body["expires_at"]))
            books.registry.rows("UPDATE domains SET expires_at = ? WHERE name = ?", expires, name)
        if "status" in body:
            if body["status"] not in _STATUSES:
                raise invalid("status", f"status is one of {', '.join(_STATUSES)}")
            books.registry.rows("UPDATE domains SET status = ? WHERE name = ?", body["status"], name)
    return get_domain(books, name)


def ledger(books: Books, asked: Mapping[str, str]) -> Reply:
    sql = f"SELECT * FROM movements WHERE seq > ? ORDER BY seq LIMIT {_PAGE}"
    rows = books.registry.rows(sql, asked.get("cursor") or 0)
    cursor = str(rows[-1]["seq"]) if len(rows) == _PAGE else None
    return 200, {"items": [dict(row) for row in rows], "next": cursor}


def _renewed(books: Books, key: str, domain: str, believed: datetime, years: int) -> Row:
    row = _domain(books, domain) or _adopted(books, domain, believed)
    shows = row["expires_at"] or stamp(
        believed
    )  # suspended before it was ever renewed: adopted without a date
    reason, new_expiry = None, shows
    if row["status"] in _GONE:
        reason = "not_here"
    elif shows != stamp(believed):
        reason = "expiry_differs"
    else:
        new_expiry = stamp(add_years(believed, years))
        books.registry.rows("UPDATE domains SET expires_at = ? WHERE name = ?", new_expiry, domain)
    return _record(
        books, kind="renew", key=key, domain=domain, years=years, believed_expiry=stamp(believed),
        new_expiry=new_expiry, status="refused" if reason else "renewed", reason=reason,
    )  # fmt: skip


def _record(books: Books, **values: Any) -> Row:
    id = f"op_{secrets.token_hex(12)}"
    books.registry.insert("movements", id=id, created=stamp(books.clock.now()), **values)
    row = books.registry.row("SELECT * FROM movements WHERE id = ?", id)
    assert row is not None
    return row


def _domain(books: Books, name: str) -> Row | None:
    return books.registry.row("SELECT * FROM domains WHERE name = ?", name)


def _adopted(books: Books, name: str, expires: datetime | None) -> Row:
    books.registry.insert(
        "domains",
        name=name,
        expires_at=stamp(expires) if expires is not None else None,
        status="active",
        created=stamp(books.clock.now()),
    )
    row = _domain(books, name)
    assert row is not None
    return row


def _shown(row: Row) -> dict[str, Any]:
    names = ("id", "key", "domain", "years", "believed_expiry", "new_expiry", "status", "reason")
    return {"object": "renewal", **{name: row[name] for name in names}}


def _name(text: str) -> str:
    if len(text) > 253 or not _NAME.fullmatch(text):
        raise invalid("domain", "not a domain name in lower-case ASCII form")
    return text


def _instant(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise invalid("believed_expiry", "a time is written as 2027-01-31T00:00:00+00:00")
    return at
