"""How a mail leaves: over SMTP, onto the console, or nowhere."""

from __future__ import annotations

import smtplib
import ssl
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol, TextIO

# For connecting and for each answer: a server that says nothing must not hold the outbox up for long.
TIMEOUT_SECONDS = 30
# Of a server's answer; it may be long, and it may be hostile.
REASON_LENGTH = 300


class Transport(Protocol):
    def send(self, message: EmailMessage) -> None:
        """Returns once the server has taken the mail; raises OSError (smtplib's errors are) when it has not."""


@dataclass(frozen=True)
class Failure:
    """Why a mail was not taken.

    `permanent`: trying again won't help. `everyone`: it has nothing to do with this mail, others will fail as well.
    """

    reason: str
    permanent: bool
    everyone: bool


def failure_of(error: OSError) -> Failure:
    """Reads an SMTP error. What isn't clearly permanent is temporary."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()))
        return Failure(_words(code, answer), permanent=_is_permanent(code), everyone=code == 421)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Our password is wrong, not the mail.
        return Failure(_words(error.smtp_code, error.smtp_error), permanent=False, everyone=True)
    if isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
        code = error.smtp_code
        return Failure(_words(code, error.smtp_error), permanent=_is_permanent(code), everyone=code == 421)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Failure(_words(None, str(error)), permanent=True, everyone=False)
    return Failure(_words(None, f"{type(error).__name__}: {error}"), permanent=False, everyone=True)


def _is_permanent(code: int) -> bool:
    # 530, 534, 535 and 538 ask for another log-in: ours to mend, so the mail waits.
    return 500 <= code < 600 and code not in {530, 534, 535, 538}


def _words(code: int | None, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (f"{code} {plain}" if code is not None else plain)[:REASON_LENGTH]


class SmtpTransport:
    """One kept connection to one server; not for several threads at once."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        user: str | None = None,
        password: str | None = None,
        starttls: bool = False,
        tls: bool = False,
        timeout: float = TIMEOUT_SECONDS,
    ):
        self.host = host
        self.port = port
        self._user = user
        self._password = password
        self._starttls = starttls
        self._tls = tls
        self._timeout = timeout
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        connection = self._alive() or self._connect()
        try:
            connection.send_message(message)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError):
            # The conversation itself is sound: smtplib has reset it.
            raise
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _alive(self) -> smtplib.SMTP | None:
        # Servers hang up after a while or after so many mails. Asked before a mail, that costs nothing; found out
        # in the middle of one, nobody knows whether it was taken.
        if self._connection is None:
            return None
        try:
            code, _answer = self._connection.noop()
        except OSError:
            code = 0
        if code == 250:
            return self._connection
        self.close()
        return None

    def _connect(self) -> smtplib.SMTP:
        if self._tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=self._timeout)
        try:
            if self._starttls:
                connection.starttls(context=ssl.create_default_context())
            if self._user is not None:
                connection.login(self._user, self._password or "")
        except OSError:
            connection.close()
            raise
        self._connection = connection
        return connection


class ConsoleTransport:
    """Prints each mail; for development."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream

    def send(self, message: EmailMessage) -> None:
        # Standard output belongs to what a command answers.
        stream = self._stream or sys.stderr
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        stream.write(
            f"To: {message['To']}\nSubject: {message['Subject']}\nMessage-ID: {message['Message-ID']}\n\n{text}\n"
        )
        stream.flush()


class NoTransport:
    """Takes every mail and keeps none; for demonstrations."""

    def send(self, message: EmailMessage) -> None:
        return None


def transport_for(
    kind: str,
    *,
    host: str = "",
    port: int = 0,
    user: str | None = None,
    password: str | None = None,
    starttls: bool = False,
    tls: bool = False,
) -> Transport:
    """The transport that the settings ask for: `kind` is smtp, console or none. ValueError for another."""
    if kind == "smtp":
        return SmtpTransport(host, port, user=user, password=password, starttls=starttls, tls=tls)
    if kind == "console":
        return ConsoleTransport()
    if kind == "none":
        return NoTransport()
    raise ValueError(f"mail can leave by smtp, console or none, not by {kind!r}")
