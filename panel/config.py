"""Configuration by environment: every setting is PERENNIAL_ and its name, read and checked once, at start.

A value that can't be used raises ConfigurationError, whose one line names the variable and the remedy.
"""

from __future__ import annotations

import base64
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask.cli import NoAppException

from gateways.mock import DEMO_API_KEY
from panel import data_dir as kept

PREFIX = "PERENNIAL_"
SETTINGS = (
    "DATA_DIR",
    "DATABASE_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "QUEUE_URL",
    "MOCK_URL",
    "MOCK_KEY",
    "MAIL_URL",
    "MAIL_FROM",
    "BASE_URL",
    "PLUGINS_DIR",
    "LIMITS_URL",
    "PROXIES",
)
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 10
_KNOWN_WEAK = re.compile(
    r"change.?me|change.?this|secret.?key|supersecret|insecure|password|example|placeholder"
    r"|0123456789|1234567890|abcdefghij|qwertyuiop|deadbeef",
    re.IGNORECASE,
)
MAKE_A_KEY = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class ConfigurationError(NoAppException):
    """A setting is missing or wrong. Flask's command line shows it as one line and ends with exit code 2."""

    def show(self, file: IO[Any] | None = None) -> None:
        # Without the usage of a command: the command is not what was wrong.
        self.ctx = None
        super().show(file)


@dataclass(frozen=True)
class Mail:
    """How mail leaves: over SMTP, onto the console (to look at it while developing), or not at all."""

    kind: str
    host: str = ""
    port: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    starttls: bool = False
    tls: bool = False


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Paths are absolute, addresses have no slash at the end."""

    data_dir: Path
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    queue_url: str = field(repr=False)
    mock_url: str | None
    mock_key: str = field(repr=False)
    mail: Mail
    mail_from: str
    base_url: str
    base_url_is_set: bool
    plugins_dir: Path
    limits_url: str = field(repr=False)
    proxies: int

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https:")

    @property
    def host(self) -> str:
        """The name that the panel is known by, without a port."""
        return _bracketed(urlsplit(self.base_url).hostname or "")

    @property
    def trusted_hosts(self) -> list[str]:
        """Loopback names are for health checks on the machine itself; the policy keeps other pages off them."""
        return [*dict.fromkeys((self.host, *LOOPBACK))]

    @property
    def hosted_pages(self) -> list[str]:
        """Origins that a form of ours may lead to: the processors' own pages."""
        return [origin_of(self.mock_url)] if self.mock_url else []

    @property
    def cipher(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self.encryption_keys])

    @property
    def registrar_settings(self) -> dict[str, dict[str, str]]:
        """The mock registry answers where the mock processor does."""
        return {"mock": {"base_url": self.mock_url, "api_key": self.mock_key}} if self.mock_url else {}

    def derived(self, purpose: str) -> str:
        """A secret for one purpose, made of the first encryption key."""
        return derive(self.encryption_keys[0], purpose)


def read_settings(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """`overrides` carry names without the prefix and win over the environment."""
    _refuse_misspelt(environ)
    given = {
        name: environ[PREFIX + name].strip() for name in SETTINGS if environ.get(PREFIX + name, "").strip()
    }
    given |= {name: str(value) for name, value in (overrides or {}).items() if name in SETTINGS}
    data_dir = Path(given.get("DATA_DIR", "instance")).absolute()
    # What `perennial serve` keeps beside the data holds for every other command on the same data too.
    secret_key = _secret_key(given.get("SECRET_KEY") or _kept(data_dir / kept.SECRET_KEY))
    base_url = _base_url(given.get("BASE_URL", "http://127.0.0.1:8000"))
    return Settings(
        data_dir=data_dir,
        database_url=_database_url(given.get("DATABASE_URL"), data_dir),
        secret_key=secret_key,
        encryption_keys=_encryption_keys(given.get("ENCRYPTION_KEYS"), secret_key),
        queue_url=_queue_url(given.get("QUEUE_URL"), data_dir),
        mock_url=_mock_url(given.get("MOCK_URL") or _kept(data_dir / kept.MOCK_URL)),
        mock_key=given.get("MOCK_KEY", DEMO_API_KEY),
        mail=_mail(given.get("MAIL_URL", "none")),
        mail_from=_mail_from(given.get("MAIL_FROM"), base_url),
        base_url=base_url,
        base_url_is_set="BASE_URL" in given,
        plugins_dir=Path(given.get("PLUGINS_DIR", "plugins")).absolute(),
        limits_url=given.get("LIMITS_URL", "memory://"),
        proxies=_proxies(given.get("PROXIES", "0")),
    )


def derive(secret: str, purpose: str) -> str:
    """32 bytes in URL-safe base64: a Fernet key, or a secret of another kind."""
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"perennial {purpose}".encode())
    return base64.urlsafe_b64encode(made.derive(secret.encode())).decode()


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def wrong(name: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{PREFIX}{name} {remedy}")


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    known = [PREFIX + name for name in SETTINGS]
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            meant = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if meant:
                raise ConfigurationError(f"{name} is not a setting; {meant[0]} is.")


def _kept(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _secret_key(given: str | None) -> str:
    if not given:
        raise wrong("SECRET_KEY", f"is missing; {MAKE_A_KEY}")
    if len(given) < SHORTEST_SECRET:
        raise wrong("SECRET_KEY", f"is shorter than {SHORTEST_SECRET} characters; {MAKE_A_KEY}")
    if len(set(given)) < FEWEST_CHARACTERS or _KNOWN_WEAK.search(given):
        raise wrong("SECRET_KEY", f"can be guessed; {MAKE_A_KEY}")
    return given


def _encryption_keys(given: str | None, secret_key: str) -> tuple[str, ...]:
    if not given:
        return (derive(secret_key, "encryption"),)
    keys = tuple(key.strip() for key in given.split(",") if key.strip())
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            # The key itself is never shown.
            raise wrong(
                "ENCRYPTION_KEYS", "must be Fernet keys with commas between them, the newest first."
            ) from None
    return keys


def _database_url(given: str | None, data_dir: Path) -> str:
    if not given:
        _make_folder(data_dir)
        return f"sqlite:///{data_dir / 'perennial.db'}"
    if given.startswith("postgres://"):
        given = "postgresql" + given.removeprefix("postgres")
    try:
        url = sa.engine.make_url(given)
    except sa.exc.ArgumentError:
        raise wrong(
            "DATABASE_URL", "is not a database address such as sqlite:////path or postgresql://…"
        ) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise wrong("DATABASE_URL", "must name a file: sqlite:////path/to/perennial.db")
        path = Path(url.database).absolute()
        if not path.parent.is_dir():
            raise wrong("DATABASE_URL", f"names a file in {path.parent}, which is not a folder.")
        return url.set(drivername="sqlite", database=str(path)).render_as_string(hide_password=False)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise wrong("DATABASE_URL", "must begin with sqlite:/// or postgresql://")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        raise wrong("DATA_DIR", f"{folder} can't be used: {problem.strerror}.") from problem
    if not os.access(folder, os.W_OK):
        raise wrong("DATA_DIR", f"{folder} can't be written to.")


def _queue_url(given: str | None, data_dir: Path) -> str:
    if not given:
        return f"sqlite:///{data_dir / 'queue.db'}"
    scheme = urlsplit(given).scheme
    if scheme not in ("sqlite", "postgresql", "redis", "rediss"):
        raise wrong("QUEUE_URL", "must begin with sqlite:///, postgresql:// or redis://")
    return given


def _mock_url(given: str | None) -> str | None:
    return None if not given else _address("MOCK_URL", given).geturl().rstrip("/")


def _base_url(given: str) -> str:
    parts = _address("BASE_URL", given)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong(
            "BASE_URL", "must be the address of the panel's front page alone: https://panel.example.com"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _address(name: str, given: str) -> SplitResult:
    remedy = "must be an address such as https://panel.example.com"
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        raise wrong(name, remedy) from None
    # What stands here ends up in a response header: nothing but an origin's own characters.
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9.\-:\[\]]+", parts.netloc):
        raise wrong(name, remedy)
    return parts


def _mail(given: str) -> Mail:
    if given in ("none", "console"):
        return Mail(given)
    remedy = "must be smtp://user:password@host:port, smtps://…, console or none"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise wrong("MAIL_URL", remedy) from None
    starttls = parse_qs(parts.query).get("starttls", ["yes"])[-1]
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or starttls not in ("yes", "no"):
        raise wrong("MAIL_URL", remedy)
    tls = parts.scheme == "smtps"
    on_this_machine = _bracketed(parts.hostname) in LOOPBACK
    return Mail(
        "smtp",
        host=parts.hostname,
        port=port or (465 if tls else 25 if on_this_machine else 587),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        # A password must not travel in the clear by default.
        starttls=not tls and not on_this_machine and starttls == "yes",
    )


def _mail_from(given: str | None, base_url: str) -> str:
    if given is None:
        return f"no-reply@{urlsplit(base_url).hostname}"
    if "@" not in given or _has_control_characters(given):
        raise wrong("MAIL_FROM", "must be an e-mail address: billing@example.com")
    return given


def _proxies(given: str) -> int:
    if not given.isdecimal() or int(given) > 10:
        raise wrong("PROXIES", "must be the number of reverse proxies in front of the panel: 0, 1, 2 …")
    return int(given)


def _has_control_characters(text: Iterable[str]) -> bool:
    return any(ord(character) < 32 for character in text)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
