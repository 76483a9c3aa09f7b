"""The kit is judged by faults that are known to be there: each is caught by the check that is named for it."""

import pytest

from gateways.testing.bench import Nonconforming
from gateways.testing.checks.catalogue import ALL
from tests.gateways.kit.planted import PLANTED, Planted
from tests.gateways.kit.running import run

BY_NAME = {check.full_name: check for check in ALL}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.gateway.__name__)
def test_a_planted_fault_is_caught_by_its_check(planted: Planted):
    with pytest.raises((Nonconforming, planted.crashes_with)) as caught:
        run(BY_NAME[planted.caught_by], planted.broken)
    assert len(str(caught.value)) > 10


def test_every_group_of_checks_has_caught_something():
    caught = {planted.caught_by.partition(".")[0] for planted in PLANTED}
    assert caught == {check.group for check in ALL}
    assert len({planted.gateway for planted in PLANTED}) >= 20
