"""The words on a button are the name of the route, the function, the template and the test."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask, template_rendered
from werkzeug.test import TestResponse

from panel.blueprints import actions
from panel.database import Database
from panel.records import Account, RoleName
from tests import cast
from tests.house.source import ROOT

# English, and French as the product is known there.
ACTIONS = {
    "Renew": "Renouveler",
    "Renew All": "Renouveler tout",
    "Recurring Payment": "Paiement récurrent",
    "Recurring Payment All": "Paiement récurrent tout",
}
every_action = pytest.mark.parametrize("words", ACTIONS)


def name_of(words: str) -> str:
    return words.lower().replace(" ", "_")


def page_of(words: str) -> str:
    """The page of an action and of its All is one and the same, with other ticks."""
    return name_of(words).removesuffix("_all")


@pytest.fixture
def account(database: Database) -> Account:
    """One with a validated card, so that all four actions are offered."""
    account = cast.make_account(database, "Amber Studio")
    cast.make_contact(database, account)
    cast.make_card(database, account)
    cast.make_domain(database, account, "amber.com")
    return account


@every_action
def test_the_words_are_the_function_and_its_address(app: Flask, words: str) -> None:
    endpoint = f"actions.{name_of(words)}"
    view = app.view_functions[endpoint]
    assert view.__name__ == name_of(words)
    assert inspect.getmodule(view) is actions
    [rule] = app.url_map.iter_rules(endpoint)
    assert rule.rule == f"/accounts/<int:account_id>/actions/{name_of(words).replace('_', '-')}"


@every_action
def test_the_button_with_these_words_leads_there(
    app: Flask, database: Database, log_in, account: Account, words: str
) -> None:
    page = _as_staff(log_in, database).get(f"/accounts/{account.id}/domains").text
    address = f"/accounts/{account.id}/actions/{name_of(words).replace('_', '-')}"
    buttons = re.findall(
        rf'<(?:button|a) [^>]*(?:formaction|href)="{re.escape(address)}"[^>]*>(.*?)</(?:button|a)>',
        page,
        re.S,
    )
    assert [re.sub(r"<[^>]+>", "", button).strip() for button in buttons] == [words]


@every_action
def test_the_page_is_headed_by_these_words_and_its_template_is_called_so(
    app: Flask, database: Database, log_in, account: Account, words: str
) -> None:
    with _rendered(app) as templates:
        answer: TestResponse = _as_staff(log_in, database).get(
            f"/accounts/{account.id}/actions/{name_of(words).replace('_', '-')}"
        )
    assert answer.status_code == 200
    assert f"actions/{page_of(words)}.html" in templates
    [heading] = re.findall(r"<h1[^>]*>(.*?)</h1>", answer.text, re.S)
    assert re.sub(r"<[^>]+>", "", heading).strip() == words


@every_action
def test_the_test_is_called_so(words: str) -> None:
    assert (ROOT / "tests" / "panel" / f"test_actions_{page_of(words)}.py").is_file()


def test_in_french_they_are_the_words_of_the_trade() -> None:
    french: dict[str, str] = {}
    for path in sorted(Path(ROOT / "panel/translations/fr/LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            french |= {message.id: message.string for message in read_po(file) if message.id in ACTIONS}
    assert french == ACTIONS


def _as_staff(log_in, database: Database):
    return log_in(cast.make_user(database, RoleName.ADMIN))


@contextmanager
def _rendered(app: Flask) -> Iterator[list[str]]:
    names: list[str] = []

    def note(_app: Flask, template, **_: object) -> None:
        names.append(template.name)

    with template_rendered.connected_to(note, app):
        yield names
