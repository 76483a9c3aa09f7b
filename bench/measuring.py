"""Seconds, memory and spread, and the two ways in which they are printed: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from panel.cli.output import print_json, print_table

Result = TypeVar("Result")

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass
class Step:
    """One thing that was done. `peak_mib` is the resident memory of its process at its highest meanwhile."""

    name: str
    seconds: float
    peak_mib: float


@dataclass
class Steps:
    """What was done in one process, in order."""

    steps: list[Step] = field(default_factory=list)

    def time(self, name: str, do: Callable[[], Result]) -> Result:
        """Does it, and keeps how long it took and how much memory."""
        _forget_peak()
        began = time.perf_counter()
        result = do()
        self.steps.append(Step(name, time.perf_counter() - began, peak_mib()))
        return result


def peak_mib() -> float:
    """Since the last step began, where the system can say so; else since the process began."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget_peak() -> None:
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text(_RESET_PEAK)


def in_child(function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs it in a fresh process, whose memory is its own and not what the measuring has used so far."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that `percent` of them don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def surroundings(engine: sa.Engine | None = None) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    database = f"SQLite {sqlite3.sqlite_version}"
    if engine is not None and engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            database = f"PostgreSQL {connection.scalar(sa.text('SHOW server_version'))}"
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "database": database,
    }


def options(description: str | None) -> argparse.ArgumentParser:
    """What every yardstick takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="a PostgreSQL server on which databases may be made and dropped (default: SQLite in a scratch folder)",
    )
    return parser


def report(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    facts: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """`facts` stand under the table, one a line."""
    if as_json:
        names = [heading.lower().replace(" ", "_") for heading in headings]
        print_json({"title": title, **facts, "rows": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    print_table(title, headings, [[_shown(value) for value in row] for row in rows])
    for name, fact in facts.items():
        print(f"{name}: {fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False)}")


def _shown(value: Any) -> Any:
    return f"{value:,.2f}" if isinstance(value, float) else value
