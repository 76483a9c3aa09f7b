"""The main job as its two users do it in a browser: the client switches recurring payment on, the renewal run charges
the card, and the reseller's staff see it done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from anyascii import anyascii
from playwright.sync_api import Browser, Locator, Page, expect

from panel.records import RoleName
from tests.browser.conftest import NewWindow
from tests.browser.serving import Served, serve_demo
from tests.browser.windows import log_in, shoot

pytestmark = pytest.mark.browser

CHALLENGED_CARD = "4000 0000 0000 1000"
GOOD_CARD = "5555 5555 5555 4444"
MONTHS_LEFT = 3
DOMAINS = 12
MOST_RELOADS = 100


@pytest.fixture
def fresh_panel(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Served]:
    """As on the first morning after `make run`: nothing has been done yet."""
    with serve_demo(tmp_path_factory.mktemp("fresh") / "data") as served:
        yield served


@pytest.mark.timeout(240)
def test_a_client_switches_recurring_payment_on_and_the_next_run_charges_invoices_and_extends(
    fresh_panel: Served, new_window: NewWindow
) -> None:
    client = new_window(fresh_panel.address).page
    log_in(client, RoleName.CLIENT)
    without_a_card_only_renewing_is_offered(client)
    main, other = contacts(client)
    add_a_card(client, "Short-lived", CHALLENGED_CARD, holder=other, months=MONTHS_LEFT, challenged=True)
    with_a_card_all_four_actions_are_offered(client)
    warnings_follow_the_choice_and_must_be_acknowledged(client, main, other)
    what_was_confirmed_can_be_undone(client)
    confirm_for_all(client)
    due, *later = names_by_bill_date(client)
    expires = row_of(client, due).locator("[data-label='Expires']").inner_text()
    give_three_another_contact(client, later[:3], other)
    add_a_card(client, "Long-lived", GOOD_CARD, holder=main, months=40)
    move_to_another_card(client, later[1:3], "Long-lived")
    switch_one_off_on_its_own_page(client, later[0])

    staff = new_window(fresh_panel.address).page
    log_in(staff, RoleName.BILLING)
    staff_say_where_the_client_agreed(staff, account_of(client), later[0])
    fresh_panel.command("run", "--json")
    staff_see_it_charged_invoiced_and_extended(staff, due, year_later(expires))
    assert fresh_panel.command("run", "--json")["charged"] == 0

    the_client_pays_an_early_renewal_and_sees_it_paid(client)
    assert fresh_panel.command("audit", "--json")["violations"] == []


def without_a_card_only_renewing_is_offered(page: Page) -> None:
    expect(page.get_by_role("heading", name="Domains", level=1)).to_be_visible()
    expect_offered(page, "Renew", "Renew All")
    hint = page.locator(".menu-box .quiet-line")
    expect(hint).to_have_text("Add a card to switch on recurring payment.")
    shoot(page, "01-domains-without-a-card")
    hint.get_by_role("link", name="Add a card").click()
    expect(page.get_by_role("heading", name="Add a card")).to_be_visible()


def contacts(page: Page) -> tuple[str, str]:
    """The people behind the main contact and the billing contact."""
    in_menu(page, "Contacts")
    shoot(page, "02-contacts")
    labels = page.locator("main td.name a")
    expect(labels).to_have_count(2)
    main, other = (re.sub(r".*\((.*)\)", r"\1", label) for label in labels.all_inner_texts())
    return main, other


def add_a_card(
    page: Page, label: str, number: str, *, holder: str, months: int, challenged: bool = False
) -> None:
    """On the processor's own page; its number is typed nowhere else."""
    in_menu(page, "Cards")
    page.locator("main").get_by_role("link", name="Add a card").first.click()
    page.get_by_label("Name").fill(label)
    shoot(page, "03-add-a-card")
    page.get_by_role("button", name="Go to the processor's page").click()
    page.get_by_label("Name on the card").fill(anyascii(holder).upper())
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill(month_from_now(months))
    page.get_by_label("Security code").fill("123")
    shoot(page, "04-the-processors-page")
    page.get_by_role("button", name="Save card").click()
    if challenged:
        expect(page.get_by_role("heading", name="Your bank's confirmation")).to_be_visible()
        shoot(page, "05-challenge")
        page.get_by_role("button", name="Complete").click()
    expect(page.get_by_text("The card was validated by its processor")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=label)
    expect(row).to_contain_text("validated")
    expect(row).to_contain_text(f"•••• {number[-4:]}")
    shoot(page, "06-cards")


def with_a_card_all_four_actions_are_offered(page: Page) -> None:
    in_menu(page, "Domains")
    expect_offered(page, "Renew", "Renew All", "Recurring Payment", "Recurring Payment All")
    expect(page.locator(".menu-box .quiet-line")).to_have_count(0)
    shoot(page, "07-domains-with-a-card")


def warnings_follow_the_choice_and_must_be_acknowledged(page: Page, main: str, other: str) -> None:
    act(page, "Recurring Payment All")
    expect(page.locator("input[name=tick]:checked")).to_have_count(DOMAINS)
    expect(page.locator("#holder")).to_contain_text("differs from the contact")
    expect(page.locator("#holder")).to_contain_text(main)
    expect(page.locator("#expires_before_bill")).to_contain_text("The card expires before the bill date")
    shoot(page, "08-recurring-payment-all")

    page.evaluate("window.neverReloaded = true")
    choose_and_see(page, "contact", other)
    expect(page.locator("#holder")).to_contain_text("matches the contact")
    expect(page.locator("#holder-differs-seen")).to_have_count(0)
    expect(page.locator("#expires-before-bill-seen")).to_be_visible()
    choose_and_see(page, "contact", main)
    expect(page.locator("#holder")).to_contain_text("differs from the contact")
    assert page.evaluate("window.neverReloaded")

    unseen = page.locator("#consent input[name=acknowledge]:not(:checked)")
    for left in (2, 1):
        expect(unseen).to_have_count(left)
        page.locator("#confirm").click()
        expect(page.locator("#plan-error")).to_be_focused()
        refused = page.locator("#consent [aria-invalid=true]")
        expect(refused).to_have_count(1)
        shoot(page, "09-confirm-refused")
        refused.check()
    expect(unseen).to_have_count(0)
    page.locator("#confirm").click()
    expect(page.locator("#done")).to_contain_text("Nothing was charged.")
    shoot(page, "10-done")


def what_was_confirmed_can_be_undone(page: Page) -> None:
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#undone")).to_contain_text("got back what they had before")
    shoot(page, "11-undone")
    page.get_by_role("link", name="Back to Domains").click()
    expect(page.locator("td[data-label='Recurring payment']").filter(has_text="Off")).to_have_count(DOMAINS)


def confirm_for_all(page: Page) -> None:
    act(page, "Recurring Payment All")
    acknowledge_and_confirm(page)
    page.get_by_role("link", name="Back to Domains").click()
    expect(page.locator("#domains-table .card-foot")).to_contain_text(f"{DOMAINS} domains")
    expect(page.locator("td[data-label='Recurring payment']", has_text="Short-lived")).to_have_count(DOMAINS)
    shoot(page, "12-domains-with-recurring-payment")


def give_three_another_contact(page: Page, names: list[str], contact: str) -> None:
    tick(page, names)
    expect(page.get_by_text("3 ticked")).to_be_visible()
    act(page, "Recurring Payment")
    expect(page.locator("input[name=tick]:checked")).to_have_count(3)
    choose_and_see(page, "contact", contact)
    expect(page.locator("#holder")).to_contain_text("matches the contact")
    expect(page.locator("tr", has_text=names[0])).to_contain_text("Change from card")
    shoot(page, "13-recurring-payment-three-ticked")
    acknowledge_and_confirm(page)
    page.get_by_role("link", name="Back to Domains").click()
    for name in names:
        expect(row_of(page, name).locator("[data-label='Recurring payment']")).to_contain_text(contact)


def move_to_another_card(page: Page, names: list[str], card: str) -> None:
    in_menu(page, "Domains")
    tick(page, names)
    act(page, "Recurring Payment")
    choose_and_see(page, "card", card)
    expect(page.locator("#holder")).to_contain_text("matches the contact")
    expect(page.locator("#expires_before_bill")).to_have_count(0)
    acknowledge_and_confirm(page)
    page.get_by_role("link", name="Back to Domains").click()
    for name in names:
        expect(row_of(page, name).locator("[data-label='Recurring payment']")).to_contain_text(card)
    shoot(page, "14-domains-with-two-cards")


def switch_one_off_on_its_own_page(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()
    charge = page.locator(".switches li", has_text="Charge")
    expect(charge).to_contain_text("On")
    shoot(page, "15-domain")
    page.locator("summary", has_text="Switch recurring payment off").click()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("heading", name="Recurring payment was switched off")).to_be_visible()
    page.locator("#content").get_by_role("link", name=name).click()
    expect(charge).to_contain_text("Off")
    shoot(page, "16-domain-switched-off")


def staff_say_where_the_client_agreed(page: Page, account: str, name: str) -> None:
    shoot(page, "17-staff-domains-of-all-accounts")
    in_menu(page, "Accounts")
    page.get_by_label("Search an account").fill(account)
    expect(page.locator("#accounts-table tbody tr")).to_have_count(1)
    shoot(page, "18-staff-accounts")
    page.get_by_role("link", name=account).click()
    tick(page, [name])
    act(page, "Recurring Payment")
    choose_and_see(page, "card", "Long-lived")
    page.locator("#confirm").click()
    expect(page.locator("#plan-error")).to_be_focused()
    expect(page.locator("#reference")).to_have_attribute("aria-invalid", "true")
    shoot(page, "19-staff-without-reference")
    page.locator("#reference").fill("Ticket 4711")
    acknowledge_and_confirm(page)
    shoot(page, "20-staff-done")


def staff_see_it_charged_invoiced_and_extended(page: Page, name: str, expires: str) -> None:
    in_menu(page, "Renewal runs")
    shoot(page, "21-runs")
    page.locator("main td.name a").first.click()
    expect(page.locator("#run-progress")).to_contain_text("Finished")
    shoot(page, "22-run")
    outcome = page.locator("#run-outcomes tbody tr", has_text=name)
    expect(outcome).to_contain_text("Extended")
    outcome.locator("td.name a").click()
    expect(page.get_by_label("What is owed")).to_contain_text("Paid")
    shoot(page, "23-proforma-paid")
    page.get_by_label("What is owed").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Invoice", level=1)).to_be_visible()
    expect(page.locator("main")).to_contain_text(name)
    shoot(page, "24-invoice")
    page.go_back()
    page.locator("main").get_by_role("link", name=name).click()
    expect(page.locator(".facts")).to_contain_text(re.compile(rf"Expires\s*{expires}"))
    shoot(page, "25-domain-extended")


def the_client_pays_an_early_renewal_and_sees_it_paid(page: Page) -> None:
    in_menu(page, "Domains")
    act(page, "Renew")
    page.locator("#plan input[name=tick]:enabled").last.check()
    expect(page.locator("#totals tbody tr")).to_have_count(1)
    shoot(page, "26-renew")
    page.locator("#confirm").click()
    expect(page.get_by_text("Nothing was charged; each domain is renewed once it is paid.")).to_be_visible()
    shoot(page, "27-proforma-open")
    total = page.get_by_label("What is owed").locator(".amount").inner_text()
    choose(page, "card", "Long-lived")
    page.get_by_role("button", name=f"Pay {total}").click()
    # Nobody touches the page: it follows the worker by itself until the money is there.
    expect(page.get_by_label("What is owed")).to_contain_text("Paid")
    reload_until(page, page.get_by_label("Lines"), "Extended")
    shoot(page, "28-proforma-paid-by-the-client")


# How people move about


def in_menu(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name=name, exact=True).last.click()
    expect_page(page, re.compile(name))


def expect_page(page: Page, title: str | re.Pattern[str]) -> None:
    """The page with its scripts: before them, it would work by whole pages alone."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.wait_for_load_state()


def account_of(page: Page) -> str:
    return page.locator(".menu-account strong").inner_text()


def expect_offered(page: Page, *names: str) -> None:
    page.locator("summary", has_text="Actions").click()
    expect(page.locator(".menu-box .menu-item")).to_have_text([*names])


def act(page: Page, name: str) -> None:
    if page.locator("details.menu[open]").count() == 0:
        page.locator("summary", has_text="Actions").click()
    page.locator(".menu-box .menu-item").filter(has_text=re.compile(rf"^\s*{name}\s*$")).click()
    expect_page(page, name)


def tick(page: Page, names: list[str]) -> None:
    for name in names:
        page.get_by_role("checkbox", name=name, exact=True).check()


def choose(page: Page, select: str, containing: str) -> None:
    option = page.locator(f"#{select} option", has_text=containing)
    page.locator(f"#{select}").select_option(value=option.get_attribute("value"))


def choose_and_see(page: Page, select: str, containing: str) -> None:
    """Until the plan for this choice is there: what is confirmed is what was shown."""
    choose(page, select, containing)
    expect(page.locator(f"#{select} option[selected]")).to_contain_text(containing)


def acknowledge_and_confirm(page: Page) -> None:
    # The whole page is there once its last button is.
    expect(page.locator("#confirm")).to_be_enabled()
    for box in page.locator("#consent input[name=acknowledge]").all():
        box.check()
    page.locator("#confirm").click()
    expect(page.locator("#done")).to_be_visible()


def names_by_bill_date(page: Page) -> list[str]:
    page.get_by_role("button", name="Next bill").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Next bill")
    return page.locator("#domains-table td.name a").all_inner_texts()


def row_of(page: Page, name: str) -> Locator:
    return page.locator("#domains-table tbody tr", has_text=name)


def month_from_now(months: int) -> str:
    today = date.today()
    ahead = today.year * 12 + today.month - 1 + months
    return f"{ahead % 12 + 1:02d}/{ahead // 12 % 100:02d}"


def year_later(day: str) -> str:
    rest, year = day.rsplit(" ", 1)
    # A term that begins on 29 February ends on 28.
    rest = rest.replace("29 Feb", "28 Feb")
    return f"{rest} {int(year) + 1}"


def reload_until(page: Page, part: Locator, text: str) -> None:
    """For what comes later than the page, and isn't followed by it."""
    for _ in range(MOST_RELOADS):
        if text in part.inner_text():
            return
        page.reload()
    raise AssertionError(f"{text} didn't come in {MOST_RELOADS} reloads: {part.inner_text()}")
