"""Refunds: whole or in parts, never more than the charge."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from gateways.mock import late
from gateways.mock.books import Books, Reply, invalid, not_found, text_in
from gateways.mock.charges import charge_row
from gateways.mock.clock import stamp
from gateways.mock.database import Row


def create_refund(books: Books, body: dict[str, Any]) -> Reply:
    """The effect alone: the caller holds the transaction and the key."""
    charge = charge_row(books, text_in(body, "charge"))
    amount = body.get("amount")
    if type(amount) is not int or amount < 1 or body.get("currency") != charge["currency"]:
        raise invalid("amount", "the amount is not one of this charge")
    if charge["status"] != "succeeded":
        raise invalid("charge_not_refundable", f"the charge is {charge['status']}")
    if amount > charge["amount"] - charge["refunded"]:
        raise invalid("refund_exceeds_charge", "more than what is left of the charge")
    id = f"re_{secrets.token_hex(12)}"
    books.database.rows("UPDATE movements SET refunded = refunded + ? WHERE id = ?", amount, charge["id"])
    books.database.insert(
        "movements",
        kind="refund",
        id=id,
        reference=text_in(body, "reference"),
        charge=charge["id"],
        customer=charge["customer"],
        instrument=charge["instrument"],
        fingerprint=charge["fingerprint"],
        amount=amount,
        currency=charge["currency"],
        status="succeeded",
        description=text_in(body, "reason", required=False),
        metadata="{}",
        created=stamp(books.clock.now()),
    )
    books.webhooks.announce("refund.succeeded", id)
    return get_refund(books, id)


def get_refund(books: Books, id: str) -> Reply:
    row = books.database.row("SELECT * FROM movements WHERE id = ? AND kind = 'refund'", id)
    if row is None:
        raise not_found("refund")
    return 200, _shown(row)


def list_refunds(books: Books, asked: Mapping[str, str]) -> Reply:
    """The refunds of one charge that carry one reference."""
    reference, charge = asked.get("reference", ""), asked.get("charge", "")
    sql = "SELECT * FROM movements WHERE reference = ? AND charge = ? AND kind = 'refund' ORDER BY seq"
    rows = books.database.rows(sql, reference, charge)
    if not rows:
        late.looked_up(books, reference)
    return 200, {"object": "list", "items": [_shown(row) for row in rows], "next": None}


def _shown(row: Row) -> dict[str, Any]:
    names = ("id", "reference", "charge", "amount", "currency", "status", "created")
    return {"object": "refund", **{name: row[name] for name in names}}
