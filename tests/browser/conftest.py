"""Chromium, a running panel, and windows in which nothing may go wrong unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from panel.records import RoleName
from tests.browser.serving import Served, serve_demo
from tests.browser.windows import WIDE, Window, log_in

# A busy machine is slow, not wrong.
PATIENCE = 20_000
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the pages that are tested: no start page, no updates, no calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

NewWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium. Without one: skipped on a laptop, a failure where nothing may be skipped."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None and os.environ.get("PERENNIAL_NO_SKIP"):
        pytest.fail("There is no Chromium: apt-get install chromium.")
    if found is None:
        pytest.skip("There is no Chromium: apt-get install chromium.")
    return {**browser_type_launch_args, "executable_path": found, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Served]:
    """A demo panel on the morning after a renewal run: there are proformas, invoices and charges to look at."""
    with serve_demo(tmp_path_factory.mktemp("panel") / "data") as served:
        served.command("run", "--json")
        yield served


@pytest.fixture
def new_window(browser: Browser) -> Iterator[NewWindow]:
    """Makes windows. A test that ends well still fails for what went wrong behind its pages."""
    expect.set_options(timeout=PATIENCE)
    windows: list[Window] = []

    def make(address: str, *, width: tuple[int, int] = WIDE) -> Window:
        window = Window(browser, address, width=width)
        windows.append(window)
        return window

    yield make
    for window in windows:
        window.context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def cookies() -> dict[RoleName, list[Any]]:
    """Of those who have logged in on `panel`: logging in too often is refused there."""
    return {}


@pytest.fixture
def window_of(
    panel: Served, new_window: NewWindow, cookies: dict[RoleName, list[Any]]
) -> Callable[..., Page]:
    """`window_of(role)`: a page of `panel` for somebody of this role who has logged in."""

    def make(role: RoleName, *, width: tuple[int, int] = WIDE) -> Page:
        window = new_window(panel.address, width=width)
        if role not in cookies:
            log_in(window.page, role)
            cookies[role] = window.context.cookies()
        window.context.add_cookies(cookies[role])
        return window.page

    return make
