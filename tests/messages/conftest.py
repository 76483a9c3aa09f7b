"""A scratch database, and an SMTP server that really listens and keeps what it takes."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.fernet import Fernet, MultiFernet

from panel.database import Database, db, prepare_engine
from panel.messages.transport import SmtpTransport
from tests import cast


class Sink:
    """`taken` holds every mail that was accepted; `answers` are given, once each, instead of accepting."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answers: dict[str, list[str]] = {"RCPT": [], "DATA": []}

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list
    ) -> str:
        if self.answers["RCPT"]:
            return self.answers["RCPT"].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answers["DATA"]:
            return self.answers["DATA"].pop(0)
        self.taken.append(email.message_from_bytes(envelope.original_content, policy=email.policy.default))
        return "250 taken"

    @property
    def message_ids(self) -> list[str]:
        return [message["Message-ID"] for message in self.taken]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'panel.db'}")
    prepare_engine(engine, MultiFernet([Fernet(Fernet.generate_key())]))
    db.metadata.create_all(engine)
    database = Database(engine)
    cast.make_seller(database)
    yield database
    engine.dispose()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def smtp_port(sink: Sink) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    yield port
    controller.stop()


@pytest.fixture
def transport(smtp_port: int) -> Iterator[SmtpTransport]:
    transport = SmtpTransport("127.0.0.1", smtp_port, timeout=5)
    yield transport
    transport.close()
