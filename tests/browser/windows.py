"""A browser window as somebody uses it, and what went wrong behind the page meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from panel.demo.logins import DEMO_LOGINS
from panel.records import RoleName

WIDE = (1280, 900)
NARROW = (390, 844)
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"

# Chromium and htmx both say loudly what was answered; that is judged by its status, below.
_ANSWER = re.compile(r"Failed to load resource: the server responded|Response Status Error Code")
# A form that was refused is a page like any other.
REFUSED = 422
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`));
"""


class Window:
    """One person's cookies and pages. `faults` are the console's errors, uncaught exceptions, violations of the
    content security policy, files and fragments that weren't there, and answers of 500 and above."""

    def __init__(self, browser: Browser, address: str, *, width: tuple[int, int] = WIDE):
        self.context: BrowserContext = browser.new_context(
            base_url=address,
            locale="en-GB",
            timezone_id="Europe/Paris",
            reduced_motion="reduce",
            viewport={"width": width[0], "height": width[1]},
        )
        self.faults: list[str] = []
        self.context.add_init_script(_TELL_VIOLATIONS)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        self.context.on("response", self._answered)
        self.page: Page = self.context.new_page()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _ANSWER.match(message.text):
            where = message.page.url if message.page else "a page that is gone"
            self.faults.append(f"{where}: {message.text}")

    def _answered(self, response: Response) -> None:
        is_page = response.request.resource_type == "document" and response.status < 500
        if response.status >= 400 and response.status != REFUSED and not is_page:
            self.faults.append(f"{response.url} answered {response.status}")


def log_in(page: Page, role: RoleName) -> None:
    """By the form, as the demo's person of this role."""
    person = next(login for login in DEMO_LOGINS if login.role is role)
    page.goto("/login")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"/domains$"))


def shoot(page: Page, name: str) -> None:
    """The whole page as a picture, on a desk and on a phone, to be looked at."""
    here = page.viewport_size
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        # Hiding the caret would leave empty style attributes behind, and htmx, copying them, offend against the policy.
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True, caret="initial")
    if here:
        page.set_viewport_size(here)
