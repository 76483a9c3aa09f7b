"""A day of the renewal run: what is due is billed, charged, invoiced, extended and told, once."""

from __future__ import annotations

from datetime import timedelta

from panel.records import (
    Attempt,
    AttemptStatus,
    CardStatus,
    Domain,
    DomainStatus,
    Extension,
    ExtensionStatus,
    Invoice,
    ManualReason,
    Message,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    StaffTask,
    SuspensionCause,
    TaskKind,
)
from panel.renewals import recurrence
from panel.renewals.audit import audit
from panel.renewals.selection import Selection
from tests.renewals.conftest import World, on_both

# Each of these holds on SQLite and on PostgreSQL.
pytestmark = on_both


def no_violations(world: World, days: int = 0) -> None:
    found = audit(world.database, world.processors, now=world.clock(days).now())
    assert found.violations == []


def test_a_due_domain_is_charged_invoiced_and_extended(world: World) -> None:
    domain = world.domain(world.card())

    counts = world.run_on()

    assert (counts["due"], counts["issued"], counts["charged"], counts["extended"]) == (1, 1, 1, 1)
    [proforma] = world.all(Proforma)
    [invoice] = world.all(Invoice)
    assert proforma.status is ProformaStatus.PAID
    assert (invoice.full_number, invoice.total_minor) == ("EG-000001", 1440)
    [capture] = world.captures()
    assert (capture["amount"], capture["currency"]) == (1440, "EUR")
    renewed = world.fresh(domain)
    assert renewed.expires_on == domain.expires_on.replace(year=domain.expires_on.year + 1)
    assert {message.kind for message in world.all(Message)} == {"charge_coming", "receipt"}
    no_violations(world)


def test_a_second_run_on_the_same_day_charges_nothing(world: World) -> None:
    world.domain(world.card())
    world.run_on()

    counts = world.run_on()

    assert (counts["due"], counts["charged"], counts["extended"]) == (0, 0, 0)
    assert len(world.captures()) == 1
    no_violations(world)


def test_domains_of_one_bill_date_and_card_share_one_proforma(world: World) -> None:
    card = world.card()
    for _ in range(3):
        world.domain(card)
    world.domain()

    world.run_on()

    by_card, by_hand = world.all(Proforma)
    assert (by_card.method, by_card.net_minor, by_card.status) == (
        PaymentMethod.CARD,
        3600,
        ProformaStatus.PAID,
    )
    assert (by_hand.method, by_hand.net_minor, by_hand.status) == (
        PaymentMethod.MANUAL,
        1200,
        ProformaStatus.OPEN,
    )
    assert len(world.captures()) == 1
    no_violations(world)


def test_a_declined_charge_is_tried_again_at_each_reminder_and_then_suspends(world: World) -> None:
    domain = world.domain(world.card("insufficient_funds"))

    for day in range(17):
        world.run_on(day)

    attempts = world.all(Attempt)
    assert [(attempt.day - attempts[0].day).days for attempt in attempts] == [0, 7, 11, 13]
    assert {attempt.status for attempt in attempts} == {AttemptStatus.DECLINED}
    assert len({attempt.key for attempt in attempts}) == 4
    lapsed = world.fresh(domain)
    assert (lapsed.status, lapsed.suspension_cause) == (DomainStatus.SUSPENDED, SuspensionCause.DECLINED)
    [proforma] = world.all(Proforma)
    assert (proforma.status, proforma.net_minor) == (ProformaStatus.OPEN, 1200 + 900)
    assert "domain_suspended" in {message.kind for message in world.all(Message)}
    no_violations(world, 17)


def test_a_hard_decline_stops_the_card_and_asks_for_another(world: World) -> None:
    card = world.card("lost")
    world.domain(card)
    world.domain(card, expires_in=15)

    world.run_on()
    world.run_on(1)

    assert world.fresh(card).status is CardStatus.DECLINED
    assert len(world.all(Attempt)) == 1
    assert [proforma.method for proforma in world.all(Proforma)] == [PaymentMethod.CARD, PaymentMethod.MANUAL]
    assert {"charge_declined", "card_needed"} <= {message.kind for message in world.all(Message)}


def test_a_merchant_decline_stops_the_gateway_and_duns_nobody(world: World) -> None:
    domain = world.domain(world.card("merchant"))

    for day in (0, 1, 7, 14, 15):
        world.run_on(day)

    assert world.fresh(world.gateway_account).stopped_at is not None
    assert [task.kind for task in world.all(StaffTask)] == [TaskKind.GATEWAY_STOPPED]
    assert len(world.all(Attempt)) == 1
    assert world.fresh(domain).status is DomainStatus.ACTIVE
    assert {message.kind for message in world.all(Message)} == {"charge_coming"}


def test_a_lost_answer_is_found_by_look_up_and_paid_once(world: World) -> None:
    world.domain(world.card())
    world.processor.fault("reset_after", match={"path_prefix": "/v1/charges", "method": "POST"})

    counts = world.run_on()

    assert (counts["charged"], counts["unknown"]) == (1, 0)
    assert len(world.captures()) == 1
    assert world.all(Proforma)[0].status is ProformaStatus.PAID
    no_violations(world)


def test_what_stays_unknown_is_lost_after_the_key_died_and_charged_anew_once(world: World) -> None:
    world.domain(world.card())
    world.processor.fault("timeout_before", match={"path_prefix": "/v1/charges"}, times=50)

    assert world.run_on()["unknown"] == 1
    world.processor.clear_faults()
    assert world.run_on(2)["charged"] == 0
    world.run_on(3)

    lost, paid = world.all(Attempt)
    assert (lost.status, paid.status) == (AttemptStatus.LOST, AttemptStatus.SUCCEEDED)
    assert lost.key != paid.key
    assert len(world.captures()) == 1
    no_violations(world, 3)


def test_a_charge_that_lands_after_the_look_up_said_no_is_paid_once(world: World) -> None:
    world.domain(world.card())
    world.processor.fault("late_landing", match={"path_prefix": "/v1/charges", "method": "POST"})
    world.processor.fault("500_before", match={"path_prefix": "/v1/charges", "method": "GET"}, times=1)
    world.run_on()

    for day in (2, 3, 4):
        world.run_on(day)

    assert len(world.captures()) == 1
    assert world.all(Proforma)[0].status is ProformaStatus.PAID
    no_violations(world, 4)


def test_a_wrong_amount_goes_to_a_person_and_pays_nothing(world: World) -> None:
    world.domain(world.card())
    world.processor.fault("wrong_amount", match={"path_prefix": "/v1/charges"}, times=20)

    world.run_on()

    [attempt] = world.all(Attempt)
    assert attempt.status is AttemptStatus.UNKNOWN
    assert TaskKind.AMOUNT_MISMATCH in {task.kind for task in world.all(StaffTask)}
    assert world.all(Invoice) == []


def test_an_extension_whose_answer_is_lost_is_made_once(world: World) -> None:
    domain = world.domain(world.card())
    world.processor.fault("reset_after", match={"path_prefix": "/registry"})

    world.run_on()

    [extension] = world.all(Extension)
    assert extension.status is ExtensionStatus.DONE
    renewals = [item for item in world.processor.registry_ledger() if item["status"] == "renewed"]
    assert len(renewals) == 1
    assert world.fresh(domain).expires_at > domain.expires_at + timedelta(days=360)


def test_a_manual_registrar_gives_staff_a_worklist(world: World) -> None:
    world.domain(world.card(), registrar="manual")

    world.run_on()

    [extension] = world.all(Extension)
    assert extension.status is ExtensionStatus.WORKLIST
    assert [task.kind for task in world.all(StaffTask)] == [TaskKind.REGISTRAR_WORKLIST]


def test_a_switched_off_recurrence_is_not_charged_at_the_next_retry(world: World) -> None:
    domain = world.domain(world.card("insufficient_funds"))
    world.run_on()
    with world.database.write() as session:
        recurrence.switch_off(
            session,
            account_id=world.account.id,
            selection=Selection.of([domain.id]),
            user_id=None,
            request_key="switch-off-123456",
            now=world.clock().now(),
        )

    world.run_on(7)

    assert len(world.all(Attempt)) == 1
    [proforma] = world.all(Proforma)
    assert (proforma.method, proforma.manual_reason) == (PaymentMethod.MANUAL, ManualReason.NOT_RECURRING)


def test_a_retry_goes_to_the_card_that_the_client_agreed_to_instead(world: World) -> None:
    failing, good = world.card("insufficient_funds"), world.card()
    world.domain(failing)
    world.run_on()
    with world.database.write() as session:
        recurrence.move(
            session,
            account_id=world.account.id,
            from_card_id=failing.id,
            to_card_id=good.id,
            consent=recurrence.ConsentGiven(user_id=None, is_staff=False, on_behalf_of="Amber Studio"),
            acknowledged=set(),
            request_key="move-1234567890",
            now=world.clock().now(),
        )

    world.run_on(7)

    assert [attempt.card_id for attempt in world.all(Attempt)] == [failing.id, good.id]
    assert world.all(Proforma)[0].status is ProformaStatus.PAID
    no_violations(world, 7)


def test_a_domain_that_left_is_taken_off_its_proforma_before_the_charge(world: World) -> None:
    card = world.card("insufficient_funds")
    left, stays = world.domain(card), world.domain(card)
    world.run_on()
    with world.database.write() as session:
        session.get_one(Domain, left.id).status = DomainStatus.LEAVING

    world.run_on(7)

    assert [attempt.minor for attempt in world.all(Attempt)] == [2880, 1440]
    [proforma] = world.all(Proforma)
    assert [line.domain_id for line in live_lines(world)] == [stays.id]
    assert proforma.net_minor == 1200


def test_a_charge_that_nobody_authenticates_is_given_up_and_lapses_for_that_cause(world: World) -> None:
    domain = world.domain(world.card("authentication"))

    for day in range(17):
        world.run_on(day)

    [attempt] = world.all(Attempt)
    assert attempt.status is AttemptStatus.ABANDONED
    assert world.fresh(domain).suspension_cause is SuspensionCause.AUTHENTICATION
    assert world.captures() == []
    no_violations(world, 17)


def live_lines(world: World) -> list[ProformaLine]:
    return world.all(ProformaLine, ProformaLine.live)
