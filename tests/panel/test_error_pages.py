"""What a person sees when something can't be done: plain words, on a page or in the one that HTMX is on."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from gateways.money import Money
from panel.errors import Conflict, NotThere, Refused
from tests import cast


def raising(error: Exception):
    def view():
        raise error

    return view


@pytest.fixture
def failing_with(app, anonymous, monkeypatch):
    """Asks for a page whose view raises this."""

    def ask(error: Exception, **headers):
        monkeypatch.setitem(app.view_functions, "system.healthz", raising(error))
        return anonymous.get("/healthz", headers=headers)

    return ask


def test_a_locked_database_says_to_try_again(failing_with):
    answer = failing_with(
        OperationalError("UPDATE users", {}, sqlite3.OperationalError("database is locked"))
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Try again in a moment" in answer.text
    assert "UPDATE" not in answer.text


def test_what_is_not_there_is_404(failing_with):
    assert failing_with(NotThere()).status_code == 404


def test_a_refusal_that_no_view_catches_is_said_in_its_own_words(failing_with):
    answer = failing_with(Refused("At least %(least)s is needed.", least=Money(50, "EUR")))
    assert answer.status_code == 422
    assert "At least €0.50 is needed." in answer.text
    assert failing_with(Conflict("Somebody was faster.")).status_code == 409


def test_a_refusal_cannot_carry_markup(failing_with):
    answer = failing_with(Refused("%(name)s is taken.", name="<script>alert(1)</script>"))
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_htmx_gets_a_message_in_the_page_that_it_is_on(failing_with):
    answer = failing_with(NotThere(), **{"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer.headers["HX-Retarget"] == "#flashes"
    assert answer.headers["HX-Reswap"].startswith("innerHTML")
    assert "<html" not in answer.text
    assert 'role="alert"' in answer.text


def test_a_page_restored_from_history_comes_whole(anonymous):
    answer = anonymous.get("/no-page", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in answer.text


def test_too_large_a_request_is_said(anonymous):
    answer = anonymous.post("/login", data={"email": "x" * (2 * 1024 * 1024 + 1)})
    assert answer.status_code == 413
    assert "larger than the panel takes" in answer.text


def test_too_many_fields_are_refused(anonymous):
    fields = {f"field{number}": "x" for number in range(7_000)}
    answer = anonymous.post("/login", data=fields, content_type="multipart/form-data")
    assert answer.status_code == 413


def test_error_pages_need_no_database(app, anonymous):
    app.extensions["perennial"].database.engine.dispose()
    with app.app_context():
        from panel.database import db

        db.drop_all()
    assert anonymous.get("/no-such-page").status_code == 404
    assert anonymous.get("/healthz").status_code == 200, "a connection is all it asks for"


def test_errors_are_said_in_the_readers_language(anonymous):
    assert '<html lang="fr">' in anonymous.get("/no-page", headers={"Accept-Language": "fr"}).text


def test_a_404_says_nothing_about_who_asks(database, log_in):
    account = cast.make_account(database)
    from panel.records import RoleName

    pages = {
        log_in(cast.make_user(database, role, account if role is RoleName.CLIENT else None))
        .get("/no-page")
        .text
        for role in RoleName
    }
    assert len(pages) == 1
