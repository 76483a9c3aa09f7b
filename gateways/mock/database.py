"""The processor's two SQLite files: one connection each, one writer at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PROCESSOR_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request_hash TEXT NOT NULL, http_status INTEGER NOT NULL,
    body TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS late (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    watched TEXT NOT NULL, clock TEXT NOT NULL, after_s REAL NOT NULL, land_at REAL);
CREATE INDEX IF NOT EXISTS late_watched ON late (watched);
CREATE TABLE IF NOT EXISTS instruments (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, behaviour TEXT NOT NULL, brand TEXT, last4 TEXT,
    exp_month INTEGER, exp_year INTEGER, holder_name TEXT, fingerprint TEXT NOT NULL, status TEXT NOT NULL,
    created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS registrations (
    id TEXT PRIMARY KEY, reference TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
    customer TEXT NOT NULL, description TEXT NOT NULL, customer_name TEXT NOT NULL, return_url TEXT NOT NULL,
    status TEXT NOT NULL, message TEXT NOT NULL, challenged TEXT, instrument TEXT,
    created TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS movements (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL,
    charge TEXT, customer TEXT NOT NULL, instrument TEXT NOT NULL, fingerprint TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL,
    decline_code TEXT, network_code TEXT, advice TEXT, refunded INTEGER NOT NULL DEFAULT 0,
    disputed INTEGER NOT NULL DEFAULT 0, description TEXT NOT NULL, metadata TEXT NOT NULL,
    created TEXT NOT NULL, token TEXT, return_url TEXT);
CREATE INDEX IF NOT EXISTS movements_reference ON movements (reference);
CREATE INDEX IF NOT EXISTS movements_charge ON movements (charge);
CREATE UNIQUE INDEX IF NOT EXISTS movements_token ON movements (token) WHERE token IS NOT NULL;
"""

REGISTRY_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS domains (
    name TEXT PRIMARY KEY, expires_at TEXT, status TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS movements (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, key TEXT UNIQUE,
    domain TEXT NOT NULL, years INTEGER, believed_expiry TEXT, new_expiry TEXT, status TEXT NOT NULL,
    reason TEXT, created TEXT NOT NULL);
"""

Row = sqlite3.Row


class Database:
    """One connection under one lock: threads queue here, and a commit costs no fsync. WAL with NORMAL
    survives the death of the process, which is what tests inflict; it is not meant to survive the loss of
    power."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA busy_timeout=5000")
        self._connection.executescript(schema)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, exclusive from its first statement; nested use joins the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> Row | None:
        with self._lock:
            found: Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self.rows(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    def close(self) -> None:
        with self._lock:
            self._connection.close()
