"""The main job without a mouse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from panel.records import RoleName
from tests.browser.main_pages import addresses, open_page
from tests.browser.windows import NARROW, shoot

pytestmark = pytest.mark.browser

MOST_STEPS = 120
# What has the focus must look otherwise than without it.
SEEN = """() => {
  const part = document.activeElement;
  if (part === document.body) return true;  // past the end: the browser's own buttons come next
  const look = () => { const s = getComputedStyle(part); return [s.outline, s.boxShadow, s.borderColor].join(); };
  const focused = look();
  part.blur();
  const blurred = look();
  part.focus();
  return focused !== blurred;
}"""


@pytest.fixture
def page(window_of: Callable[..., Page]) -> Page:
    """The domains without recurring payment of an account that has cards, as staff see them."""
    page = window_of(RoleName.BILLING)
    open_page(page, "/invoices")
    open_page(page, addresses(page, "main tbody a[href$='/domains']")[0] + "?recurring=off")
    return page


def test_actions_and_confirm_need_no_mouse(page: Page) -> None:
    step_to(page, ".skip-link")
    expect(page.locator(".skip-link")).to_be_in_viewport()
    page.keyboard.press("Enter")
    step_to(page, "input[name=tick]")
    page.keyboard.press("Space")
    expect(page.locator("[data-tick-count]")).to_have_text("1 ticked")
    step_to(page, "summary", key="Shift+Tab")
    page.keyboard.press("Enter")
    step_to(page, "button.menu-item[formaction$='/recurring-payment']")
    shoot(page, "30-keyboard-actions-menu")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Recurring Payment", level=1)).to_be_visible()
    expect(page.locator("input[name=tick]:checked")).to_have_count(1)
    # Each refusal leads to the field that it is about: a warning to be acknowledged, or the client's consent.
    for _ in range(4):
        step_to(page, "#confirm")
        page.keyboard.press("Enter")
        expect(page.locator("#plan-error:focus, #done")).to_be_visible()
        if page.locator("#done").is_visible():
            break
        step_to(page, "#plan-error a")
        page.keyboard.press("Enter")
        expect(page.locator("#consent input:focus")).to_be_visible()
        if page.locator("#reference:focus").is_visible():
            page.keyboard.type("Letter of 12 November")
        else:
            page.keyboard.press("Space")
    expect(page.locator("#done")).to_be_visible()


def test_escape_closes_the_actions_menu_and_gives_the_focus_back(page: Page) -> None:
    step_to(page, "summary")
    page.keyboard.press("Space")
    step_to(page, ".menu-box .menu-item")
    page.keyboard.press("Escape")
    expect(page.locator(".menu-box")).to_be_hidden()
    expect(page.locator("summary")).to_be_focused()


def test_the_menu_of_a_phone_opens_by_the_space_bar(page: Page) -> None:
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    menu = page.get_by_role("navigation", name="Main menu")
    expect(menu).to_be_hidden()
    step_to(page, "#menu-open")
    page.keyboard.press("Space")
    expect(menu).to_be_visible()
    step_to(page, "nav a")


def step_to(page: Page, selector: str, *, key: str = "Tab") -> None:
    """By Tab after Tab; whatever has the focus on the way shows it."""
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        assert page.evaluate(SEEN), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} was not reached by {MOST_STEPS} × {key}")
