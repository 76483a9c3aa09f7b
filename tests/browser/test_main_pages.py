"""Every main page: fit for a phone, and for people who see, hear or point otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from panel.records import RoleName
from tests.browser.main_pages import client_pages, open_page, staff_pages
from tests.browser.windows import NARROW, WIDE

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((part) => !part.closest(".skip-link, .table-wrap, .table-responsive"))
  .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
  .map((part) => part.outerHTML.slice(0, 120))"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("role", "pages_of", "at_least", "size"),
    [(RoleName.BILLING, staff_pages, 20, WIDE), (RoleName.CLIENT, client_pages, 10, NARROW)],
    ids=["staff at a desk", "a client with a phone"],
)
def test_no_main_page_is_wider_than_a_phone_and_axe_finds_nothing_serious(
    window_of: Callable[..., Page],
    role: RoleName,
    pages_of: Callable[[Page], list[str]],
    at_least: int,
    size: tuple[int, int],
) -> None:
    page = window_of(role)
    paths = pages_of(page)
    assert len(paths) >= at_least
    axe, findings = Axe(), []
    for path in paths:
        resize(page, NARROW)
        open_page(page, path)
        findings += [f"{path} is wider than a phone: {part}" for part in too_wide(page)]
        resize(page, size)
        findings += serious(axe, page, path)
    assert not findings, "\n".join(findings)


def test_nor_are_the_pages_for_somebody_who_is_not_logged_in_or_lost(window_of: Callable[..., Page]) -> None:
    page = window_of(RoleName.CLIENT, width=NARROW)
    axe, findings = Axe(), []
    for path, cookies in (("/accounts/1/domains/999999", True), ("/login", False), ("/reset", False)):
        if not cookies:
            page.context.clear_cookies()
        open_page(page, path)
        findings += [f"{path} is wider than a phone: {part}" for part in too_wide(page)]
        findings += serious(axe, page, path)
    assert not findings, "\n".join(findings)


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways; a table may scroll by itself."""
    if page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        return []
    parts: list[str] = page.evaluate(TOO_WIDE)
    return parts or ["something that can't be told"]


def serious(axe: Axe, page: Page, where: str) -> list[str]:
    return [
        f"{where}: {found['id']} ({found['impact']}): {found['nodes'][0]['html'][:200]}"
        for found in axe.run(page).response["violations"]
        if found["impact"] in SERIOUS
    ]
