"""A proforma's page, and paying it with a saved card: an intent, progress, the outcome in words."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateways.mock.process import running_processor
from panel.records import (
    Attempt,
    AttemptStatus,
    CardStatus,
    Extension,
    ExtensionStatus,
    GatewayAccount,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    RoleName,
)
from panel.renewals.run import run
from tests import cast
from tests.panel.amber import TODAY, settle_in

YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    with running_processor(tmp_path_factory.mktemp("processor")) as processor:
        yield processor


@pytest.fixture
def amber(app, processor):
    processor.clear_faults()
    amber = settle_in(app, processor.url)
    with amber.database.write() as session:
        account = session.get_one(GatewayAccount, amber.gateway_account.id)
        account.settings = {**account.settings, "api_key": processor.api_key}
    return amber


@pytest.fixture
def client(amber, log_in):
    return log_in(amber.user(RoleName.CLIENT))


@pytest.fixture
def proforma(amber):
    return amber.proforma(manual_reason=ManualReason.NOT_RECURRING)


def page_of(proforma):
    return f"/accounts/{proforma.account_id}/proformas/{proforma.id}"


def attempts_of(amber, proforma):
    with amber.database.read() as session:
        return session.scalars(sa.select(Attempt).where(Attempt.proforma_id == proforma.id)).all()


def test_the_page_shows_whom_it_is_for_its_lines_tax_and_method(client, proforma):
    page = client.get(page_of(proforma)).text
    for text in (
        "Anne Martin",
        "2 Mill Lane",
        "amber.com",
        "1 year",
        "2 Dec 2027",
        "€24.00",
        "VAT 20 %",
        "€4.80",
        "€28.80",
    ):
        assert text in page, text
    assert "Manual payment: recurring payment is off for these domains" in page


def test_paying_writes_an_intent_and_charges_nothing_by_itself(amber, client, proforma):
    answer = client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    assert answer.status_code == 303
    [attempt] = attempts_of(amber, proforma)
    assert attempt.status is AttemptStatus.INTENDED
    assert (attempt.minor, attempt.currency, attempt.card_id) == (2880, "EUR", amber.card.id)
    page = client.get(page_of(proforma)).text
    assert "Waiting to be charged" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Pay with a saved card" not in page


def test_paying_twice_makes_one_attempt(amber, client, proforma):
    client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    again = client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    assert again.status_code == 409
    assert "is under way" in again.text
    assert len(attempts_of(amber, proforma)) == 1


def test_progress_goes_on_while_the_attempt_is_open_and_then_asks_for_the_whole_page(amber, client, proforma):
    attempt = cast.make_attempt(amber.database, proforma, amber.card)
    htmx = {"HX-Request": "true"}
    fragment = client.get(page_of(proforma) + "/progress", headers=htmx)
    assert 'id="payment-progress"' in fragment.text
    assert "<html" not in fragment.text
    with amber.database.write() as session:
        session.get_one(Attempt, attempt.id).status = AttemptStatus.UNKNOWN
    assert 'hx-trigger="every 20s"' in client.get(page_of(proforma) + "/progress", headers=htmx).text
    with amber.database.write() as session:
        session.get_one(Attempt, attempt.id).status = AttemptStatus.LOST
    final = client.get(page_of(proforma) + "/progress", headers=htmx)
    assert final.headers["HX-Refresh"] == "true"
    assert client.get(page_of(proforma) + "/progress").status_code == 303


def test_after_the_worker_has_charged_the_page_shows_the_invoice(app, amber, client, processor, proforma):
    card_ref = f"pm_test_ok_{cast.unique()}"
    with amber.database.write() as session:
        session.get_one(type(amber.card), amber.card.id).instrument_ref = card_ref
    cast.add(amber.database, cast.Series(kind=cast.SeriesKind.INVOICE, prefix="EG"))
    client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    parts = app.extensions["perennial"]
    with app.app_context():
        run(parts.database, parts.processors, parts.clock, mail=None)
    page = client.get(page_of(proforma)).text
    assert "EG-000001" in page
    assert "Paid" in page
    assert "To be done by staff" in page
    assert "payment-progress" not in page


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("retryable", "did not approve the payment this time"),
        ("hard", "refuses payments with this card"),
        ("merchant", "for a reason on our side"),
    ],
)
def test_a_decline_is_told_in_the_customers_words_with_what_to_do_next(amber, client, proforma, kind, text):
    cast.make_attempt(
        amber.database,
        proforma,
        amber.card,
        status=AttemptStatus.DECLINED,
        decline_kind=kind,
        decline_code="insufficient_funds",
        day=YESTERDAY,
        finished_at=cast.NOW,
    )
    page = client.get(page_of(proforma)).text
    assert "Declined" in page
    assert text in page
    # The processor's own codes and keys are for staff.
    assert "insufficient_funds" not in page


def test_staff_see_the_key_and_the_processors_code(amber, log_in, proforma):
    attempt = cast.make_attempt(
        amber.database,
        proforma,
        amber.card,
        status=AttemptStatus.DECLINED,
        decline_kind="hard",
        decline_code="stolen_card",
        gateway_ref="ch_77",
    )
    page = log_in(amber.user(RoleName.READ_ONLY)).get(page_of(proforma)).text
    assert attempt.key in page
    assert "stolen_card" in page
    assert "ch_77" in page


def test_on_the_day_of_a_try_the_page_says_to_come_back_tomorrow(amber, client, proforma):
    cast.make_attempt(
        amber.database,
        proforma,
        amber.card,
        status=AttemptStatus.DECLINED,
        decline_kind="retryable",
        day=TODAY,
    )
    page = client.get(page_of(proforma)).text
    assert "it can be tried again tomorrow" in page
    assert f'action="{page_of(proforma)}/pay"' not in page
    answer = client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    assert answer.status_code == 422
    assert "A card was tried for this proforma today" in answer.text
    assert len(attempts_of(amber, proforma)) == 1


@pytest.mark.parametrize("changes", [{"status": CardStatus.REVOKED}, {"exp_year": 2026, "exp_month": 10}])
def test_a_card_that_cannot_be_charged_is_not_offered_and_not_taken(amber, client, proforma, changes):
    with amber.database.write() as session:
        card = session.get_one(type(amber.card), amber.card.id)
        for name, value in changes.items():
            setattr(card, name, value)
    assert "There is no validated card" in client.get(page_of(proforma)).text
    answer = client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    assert answer.status_code == 422
    assert attempts_of(amber, proforma) == []


def test_a_card_of_a_stopped_gateway_is_not_offered(amber, client, proforma):
    with amber.database.write() as session:
        session.get_one(GatewayAccount, amber.gateway_account.id).stopped_at = cast.NOW
    assert "There is no validated card" in client.get(page_of(proforma)).text
    assert client.send(page_of(proforma) + "/pay", {"card": amber.card.id}).status_code == 422


def test_another_accounts_card_is_refused_like_one_that_does_not_exist(amber, client, proforma):
    foreign = cast.make_card(
        amber.database, cast.make_account(amber.database, "Birch Works"), amber.gateway_account
    )
    answers = [
        client.send(page_of(proforma) + "/pay", {"card": card_id}).status_code
        for card_id in (foreign.id, 99_999_999, "x", "")
    ]
    assert answers == [422] * 4
    assert attempts_of(amber, proforma) == []


def test_a_foreign_proforma_answers_like_an_absent_one(amber, client):
    account = cast.make_account(amber.database, "Birch Works")
    contact = cast.make_contact(amber.database, account)
    domain = cast.make_domain(amber.database, account, "birch.com")
    foreign = cast.make_proforma(amber.database, account, contact, [domain])
    own = f"/accounts/{amber.account.id}/proformas"
    for path in ("", "/progress"):
        answers = [client.get(f"{own}/{number}{path}") for number in (foreign.id, 99_999_999)]
        assert [answer.status_code for answer in answers] == [404, 404]
    assert client.send(f"{own}/{foreign.id}/pay", {"card": amber.card.id}).status_code == 404
    assert client.get(page_of(foreign)).status_code == 404


def test_read_only_staff_see_no_buttons_and_may_not_press_them(amber, log_in, proforma):
    reader = log_in(amber.user(RoleName.READ_ONLY))
    page = reader.get(page_of(proforma)).text
    for button in ("/pay", "/record-payment", "/cancel"):
        assert page_of(proforma) + button not in page
    assert reader.send(page_of(proforma) + "/pay", {"card": amber.card.id}).status_code == 403
    assert attempts_of(amber, proforma) == []


def test_a_client_sees_neither_manual_payment_nor_cancellation(amber, client, proforma):
    page = client.get(page_of(proforma)).text
    assert page_of(proforma) + "/pay" in page
    assert "Record a manual payment" not in page
    assert "Cancel this proforma" not in page


def test_a_paid_proforma_shows_how_far_each_domain_is(amber, client, proforma):
    cast.make_invoice(amber.database, proforma)
    with amber.database.write() as session:
        lines = session.scalars(sa.select(ProformaLine).where(ProformaLine.proforma_id == proforma.id)).all()
        for line, status in zip(lines, (ExtensionStatus.DONE, ExtensionStatus.REFUSED), strict=True):
            session.add(
                Extension(
                    line_id=line.id,
                    domain_id=line.domain_id,
                    registrar="mock",
                    key=f"extension-{line.id}",
                    years=1,
                    believed_expiry=cast.NOW,
                    status=status,
                    next_try_at=cast.NOW,
                    created_at=cast.NOW,
                    message="a word to staff",
                )
            )
    page = client.get(page_of(proforma)).text
    assert "Extended" in page
    assert "Refused by the registrar" in page
    assert "a word to staff" not in page
    assert "Pay with a saved card" not in page


def test_the_next_charge_of_a_recurring_proforma_is_announced(amber, client):
    proforma = amber.proforma(
        method=PaymentMethod.CARD, card_id=amber.card.id, next_charge_on=TODAY + timedelta(days=3)
    )
    page = client.get(page_of(proforma)).text
    assert "Card Visa •••• 4242" in page
    assert "25 Nov 2026" in page


def test_text_from_outside_is_shown_as_text(amber, log_in, proforma):
    hostile = '"><script>alert(1)</script>{{7*7}}'
    with amber.database.write() as session:
        session.get_one(Proforma, proforma.id).issued_to = {"name": hostile, "company": hostile}
    cast.make_attempt(
        amber.database, proforma, amber.card, status=AttemptStatus.UNKNOWN, message=hostile, day=YESTERDAY
    )
    page = log_in(amber.user(RoleName.ADMIN)).get(page_of(proforma)).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page


def test_thousands_of_lines_come_in_pages(amber, client, monkeypatch):
    domains = [
        cast.make_domain(amber.database, amber.account, f"many-{number:03d}.com") for number in range(101)
    ]
    proforma = cast.make_proforma(amber.database, amber.account, amber.contact, domains)
    page = client.get(page_of(proforma)).text
    assert "many-099.com" in page
    assert "many-100.com" not in page
    assert "many-100.com" in client.get(page_of(proforma) + "?page=2").text


def test_a_cancelled_proforma_cannot_be_paid(amber, client, proforma):
    with amber.database.write() as session:
        cancelled = session.get_one(Proforma, proforma.id)
        cancelled.status, cancelled.cancelled_at = ProformaStatus.CANCELLED, cast.NOW
    answer = client.send(page_of(proforma) + "/pay", {"card": amber.card.id})
    assert answer.status_code == 409
    assert "was cancelled" in answer.text
