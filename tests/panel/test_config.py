"""What the environment may say, and the one line that comes back when it says something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from panel.config import ConfigurationError, read_settings

GOOD_KEY = "kP7rVt2mXq9wLz4nBc6sHd8fGj1yTu3e"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PERENNIAL_SECRET_KEY": GOOD_KEY, "PERENNIAL_DATA_DIR": str(tmp_path / "data")}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "x" * 31,
        "a" * 64,
        "abababababababababababababababababababab",
        "0123456789abcdef0123456789abcdef",
        "change-me-change-me-change-me-change-me",
        "please-change-this-to-something-long-enough",
        "my-secret-key-is-long-but-known-to-everybody",
        "correct-horse-password-correct-horse-password",
    ],
)
def test_a_secret_key_that_can_be_guessed_stops_the_start(environment, key):
    with pytest.raises(ConfigurationError) as refused:
        read_settings(environment | {"PERENNIAL_SECRET_KEY": key})
    assert refused.value.message.startswith("PERENNIAL_SECRET_KEY ")
    assert "\n" not in refused.value.message
    assert len(key) < 32 or key not in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:////no/such/folder/perennial.db"),
        ("ENCRYPTION_KEYS", "abc"),
        ("QUEUE_URL", "amqp://host"),
        ("MOCK_URL", "127.0.0.1:8001"),
        ("MOCK_URL", "javascript:alert(1)"),
        ("MOCK_URL", "http://pay.example; script-src *"),
        ("MAIL_URL", "sendmail"),
        ("MAIL_URL", "smtp://"),
        ("MAIL_URL", "smtp://host:port"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("BASE_URL", "panel.example.com"),
        ("BASE_URL", "https://panel.example.com/path"),
        ("BASE_URL", "ftp://panel.example.com"),
        ("PROXIES", "many"),
        ("PROXIES", "-1"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(environment, name, value):
    with pytest.raises(ConfigurationError) as refused:
        read_settings(environment | {f"PERENNIAL_{name}": value})
    assert refused.value.message.startswith(f"PERENNIAL_{name} ")
    assert "\n" not in refused.value.message


def test_a_misspelt_setting_is_not_passed_over(environment):
    with pytest.raises(ConfigurationError, match="PERENNIAL_DATABASE_URL"):
        read_settings(environment | {"PERENNIAL_DATABSE_URL": "postgresql://db/panel"})


def test_sqlite_in_the_data_folder_is_the_default(environment, tmp_path):
    settings = read_settings(environment)
    assert settings.database_url == f"sqlite:///{tmp_path / 'data' / 'perennial.db'}"
    assert settings.queue_url == f"sqlite:///{tmp_path / 'data' / 'queue.db'}"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", ["postgres://u:p@db/panel", "postgresql://u:p@db/panel"])
def test_postgresql_is_spoken_to_by_psycopg(environment, given):
    settings = read_settings(environment | {"PERENNIAL_DATABASE_URL": given})
    assert settings.database_url == "postgresql+psycopg://u:p@db/panel"


def test_no_secret_is_in_what_settings_look_like(environment):
    settings = read_settings(
        environment
        | {
            "PERENNIAL_DATABASE_URL": "postgresql://u:db-pass@db/panel",
            "PERENNIAL_MAIL_URL": "smtp://u:mail-pass@mail.example",
            "PERENNIAL_QUEUE_URL": "redis://:queue-pass@queue/0",
        }
    )
    looks = repr(settings)
    for secret in (GOOD_KEY, "db-pass", "mail-pass", "queue-pass", *settings.encryption_keys):
        assert secret not in looks


def test_encryption_keys_come_from_the_secret_key_or_are_given(environment):
    assert read_settings(environment).encryption_keys == read_settings(environment).encryption_keys
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings = read_settings(environment | {"PERENNIAL_ENCRYPTION_KEYS": f"{new}, {old}"})
    assert settings.encryption_keys == (new, old)
    assert settings.cipher.decrypt(Fernet(old).encrypt(b"kept")) == b"kept"


def test_mail_settings_are_read_from_one_address(environment):
    mail = read_settings(environment | {"PERENNIAL_MAIL_URL": "smtp://u%40x:p%3Aw@mail.example"}).mail
    assert (mail.host, mail.port, mail.user, mail.password) == ("mail.example", 587, "u@x", "p:w")
    assert mail.starttls
    assert not mail.tls
    assert not read_settings(environment | {"PERENNIAL_MAIL_URL": "smtp://127.0.0.1:2525"}).mail.starttls
    assert read_settings(environment | {"PERENNIAL_MAIL_URL": "smtps://mail.example"}).mail.port == 465


def perennial(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    return subprocess.run(
        [sys.executable, "-m", "panel", *arguments],
        env=plain | variables,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_line_says_it_in_one_line_and_ends_with_2(tmp_path):
    answer = perennial("audit", PERENNIAL_SECRET_KEY="weak", PERENNIAL_DATA_DIR=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith(
        "Error: PERENNIAL_SECRET_KEY is shorter than 32 characters; make one with: "
    )


def test_a_limits_store_that_is_not_installed_is_named(tmp_path):
    answer = perennial(
        "audit",
        PERENNIAL_SECRET_KEY=GOOD_KEY,
        PERENNIAL_DATA_DIR=str(tmp_path),
        PERENNIAL_LIMITS_URL="nosuch://host",
    )
    assert answer.returncode == 2
    assert "PERENNIAL_LIMITS_URL" in answer.stderr
    assert answer.stderr.count("\n") == 1
