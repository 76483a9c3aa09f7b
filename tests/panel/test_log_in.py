"""Logging in and out: nothing is given away, nothing is replayed, guessing gets slow."""

from __future__ import annotations

import re
import time
from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa
from passlib.totp import TOTP

from panel.records import RoleName, User
from tests import cast


@pytest.fixture
def alice(database):
    account = cast.make_account(database, "Amber Studio")
    return cast.make_user(database, RoleName.CLIENT, account, email="alice@amber.example")


def try_to_log_in(browser, email, password, **kwargs):
    return browser.post(
        "/login", data={"csrf_token": browser.token(), "email": email, "password": password}, **kwargs
    )


def test_a_client_lands_on_its_own_domains(alice, log_in):
    answer = log_in(alice).get("/")
    assert answer.headers["Location"] == f"/accounts/{alice.account_id}/domains"


def test_staff_land_on_all_domains(database, log_in):
    answer = log_in(cast.make_user(database, RoleName.READ_ONLY)).get("/")
    assert answer.headers["Location"] == "/domains"


def test_a_wrong_name_a_wrong_password_and_a_disabled_user_read_the_same(app, database, alice):
    cast.make_user(database, email="left@people.example", active=False)
    cases = {
        "unknown": ("nobody@amber.example", cast.PASSWORD),
        "wrong": (alice.email, "not the password at all"),
        "disabled": ("left@people.example", cast.PASSWORD),
    }
    pages = set()
    for email, password in cases.values():
        answer = try_to_log_in(app.test_client(), email, password)
        assert answer.status_code == 200
        page = re.sub(r'value="[^"]*"', "", answer.text)
        assert "don&#39;t match" in page
        pages.add(page)
    assert len(pages) == 1


def test_asking_for_a_new_password_reads_the_same_for_everybody(app, alice):
    pages = set()
    for email in (alice.email, "nobody@amber.example"):
        browser = app.test_client()
        answer = browser.post(
            "/reset", data={"csrf_token": browser.token("/reset"), "email": email}, follow_redirects=True
        )
        assert "may log in here" in answer.text
        pages.add((answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)))
    assert len(pages) == 1


def mails(app) -> list:
    """Mail is sent after the answer, so a test waits for it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if outbox := getattr(app.extensions["mailman"], "outbox", None):
            return outbox
        time.sleep(0.02)
    return []


def test_a_mailed_link_sets_a_new_password_once(app, alice):
    browser = app.test_client()
    browser.post("/reset", data={"csrf_token": browser.token("/reset"), "email": alice.email})
    [mail] = mails(app)
    link = re.search(r"http://localhost(/reset/\S+)", mail.body)[1]
    new = "a brand new sentence"
    form = {"csrf_token": browser.token(link), "password": new, "password_confirm": new}
    assert browser.post(link, data=form).status_code == 302
    assert try_to_log_in(app.test_client(), alice.email, cast.PASSWORD).status_code == 200
    assert try_to_log_in(app.test_client(), alice.email, new).status_code == 302
    assert app.test_client().get(link).status_code == 302, "the link is used up"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "///evil.example",
        "http:evil.example",
    ],
)
def test_nobody_is_sent_elsewhere_after_the_log_in(app, alice, target):
    for place in ("query", "form"):
        browser = app.test_client()
        data = {"csrf_token": browser.token(), "email": alice.email, "password": cast.PASSWORD}
        query = {"next": target} if place == "query" else {}
        form = {"next": target} if place == "form" else {}
        answer = browser.post("/login", data=data | form, query_string=query)
        location = answer.headers.get("Location", "/")
        assert urlsplit(urljoin("http://localhost/login", location)).netloc == "localhost"
        assert not re.search(r"[\\\s]", location), "browsers read a backslash as a slash"


def test_one_comes_back_to_the_page_one_wanted(app, alice):
    browser = app.test_client()
    wanted = f"/accounts/{alice.account_id}/contacts"
    answer = browser.get(wanted)
    assert answer.headers["Location"] == f"/login?next={wanted}"
    data = {
        "csrf_token": browser.token(answer.headers["Location"]),
        "email": alice.email,
        "password": cast.PASSWORD,
    }
    assert browser.post(answer.headers["Location"], data=data).headers["Location"] == wanted


def test_an_htmx_request_after_the_session_has_ended_goes_to_the_log_in_page(app, alice):
    page = f"http://localhost/accounts/{alice.account_id}/domains?search=a"
    answer = app.test_client().get(
        f"/accounts/{alice.account_id}/domains", headers={"HX-Request": "true", "HX-Current-URL": page}
    )
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == f"/login?next=/accounts/{alice.account_id}/domains?search%3Da"
    browser = app.test_client()
    browser.get("/domains", headers={"HX-Request": "true"})
    assert "Your session has ended" in browser.get("/login").text


def test_a_copied_cookie_is_worth_nothing_after_the_log_out(app, alice, log_in):
    browser = log_in(alice)
    stolen = browser.get_cookie("perennial").value
    browser.send("/logout")
    thief = app.test_client()
    thief.set_cookie("perennial", stolen)
    assert thief.get("/").headers["Location"].startswith("/login")


def test_a_token_planted_before_the_log_in_is_worth_nothing_after_it(app, alice):
    browser = app.test_client()
    planted = browser.token()
    browser.post("/login", data={"csrf_token": planted, "email": alice.email, "password": cast.PASSWORD})
    answer = browser.post("/language", data={"csrf_token": planted, "locale": "fr"})
    assert answer.status_code == 400


def test_a_forged_cookie_is_nobody(app, alice, log_in):
    cookie = log_in(alice).get_cookie("perennial").value
    forger = app.test_client()
    forger.set_cookie("perennial", cookie[:-4] + "AAAA")
    assert forger.get("/").headers["Location"].startswith("/login")


def test_nobody_is_remembered_beyond_the_session(app, alice):
    browser = app.test_client()
    data = {"csrf_token": browser.token(), "email": alice.email, "password": cast.PASSWORD, "remember": "y"}
    answer = browser.post("/login", data=data)
    assert not [cookie for cookie in answer.headers.getlist("Set-Cookie") if "remember" in cookie]


def test_there_is_no_open_registration(anonymous):
    assert anonymous.get("/register").status_code == 404


def test_changing_the_password_ends_the_other_sessions(app, alice, log_in):
    here, there = log_in(alice), log_in(alice)
    new = "a brand new sentence"
    form = {"password": cast.PASSWORD, "new_password": new, "new_password_confirm": new}
    assert here.send("/change", form).status_code == 302
    assert here.get("/").headers["Location"].startswith("/accounts/")
    assert there.get("/").headers["Location"].startswith("/login")


def test_passwords_are_kept_as_argon2(app, database, alice, log_in):
    log_in(alice)
    with database.read() as session:
        assert session.get_one(User, alice.id).password.startswith("$argon2id$")


class TestGuessing:
    @pytest.fixture
    def settings(self, settings):
        return settings | {"RATELIMIT_ENABLED": True}

    def test_gets_slow_for_one_name_and_not_for_another(self, app, database, alice):
        bob = cast.make_user(database, email="bob@birch.example")
        answers = [
            try_to_log_in(app.test_client(), alice.email, f"guess number {n}").status_code for n in range(12)
        ]
        assert answers[:10] == [200] * 10
        assert answers[10:] == [429] * 2
        refused = try_to_log_in(app.test_client(), alice.email.upper(), cast.PASSWORD)
        assert refused.status_code == 429, "another spelling is the same name"
        assert "Too many tries" in refused.text
        assert refused.headers["Retry-After"]
        assert try_to_log_in(app.test_client(), bob.email, cast.PASSWORD).status_code == 302

    def test_a_forwarded_address_of_ones_own_making_does_not_help(self, app, alice):
        for n in range(11):
            answer = try_to_log_in(
                app.test_client(), alice.email, "guess", headers={"X-Forwarded-For": f"192.0.2.{n}"}
            )
        assert answer.status_code == 429

    def test_looking_at_the_page_is_not_a_try(self, anonymous):
        assert {anonymous.get("/login").status_code for _ in range(70)} == {200}


def code_of(secret: str) -> str:
    return TOTP(key=secret, format="base32").generate().token


def switch_on_two_steps(browser) -> str:
    """Returns the secret that the authenticator app would keep."""
    page = browser.send("/tf-setup", {"setup": "authenticator"}, page="/tf-setup").text
    secret = re.search(r"<code>([A-Z2-7 -]+)</code>", page)[1].replace("-", "").replace(" ", "")
    action = re.search(r'action="(/tf-setup/[^"]+)"', page)[1]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = browser.post(action, data={"csrf_token": token, "code": code_of(secret)})
    assert answer.status_code == 302, answer.text
    return secret


def test_with_two_steps_the_password_alone_is_not_enough(app, database, alice, log_in):
    secret = switch_on_two_steps(log_in(alice))
    with database.read() as session:
        assert secret not in (session.get_one(User, alice.id).tf_totp_secret or ""), "kept encrypted"
    browser = app.test_client()
    answer = try_to_log_in(browser, alice.email, cast.PASSWORD)
    page = browser.get(answer.headers["Location"]).text if answer.status_code == 302 else answer.text
    assert "Code of six digits" in page
    assert browser.get("/").headers["Location"].startswith("/login"), "not in yet"
    wrong = browser.post("/tf-validate", data={"csrf_token": browser.token("/tf-validate"), "code": "000000"})
    assert "This code isn&#39;t right" in wrong.text
    right = browser.post(
        "/tf-validate", data={"csrf_token": browser.token("/tf-validate"), "code": code_of(secret)}
    )
    assert right.status_code == 302
    assert browser.get("/").headers["Location"].startswith("/accounts/")


def test_a_recovery_code_works_once(app, alice, log_in):
    owner = log_in(alice)
    switch_on_two_steps(owner)
    page = owner.send("/mf-recovery-codes", {"generate_new_codes": "true"}, page="/mf-recovery-codes").text
    code = re.search(r"<li>([^<]+)</li>", page.partition('class="codes"')[2])[1]
    for expected in (True, False):
        browser = app.test_client()
        try_to_log_in(browser, alice.email, cast.PASSWORD)
        browser.post("/mf-recovery", data={"csrf_token": browser.token("/mf-recovery"), "code": code})
        assert browser.get("/").headers["Location"].startswith("/accounts/") is expected


def test_the_language_is_kept_with_the_user(database, alice, log_in):
    browser = log_in(alice)
    answer = browser.send("/language", {"locale": "fr", "next": f"/accounts/{alice.account_id}/domains"})
    assert answer.headers["Location"] == f"/accounts/{alice.account_id}/domains"
    with database.read() as session:
        assert session.scalar(sa.select(User.locale).where(User.id == alice.id)) == "fr"
    assert '<html lang="fr">' in browser.get("/change").text


def test_a_language_that_there_is_not_is_refused(alice, log_in):
    assert log_in(alice).send("/language", {"locale": "xx"}).status_code == 400


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_changing_the_language_leads_nowhere_else(alice, log_in, target):
    assert log_in(alice).send("/language", {"locale": "fr", "next": target}).headers["Location"] == "/"


def test_the_browser_is_spoken_to_in_its_language(anonymous):
    assert '<html lang="fr">' in anonymous.get("/login", headers={"Accept-Language": "fr-CH, de;q=0.5"}).text


def test_the_log_in_hands_out_no_token(app, alice):
    browser = app.test_client()
    answer = browser.post(
        "/login?include_auth_token=true",
        json={"email": alice.email, "password": cast.PASSWORD},
        headers={"X-CSRFToken": browser.token(), "Accept": "application/json"},
    )
    assert "token" not in answer.text


def test_a_token_logs_nobody_in(app, database, alice):
    with app.test_request_context(), database.read() as session:
        token = session.get_one(User, alice.id).get_auth_token()
    answer = app.test_client().get("/", headers={"Authentication-Token": token})
    assert answer.headers["Location"].startswith("/login")
