"""The conformance kit's checks on the gateway to Stripe, against the kit's own fake of it."""

import pytest

from gateways.testing.checks.catalogue import ALL
from gateways.testing.fakes.stripe import conformance
from gateways.testing.processor import NotOffered
from tests.gateways.kit.running import run

NOT_OFFERED = {"outcomes.a_slow_payment_is_pending_until_it_is_known"}


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.full_name)
def test_stripe_conforms(check):
    offered = check.full_name not in NOT_OFFERED
    try:
        run(check, conformance)
    except NotOffered:
        assert not offered
    else:
        assert offered
