"""The addresses of the panel's main pages, found as people find them: by the menu and by the first row of each list."""

from __future__ import annotations

import re
from collections.abc import Iterable

from playwright.sync_api import Page, expect

MENU = "nav[aria-label='Main menu'] a"
FIRST_ROW = "main tbody tr:first-child td.name a"
# Below the page of a row, or beside the list.
FORMS = (
    "main a[href$='/add'], main a[href$='/cancel'], main a[href$='/remove'], main a[href$='/move'],"
    "main a[href*='/actions/']"
)


def staff_pages(page: Page) -> list[str]:
    """All lists of the reseller, and everything of one account that was invoiced in the night."""
    open_page(page, "/invoices")
    invoiced = addresses(page, FIRST_ROW)[0]
    open_page(page, invoiced)
    return below(page)


def client_pages(page: Page) -> list[str]:
    open_page(page, "/")
    return below(page)


def below(page: Page) -> list[str]:
    """What the menu of the page that is open leads to, the first row of each list, and the forms there."""
    lists = addresses(page, MENU)
    rows = [row for path in one_of_each(lists) for row in leads_to(page, path, FIRST_ROW)]
    forms = [form for path in one_of_each((*lists, *rows)) for form in leads_to(page, path, FORMS)]
    return one_of_each((*lists, *rows, *forms))


def one_of_each(paths: Iterable[str]) -> list[str]:
    """The first of those that differ in ids and queries alone: the same template."""
    return [*{re.sub(r"[0-9]+|\?.*", "#", path): path for path in reversed([*paths])}.values()][::-1]


def leads_to(page: Page, path: str, selector: str) -> list[str]:
    open_page(page, path)
    return addresses(page, selector)


def open_page(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator("h1").first).to_be_visible()


def addresses(page: Page, selector: str) -> list[str]:
    """The paths of the links that the selector finds, each once."""
    found: list[str] = page.locator(selector).evaluate_all(
        "links => links.map(link => link.pathname + link.search)"
    )
    return [*dict.fromkeys(found)]
