"""The gateways that ship, and an invented one, against the kit: every check passes, or is not offered."""

import re
from pathlib import Path

import pytest

from gateways.loading import load
from gateways.testing.checks.catalogue import ALL, GROUPS
from gateways.testing.finding import conformance_of
from gateways.testing.processor import NotOffered
from tests.gateways.kit.kestrel import conformance as kestrel
from tests.gateways.kit.running import run

# What these two have between them is every check; a processor that is described elsewhere says for itself.
NOT_OFFERED = {
    "mock": {
        "outcomes.an_unheard_of_code_is_retryable",
        "outcomes.every_documented_code_has_its_kind",
        "outcomes.authentication_as_a_200_is_action_required",
        "outcomes.a_slow_payment_is_pending_until_it_is_known",
        "ambiguity.the_reference_is_kept_before_money_moves",
        "ambiguity.a_crash_at_the_checkpoint_moves_nothing",
        "refunds.a_refund_that_fails_later_is_read_as_refused",
    },
    "kestrel": {
        "outcomes.the_issuers_advice_overrides_the_code",
        "outcomes.authentication_as_an_error_is_action_required",
        "lookups.the_list_is_whole",
        "instruments.a_forgotten_instrument_is_not_charged",
        "instruments.forgetting_twice_is_no_error",
        "instruments.an_instrument_reads_as_the_processor_says",
        "instruments.an_outage_revokes_no_card",
    },
}


SHIPPED = [conformance_of(name, Path(__file__).parent) for name in load(entry_points=False).gateways]


@pytest.mark.parametrize("conformance", [*SHIPPED, kestrel], ids=lambda each: each.gateway.id)
@pytest.mark.parametrize("check", ALL, ids=lambda check: check.full_name)
def test_it_conforms(check, conformance):
    known = NOT_OFFERED.get(conformance.gateway.id)
    try:
        run(check, conformance)
    except NotOffered:
        assert known is None or check.full_name in known
    else:
        assert known is None or check.full_name not in known


def test_every_check_is_tried_by_one_of_the_two():
    assert not set.intersection(*NOT_OFFERED.values())


def test_there_are_checks_in_every_group_with_a_sentence_each():
    assert len(ALL) >= 34
    assert len({check.full_name for check in ALL}) == len(ALL)
    assert {check.group for check in ALL} == set(GROUPS)
    for check in ALL:
        assert re.fullmatch(r"[A-Z].{30,200}\.", check.remedy), check.full_name
