"""The checks as pytest items, their verdicts in pytest's words, and the report at the end."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from gateways.contract import API_VERSION
from gateways.testing.bench import Bench, Nonconforming
from gateways.testing.checks.catalogue import ALL, GROUPS
from gateways.testing.checks.registry import Check
from gateways.testing.conformance import Conformance
from gateways.testing.finding import NoConformance, conformance_of
from gateways.testing.processor import NotOffered
from gateways.testing.tally import Tally, Verdict

_CONFORMANCE: Final = pytest.StashKey[Conformance]()
_TALLY: Final = pytest.StashKey[Tally]()
_ROOT: Final = "gateway"
_KIT: Final = str(Path(__file__).parent)


class GatewayChecks(pytest.Collector):
    """Everything for one gateway."""

    def collect(self) -> Iterable[GroupOfChecks]:
        for group in GROUPS:
            yield GroupOfChecks.from_parent(self, name=group)


class GroupOfChecks(pytest.Collector):
    def collect(self) -> Iterable[CheckItem]:
        for check in ALL:
            if check.group == self.name:
                yield CheckItem.from_parent(self, name=check.name, check=check)


class CheckItem(pytest.Item):
    """One check, on a fake of its own."""

    def __init__(self, *, check: Check, **given: Any) -> None:
        super().__init__(**given)
        self.check = check

    def runtest(self) -> None:
        conformance = self.config.stash[_CONFORMANCE]
        try:
            with conformance.processor() as processor:
                self.check.run(Bench(conformance, processor))
        except NotOffered as reason:
            self.user_properties.append((Verdict.NOT_OFFERED.value, str(reason)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        error = excinfo.value
        if isinstance(error, Nonconforming):
            return f"{self.check.remedy}\nSeen: {error}"
        seen = "".join(traceback.format_exception_only(error)).strip()
        return f"{self.check.remedy}\nSeen: {seen}\n{_where(error)}"

    def reportinfo(self) -> tuple[Path, int, str]:
        code = self.check.run.__code__
        return Path(code.co_filename), code.co_firstlineno, self.check.full_name


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("gateway")
    try:
        conformance = conformance_of(name, config.invocation_params.dir)
    except NoConformance as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_CONFORMANCE] = conformance
    config.stash[_TALLY] = Tally(conformance.gateway.id, tuple(check.full_name for check in ALL))
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []  # no paths were asked for: the checks alone


def pytest_report_header(config: pytest.Config) -> str:
    gateway = config.stash[_CONFORMANCE].gateway
    version = ".".join(str(part) for part in API_VERSION)
    return f"gateway: {gateway.id} ({gateway.__module__}.{gateway.__qualname__}), API {version}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    gateway = session.config.stash[_CONFORMANCE].gateway
    root = GatewayChecks.from_parent(session, name=gateway.id, nodeid=f"{_ROOT} {gateway.id}")
    items[:0] = list(session.genitems(root))


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    reason = _reason(report)
    if reason is None or report.when != "call" or report.failed:
        return None
    return Verdict.NOT_OFFERED.value, "n", f"NOT OFFERED ({reason})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if isinstance(item, CheckItem) and (report.when == "call" or report.failed):
        reason = _reason(report)
        verdict = Verdict.FAILED if report.failed else Verdict.PASSED
        if reason is not None and not report.failed:
            verdict = Verdict.NOT_OFFERED
        report.user_properties = [
            *report.user_properties,
            ("check", item.check.full_name),
            ("verdict", verdict.value),
        ]
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Also writes the badge; reports are read here so that it works with pytest-xdist too."""
    tally = config.stash[_TALLY]
    for reports in terminalreporter.stats.values():
        for report in reports:
            _note(tally, report)
    terminalreporter.section(f"conformance of the gateway {tally.gateway}")
    for line in tally.lines():
        terminalreporter.write_line(line)
    badge = config.getoption("gateway_badge")
    if badge is not None:
        tally.write_badge(Path(badge))


def _note(tally: Tally, report: object) -> None:
    told = dict(getattr(report, "user_properties", []))
    if "check" in told and getattr(report, "when", "") == "call":
        tally.note(told["check"], Verdict(told["verdict"]), told.get(Verdict.NOT_OFFERED.value, ""))
        tally.seconds += getattr(report, "duration", 0.0)


def _reason(report: object) -> str | None:
    reason = dict(getattr(report, "user_properties", [])).get(Verdict.NOT_OFFERED.value)
    return None if reason is None else str(reason)


def _where(error: BaseException) -> str:
    """The innermost frames outside the kit: where in the gateway it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(_KIT)][-3:]
    return "".join(traceback.format_list(theirs)).rstrip()
