"""Runs one check on one gateway, as the pytest plugin does."""

from gateways.testing.bench import Bench
from gateways.testing.checks.registry import Check
from gateways.testing.conformance import Conformance


def run(check: Check, conformance: Conformance) -> None:
    """Raises what the check raises: Nonconforming, NotOffered, or the gateway's own error."""
    with conformance.processor() as processor:
        check.run(Bench(conformance, processor))
