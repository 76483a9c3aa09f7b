"""Who may do what: every rule × method × role, with own, foreign, absent and malformed ids, with and without HTMX.

The rules are read from the application, the answers from the policy table: a route without a line fails, and so does a
line without a route.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.routing import Rule

from panel.blueprints.policy import PUBLIC, TABLE
from panel.database import Database, db
from panel.records import Account, RoleName, User
from tests import cast

# Each is refused before a view is reached, whatever the view would have made of it.
ROLES = ("anonymous", "owner", "stranger", "suspended", "read_only", "billing", "admin", "disabled")
# Where these lead is the log-in's own affair (a page for those who aren't in yet, a redirect for those who are).
LOG_IN = {endpoint for endpoint, _method in TABLE if endpoint.startswith("security.")}


@dataclass
class Scene:
    """One account of Alice's, one of Bob's and a suspended one, and somebody of each kind."""

    users: dict[str, User]
    ids: dict[str, dict[str, int]]
    accounts: dict[str, Account]


@pytest.fixture
def scene(database: Database) -> Scene:
    amber = cast.make_account(database, "Amber Studio")
    birch = cast.make_account(database, "Birch Works")
    cedar = cast.make_account(database, "Cedar Hall", suspended=True)
    users = {
        "owner": cast.make_user(database, RoleName.CLIENT, amber),
        "stranger": cast.make_user(database, RoleName.CLIENT, birch),
        "suspended": cast.make_user(database, RoleName.CLIENT, cedar),
        "read_only": cast.make_user(database, RoleName.READ_ONLY),
        "billing": cast.make_user(database, RoleName.BILLING),
        "admin": cast.make_user(database, RoleName.ADMIN),
        "disabled": cast.make_user(database, RoleName.ADMIN),
    }
    accounts = {"amber": amber, "birch": birch, "cedar": cedar}
    return Scene(
        users, {name: _belongings(database, account) for name, account in accounts.items()}, accounts
    )


def _belongings(database: Database, account: Account) -> dict[str, int]:
    """A row of each kind that an address can name."""
    contact = cast.make_contact(database, account)
    gateway_account = cast.make_gateway_account(database)
    card = cast.make_card(database, account, gateway_account)
    domain = cast.make_domain(database, account)
    proforma = cast.make_proforma(database, account, contact, [domain])
    invoice = cast.make_invoice(database, proforma)
    return {
        "account_id": account.id,
        "domain_id": domain.id,
        "contact_id": contact.id,
        "card_id": card.id,
        "registration_id": cast.make_registration(database, account, gateway_account).id,
        "proforma_id": cast.make_proforma(
            database, account, contact, [cast.make_domain(database, account)]
        ).id,
        "invoice_id": invoice.id,
        "action_id": cast.make_action(database, account).id,
        "gateway_account_id": gateway_account.id,
        "run_id": cast.make_run(database).id,
        "task_id": cast.make_task(database).id,
    }


class Visitor:
    """Somebody's browser: whoever it is, it carries a good token, so that nothing is refused for want of one."""

    def __init__(self, app: Flask, role: str, scene: Scene, log_in):
        self.role = role
        if role == "anonymous":
            self.browser = app.test_client()
        else:
            self.browser = log_in(scene.users[role])
        if role == "disabled":
            with app.extensions["perennial"].database.write() as session:
                session.execute(sa.update(User).where(User.id == scene.users[role].id).values(active=False))
        in_nobodys_name = role in ("anonymous", "disabled")
        self.token = self.browser.token("/login" if in_nobodys_name else "/change")

    def ask(self, method: str, url: str, htmx: bool = False):
        headers = {"HX-Request": "true"} if htmx else {}
        data = {"csrf_token": self.token} if method == "POST" else None
        return self.browser.open(url, method=method, data=data, headers=headers)


@pytest.fixture
def visit(app: Flask, scene: Scene, log_in) -> Callable[[str], Visitor]:
    return lambda role: Visitor(app, role, scene, log_in)


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            yield rule, method


def url_of(app: Flask, rule: Rule, values: dict[str, object]) -> str:
    asked = {name: values.get(name, "x") for name in rule.arguments}
    if rule.endpoint == "static":
        asked = {"filename": "panel.css"}
    if rule.endpoint in LOG_IN:
        asked = dict.fromkeys(rule.arguments, "not-a-token")
    with app.test_request_context():
        return rule.build(asked)[1]


def what_policy_says(role: str, endpoint: str, method: str) -> str:
    """in, log in, or denied; for an address that names the visitor's own account, or none."""
    line = TABLE[endpoint, method]
    if line.anonymous:
        return "in"
    if role in ("anonymous", "disabled"):
        return "log in"
    kind = {"owner": "client", "stranger": "client", "suspended": "client"}.get(role, role)
    if RoleName(kind) not in line.roles:
        return "denied"
    return "denied" if role == "suspended" and not line.suspended else "in"


def fingerprint(database: Database) -> str:
    """Of every byte in every table."""
    digest = hashlib.sha256()
    with database.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns)):
                digest.update(repr((table.name, tuple(row))).encode())
    return digest.hexdigest()


def test_every_route_has_a_line_and_every_line_has_a_route(app):
    routes = {(rule.endpoint, method) for rule, method in rules(app)}
    assert routes - set(TABLE) == set(), "routes that nobody may take: give them a line in the policy"
    assert set(TABLE) - routes == set(), "lines about routes that don't exist"


def test_no_route_answers_to_options(app):
    assert not [rule.endpoint for rule in app.url_map.iter_rules() if "OPTIONS" in (rule.methods or ())]


def test_only_what_must_be_is_open_to_everybody(app):
    assert {endpoint for (endpoint, _method), line in TABLE.items() if line.anonymous} == {
        "static",
        "system.healthz",
        "system.language",
        "security.login",
        "security.logout",
        "security.forgot_password",
        "security.reset_password",
        "security.two_factor_token_validation",
        "security.mf_recovery",
    }
    assert PUBLIC.anonymous


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_each_role_gets_what_the_policy_says_on_every_route(app, database, scene, visit, role, htmx):
    visitor = visit(role)
    home = {"stranger": "birch", "suspended": "cedar"}.get(role, "amber")
    before = fingerprint(database)
    wrong, denied = [], []
    for rule, method in rules(app):
        if rule.endpoint in LOG_IN | {"static", "system.language"}:
            continue
        expected = what_policy_says(role, rule.endpoint, method)
        # What may be done is done elsewhere; here a POST that may would only fail for want of fields.
        if expected == "in" and method == "POST":
            continue
        answer = visitor.ask(method, url_of(app, rule, scene.ids[home]), htmx)
        if (found := reading_of(answer, htmx)) != expected:
            wrong.append(f"{method} {rule.rule}: {found} ({answer.status}), the policy says {expected}")
        if answer.status_code == 403:
            denied.append((method, rule.rule))
    assert not wrong, "\n".join(wrong)
    assert fingerprint(database) == before, f"one of these was denied and changed something: {denied}"


def reading_of(answer, htmx: bool) -> str:
    if answer.status_code == 403:
        return "denied"
    target = answer.headers.get("HX-Redirect" if htmx else "Location", "")
    if target.startswith("/login"):
        return (
            "log in" if answer.status_code == (401 if htmx else 303) else f"log in with {answer.status_code}"
        )
    return "in" if answer.status_code < 400 else f"failed with {answer.status_code}"


@pytest.mark.parametrize("role", ["owner", "suspended", "admin", "read_only"])
@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_foreign_id_answers_like_an_absent_one_byte_for_byte(app, database, scene, visit, role, htmx):
    visitor = visit(role)
    home = {"suspended": "cedar"}.get(role, "amber")
    before = fingerprint(database)
    wrong = []
    for rule, method in rules(app):
        for values in _addresses_of_others(rule, scene, home, is_staff=role in ("admin", "read_only")):
            if (
                what_policy_says(role, rule.endpoint, method) != "in"
                and values["account_id"] == scene.ids[home]["account_id"]
            ):
                continue  # their own account: 403 whatever comes after it
            answer = visitor.ask(method, url_of(app, rule, values), htmx)
            if answer.status_code == 403 and role in ("admin", "read_only"):
                continue
            if answer.status_code != 404:
                wrong.append(f"{method} {rule.rule} with {values}: {answer.status}")
            elif said_by(answer) != said_by(visitor.ask(method, "/accounts/no-number/domains", htmx)):
                wrong.append(f"{method} {rule.rule} with {values} differs from a page that doesn't exist")
    assert not wrong, "\n".join(wrong)
    assert fingerprint(database) == before


def _addresses_of_others(rule: Rule, scene: Scene, home: str, is_staff: bool) -> Iterator[dict[str, int]]:
    if "account_id" not in rule.arguments:
        return
    own, foreign, absent = scene.ids[home], scene.ids["birch"], 2**62
    enormous = 10**30
    if not is_staff:
        yield foreign
    yield {**own, "account_id": absent}
    yield {**own, "account_id": enormous}
    for name in rule.arguments - {"account_id"}:
        yield {**own, name: foreign[name]}
        yield {**own, name: absent}
        yield {**own, name: enormous}


def said_by(answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of it but the cookie's time stamp."""
    headers = [(name, "" if name == "Set-Cookie" else value) for name, value in answer.headers]
    return answer.status_code, answer.data, sorted(headers)


@pytest.mark.parametrize("nonsense", ["0x1", "-1", "1.5", "１", "1%00", "' OR 1=1", "1/../2", "%2e%2e"])
def test_a_malformed_id_is_one_that_does_not_exist(scene, visit, nonsense):
    for role in ("owner", "admin"):
        answer = visit(role).ask("GET", f"/accounts/{nonsense}/domains")
        assert answer.status_code == 404, answer.text


def test_a_method_that_is_not_meant_is_refused(scene, visit):
    own = scene.ids["amber"]
    for url in (
        f"/accounts/{own['account_id']}/domains/{own['domain_id']}/switch-off",
        f"/accounts/{own['account_id']}/cards/{own['card_id']}/default",
        "/logout",
        "/language",
    ):
        answer = visit("owner").ask("GET", url)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]


def test_a_suspended_client_may_look_and_pay_and_nothing_else():
    open_to = {pair for pair, line in TABLE.items() if RoleName.CLIENT in line.roles and line.suspended}
    changing = {
        endpoint
        for endpoint, method in open_to
        if method == "POST" and not endpoint.startswith(("security.", "system."))
    }
    assert changing == {"proformas.pay"}


def test_read_only_staff_change_nothing():
    posts = {
        endpoint
        for (endpoint, method), line in TABLE.items()
        if method == "POST"
        and RoleName.READ_ONLY in line.roles
        and not endpoint.startswith(("security.", "system."))
    }
    assert posts == {"actions.renew_quote", "actions.recurring_payment_quote"}, "both only calculate"


def test_a_disabled_user_is_out_at_once(visit):
    answer = visit("disabled").ask("GET", "/domains")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login")


def test_the_reason_for_a_suspended_client_is_said(scene, visit):
    own = scene.ids["cedar"]
    answer = visit("suspended").ask("GET", f"/accounts/{own['account_id']}/contacts/add")
    assert answer.status_code == 403
    assert "account is suspended" in answer.text
