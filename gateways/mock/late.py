"""Requests that were accepted, answered with an error, and take effect later: after a look-up has said no."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from gateways.mock.books import ApiError, Books
from gateways.mock.faults import Fault

Execute = Callable[[Books, str, str, dict[str, Any]], object]


def put_off(books: Books, path: str, key: str, body: dict[str, Any], watched: str, fault: Fault) -> None:
    """`watched` is what a look-up asks for: our reference, or the domain."""
    with books.database.writing():
        books.database.insert(
            "late", path=path, key=key, body=json.dumps(body), watched=watched, clock=fault.clock,
            after_s=fault.after_s,
        )  # fmt: skip


def looked_up(books: Books, watched: str) -> None:
    """A look-up was just told that there is nothing: from now on the time to the landing runs."""
    with books.database.writing():
        for row in books.database.rows("SELECT * FROM late WHERE watched = ? AND land_at IS NULL", watched):
            land_at = _now(books, row["clock"]) + row["after_s"]
            books.database.rows("UPDATE late SET land_at = ? WHERE id = ?", land_at, row["id"])


def land_due(books: Books, execute: Execute) -> None:
    """Executes what is due, with its own key: a key that was sent again meanwhile has been used up."""
    for row in _claimed(books):
        try:
            execute(books, row["path"], row["key"], json.loads(row["body"]))
        except ApiError:
            continue  # refused like any other request would be; there is nobody left to tell


def _claimed(books: Books) -> list[Any]:
    if books.database.row("SELECT 1 FROM late WHERE land_at IS NOT NULL LIMIT 1") is None:
        return []
    with books.database.writing():
        due = [
            row
            for row in books.database.rows("SELECT * FROM late WHERE land_at IS NOT NULL ORDER BY id")
            if row["land_at"] <= _now(books, row["clock"])
        ]
        for row in due:
            books.database.rows("DELETE FROM late WHERE id = ?", row["id"])
    return due


def _now(books: Books, clock: str) -> float:
    return time.time() if clock == "real" else books.clock.now().timestamp()
