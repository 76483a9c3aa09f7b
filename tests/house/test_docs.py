"""What docs/ says of states, tasks, floors and numbers is what the code has."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from panel.blueprints.task_text import TITLE
from panel.records import ATTEMPT_TRANSITIONS, Seller
from panel.renewals import audit, charging, extension, lapse, recovery, settlement
from panel.renewals.audit import CHECKS
from tests.house.documents import section, text_of
from tests.house.source import ROOT
from tests.house.test_floors import floor_of

ARCHITECTURE = ROOT / "docs/architecture.md"
OPERATIONS = ROOT / "docs/operations.md"


def test_the_states_of_an_attempt_are_those_of_the_table_of_transitions() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|", section(ARCHITECTURE, "### The states"), re.M)
    said = {state: set(re.findall(r"`(\w+)`", next_ones)) for state, next_ones in rows}
    assert said == {
        state.value: {after.value for after in afters} for state, afters in ATTEMPT_TRANSITIONS.items()
    }


def test_the_floors_are_those_that_the_imports_are_held_to() -> None:
    rows = re.findall(r"^\| (\d) \|([^|]+)\|", section(ARCHITECTURE, "## Floors"), re.M)
    said = {
        path.rstrip("/").removesuffix(".py").removesuffix("/__init__").replace("/", "."): int(floor)
        for floor, cell in rows
        for path in re.findall(r"`([\w/.]+)`", cell)
    }
    assert said == {module: floor_of(module) for module in said}
    assert set(said.values()) == {1, 2, 3, 4, 5, 6}


def test_every_kind_of_task_says_what_staff_do() -> None:
    headings = re.findall(r"^### (.+)$", section(OPERATIONS, "## Tasks"), re.M)
    assert sorted(headings) == sorted(str(title) for title in TITLE.values())


def test_the_promises_are_those_that_the_audit_checks() -> None:
    said = {
        int(number)
        for number in re.findall(r"^\| (\d+) \|", section(ARCHITECTURE, "## What is checked"), re.M)
    }
    numbers = re.findall(r"\d+", (audit.audit.__doc__ or "").partition(".")[0])
    assert said == {int(number) for number in numbers}
    assert len(CHECKS) >= len(said)


# What the text says, and whether it is so.
NUMBERS = {
    f"{charging.MOST_DECLINES} declined attempts": True,
    f"in {charging.DECLINES_WITHIN.days} days": True,
    "(7, 3 and 1 by default)": Seller.retry_days.default.arg(None) == [7, 3, 1],
    f"({Seller.consent_ceiling_percent.default.arg} % by default)": True,
    "after 5 minutes, an hour, then daily": [span.total_seconds() for span in settlement.CHECK_AFTER]
    == [300, 3_600, 86_400],
    "its promise less one hour": recovery.WINDOW_MARGIN.total_seconds() == 3_600,
    "A person is told within a day": settlement.TASK_AFTER.days == 1,
    f"at least {lapse.NOTICE.days} days before": True,
    f"more than {extension.PLAUSIBLE.days} days off": True,
    f"more than {audit.UNKNOWN_FOR // timedelta(hours=1)} hours": True,
}


@pytest.mark.parametrize("said", NUMBERS)
def test_its_numbers_are_those_of_the_code(said: str) -> None:
    assert said in " ".join(text_of(ARCHITECTURE).split())
    assert NUMBERS[said]
