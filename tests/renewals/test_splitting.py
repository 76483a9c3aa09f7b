"""A proforma of which only some lines are recurring is split when their day comes."""

from __future__ import annotations

from panel.billing import early_renewal
from panel.records import Domain, ManualReason, PaymentMethod, Proforma, ProformaStatus, Term
from panel.renewals.audit import audit
from panel.renewals.selection import Selection
from panel.renewals.settlement import record_manual_payment
from panel.renewals.splitting import preview
from tests import cast
from tests.renewals.conftest import World, on_both

# Each of these holds on SQLite and on PostgreSQL.
pytestmark = on_both


def renewed_early(world: World, *domains: Domain) -> Proforma:
    selection = Selection.of(domain.id for domain in domains)
    asked = {"account_id": world.account.id, "selection": selection, "years": {}, "contact_id": None}
    now = world.clock().now()
    with world.database.write() as session:
        shown = early_renewal.plan(session, **asked, now=now)
        [proforma] = early_renewal.generate(
            session, **asked, digest=shown.digest, request_key="renew-1234567890", user_id=None, now=now
        )
    return proforma


def test_the_recurring_lines_are_charged_and_the_others_stay(world: World) -> None:
    recurring, other = world.domain(world.card(), expires_in=20), world.domain(expires_in=20)
    mixed = renewed_early(world, recurring, other)

    assert world.run_on()["charged"] == 0
    with world.database.read() as session:
        [part] = preview(
            session, session.get(Proforma, mixed.id), processors=world.processors, now=world.clock().now()
        )
        assert [line.domain.id for line in part.lines] == [recurring.id]
    assert world.run_on(6)["charged"] == 1

    rest, split_off = world.all(Proforma)
    assert (rest.status, rest.net_minor, rest.manual_reason) == (
        ProformaStatus.OPEN,
        1200,
        ManualReason.EARLY_RENEWAL,
    )
    assert rest.contact_id == mixed.contact_id
    assert (split_off.status, split_off.net_minor, split_off.method) == (
        ProformaStatus.PAID,
        1200,
        PaymentMethod.CARD,
    )
    assert len(world.all(Term, Term.domain_id == recurring.id)) == 1
    assert audit(world.database, world.processors, now=world.clock(6).now()).violations == []


def test_a_proforma_whose_every_line_is_recurring_is_closed(world: World) -> None:
    domain = world.domain(world.card(), expires_in=20)
    renewed_early(world, domain)

    world.run_on(6)

    emptied, split_off = world.all(Proforma)
    assert (emptied.status, split_off.status) == (ProformaStatus.CANCELLED, ProformaStatus.PAID)


def test_an_early_renewal_that_was_paid_is_not_billed_again(world: World) -> None:
    domain = world.domain(world.card(), expires_in=20)
    proforma = renewed_early(world, domain)
    user = cast.make_user(world.database)
    with world.database.write() as session:
        record_manual_payment(
            session,
            account_id=world.account.id,
            proforma_id=proforma.id,
            reference="transfer 17",
            received_on=world.clock().now().date(),
            user_id=user.id,
            now=world.clock().now(),
        )

    for day in (0, 6, 20):
        world.run_on(day)

    assert len(world.all(Proforma)) == 1
    assert world.captures() == []
    assert world.fresh(domain).expires_on.year == domain.expires_on.year + 1
