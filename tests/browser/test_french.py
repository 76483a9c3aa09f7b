"""The panel in French: by a button, everywhere, and kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from panel.records import RoleName
from tests.browser.main_pages import addresses, open_page
from tests.browser.windows import shoot

pytestmark = pytest.mark.browser

ACTIONS = ["Renouveler", "Renouveler tout", "Paiement récurrent", "Paiement récurrent tout"]


@pytest.fixture
def page(window_of: Callable[..., Page]) -> Iterator[Page]:
    """An administrator's: the choice is kept with the person, and the other tests read English."""
    page = window_of(RoleName.ADMIN)
    open_page(page, "/invoices")
    yield page
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_four_actions_and_the_consent_are_french_once_french_is_chosen(page: Page) -> None:
    domains = addresses(page, "main tbody a[href$='/domains']")[0]
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("heading", name="Factures", level=1)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "fr")

    open_page(page, domains)
    expect(page.get_by_role("heading", name="Domaines", level=1)).to_be_visible()
    page.locator("summary").click()
    expect(page.locator(".menu-box .menu-item")).to_have_text(ACTIONS)
    shoot(page, "40-french-domains")
    page.get_by_role("link", name=ACTIONS[-1]).click()

    expect(page.get_by_role("heading", name=ACTIONS[-1], level=1)).to_be_visible()
    expect(page.locator("#totals dl")).to_contain_text(re.compile(r"[0-9],[0-9]{2}\s€"))
    page.locator("#confirm").click()
    expect(page.locator("#plan-error")).to_be_focused()
    shoot(page, "41-french-recurring-payment-all")
    for english in ("Confirm for", "The card", "Recurring", "Tick", "I have seen", "contact is", "Domains"):
        expect(page.locator("body")).not_to_contain_text(re.compile(rf"\b{english}\b"))
