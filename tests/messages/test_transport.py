"""SMTP against a server that really listens; the console; and how its errors are read."""

from __future__ import annotations

import io
import smtplib
import socket
import threading
from email.message import EmailMessage

import pytest

from panel.messages.transport import ConsoleTransport, NoTransport, SmtpTransport, failure_of, transport_for


def letter(text: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "billing@evergreen.example"
    message["To"] = "anne@client.example"
    message["Subject"] = "Hello"
    message["Message-ID"] = "<1@evergreen.example>"
    message.set_content(text)
    return message


def test_several_mails_go_over_one_connection(transport, sink):
    transport.send(letter())
    connection = transport._connection
    transport.send(letter())
    assert transport._connection is connection
    assert len(sink.taken) == 2


def test_a_connection_that_the_server_closed_is_opened_again_before_the_next_mail(transport, sink):
    transport.send(letter())
    transport._connection.sock.shutdown(socket.SHUT_RDWR)
    transport.send(letter())
    assert len(sink.taken) == 2


def test_a_refused_mail_leaves_the_connection_good_for_the_next(transport, sink):
    sink.answers["DATA"] = ["554 no"]
    with pytest.raises(smtplib.SMTPDataError) as error:
        transport.send(letter())
    assert failure_of(error.value).permanent
    transport.send(letter())
    assert len(sink.taken) == 1


def test_a_server_that_hangs_up_in_mid_mail_is_not_asked_again_by_itself():
    """Nobody knows whether it took the mail: trying again is for the outbox to decide."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 here\r\n")
                for line in lines:
                    asked.append(line)
                    if line.lower().startswith(b"data"):
                        break
                    connection.sendall(b"250 OK\r\n")

    threading.Thread(target=serve, daemon=True).start()
    transport = SmtpTransport("127.0.0.1", listener.getsockname()[1], timeout=2)
    with pytest.raises(smtplib.SMTPServerDisconnected) as error:
        transport.send(letter())
    listener.close()
    assert not failure_of(error.value).permanent
    assert sum(line.lower().startswith(b"data") for line in asked) == 1


def test_a_server_without_starttls_or_log_in_gets_no_mail_when_those_are_asked_for(smtp_port, sink):
    for changes in ({"starttls": True}, {"user": "anne", "password": "secret-word"}):
        with pytest.raises(smtplib.SMTPException) as error:
            SmtpTransport("127.0.0.1", smtp_port, **changes).send(letter())
        assert "secret-word" not in str(error.value)
    assert sink.taken == []


@pytest.mark.parametrize(
    ("error", "permanent", "everyone"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b.example": (550, b"no such user")}), True, False),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (451, b"later")}), False, False),
        (smtplib.SMTPRecipientsRefused({"a@b.example": (421, b"closing")}), False, True),
        (smtplib.SMTPSenderRefused(530, b"log in first", "x"), False, False),
        (smtplib.SMTPDataError(552, b"too big"), True, False),
        (smtplib.SMTPDataError(452, b"full"), False, False),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), False, True),
        (smtplib.SMTPServerDisconnected("gone"), False, True),
        (smtplib.SMTPConnectError(554, b"not you"), False, True),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), True, False),
        (ConnectionRefusedError("refused"), False, True),
        (TimeoutError("slow"), False, True),
    ],
)
def test_what_an_smtp_error_means(error, permanent, everyone):
    failure = failure_of(error)
    assert (failure.permanent, failure.everyone) == (permanent, everyone)
    assert failure.reason


def test_the_console_shows_the_words():
    stream = io.StringIO()
    ConsoleTransport(stream).send(letter("Your proforma"))
    assert "To: anne@client.example" in stream.getvalue()
    assert "Your proforma" in stream.getvalue()


def test_the_settings_choose_the_transport():
    assert isinstance(transport_for("none"), NoTransport)
    assert isinstance(transport_for("console"), ConsoleTransport)
    chosen = transport_for("smtp", host="mail.example", port=587, starttls=True)
    assert isinstance(chosen, SmtpTransport)
    assert (chosen.host, chosen.port) == ("mail.example", 587)
    with pytest.raises(ValueError, match="pigeon"):
        transport_for("pigeon")
