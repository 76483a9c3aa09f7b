"""A process killed at any boundary: the next runs finish its work, and nothing is charged or extended twice."""

from __future__ import annotations

import multiprocessing
import signal

import pytest
import sqlalchemy as sa

from panel import failpoints
from panel.records import Attempt, Domain, Extension, Invoice, Proforma, ProformaStatus
from panel.renewals import run as run_module
from panel.renewals.audit import audit
from tests.proof.broken_copies import charge_without_committing_the_intent
from tests.renewals.conftest import World, on_both

FORK = multiprocessing.get_context("fork")
BOUNDARIES = sorted(
    name for name in failpoints.NAMES if name.split(".")[0] in ("charge", "extend", "issue", "suspend")
)

pytestmark = [pytest.mark.proof, on_both]


def run_killed_at(world: World, boundary: str, nth: int = 1) -> None:
    """A run in a process of its own, killed by SIGKILL when it passes `boundary` for the nth time."""

    def victim() -> None:
        failpoints.arm(boundary, nth)
        world.run_on()

    world.database.engine.dispose()
    child = FORK.Process(target=victim)
    child.start()
    child.join(timeout=60)
    assert child.exitcode == -signal.SIGKILL, f"{boundary} was never passed"
    free_leases(world)


def free_leases(world: World) -> None:
    """As if the three minutes of a dead process's leases had gone by."""
    with world.database.write() as session:
        for model in (Attempt, Extension):
            session.execute(sa.update(model).values(lease_until=sa.text("'2000-01-01 00:00:00.000000'")))


def healed(world: World) -> None:
    """Two sweeps later: each domain was charged once, invoiced once, extended once, by our books and by theirs."""
    for _ in range(2):
        world.run_on()
    captures = world.captures()
    assert len({capture["key"] for capture in captures}) == len(captures)
    paid = world.all(Proforma, Proforma.method == "card")
    assert {proforma.status for proforma in paid} == {ProformaStatus.PAID}
    assert len(captures) == len(world.all(Invoice)) == len(paid)
    renewals = [item["domain"] for item in world.processor.registry_ledger() if item["status"] == "renewed"]
    recurring = world.all(Domain, Domain.registrar == "mock", Domain.expires_on > domain_horizon(world))
    assert sorted(renewals) == sorted(domain.name for domain in recurring)
    assert len(recurring) == 3
    assert audit(world.database, world.processors, now=world.clock().now()).violations == []


def domain_horizon(world: World) -> object:
    return world.clock(200).now().date()


def three_due_domains(world: World) -> None:
    for _ in range(3):
        world.domain(world.card())
    # A fourth that lapses today, for the boundaries of suspension.
    world.domain(expires_in=-1)


@pytest.mark.parametrize("boundary", [name for name in BOUNDARIES if not name.startswith("suspend")])
def test_a_run_killed_at_a_boundary_is_finished_by_the_next_one(world: World, boundary: str) -> None:
    three_due_domains(world)

    run_killed_at(world, boundary)

    healed(world)


def test_the_proof_fails_on_a_copy_that_does_not_commit_the_intent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_due_domains(world)
    monkeypatch.setattr(run_module, "charge_due", charge_without_committing_the_intent)

    run_killed_at(world, "charge.after_http")
    with pytest.raises(AssertionError):
        healed(world)
    assert len(world.captures()) == 4, "one domain was charged twice"
    found = audit(world.database, world.processors, now=world.clock().now()).violations
    assert [violation.invariant for violation in found] == [2]
