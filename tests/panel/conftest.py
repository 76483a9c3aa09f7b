"""A panel on a scratch database, and browsers that are logged in to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from panel import create_app
from panel.database import Database, db
from panel.records import User
from tests import cast

SECRET_KEY = "kP7rVt2mXq9wLz4nBc6sHd8fGj1yTu3e"


class Browser(FlaskClient):
    """A client that reads the token of the page it is on, as a browser's form would send it."""

    def token(self, page: str = "/login") -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)
        assert found, f"{page} has no form"
        return found[1]

    def send(self, url: str, data: dict | None = None, *, page: str | None = None, **kwargs):
        """POST with the token of `page` (by default the change-password page, which every log-in has)."""
        return self.post(url, data={"csrf_token": self.token(page or "/change"), **(data or {})}, **kwargs)


@pytest.fixture
def settings(tmp_path: Path) -> dict:
    """What create_app is given; a test may change it before it asks for `app`."""
    return {
        "TESTING": True,
        "SECRET_KEY": SECRET_KEY,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'panel.db'}",
        "MAIL_BACKEND": "locmem",
        "RATELIMIT_ENABLED": False,
        "PROPAGATE_EXCEPTIONS": False,
        # As cheap as the cast's own passwords, so that a log-in has nothing to renew.
        "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
            "argon2__time_cost": 1,
            "argon2__memory_cost": 8,
            "argon2__parallelism": 1,
        },
    }


@pytest.fixture(scope="session")
def set_up_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and a seller, made once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("database")
    app = create_app({"SECRET_KEY": SECRET_KEY, "DATA_DIR": str(folder)})
    with app.app_context():
        db.create_all()
        cast.make_seller(app.extensions["perennial"].database)
        db.engine.dispose()
    return folder / "perennial.db"


@pytest.fixture
def app(settings: dict, set_up_database: Path) -> Iterator[Flask]:
    shutil.copyfile(set_up_database, settings["DATABASE_URL"].removeprefix("sqlite:///"))
    app = create_app(settings)
    app.test_client_class = Browser
    with app.app_context():
        # No test here pulls the plug, and waiting for the disk would take most of the time.
        sa.event.listen(db.engine, "connect", _without_waiting)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _without_waiting(connection, _record) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def database(app: Flask) -> Database:
    return app.extensions["perennial"].database


@pytest.fixture
def anonymous(app: Flask) -> Browser:
    """Nobody is logged in."""
    return app.test_client()


@pytest.fixture
def log_in(app: Flask) -> Callable[[User], Browser]:
    """A browser in which this user has logged in, through the log-in page."""

    def logged_in(user: User, password: str = cast.PASSWORD) -> Browser:
        browser = app.test_client()
        answer = browser.post(
            "/login", data={"csrf_token": browser.token(), "email": user.email, "password": password}
        )
        assert answer.status_code == 302, answer.text
        return browser

    return logged_in
