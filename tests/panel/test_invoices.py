"""Invoices: listed by account or all, found again, and the page that is printed."""

import pytest

from panel.records import Invoice, RoleName, Series, SeriesKind
from tests import cast
from tests.panel.amber import settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def client(amber, log_in):
    return log_in(amber.user(RoleName.CLIENT))


@pytest.fixture
def invoice(amber):
    return cast.make_invoice(
        amber.database,
        amber.proforma(),
        issued_to={"name": "Anne Martin", "company": "Amber Studio GmbH", "street": "2 Mill Lane", "city": "Graz",
                   "postcode": "8010", "country": "AT", "vat_id": "ATU12345678"},
        issued_by={"name": "Evergreen Domains", "street": "1 Forest Row", "city": "Vienna", "country": "AT",
                   "vat_id": "ATU99999999"},
    )  # fmt: skip


def credit(amber, invoice):
    series = cast.add(amber.database, Series(kind=SeriesKind.CREDIT_NOTE, prefix="CN"))
    return cast.add(
        amber.database,
        Invoice(
            series_id=series.id,
            number=1,
            full_number="CN-000001",
            date=invoice.date,
            account_id=invoice.account_id,
            contact_id=invoice.contact_id,
            proforma_id=invoice.proforma_id,
            credits_id=invoice.id,
            currency="EUR",
            net_minor=1200,
            tax_minor=240,
            total_minor=1440,
            tax_rate_bp=2000,
            issued_to=invoice.issued_to,
            issued_by=invoice.issued_by,
            issued_at=cast.NOW,
        ),
    )


def page_of(invoice):
    return f"/accounts/{invoice.account_id}/invoices/{invoice.id}"


def test_no_invoices_yet(amber, client):
    assert "No invoices yet" in client.get(f"/accounts/{amber.account.id}/invoices").text


def test_an_invoice_carries_what_the_law_asks_for(client, invoice):
    page = client.get(page_of(invoice)).text
    for text in (
        invoice.full_number,
        "22 Nov 2026",
        "Evergreen Domains",
        "VAT ID: ATU99999999",
        "Amber Studio GmbH",
        "8010 Graz",
        "Austria",
        "VAT ID: ATU12345678",
        "amber.com",
        "2 Dec 2026 to 2 Dec 2027",
        "€12.00",
        "VAT 20 %",
        "€4.80",
        "€28.80",
        'media="print"',
    ):
        assert text in page, text


def test_the_print_stylesheet_is_served(client):
    answer = client.get("/static/print.css")
    assert answer.status_code == 200
    assert answer.mimetype == "text/css"


def test_the_reverse_charge_sentence_stands_on_the_document(amber, client):
    note = "Reverse charge: the customer accounts for VAT."
    invoice = cast.make_invoice(
        amber.database, amber.proforma(), tax_minor=0, total_minor=2400, tax_rate_bp=0, tax_note=note
    )
    page = client.get(page_of(invoice)).text
    assert note in page
    assert "VAT 0 %" in page


def test_a_credit_note_and_its_invoice_name_each_other(amber, client, invoice):
    note = credit(amber, invoice)
    page = client.get(page_of(note)).text
    assert "Credit note CN-000001" in page
    assert invoice.full_number in page
    assert "CN-000001" in client.get(page_of(invoice)).text


def test_the_list_tells_credit_notes_from_invoices(amber, client, invoice):
    credit(amber, invoice)
    base = f"/accounts/{amber.account.id}/invoices"
    # The invoice's number is an option of no filter, so it is in a page only when it is listed.
    assert invoice.full_number not in client.get(base + "?kind=credit_note").text
    assert "CN-000001" not in client.get(base + "?kind=invoice").text
    assert "CN-000001" in client.get(base).text


@pytest.mark.parametrize("search", ["{number}", "{lower}", "amber.com", "PF-{proforma:06d}"])
def test_an_invoice_is_found_by_its_number_domain_and_proforma(amber, client, invoice, search):
    text = search.format(
        number=invoice.full_number, lower=invoice.full_number.lower(), proforma=invoice.proforma_id
    )
    page = client.get(f"/accounts/{amber.account.id}/invoices", query_string={"search": text}).text
    assert page_of(invoice) in page


def test_dates_limit_the_list_and_nonsense_does_not(amber, client, invoice):
    base = f"/accounts/{amber.account.id}/invoices"
    assert page_of(invoice) in client.get(base + "?since=2026-11-22&until=2026-11-22").text
    assert page_of(invoice) not in client.get(base + "?since=2026-11-23").text
    assert page_of(invoice) not in client.get(base + "?until=2026-11-21").text
    assert page_of(invoice) in client.get(base + "?since=yesterday").text


def test_a_client_sees_no_other_accounts_invoices(amber, log_in, client, invoice):
    stranger = log_in(
        cast.make_user(amber.database, RoleName.CLIENT, cast.make_account(amber.database, "Birch Works"))
    )
    assert stranger.get(page_of(invoice)).status_code == 404
    assert client.get(f"/accounts/{amber.account.id}/invoices/99999999").status_code == 404
    assert client.get("/invoices").status_code == 403


def test_staff_see_all_accounts_with_their_names(amber, log_in, invoice):
    page = log_in(amber.user(RoleName.READ_ONLY)).get("/invoices").text
    assert invoice.full_number in page
    assert "Amber Studio" in page
