"""Renewals are guarded by the expiry that we believe in, and a lost answer can be asked for again."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest

from gateways.contract import Mode, WrongMode
from gateways.errors import Rejected, Unreachable
from gateways.mock.faults import FaultKind
from gateways.registrars.contract import (
    ActionStatus,
    DomainStatus,
    RefusalReason,
    RenewRequest,
    RenewStatus,
)
from gateways.registrars.manual import ManualRegistrar
from gateways.registrars.mock import MockRegistrar
from gateways.secret import Secret

EXPIRY = datetime(2027, 5, 4, 21, 59, 59, tzinfo=UTC)
SLOW = {FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER, FaultKind.SLOW_DRIP}
_numbers = count(1)


@pytest.fixture
def domain():
    return f"name-{next(_numbers)}-{datetime.now(UTC).timestamp():.0f}.example"


def request_for(domain, key="1", expiry=EXPIRY, years=1):
    return RenewRequest(key=f"{domain}:{key}", domain=domain, believed_expiry=expiry, years=years)


def renewals(processor, domain):
    return [
        item
        for item in processor.registry_ledger()
        if item["domain"] == domain and item["status"] == "renewed"
    ]


def test_a_renewal_moves_the_expiry_by_its_years(processor, registrar, call_context, domain):
    result = registrar.renew(call_context(), request_for(domain, years=2))
    assert (result.status, result.new_expiry) == (RenewStatus.RENEWED, EXPIRY.replace(year=2029))
    assert registrar.get_domain(call_context(), domain).expires_at == EXPIRY.replace(year=2029)
    assert len(renewals(processor, domain)) == 1


def test_the_same_key_again_gets_the_same_answer_and_renews_nothing(
    processor, registrar, call_context, domain
):
    first = registrar.renew(call_context(), request_for(domain))
    processor.set_clock(datetime(2028, 1, 1, tzinfo=UTC))
    assert registrar.renew(call_context(), request_for(domain)) == first
    assert len(renewals(processor, domain)) == 1


def test_another_key_with_the_old_expiry_is_refused(processor, registrar, call_context, domain):
    registrar.renew(call_context(), request_for(domain))
    refused = registrar.renew(call_context(), request_for(domain, key="2"))
    assert (refused.status, refused.reason) == (RenewStatus.REFUSED, RefusalReason.EXPIRY_DIFFERS)
    assert refused.new_expiry == EXPIRY.replace(year=2028)
    assert len(renewals(processor, domain)) == 1


def test_a_key_that_was_used_for_something_else_is_refused(processor, registrar, call_context, domain):
    registrar.renew(call_context(), request_for(domain))
    refused = registrar.renew(call_context(), request_for(domain, years=2))
    assert refused.reason is RefusalReason.KEY_REUSED
    assert len(renewals(processor, domain)) == 1


def test_a_domain_renewed_by_hand_or_moved_away_is_refused(processor, registrar, call_context, domain):
    by_hand = EXPIRY.replace(year=2028)
    processor.control("registry", {"name": domain, "expires_at": by_hand.isoformat()})
    assert registrar.renew(call_context(), request_for(domain)).reason is RefusalReason.EXPIRY_DIFFERS
    processor.control("registry", {"name": domain, "status": "elsewhere"})
    gone = registrar.renew(call_context(), request_for(domain, key="2", expiry=by_hand))
    assert gone.reason is RefusalReason.NOT_HERE
    assert registrar.get_domain(call_context(), domain).found is False


def test_the_same_instant_in_another_zone_is_the_same_expiry(registrar, call_context, domain):
    local = EXPIRY.astimezone(timezone(timedelta(hours=3)))
    registrar.renew(call_context(), request_for(domain))
    again = registrar.renew(call_context(), request_for(domain, key="2", expiry=local.replace(year=2028)))
    assert again.status is RenewStatus.RENEWED


def test_a_leap_day_stays_the_28th(registrar, call_context, domain):
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    first = registrar.renew(call_context(), request_for(domain, expiry=leap)).new_expiry
    assert first == datetime(2029, 2, 28, 12, tzinfo=UTC)
    second = registrar.renew(call_context(), request_for(domain, key="2", expiry=first, years=3))
    assert second.new_expiry == datetime(2032, 2, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.WRONG_CURRENCY])
def test_after_any_fault_the_same_request_settles_it_once(processor, registrar, call_context, domain, kind):
    processor.fault(kind, match={"path_prefix": "/registry"})
    lost = registrar.renew(call_context(0.6 if kind in SLOW else 10.0), request_for(domain))
    at_the_door = kind in (FaultKind.TOO_MANY, FaultKind.UNAUTHORISED)
    assert lost.status is (RenewStatus.NOT_SUBMITTED if at_the_door else RenewStatus.UNKNOWN)
    result = registrar.renew(call_context(), request_for(domain))
    assert (result.status, result.new_expiry) == (RenewStatus.RENEWED, EXPIRY.replace(year=2028))
    assert len(renewals(processor, domain)) == 1


def test_a_renewal_that_lands_late_is_the_same_renewal(processor, registrar, call_context, domain):
    processor.set_clock(datetime(2027, 3, 1, tzinfo=UTC))
    processor.fault("late_landing", after_s=30, match={"path_prefix": "/registry"})
    assert registrar.renew(call_context(), request_for(domain)).status is RenewStatus.UNKNOWN
    assert registrar.get_domain(call_context(), domain).found is False
    processor.set_clock(datetime(2027, 3, 1, 0, 1, tzinfo=UTC))
    assert registrar.get_domain(call_context(), domain).expires_at == EXPIRY.replace(year=2028)
    assert registrar.renew(call_context(), request_for(domain)).status is RenewStatus.RENEWED
    assert len(renewals(processor, domain)) == 1


def test_suspending_and_coming_back(registrar, call_context, domain):
    assert registrar.suspend(call_context(), domain).status is ActionStatus.DONE
    assert registrar.get_domain(call_context(), domain).status is DomainStatus.SUSPENDED
    assert registrar.suspend(call_context(), domain).status is ActionStatus.DONE
    # Suspended before it was ever renewed, the registry learns the expiry from the renewal.
    assert registrar.renew(call_context(), request_for(domain)).status is RenewStatus.RENEWED
    assert registrar.get_domain(call_context(), domain).status is DomainStatus.SUSPENDED
    assert registrar.unsuspend(call_context(), domain).status is ActionStatus.DONE
    assert registrar.get_domain(call_context(), domain).status is DomainStatus.ACTIVE


def test_what_is_deleted_is_gone(registrar, call_context, domain):
    registrar.renew(call_context(), request_for(domain))
    assert registrar.delete(call_context(), domain).status is ActionStatus.DONE
    assert registrar.get_domain(call_context(), domain).found is False
    assert registrar.unsuspend(call_context(), domain).status is ActionStatus.REFUSED
    later = request_for(domain, key="2", expiry=EXPIRY.replace(year=2028))
    assert registrar.renew(call_context(), later).reason is RefusalReason.NOT_HERE


@pytest.mark.parametrize("action", ["suspend", "unsuspend", "delete"])
@pytest.mark.parametrize("kind", ["500_before", "reset_after", "garbage"])
def test_an_action_whose_answer_is_lost_is_unknown_and_may_be_repeated(
    processor, registrar, call_context, domain, action, kind
):
    processor.fault(kind, match={"method": "POST"})
    assert getattr(registrar, action)(call_context(), domain).status is ActionStatus.UNKNOWN
    assert getattr(registrar, action)(call_context(), domain).status is ActionStatus.DONE


@pytest.mark.parametrize(
    "name", ["../v1/charges", "a b.example", "", "UPPER.example", "x" * 300 + ".example"]
)
def test_a_name_that_is_none_reaches_nothing(registrar, call_context, name):
    assert registrar.suspend(call_context(), name).status is ActionStatus.REFUSED
    with pytest.raises(Rejected):
        registrar.get_domain(call_context(), name)
    renewal = RenewRequest(key=f"bad:{name[:20]}", domain=name, believed_expiry=EXPIRY)
    assert registrar.renew(call_context(), renewal).status is RenewStatus.REFUSED


def test_an_unreachable_registry_is_not_submitted(call_context, domain):
    silent = MockRegistrar({"base_url": "http://127.0.0.1:1", "api_key": Secret("k")}, Mode.TEST, "1")
    assert silent.renew(call_context(), request_for(domain)).status is RenewStatus.NOT_SUBMITTED
    assert silent.suspend(call_context(), domain).status is ActionStatus.NOT_SUBMITTED
    assert [problem.field for problem in silent.check_settings(call_context())] == ["base_url"]
    with pytest.raises(Unreachable):
        silent.get_domain(call_context(), domain)


def test_by_hand_everything_goes_to_the_worklist(call_context, domain):
    manual = ManualRegistrar({}, Mode.LIVE, "1")
    assert manual.capabilities.automatic is False
    assert manual.renew(call_context(), request_for(domain)).status is RenewStatus.WORKLIST
    assert manual.suspend(call_context(), domain).status is ActionStatus.WORKLIST
    assert manual.delete(call_context(), domain).status is ActionStatus.WORKLIST


def test_the_mock_registry_is_refused_in_live_mode():
    with pytest.raises(WrongMode):
        MockRegistrar({}, Mode.LIVE, "1")
