"""What every answer carries: the content security policy, cookies that stay here, and nothing to cache."""

from __future__ import annotations

import re

import pytest

from tests import cast

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/login", 200),
        ("/", 303),
        ("/no-such-page", 404),
        ("/logout", 405),
        ("/healthz", 200),
        ("/static/panel.css", 200),
    ],
)
def test_every_answer_carries_the_policy(anonymous, url, status):
    answer = anonymous.get(url)
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == CSP
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_an_error_of_ours_carries_it_too_and_tells_nothing(app, anonymous, monkeypatch):
    monkeypatch.setitem(app.view_functions, "system.healthz", lambda: 1 / 0)
    answer = anonymous.get("/healthz")
    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == CSP
    assert "ZeroDivisionError" not in answer.text
    assert "Traceback" not in answer.text


class TestWithAProcessor:
    @pytest.fixture
    def settings(self, settings):
        return settings | {"MOCK_URL": "http://127.0.0.1:8001/some/path"}

    def test_forms_may_lead_to_its_hosted_page(self, anonymous):
        assert anonymous.get("/login").headers["Content-Security-Policy"] == f"{CSP} http://127.0.0.1:8001"


class TestBehindHttps:
    @pytest.fixture
    def settings(self, settings):
        return settings | {"BASE_URL": "https://panel.example.com", "PROXIES": "1"}

    def over_https(self, anonymous, url, host="panel.example.com", **headers):
        return anonymous.get(
            url,
            headers={"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"} | headers,
        )

    def test_the_cookie_is_bound_to_this_host(self, anonymous):
        cookie = self.over_https(anonymous, "/login").headers["Set-Cookie"]
        assert cookie.startswith("__Host-perennial=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie

    def test_plain_http_is_sent_to_https(self, anonymous):
        answer = anonymous.get("/login", base_url="http://panel.example.com")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "https://panel.example.com/login"

    def test_browsers_are_told_to_stay_on_https(self, anonymous):
        assert "max-age=" in self.over_https(anonymous, "/login").headers["Strict-Transport-Security"]

    @pytest.mark.parametrize(
        "host", ["evil.example", "panel.example.com.evil.example", "127.0.0.1", "panel.example.com:8443"]
    )
    def test_another_name_is_refused(self, anonymous, host):
        answer = self.over_https(anonymous, "/reset", host=host)
        assert answer.status_code == 400
        assert "PERENNIAL_BASE_URL" in answer.text

    def test_a_health_check_on_the_machine_itself_is_answered(self, anonymous):
        answer = anonymous.get("/healthz", headers={"Host": "127.0.0.1:8000", "X-Forwarded-Proto": "https"})
        assert answer.status_code == 200


def test_on_plain_loopback_the_cookie_works_without_https(anonymous):
    cookie = anonymous.get("/login").headers["Set-Cookie"]
    assert cookie.startswith("perennial=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_an_unknown_host_is_refused(anonymous):
    assert anonymous.get("/login", headers={"Host": "evil.example"}).status_code == 400


def test_pages_are_kept_nowhere(anonymous):
    answer = anonymous.get("/login")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "HX-Request" in answer.headers["Vary"]


def test_pages_hold_nothing_that_the_policy_forbids(database, log_in):
    account = cast.make_account(database)
    cast.make_domain(database, account)
    browser = log_in(cast.make_user(database))
    for url in (
        "/domains",
        f"/accounts/{account.id}/domains",
        f"/accounts/{account.id}/domains/1",
        "/accounts",
        "/change",
        "/tf-setup",
    ):
        page = browser.get(url).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|<script(?![^>]*src=)", page), url


def test_htmx_is_configured_to_trust_nothing_but_this_panel(anonymous):
    config = re.search(r"name=\"htmx-config\" content='([^']+)'", anonymous.get("/login").text)[1]
    for setting in (
        '"selfRequestsOnly": true',
        '"allowEval": false',
        '"allowScriptTags": false',
        '"includeIndicatorStyles": false',
    ):
        assert setting in config


def test_a_spoofed_forwarded_address_is_not_believed_without_a_proxy(app):
    with app.test_client() as browser:
        browser.get("/login", headers={"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Host": "evil.example"})
        from flask import request

        assert request.remote_addr == "127.0.0.1"
        assert request.host == "localhost"
