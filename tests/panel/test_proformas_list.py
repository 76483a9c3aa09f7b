"""The list of proformas: searched, filtered, of one account or of all."""

import pytest

from panel.billing import document_list, paging
from panel.records import AttemptStatus, ManualReason, ProformaStatus, RoleName
from tests import cast
from tests.panel.amber import TODAY, settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.READ_ONLY))


def make_other(amber, name="Birch Works", domain="birch.com", **changes):
    account = cast.make_account(amber.database, name)
    contact = cast.make_contact(amber.database, account)
    domain = cast.make_domain(amber.database, account, domain)
    return cast.make_proforma(amber.database, account, contact, [domain], **changes)


def test_an_account_without_proformas_is_told_how_they_come_about(amber, staff):
    page = staff.get(f"/accounts/{amber.account.id}/proformas")
    assert page.status_code == 200
    assert "No proformas yet" in page.text


def test_a_proforma_is_listed_with_its_domains_total_and_state(amber, staff):
    proforma = amber.proforma(manual_reason=ManualReason.NOT_RECURRING)
    page = staff.get(f"/accounts/{amber.account.id}/proformas").text
    assert proforma.number in page
    assert "amber.com, studio.com" in page
    assert "€28.80" in page
    assert "Open" in page


def test_a_proforma_past_its_last_day_is_overdue(amber, staff):
    amber.proforma(due_on=TODAY.replace(day=21))
    amber_page = staff.get(f"/accounts/{amber.account.id}/proformas?status=overdue").text
    assert "Overdue</span>" in amber_page
    assert "PF-" in amber_page


def test_the_last_day_to_pay_itself_is_not_overdue(amber, staff):
    amber.proforma(due_on=TODAY)
    page = staff.get(f"/accounts/{amber.account.id}/proformas?status=overdue").text
    assert "No proforma matches this search." in page


def test_an_account_lists_its_own_alone_and_all_accounts_lists_both(amber, staff):
    mine, other = amber.proforma(), make_other(amber)
    of_one = staff.get(f"/accounts/{amber.account.id}/proformas").text
    of_all = staff.get("/proformas").text
    assert mine.number in of_one
    assert other.number not in of_one
    assert mine.number in of_all
    assert other.number in of_all
    assert "Birch Works" in of_all


@pytest.mark.parametrize(
    "search", ["PF-{id:06d}", "pf-{id}", "{id}", "birch", "BIRCH.com", "birch works", "rch wo"]
)
def test_a_search_finds_by_number_domain_and_account(amber, staff, search):
    mine, other = amber.proforma(), make_other(amber)
    page = staff.get("/proformas", query_string={"search": search.format(id=other.id)}).text
    assert other.number in page
    assert mine.number not in page


def test_a_search_finds_a_paid_proforma_by_its_invoice(amber, staff):
    mine, other = amber.proforma(), make_other(amber)
    invoice = cast.make_invoice(amber.database, other)
    page = staff.get("/proformas", query_string={"search": invoice.full_number.lower()}).text
    assert other.number in page
    assert mine.number not in page


@pytest.mark.parametrize("search", ["%", "_", "' OR 1=1 --", "\0", "9" * 40, "zzz"])
def test_a_search_for_nonsense_finds_nothing_and_breaks_nothing(amber, staff, search):
    amber.proforma()
    page = staff.get("/proformas", query_string={"search": search})
    assert page.status_code == 200
    # A search for nothing but a NUL is no search.
    assert ("PF-" in page.text.partition('id="proforma-list"')[2]) == (search == "\0")


def test_a_client_searches_its_own_account_alone(amber, log_in):
    amber.proforma()
    other = make_other(amber)
    client = log_in(amber.user(RoleName.CLIENT))
    page = client.get(f"/accounts/{amber.account.id}/proformas", query_string={"search": str(other.id)})
    assert other.number not in page.text
    assert client.get("/proformas").status_code == 403


def test_a_filter_by_status_leaves_the_others_out(amber, staff):
    mine, other = amber.proforma(), make_other(amber)
    cast.make_invoice(amber.database, other)
    paid = staff.get("/proformas?status=paid").text
    assert other.number in paid
    assert mine.number not in paid
    assert staff.get("/proformas?status=nonsense").status_code == 200


def test_sorted_by_the_last_day_to_pay_the_most_urgent_comes_first(amber, staff):
    later = amber.proforma(due_on=TODAY.replace(day=30))
    sooner = make_other(amber, due_on=TODAY.replace(day=24))
    page = staff.get("/proformas?sort=due&order=up").text
    assert page.index(sooner.number) < page.index(later.number)
    page = staff.get("/proformas?sort=due").text
    assert page.index(later.number) < page.index(sooner.number)


def test_a_charge_that_is_in_doubt_is_seen_in_the_list(amber, staff):
    proforma = amber.proforma()
    cast.make_attempt(amber.database, proforma, amber.card, status=AttemptStatus.UNKNOWN)
    assert "Not known yet" in staff.get("/proformas").text


def test_htmx_gets_the_list_alone(amber, staff):
    amber.proforma()
    fragment = staff.get("/proformas", headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith("<section")
    assert "<html" not in fragment


def test_pages_follow_each_other_and_a_page_too_far_is_the_last(amber, staff):
    proformas = [amber.proforma()] + [
        make_other(amber, domain=f"birch-{number}.com") for number in range(document_list.PER_PAGE)
    ]
    first, last = proformas[0], proformas[-1]
    page = staff.get("/proformas?order=up").text
    assert first.number in page
    assert last.number not in page
    for number in ("2", "999999999"):
        page = staff.get(f"/proformas?order=up&page={number}").text
        assert last.number in page
        assert first.number not in page


def test_beyond_what_is_counted_the_list_says_that_there_are_more(amber, monkeypatch):
    monkeypatch.setattr(paging, "MOST_COUNTED", 1)
    amber.proforma()
    make_other(amber)
    with amber.database.read() as session:
        found = document_list.page_of_proformas(session, document_list.ProformaFilter(account_id=None))
    assert found.listing.more
    assert (found.listing.total, len(found.listing.rows)) == (1, 2)


def test_a_search_that_matches_too_much_says_so(amber, monkeypatch, staff):
    monkeypatch.setattr(document_list, "MOST_MATCHES", 1)
    amber.proforma()
    page = staff.get(f"/accounts/{amber.account.id}/proformas?search=com").text
    assert "Search for a longer part of the name" in page


def test_other_accounts_domains_do_not_crowd_out_an_accounts_own(amber, monkeypatch, staff):
    for number in range(3):
        make_other(amber, name=f"Crowd {number}", domain=f"crowd-{number}.com")
    mine = cast.make_proforma(
        amber.database,
        amber.account,
        amber.contact,
        [cast.make_domain(amber.database, amber.account, "my-crowd.com")],
    )
    monkeypatch.setattr(document_list, "MOST_MATCHES", 1)
    page = staff.get(f"/accounts/{amber.account.id}/proformas?search=crowd").text
    assert mine.number in page
    assert "Search for a longer part of the name" not in page


def test_a_cancelled_proforma_keeps_its_domains(amber, staff):
    proforma = amber.proforma(status=ProformaStatus.CANCELLED, cancelled_at=cast.NOW)
    page = staff.get("/proformas?status=cancelled").text
    assert proforma.number in page
    assert "amber.com" in page
