"""Registrations: the customer types a card on the hosted page, perhaps meets a challenge, and goes back."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateways.mock.books import Books, Reply, invalid, not_found, text_in
from gateways.mock.cards import SampleCard, card_with
from gateways.mock.clock import stamp
from gateways.mock.database import Row
from gateways.mock.instruments import shown as shown_instrument

_OPEN_FOR: Final = timedelta(hours=1)
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s]+")
_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2]) ?/ ?([0-9]{2})")


class CardRefused(Exception):
    """What was typed cannot be accepted; the text is for the customer."""


@dataclass(frozen=True)
class TypedCard:
    card: SampleCard
    exp_month: int
    exp_year: int
    holder_name: str


def create_registration(books: Books, body: dict[str, Any], host_url: str) -> Reply:
    """The effect alone: the caller holds the transaction and the key."""
    return_url = text_in(body, "return_url")
    if not _WEB_ADDRESS.fullmatch(return_url):
        raise invalid("return_url", "return_url is not a web address")
    now = books.clock.now()
    id, token = f"reg_{secrets.token_hex(12)}", secrets.token_urlsafe(24)
    books.database.insert(
        "registrations",
        id=id,
        reference=text_in(body, "reference"),
        token=token,
        customer=text_in(body, "customer", required=False) or f"cus_{secrets.token_hex(8)}",
        description=text_in(body, "description", required=False),
        customer_name=text_in(body, "customer_name", required=False),
        return_url=return_url,
        status="pending",
        message="",
        created=stamp(now),
        expires=stamp(now + _OPEN_FOR),
    )
    return 200, {**_shown(books, _row(books, "id", id)), "url": f"{host_url}hosted/registrations/{token}"}


def get_registration(books: Books, id: str) -> Reply:
    return 200, _shown(books, _row(books, "id", id))


def registration_with(books: Books, token: str) -> Row:
    return _row(books, "token", token)


def read_card(books: Books, number: str, expiry: str, holder_name: str) -> TypedCard:
    """Raises CardRefused. Only test numbers are taken: a real card typed here by mistake goes no further."""
    card = card_with(re.sub(r"[\s-]", "", number))
    if card is None:
        raise CardRefused("This is not one of the test numbers below.")
    written = _EXPIRY.fullmatch(expiry.strip())
    if written is None:
        raise CardRefused("Write the expiry date as MM/YY.")
    month, year = int(written[1]), 2000 + int(written[2])
    now = books.clock.now()
    if (year, month) < (now.year, now.month):
        raise CardRefused("This card has expired.")
    name = " ".join(holder_name.split())
    if not name or len(name) > 120:
        raise CardRefused("Write the name as it is on the card.")
    return TypedCard(card, month, year, name)


def submit_card(books: Books, token: str, typed: TypedCard) -> Row:
    """Refuses, asks for a challenge (`challenged` is set), or validates; answers with what it has become."""
    with books.database.writing():
        row = _row(books, "token", token)
        if _status(books, row) == "pending":
            if typed.card.refused:
                _finish(books, row, "failed", "The bank refused the card.")
            else:
                instrument = _stored(books, row, typed)
                sql = "UPDATE registrations SET challenged = ? WHERE id = ?"
                books.database.rows(sql, instrument, row["id"])
                if not typed.card.challenge:
                    _validate(books, row, instrument)
    return _row(books, "token", token)


def finish_challenge(books: Books, token: str, confirmed: bool) -> Row:
    with books.database.writing():
        row = _row(books, "token", token)
        if _status(books, row) == "pending" and row["challenged"] is not None:
            if confirmed:
                _validate(books, row, row["challenged"])
            else:
                _finish(books, row, "failed", "The cardholder was not authenticated.")
    return _row(books, "token", token)


def cancel_registration(books: Books, token: str) -> Row:
    with books.database.writing():
        row = _row(books, "token", token)
        if _status(books, row) == "pending":
            _finish(books, row, "cancelled", "")
    return _row(books, "token", token)


def _row(books: Books, column: str, value: str) -> Row:
    row = books.database.row(f"SELECT * FROM registrations WHERE {column} = ?", value)
    if row is None:
        raise not_found("registration")
    return row


def _status(books: Books, row: Row) -> str:
    expires = datetime.fromisoformat(row["expires"])
    return "expired" if row["status"] == "pending" and expires < books.clock.now() else str(row["status"])


def _shown(books: Books, row: Row) -> dict[str, Any]:
    instrument = None
    if row["instrument"] is not None:
        stored = books.database.row("SELECT * FROM instruments WHERE id = ?", row["instrument"])
        assert stored is not None
        instrument = shown_instrument(books, stored)
    return {
        "object": "registration",
        "id": row["id"],
        "reference": row["reference"],
        "customer": row["customer"],
        "status": _status(books, row),
        "message": row["message"],
        "instrument": instrument,
        "expires": row["expires"],
    }


def _stored(books: Books, row: Row, typed: TypedCard) -> str:
    """No number is kept: four digits, and a hash that tells equal cards within this ledger."""
    id = f"pm_{secrets.token_hex(12)}"
    books.database.insert(
        "instruments",
        id=id,
        customer=row["customer"],
        behaviour=typed.card.behaviour,
        brand=typed.card.brand,
        last4=typed.card.number[-4:],
        exp_month=typed.exp_month,
        exp_year=typed.exp_year,
        holder_name=typed.holder_name if typed.card.tells_holder else None,
        fingerprint="fp_" + hashlib.sha256((_salt(books) + typed.card.number).encode()).hexdigest()[:24],
        status="pending",
        created=stamp(books.clock.now()),
    )
    return id


def _salt(books: Books) -> str:
    saved = books.database.row("SELECT value FROM state WHERE name = 'salt'")
    if saved is not None:
        return str(saved["value"])
    salt = secrets.token_hex(16)
    books.database.insert("state", name="salt", value=salt)
    return salt


def _validate(books: Books, row: Row, instrument: str) -> None:
    books.database.rows("UPDATE instruments SET status = 'active' WHERE id = ?", instrument)
    books.database.rows("UPDATE registrations SET instrument = ? WHERE id = ?", instrument, row["id"])
    _finish(books, row, "validated", "")


def _finish(books: Books, row: Row, status: str, message: str) -> None:
    sql = "UPDATE registrations SET status = ?, message = ? WHERE id = ?"
    books.database.rows(sql, status, message, row["id"])
    books.webhooks.announce(f"registration.{status}", row["id"])
