"""A pytest plugin: with PERENNIAL_NO_SKIP set, as in CI, a skipped test is a failed one.

A browser or a database that is missing on a laptop is no fault; where a change is judged it would be a silent one.
"""

import os
from collections.abc import Generator

import pytest

Steps = Generator[None, pytest.TestReport, pytest.TestReport]
CollectSteps = Generator[None, pytest.CollectReport, pytest.CollectReport]


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("PERENNIAL_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (no test may be skipped here: PERENNIAL_NO_SKIP is set)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Steps:
    report = yield
    fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> CollectSteps:
    report = yield
    fail_if_skipped(report)
    return report
