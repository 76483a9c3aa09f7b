"""A form that this panel didn't make changes nothing here."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from panel.records import RoleName, User
from tests import cast


@pytest.fixture
def alice(database):
    return cast.make_user(database, RoleName.CLIENT, cast.make_account(database))


@pytest.fixture
def browser_of_alice(alice, log_in):
    return log_in(alice)


def language_of(database, user) -> str | None:
    with database.read() as session:
        return session.scalar(sa.select(User.locale).where(User.id == user.id))


def test_without_a_token(database, alice, browser_of_alice):
    answer = browser_of_alice.post("/language", data={"locale": "fr"})
    assert answer.status_code == 400
    assert "open too long" in answer.text
    assert language_of(database, alice) is None


def test_with_the_token_of_another_session(app, database, alice, browser_of_alice):
    token = app.test_client().token()
    assert browser_of_alice.post("/language", data={"csrf_token": token, "locale": "fr"}).status_code == 400
    assert language_of(database, alice) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_with_a_good_token_from_elsewhere(database, alice, browser_of_alice, headers):
    assert browser_of_alice.send("/language", {"locale": "fr"}, headers=headers).status_code == 403
    assert language_of(database, alice) is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}],
    ids=str,
)
def test_from_a_page_of_ours(database, alice, browser_of_alice, headers):
    assert browser_of_alice.send("/language", {"locale": "fr"}, headers=headers).status_code == 303
    assert language_of(database, alice) == "fr"


def test_htmx_sends_the_token_as_a_header(database, alice, browser_of_alice):
    token = browser_of_alice.token("/change")
    answer = browser_of_alice.post(
        "/language", data={"locale": "fr"}, headers={"X-CSRFToken": token, "HX-Request": "true"}
    )
    assert answer.status_code == 204
    assert language_of(database, alice) == "fr"


def test_a_cross_site_log_in_is_refused_too(app, alice):
    browser = app.test_client()
    answer = browser.post(
        "/login",
        data={"csrf_token": browser.token(), "email": alice.email, "password": cast.PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_following_a_link_from_elsewhere_is_fine(browser_of_alice):
    assert browser_of_alice.get("/change", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
