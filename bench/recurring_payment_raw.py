"""What Recurring Payment All has to do at the least: the same rows, by hand-written SQL on the bare driver.

The connection is as durable as the panel's own. Nothing is hashed, checked or journalled here.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import sqlalchemy as sa

from bench.measuring import Step, Steps

AT_ONCE = 5_000

_ROWS = """
    FROM domains d
    LEFT JOIN tld_prices p ON p.tld = d.tld AND p.currency = :currency AND p.kind = 'renewal'
    LEFT JOIN recurrences r ON r.domain_id = d.id AND r.current
    WHERE d.account_id = :account
"""
_APPLIES = """
    AND d.status IN ('active', 'suspended') AND p.minor IS NOT NULL
    AND NOT coalesce(r.state = 'on' AND r.card_id = :card AND r.contact_id = :contact
                     AND r.agreed_minor = p.minor AND r.agreed_currency = :currency, false)
"""
TOTALS = f"""
    SELECT d.status, p.minor IS NULL, r.state, d.bills_on > :card_ends, count(*), coalesce(sum(p.minor), 0)
    {_ROWS} GROUP BY 1, 2, 3, 4
"""
DIGEST = f"""
    SELECT d.id, coalesce(r.version, 0), d.expires_at, d.bills_on, p.minor {_ROWS} {_APPLIES} ORDER BY d.id
"""
PAGE = f"""
    SELECT d.id, d.name, d.expires_at, d.bills_on, p.minor, r.state, r.card_id, r.contact_id
    {_ROWS} ORDER BY d.name LIMIT 50 OFFSET :offset
"""
# Read before anything is written: a statement that reads the table it fills can get slower with every row.
AFFECTED = f"""
    CREATE TEMPORARY TABLE affected AS
    SELECT d.id, coalesce(r.version, 0) AS version, p.minor {_ROWS} {_APPLIES}
"""
RETIRE = "UPDATE recurrences SET current = false WHERE current AND domain_id IN (SELECT id FROM affected)"
_COLUMNS = """
    (domain_id, version, current, state, contact_id, card_id, consent_id, action_id, agreed_minor, agreed_currency,
     created_at)
"""
SWITCH_ON = f"""
    INSERT INTO recurrences {_COLUMNS}
    SELECT id, version + 1, true, 'on', :contact, :card, :consent, :action, minor, :currency, :now FROM affected
"""
TAKE_BACK = "UPDATE recurrences SET current = false WHERE current AND action_id = :undone"
RESTORE = f"""
    INSERT INTO recurrences {_COLUMNS}
    SELECT m.domain_id, m.version + 1, true, coalesce(b.state, 'off'), b.contact_id, b.card_id, b.consent_id, :action,
           b.agreed_minor, b.agreed_currency, :now
    FROM recurrences m
    LEFT JOIN recurrences b ON b.domain_id = m.domain_id AND b.version = m.version - 1
    WHERE m.action_id = :undone AND NOT m.current
"""
_CONSENT = """
    INSERT INTO consents (account_id, kind, on_behalf_of, wording_version, contact_id, card_id, acknowledged,
                          ceiling_percent, at)
    VALUES (:account, 'online', 'bench', '2026-11', :contact, :card, '[]', 20, :now) RETURNING id
"""
_ACTION = """
    INSERT INTO actions (account_id, kind, consent_id, request_key, plan_digest, domains_changed, at)
    VALUES (:account, :kind, :consent, :key, '', 0, :now) RETURNING id
"""


class Bare:
    """A driver's connection that takes :names on both databases and begins no transaction by itself."""

    def __init__(self, database_url: str):
        url = sa.make_url(database_url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.connection: Any
        if self.is_sqlite:
            self.connection = sqlite3.connect(url.database or "", isolation_level=None)
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "cache_size = -32000",
            ):
                self.connection.execute(f"PRAGMA {pragma}")
        else:
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self.connection = psycopg.connect(address, autocommit=True)

    def run(self, statement: str, values: dict[str, Any]) -> Any:
        if not self.is_sqlite:
            statement = re.sub(r":(\w+)", r"%(\1)s", statement.replace("%", "%%"))
        return self.connection.execute(statement, values)

    def written(self, value: Any) -> Any:
        """Days and moments as the panel writes them: on SQLite that is text, the moment in UTC without its zone."""
        if self.is_sqlite and isinstance(value, datetime):
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return value.isoformat() if self.is_sqlite and isinstance(value, date) else value

    def read_all(self, statement: str, values: dict[str, Any]) -> None:
        """Every row reaches Python and is let go again."""
        cursor = self.run(statement, values)
        while cursor.fetchmany(AT_ONCE):
            pass

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")


def in_raw_sql(database_url: str, given: dict[str, Any]) -> list[Step]:
    """`given` says account, contact, card, currency, card_ends, now and the middle row."""
    bare = Bare(database_url)
    values = {name: bare.written(value) for name, value in given.items()}
    steps = Steps()
    steps.time("Plan", lambda: _plan(bare, values))
    steps.time("First rows", lambda: bare.run(PAGE, values | {"offset": 0}).fetchall())
    steps.time("Rows in the middle", lambda: bare.run(PAGE, values | {"offset": values["middle"]}).fetchall())
    action = steps.time("Confirm", lambda: _confirm(bare, values, "first"))
    steps.time("Undo", lambda: _undo(bare, values, action))
    steps.time("Confirm again", lambda: _confirm(bare, values, "second"))
    bare.connection.close()
    return steps.steps


def _plan(bare: Bare, values: dict[str, Any]) -> None:
    bare.run(TOTALS, values).fetchall()
    bare.read_all(DIGEST, values)


def _confirm(bare: Bare, values: dict[str, Any], key: str) -> int:
    bare.begin()
    _plan(bare, values)
    consent = bare.run(_CONSENT, values).fetchone()[0]
    action = _action(bare, values | {"kind": "recurring_payment", "consent": consent, "key": key})
    bare.run(AFFECTED, values)
    bare.run(RETIRE, {})
    bare.run(SWITCH_ON, values | {"consent": consent, "action": action})
    bare.run("DROP TABLE affected", {})
    bare.connection.execute("COMMIT")
    return action


def _undo(bare: Bare, values: dict[str, Any], undone: int) -> None:
    bare.begin()
    action = _action(bare, values | {"kind": "undo", "consent": None, "key": "undo"})
    bare.run(TAKE_BACK, {"undone": undone})
    bare.run(RESTORE, values | {"undone": undone, "action": action})
    bare.connection.execute("COMMIT")


def _action(bare: Bare, values: dict[str, Any]) -> int:
    return int(bare.run(_ACTION, values).fetchone()[0])
