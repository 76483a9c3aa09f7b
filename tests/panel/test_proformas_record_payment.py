"""Money that arrived outside the gateways: staff record it, and the invoice follows."""

import pytest
import sqlalchemy as sa

from panel.records import (
    AttemptStatus,
    Extension,
    Invoice,
    JournalEntry,
    ManualPayment,
    RoleName,
    Series,
    SeriesKind,
)
from tests import cast
from tests.panel.amber import settle_in

GOOD = {"reference": "Transfer 4711", "received_on": "2026-11-20"}


@pytest.fixture
def amber(app):
    amber = settle_in(app)
    cast.add(amber.database, Series(kind=SeriesKind.INVOICE, prefix="EG"))
    return amber


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.BILLING))


@pytest.fixture
def proforma(amber):
    return amber.proforma()


def page_of(proforma):
    return f"/accounts/{proforma.account_id}/proformas/{proforma.id}"


def payments(amber):
    with amber.database.read() as session:
        return session.scalars(sa.select(ManualPayment)).all()


def test_a_recorded_payment_brings_the_invoice_and_the_extensions(amber, staff, proforma):
    answer = staff.send(page_of(proforma) + "/record-payment", GOOD, follow_redirects=True)
    assert "The payment was recorded" in answer.text
    assert "Transfer 4711, received on 20 Nov 2026" in answer.text
    assert "EG-000001" in answer.text
    [payment] = payments(amber)
    assert (payment.minor, payment.currency) == (2880, "EUR")
    with amber.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Extension)) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(Invoice)) == 1
        kinds = session.scalars(sa.select(JournalEntry.kind)).all()
    assert "proforma.paid" in kinds


def test_recorded_twice_it_is_paid_once(amber, staff, proforma):
    staff.send(page_of(proforma) + "/record-payment", GOOD)
    again = staff.send(page_of(proforma) + "/record-payment", GOOD)
    assert again.status_code == 409
    assert "is paid already" in again.text
    assert len(payments(amber)) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reference": ""}, "Enter the reference of the payment."),
        ({"reference": "   "}, "Enter the reference of the payment."),
        ({"reference": "x" * 201}, "longer than 200"),
        ({"received_on": ""}, "Enter the day on which the money was received."),
        ({"received_on": "31.12.2026"}, "Not a valid date value."),
        ({"received_on": "2026-11-23"}, "lies in the future"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_recorded(
    amber, staff, proforma, changes, text
):
    answer = staff.send(page_of(proforma) + "/record-payment", GOOD | changes)
    assert answer.status_code == 422
    assert text in answer.text
    assert "<details open>" in answer.text
    assert payments(amber) == []


def test_an_amount_in_the_form_is_not_believed(amber, staff, proforma):
    staff.send(
        page_of(proforma) + "/record-payment", GOOD | {"minor": "1", "currency": "USD", "account_id": "9"}
    )
    [payment] = payments(amber)
    assert (payment.minor, payment.currency, payment.proforma_id) == (2880, "EUR", proforma.id)


def test_while_a_charge_is_in_doubt_no_payment_is_recorded(amber, staff, proforma):
    cast.make_attempt(amber.database, proforma, amber.card, status=AttemptStatus.UNKNOWN)
    assert "Record a manual payment" not in staff.get(page_of(proforma)).text
    answer = staff.send(page_of(proforma) + "/record-payment", GOOD)
    assert answer.status_code == 409
    assert payments(amber) == []


@pytest.mark.parametrize("role", [RoleName.CLIENT, RoleName.READ_ONLY])
def test_clients_and_read_only_staff_cannot_record_one(amber, log_in, proforma, role):
    answer = log_in(amber.user(role)).send(page_of(proforma) + "/record-payment", GOOD)
    assert answer.status_code == 403
    assert payments(amber) == []
