"""The conformance kit's checks on the gateway to Mollie, against the kit's own fake of it."""

import pytest

from gateways.contract import Status
from gateways.testing.bench import Bench
from gateways.testing.checks.catalogue import ALL
from gateways.testing.fakes.mollie import conformance
from gateways.testing.processor import NotOffered
from tests.gateways.kit.running import run

SIGNED = (
    "header_names_come_in_any_case",
    "either_secret_of_a_rotation_is_enough",
    "without_a_secret_nothing_is_accepted",
    "a_missing_or_malformed_signature_is_refused",
    "an_altered_byte_is_refused",
    "a_strangers_signature_is_refused",
    "an_old_signature_is_refused",
    "a_signature_from_the_future_is_refused",
    "an_unknown_type_is_accepted_and_empty",
    "an_event_of_the_other_mode_is_refused",
)
NOT_OFFERED = {
    "money.three_decimals_on_the_wire_and_back",
    "money.an_amount_off_the_step_is_refused_before_any_request",
    "outcomes.the_issuers_advice_overrides_the_code",
    "outcomes.a_confirmed_payment_succeeds",
    "outcomes.a_payment_that_is_not_confirmed_moves_nothing",
    "outcomes.a_slow_payment_is_pending_until_it_is_known",
    "ambiguity.the_reference_is_kept_before_money_moves",
    "ambiguity.a_crash_at_the_checkpoint_moves_nothing",
    "secrets.the_webhook_secret_is_not_sent",
    *(f"webhooks.{name}" for name in SIGNED),
}


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.full_name)
def test_mollie_conforms(check):
    offered = check.full_name not in NOT_OFFERED
    try:
        run(check, conformance)
    except NotOffered:
        assert not offered
    else:
        assert offered


def test_a_payment_that_is_made_beside_a_refusal_is_not_taken_for_a_decline():
    with conformance.processor() as processor:
        bench = Bench(conformance, processor)
        request = bench.request("made_all_the_same")
        assert bench.charge(request).status is Status.SUCCEEDED
        bench.expect_moved_once(request)
