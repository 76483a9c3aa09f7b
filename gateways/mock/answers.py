"""Idempotency keys: one execution each, for as long as the processor's clock says that they are
remembered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from gateways.mock.books import ApiError, Books, Reply
from gateways.mock.clock import stamp

WINDOW: Final = timedelta(hours=24)


def answered_once(
    books: Books, key: str, path: str, body: dict[str, Any], effect: Callable[[], Reply]
) -> Reply:
    """Executes `effect` unless `key` was answered within the window: then repeats that answer.

    Refuses a key with other parameters, and one whose first request is still being worked on. A request
    that is refused before it has an effect (ApiError) leaves its key unused.
    """
    request_hash = hashlib.sha256(json.dumps([path, body], sort_keys=True).encode()).hexdigest()
    with books.database.writing():
        if key in books.in_flight:
            raise ApiError(409, "conflict", "key_in_use", "a request with this key is in progress")
        saved = _saved(books, key, request_hash)
        if saved is not None:
            return saved
        books.in_flight.add(key)
    try:
        books.pause()
        with books.database.writing():
            reply = effect()
            books.database.insert(
                "answers",
                key=key,
                request_hash=request_hash,
                http_status=reply[0],
                body=json.dumps(reply[1]),
                created=stamp(books.clock.now()),
            )
        return reply
    finally:
        books.in_flight.discard(key)


def _saved(books: Books, key: str, request_hash: str) -> Reply | None:
    row = books.database.row("SELECT * FROM answers WHERE key = ?", key)
    if row is None:
        return None
    if row["created"] < stamp(books.clock.now() - WINDOW):
        books.database.rows("DELETE FROM answers WHERE key = ?", key)
        return None
    if row["request_hash"] != request_hash:
        raise ApiError(400, "idempotency", "key_reused", "this key was used with other parameters")
    return row["http_status"], json.loads(row["body"])
