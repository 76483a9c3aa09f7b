"""Stored cards: made on the hosted page, or adopted from a reference that describes itself."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from gateways.mock.books import Books, Reply, invalid, not_found
from gateways.mock.cards import behaviour_in
from gateways.mock.clock import stamp
from gateways.mock.database import Row


def adopt(books: Books, instrument: str, customer: str) -> Row:
    """The instrument of that customer. `pm_test_<behaviour>_…` is taken on at first sight, so that demo
    data can be made while no processor runs; from then on it belongs to the customer it came with."""
    found = books.database.row("SELECT * FROM instruments WHERE id = ?", instrument)
    if found is None:
        found = _adopted(books, instrument, customer)
    if found["customer"] != customer:
        raise invalid("instrument_of_another_customer", "the instrument belongs to another customer")
    return found


def has_expired(instrument: Row, now: datetime) -> bool:
    """Cards are good to the last day of their month; adopted ones have no date."""
    if instrument["exp_year"] is None:
        return False
    return (instrument["exp_year"], instrument["exp_month"]) < (now.year, now.month)


def get_instrument(books: Books, id: str) -> Reply:
    found = books.database.row("SELECT * FROM instruments WHERE id = ?", id)
    if found is not None:
        return 200, shown(books, found)
    if behaviour_in(id) is None:
        raise not_found("instrument")
    # Not seen in a charge yet: whose it is, that charge will say.
    return 200, {"object": "instrument", "id": id, "customer": None, "status": "active"}


def forget_instrument(books: Books, id: str) -> Reply:
    with books.database.writing():
        if books.database.row("SELECT 1 FROM instruments WHERE id = ?", id) is None:
            raise not_found("instrument")
        books.database.rows("UPDATE instruments SET status = 'forgotten' WHERE id = ?", id)
        books.webhooks.announce("instrument.forgotten", id)
    return 200, {"object": "instrument", "id": id, "customer": None, "status": "forgotten"}


def change_instrument(books: Books, id: str, body: dict[str, Any]) -> Reply:
    """What banks do behind everybody's back: a new expiry date, a withdrawal."""
    with books.database.writing():
        if books.database.row("SELECT 1 FROM instruments WHERE id = ?", id) is None:
            raise not_found("instrument")
        for name in ("exp_month", "exp_year", "status"):
            if name in body:
                books.database.rows(f"UPDATE instruments SET {name} = ? WHERE id = ?", body[name], id)
        books.webhooks.announce("instrument.updated", id)
    return get_instrument(books, id)


def shown(books: Books, row: Row) -> dict[str, Any]:
    status = row["status"]
    if status == "active" and has_expired(row, books.clock.now()):
        status = "expired"
    names = ("id", "customer", "brand", "last4", "exp_month", "exp_year", "holder_name", "fingerprint")
    return {"object": "instrument", "status": status, **{name: row[name] for name in names}}


def _adopted(books: Books, instrument: str, customer: str) -> Row:
    behaviour = behaviour_in(instrument)
    if behaviour is None:
        raise invalid("no_such_instrument", "no such instrument")
    books.database.insert(
        "instruments",
        id=instrument,
        customer=customer,
        behaviour=behaviour,
        fingerprint="fp_" + hashlib.sha256(instrument.encode()).hexdigest()[:24],
        status="active",
        created=stamp(books.clock.now()),
    )
    row = books.database.row("SELECT * FROM instruments WHERE id = ?", instrument)
    assert row is not None
    return row
