"""Days in a row with real processes: a share of `python -m tests.proof.simulation` that fits into the tests."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.proof.simulation import FAULTS, days_from, simulation

START = date(2026, 11, 23)

pytestmark = pytest.mark.proof


def test_a_second_run_of_each_day_charges_nothing_and_the_ledger_equals_the_books(tmp_path: Path) -> None:
    with simulation(tmp_path, accounts=6, domains=240, seed=3, start=START) as world:
        for day in days_from(START, 16):
            world.run(day)
            again = world.run(day)
            assert again is not None
            assert (again["due"], again["charged"], again["extended"], again["suspended"]) == (0, 0, 0, 0)

        assert world.totals["charged"] > 5
        assert world.totals["suspended"] > 0
        assert world.audit(day).violations == []
        assert world.differences() == []


@pytest.mark.timeout(300)
def test_runs_killed_at_random_under_faults_lose_and_double_nothing(tmp_path: Path) -> None:
    dice = random.Random(11)
    with simulation(tmp_path, accounts=6, domains=240, seed=4, start=START) as world:
        world.processor.control("faults", {"rate": 0.2, "kinds": FAULTS, "seed": 5})
        for day in days_from(START, 8):
            for _ in range(3):
                world.run(day, kill_after=dice.uniform(0.05, 0.8))
                world.forget_leases()
            world.run(day)
        world.processor.clear_faults()
        for quiet_day in days_from(day + timedelta(days=1), 3):
            world.run(quiet_day)

        assert world.kills > 5
        assert world.audit(quiet_day).violations == []
        assert world.differences() == []
