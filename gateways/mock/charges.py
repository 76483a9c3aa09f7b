"""Charges: created and decided at once, or waiting for the cardholder; found by the merchant's reference."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from gateways.contract import CurrencyRule
from gateways.mock import late
from gateways.mock.books import Books, Reply, invalid, not_found, text_in
from gateways.mock.cards import CURRENCIES, EXPIRED, FORGOTTEN, Outcome, outcome_of
from gateways.mock.clock import stamp
from gateways.mock.database import Row
from gateways.mock.instruments import adopt, has_expired

_PAGE: Final = 100


def create_charge(books: Books, body: dict[str, Any]) -> Reply:
    """The effect alone: the caller holds the transaction and the key."""
    reference = text_in(body, "reference")
    customer = text_in(body, "customer")
    amount, currency = _amount_in(body)
    instrument = adopt(books, text_in(body, "instrument"), customer)
    outcome = _decided(books, instrument, reference)
    id = f"ch_{secrets.token_hex(12)}"
    books.database.insert(
        "movements",
        kind="charge",
        id=id,
        reference=reference,
        customer=customer,
        instrument=instrument["id"],
        fingerprint=instrument["fingerprint"],
        amount=amount,
        currency=currency,
        status=outcome.status,
        decline_code=outcome.code,
        network_code=outcome.network_code,
        advice=outcome.advice,
        description=text_in(body, "description", required=False),
        metadata=json.dumps(body.get("metadata") or {}),
        created=stamp(books.clock.now()),
    )
    books.webhooks.announce(f"charge.{outcome.status}", id)
    return _replied(charge_row(books, id))


def get_charge(books: Books, id: str) -> Reply:
    return 200, shown(charge_row(books, id))


def list_charges(books: Books, asked: Mapping[str, str]) -> Reply:
    """By reference (and customer) for a look-up; by time, in pages, for an audit."""
    after = asked.get("cursor") or "0"
    if not after.isdecimal():
        raise invalid("cursor", "the cursor is not one of ours")
    conditions, values = ["kind = 'charge'", "seq > ?"], [after]
    for name, condition in (
        ("reference", "reference = ?"),
        ("customer", "customer = ?"),
        ("created_from", "created >= ?"),
        ("created_until", "created < ?"),
    ):
        if name in asked:
            conditions.append(condition)
            values.append(asked[name])
    sql = f"SELECT * FROM movements WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT {_PAGE + 1}"
    rows = books.database.rows(sql, *values)
    if not rows and "reference" in asked:
        late.looked_up(books, asked["reference"])
    more = len(rows) > _PAGE
    shown_rows = rows[:_PAGE]
    cursor = str(shown_rows[-1]["seq"]) if more else None
    return 200, {"object": "list", "items": [shown(row) for row in shown_rows], "next": cursor}


def cancel_charge(books: Books, id: str) -> Reply:
    with books.database.writing():
        if charge_row(books, id)["status"] == "requires_action":
            books.database.rows("UPDATE movements SET status = 'cancelled', token = NULL WHERE id = ?", id)
            books.webhooks.announce("charge.cancelled", id)
    return get_charge(books, id)


def start_authentication(books: Books, id: str, body: dict[str, Any], host_url: str) -> Reply:
    return_url = text_in(body, "return_url")
    with books.database.writing():
        row = charge_row(books, id)
        if row["status"] != "requires_action":
            raise invalid("state", f"the charge is {row['status']}: there is nothing to authenticate")
        token = row["token"] or secrets.token_urlsafe(24)
        books.database.rows(
            "UPDATE movements SET token = ?, return_url = ? WHERE id = ?", token, return_url, id
        )
    return 200, {"object": "authentication", "charge": id, "url": f"{host_url}hosted/authentications/{token}"}


def finish_authentication(books: Books, token: str, confirmed: bool) -> Row:
    """The cardholder has pressed a button on the challenge page."""
    with books.database.writing():
        row = books.database.row("SELECT * FROM movements WHERE token = ?", token)
        if row is None:
            raise not_found("authentication")
        if row["status"] == "requires_action":
            status, code = ("succeeded", None) if confirmed else ("declined", "authentication_failed")
            sql = """UPDATE movements SET status = ?, decline_code = ?, network_code = NULL, advice = NULL
                     WHERE id = ?"""
            books.database.rows(sql, status, code, row["id"])
            books.webhooks.announce(f"charge.{status}", row["id"])
    return row


def charge_row(books: Books, id: str) -> Row:
    row = books.database.row("SELECT * FROM movements WHERE id = ? AND kind = 'charge'", id)
    if row is None:
        raise not_found("charge")
    return row


def shown(row: Row) -> dict[str, Any]:
    names = ("id", "reference", "customer", "instrument", "fingerprint", "amount", "currency", "status",
             "refunded", "disputed", "description", "created")  # fmt: skip
    decline = None
    if row["decline_code"] is not None:
        decline = {"code": row["decline_code"], "network_code": row["network_code"], "advice": row["advice"]}
    return {
        "object": "charge",
        **{name: row[name] for name in names},
        "decline": decline,
        "metadata": json.loads(row["metadata"]),
    }


def _decided(books: Books, instrument: Row, reference: str) -> Outcome:
    if instrument["status"] != "active":
        return FORGOTTEN
    if has_expired(instrument, books.clock.now()):
        return EXPIRED
    return outcome_of(instrument["behaviour"], reference)


def _replied(row: Row) -> Reply:
    charge = shown(row)
    if row["status"] == "succeeded":
        return 200, charge
    error = {"type": "card_error", "code": row["decline_code"], "message": "the charge was not approved"}
    return 402, {"error": error, "charge": charge}


def _amount_in(body: dict[str, Any]) -> tuple[int, str]:
    amount, currency = body.get("amount"), body.get("currency")
    rule: CurrencyRule | None = CURRENCIES.get(currency) if isinstance(currency, str) else None
    if rule is None or not isinstance(currency, str):
        raise invalid("currency_not_supported", f"{currency!r} is not accepted")
    if type(amount) is not int or not rule.min_minor <= amount <= rule.max_minor or amount % rule.step_minor:
        raise invalid("amount", f"{amount!r} is not an amount that is accepted in {currency}")
    return amount, currency
