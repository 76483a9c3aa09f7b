"""The pytest plugin: two options, and the kit behind them only when `--gateway` is given."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("perennial gateways")
    group.addoption(
        "--gateway",
        metavar="NAME",
        help="run the conformance checks of Perennial's gateways for NAME: the id of an installed gateway, or "
        "a module or package that has a `conformance`; other tests run only if their paths are given too",
    )
    group.addoption(
        "--gateway-badge",
        metavar="FILE",
        help="write the verdict of --gateway as FILE.svg and FILE.json",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("gateway") is not None:
        # pytest's own way to import late: most runs never need the HTTP server behind this.
        config.pluginmanager.import_plugin("gateways.testing.collection")
    elif config.getoption("gateway_badge") is not None:
        raise pytest.UsageError("--gateway-badge needs --gateway NAME")
