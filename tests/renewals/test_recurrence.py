"""Recurring payment: what is shown is what is applied; what changed meanwhile stops it; undo gives back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from panel.errors import Conflict, NotThere, Refused
from panel.records import (
    Action,
    Card,
    CardStatus,
    Consent,
    ConsentKind,
    Contact,
    ContactKind,
    Domain,
    DomainStatus,
    JournalEntry,
    Recurrence,
    RecurrenceState,
    TldPrice,
)
from panel.renewals import recurrence
from panel.renewals.recurrence import ConsentGiven, PlanChanged
from panel.renewals.recurrence_plan import Exclusion, Plan, PlanWarning, plan, plan_rows
from panel.renewals.selection import Selection
from tests import cast
from tests.renewals.conftest import World, on_both

# Each of these holds on SQLite and on PostgreSQL.
pytestmark = on_both

CLIENT = ConsentGiven(user_id=None, is_staff=False, on_behalf_of="Amber Studio", remote_address="127.0.0.1")


def planned(
    world: World, selection: Selection, card: Card | None = None, contact_id: int | None = None
) -> Plan:
    with world.database.read() as session:
        return plan(
            session,
            account_id=world.account.id,
            selection=selection,
            contact_id=contact_id,
            card_id=card.id if card else None,
            processors=world.processors,
            now=world.clock().now(),
        )


def confirmed(world: World, shown: Plan, key: str = "a-request-key-1234", **changes: object) -> Action:
    arguments = {
        "account_id": world.account.id,
        "selection": shown.selection,
        "contact_id": shown.contact.id,
        "card_id": shown.card.id,
        "digest": shown.digest,
        "acknowledged": set(shown.required_acknowledgements),
        "consent": CLIENT,
        "request_key": key,
        "processors": world.processors,
        "now": world.clock().now(),
    } | changes
    with world.database.write() as session:
        return recurrence.confirm(session, **arguments)


def current(world: World) -> list[Recurrence]:
    return world.all(Recurrence, Recurrence.current)


def test_confirm_switches_on_every_domain_of_the_account_and_charges_nothing(world: World) -> None:
    card = world.card()
    for _ in range(3):
        world.domain()

    action = confirmed(world, planned(world, Selection.all()))

    assert action.domains_changed == 3
    assert {(row.state, row.card_id, row.agreed_minor) for row in current(world)} == {
        (RecurrenceState.ON, card.id, 1200)
    }
    [consent] = world.all(Consent)
    assert (consent.kind, consent.remote_address) == (ConsentKind.ONLINE, "127.0.0.1")
    assert world.captures() == []
    assert len(world.all(JournalEntry, JournalEntry.kind == "recurrence.recurring_payment")) == 1


def test_all_with_exceptions_leaves_the_exceptions_out(world: World) -> None:
    world.card()
    left_out, kept = world.domain(), world.domain()

    confirmed(world, planned(world, Selection(True, frozenset({left_out.id}))))

    assert [row.domain_id for row in current(world)] == [kept.id]


def test_the_same_request_twice_is_one_action(world: World) -> None:
    world.card()
    world.domain()
    shown = planned(world, Selection.all())

    first = confirmed(world, shown)
    second = confirmed(world, shown)

    assert first.id == second.id
    assert len(current(world)) == 1
    with pytest.raises(Conflict):
        confirmed(world, shown, digest="another plan")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (sa.update(TldPrice).where(TldPrice.kind == "renewal").values(minor=1300), ["price"]),
        (sa.update(Card).values(version=9), ["card"]),
        (sa.update(Contact).values(version=9), ["contact"]),
        (sa.update(Domain).values(bills_on=date(2027, 1, 1)), ["bill_date"]),
    ],
)
def test_what_changed_since_the_page_was_shown_is_named_and_nothing_is_applied(
    world: World, change: sa.Update, named: list[str]
) -> None:
    world.card()
    world.domain()
    shown = planned(world, Selection.all())
    with world.database.write() as session:
        session.execute(change)

    with pytest.raises(PlanChanged) as caught:
        confirmed(world, shown)

    assert caught.value.changed == named
    assert current(world) == []


def test_a_domain_that_came_since_is_named(world: World) -> None:
    world.card()
    world.domain()
    shown = planned(world, Selection.all())
    world.domain()

    with pytest.raises(PlanChanged) as caught:
        confirmed(world, shown)

    assert caught.value.changed == ["domains"]


def test_warnings_must_be_acknowledged_and_are_kept_with_the_consent(world: World) -> None:
    world.card(exp_month=11, exp_year=2026, holder_name="Somebody Else")
    world.domain(expires_in=60)
    shown = planned(world, Selection.all())
    assert shown.warnings == {PlanWarning.EXPIRES_BEFORE_BILL: 1}

    with pytest.raises(Refused):
        confirmed(world, shown, acknowledged=set())
    assert current(world) == []
    confirmed(world, shown)

    assert world.all(Consent)[0].acknowledged == ["expires_before_bill", "holder_differs"]


def test_a_card_that_dies_between_bill_day_and_last_retry_is_warned_of(world: World) -> None:
    world.card(exp_month=11, exp_year=2026)
    world.domain(expires_in=15)

    shown = planned(world, Selection.all())

    assert shown.warnings == {PlanWarning.EXPIRES_BEFORE_LAST_RETRY: 1}


def test_staff_give_the_reference_of_the_clients_consent(world: World) -> None:
    world.card()
    world.domain()
    shown = planned(world, Selection.all())
    staff = ConsentGiven(user_id=None, is_staff=True, on_behalf_of="Amber Studio")

    with pytest.raises(Refused) as caught:
        confirmed(world, shown, consent=staff)

    assert caught.value.field == "reference"


def test_leaving_domains_and_missing_prices_are_left_out_with_the_reason(world: World) -> None:
    world.card()
    cast.make_tld(world.database, "org", price=None)
    world.domain(status=DomainStatus.LEAVING)
    world.domain(name="amber.org")
    kept = world.domain()

    shown = planned(world, Selection.all())

    assert shown.excluded == {Exclusion.LEAVING: 1, Exclusion.PRICE_MISSING: 1}
    confirmed(world, shown)
    assert [row.domain_id for row in current(world)] == [kept.id]


def test_a_currency_that_the_gateway_does_not_take_excludes_everything(world: World) -> None:
    world.card()
    world.domain()
    cast.add(world.database, TldPrice(tld="com", currency="ISK", kind="renewal", minor=1200))
    with world.database.write() as session:
        session.execute(sa.text("UPDATE accounts SET currency = 'ISK'"))

    shown = planned(world, Selection.all())

    assert shown.excluded == {Exclusion.CURRENCY_NOT_ACCEPTED: 1}


def test_a_domain_of_another_account_refuses_the_lot(world: World) -> None:
    world.card()
    mine = world.domain()
    theirs = cast.make_domain(world.database, cast.make_account(world.database, "Birch Works"))

    with pytest.raises(Refused):
        planned(world, Selection.of([mine.id, theirs.id]))


def test_without_a_validated_card_there_is_no_plan(world: World) -> None:
    world.card(status=CardStatus.DECLINED)
    world.card(exp_month=10, exp_year=2026)

    with pytest.raises(Refused) as caught:
        planned(world, Selection.all())

    assert caught.value.field == "card"


def test_undo_restores_what_was_before_where_nothing_changed_since(world: World) -> None:
    old, new = world.card(), world.card()
    was_on, was_off, changed_since = world.domain(old), world.domain(), world.domain(old)
    action = confirmed(world, planned(world, Selection.all(), card=new))
    with world.database.write() as session:
        recurrence.switch_off(
            session,
            account_id=world.account.id,
            selection=Selection.of([changed_since.id]),
            user_id=None,
            request_key="switch-off-123456",
            now=world.clock().now(),
        )

    with world.database.write() as session:
        result = recurrence.undo(
            session, account_id=world.account.id, action_id=action.id, user_id=None, now=world.clock().now()
        )

    assert (result.restored, result.left_count, [row.id for row in result.left]) == (2, 1, [changed_since.id])
    by_domain = {row.domain_id: row for row in current(world)}
    assert (by_domain[was_on.id].state, by_domain[was_on.id].card_id) == (RecurrenceState.ON, old.id)
    assert by_domain[was_off.id].state is RecurrenceState.OFF
    assert by_domain[changed_since.id].state is RecurrenceState.OFF


def test_undo_is_offered_for_a_day_and_once(world: World) -> None:
    world.card()
    world.domain()
    action = confirmed(world, planned(world, Selection.all()))

    def undo(after: timedelta) -> None:
        with world.database.write() as session:
            recurrence.undo(
                session,
                account_id=world.account.id,
                action_id=action.id,
                user_id=None,
                now=world.clock().now() + after,
            )

    with pytest.raises(Refused):
        undo(timedelta(hours=25))
    undo(timedelta(hours=23))
    with pytest.raises(Refused):
        undo(timedelta(hours=23))


def test_an_action_of_another_account_is_not_there(world: World) -> None:
    world.card()
    world.domain()
    action = confirmed(world, planned(world, Selection.all()))
    other = cast.make_account(world.database, "Birch Works")

    with world.database.write() as session, pytest.raises(NotThere):
        recurrence.undo(
            session, account_id=other.id, action_id=action.id, user_id=None, now=world.clock().now()
        )


def test_moving_a_card_moves_its_domains_and_keeps_their_contacts_and_prices(world: World) -> None:
    old, new = world.card(), world.card()
    moved, stays = world.domain(old), world.domain(new)
    billing = cast.make_contact(world.database, world.account, "Paula Weber", ContactKind.BILLING)
    with world.database.write() as session:
        session.execute(
            sa.update(Recurrence).where(Recurrence.domain_id == moved.id).values(contact_id=billing.id)
        )

    def moved_with(acknowledged: set[str]) -> Action:
        with world.database.write() as session:
            return recurrence.move(
                session,
                account_id=world.account.id,
                from_card_id=old.id,
                to_card_id=new.id,
                consent=CLIENT,
                acknowledged=acknowledged,
                request_key="move-123456789",
                now=world.clock().now(),
            )

    with pytest.raises(Refused) as caught:
        moved_with(set())
    assert caught.value.field == "holder_differs"
    action = moved_with({"holder_differs"})

    assert action.domains_changed == 1
    by_domain = {row.domain_id: row for row in current(world)}
    assert (by_domain[moved.id].card_id, by_domain[moved.id].contact_id) == (new.id, billing.id)
    assert by_domain[stays.id].version == 1


def test_rows_show_what_would_change_from_what(world: World) -> None:
    old, new = world.card(last4="1111"), world.card()
    world.domain(old)
    world.domain()

    shown = planned(world, Selection.all(), card=new)
    with world.database.read() as session:
        page = plan_rows(session, shown, only="changing")
        current_card = page.rows[0].current
        assert current_card is not None
        assert current_card.card is not None
        assert current_card.card.last4 == "1111"

    assert (page.total, shown.totals.changes_existing, shown.totals.applies) == (1, 1, 2)
