"""The Domains page: what a row says, what the menu offers, what filters and ticks do, and a domain's own page."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from panel.clock import SimulatedClock
from panel.records import (
    Action,
    ActionKind,
    Attempt,
    AttemptStatus,
    CardStatus,
    ContactKind,
    DomainStatus,
    GatewayAccount,
    JournalEntry,
    Recurrence,
    RecurrenceState,
    RoleName,
)
from tests import cast


class Stage:
    """Amber Studio on 22 November 2026, with whoever looks at it."""

    def __init__(self, app, database, log_in):
        app.extensions["perennial"].clock = SimulatedClock(cast.NOW.date(), "Europe/Vienna")
        self.database = database
        self.account = cast.make_account(database, "Amber Studio")
        self.contact = cast.make_contact(database, self.account)
        self.gateway_account = cast.make_gateway_account(database)
        self.log_in = log_in
        self.alice = log_in(cast.make_user(database, RoleName.CLIENT, self.account))

    @property
    def url(self) -> str:
        return f"/accounts/{self.account.id}/domains"

    def domain(self, name: str = "", **values):
        return cast.make_domain(self.database, self.account, name, **values)

    def card(self, **values):
        return cast.make_card(self.database, self.account, self.gateway_account, **values)

    def page(self, **query) -> str:
        return self.alice.get(self.url, query_string=query).text

    def names(self, **query) -> list[str]:
        return re.findall(r"<bdi>([^<]+)</bdi>", self.page(**query))

    def offered(self) -> list[str]:
        """What stands in the Actions menu."""
        box = re.search(r'class="menu-box">(.*?)</details>', self.page(), re.DOTALL)[1]
        return [" ".join(text.split()) for text in re.findall(r"</svg>\s*([^<]+?)\s*</(?:button|a)>", box)]


@pytest.fixture
def stage(app, database, log_in) -> Stage:
    return Stage(app, database, log_in)


def test_a_row_says_what_a_domain_costs_and_when(stage):
    stage.domain("amber.com", expires_in=60)
    page = stage.page()
    for said in (
        "amber.com",
        "21 Jan 2027",
        "7 Jan 2027",
        "€12.00",
        "Active",
        "A proforma to pay by hand comes on 7 Jan 2027",
    ):
        assert said in page


def test_a_recurring_domain_names_its_card_and_contact(stage):
    cast.make_recurrence(stage.database, stage.domain(), stage.contact, stage.card(label="Office"))
    page = stage.page()
    assert "Office (•••• 4242)" in page
    assert "Anne Martin" in page
    assert "Will renew on 7 Jan 2027, card •••• 4242" in page


def test_without_a_card_two_actions_and_a_hint_are_offered(stage):
    stage.domain()
    assert stage.offered() == ["Renew", "Renew All"]
    assert (
        f'<a href="/accounts/{stage.account.id}/cards/add">Add a card</a> to switch on recurring payment.'
        in stage.page()
    )


def test_with_a_validated_card_all_four_actions_are_offered(stage):
    stage.card()
    assert stage.offered() == ["Renew", "Renew All", "Recurring Payment", "Recurring Payment All"]


@pytest.mark.parametrize(
    "card",
    [
        {"status": CardStatus.REVOKED},
        {"status": CardStatus.DECLINED},
        {"status": CardStatus.REMOVED},
        {"exp_year": 2026, "exp_month": 10},
    ],
    ids=str,
)
def test_a_card_that_cannot_be_charged_offers_nothing(stage, card):
    stage.card(**card)
    assert stage.offered() == ["Renew", "Renew All"]


def test_a_card_is_good_to_the_last_day_of_its_month(stage):
    stage.card(exp_year=2026, exp_month=11)
    assert "Recurring Payment All" in stage.offered()


def test_the_list_is_searched_filtered_and_sorted(stage):
    late = stage.domain("aster.com", expires_in=90)
    soon = stage.domain("birch.com", expires_in=30)
    stage.domain("cedar.com", expires_in=60, status=DomainStatus.LEAVING)
    card = stage.card()
    cast.make_recurrence(stage.database, soon, stage.contact, card)
    assert stage.names() == ["aster.com", "birch.com", "cedar.com"]
    assert stage.names(sort="-name") == ["cedar.com", "birch.com", "aster.com"]
    assert stage.names(sort="expires") == ["birch.com", "cedar.com", "aster.com"]
    assert stage.names(search="IRC") == ["birch.com"]
    assert stage.names(status="leaving") == ["cedar.com"]
    assert stage.names(recurring="on") == ["birch.com"]
    assert stage.names(recurring="off") == ["aster.com", "cedar.com"]
    assert stage.names(card=card.id) == ["birch.com"]
    assert late.shown in stage.names(search="a", recurring="off")


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "name; DROP TABLE domains"},
        {"sort": "--"},
        {"status": "nonsense"},
        {"recurring": "maybe"},
        {"card": "x"},
        {"card": "9" * 30},
        {"page": "-1"},
        {"page": "9" * 30},
        {"tick": ["x", "-1", "9" * 30]},
        {"search": "%' OR 1=1 --"},
        {"search": "x" * 5000},
    ],
    ids=lambda query: next(iter(query)) + ":" + str(next(iter(query.values())))[:20],
)
def test_nonsense_in_the_address_is_harmless(stage, query):
    stage.domain("amber.com")
    assert stage.alice.get(stage.url, query_string=query).status_code == 200


def test_htmx_gets_the_table_alone_with_its_own_id(stage):
    stage.domain("amber.com")
    answer = stage.alice.get(stage.url, headers={"HX-Request": "true"})
    assert answer.text.strip().startswith('<div id="domains-table"')
    assert "<html" not in answer.text
    assert "amber.com" in answer.text


def test_ticks_stay_while_the_list_is_paged(stage):
    for number in range(60):
        stage.domain(f"amber-{number:02}.com")
    first = stage.page()
    ids = re.findall(r'name="tick" value="(\d+)"', first)
    assert len(ids) == 50
    second = stage.page(page=2, tick=ids[:2])
    assert re.findall(r'<input type="hidden" name="tick" value="(\d+)">', second) == ids[:2]
    assert "2 ticked" in second
    back = stage.page(page=1, tick=ids[:2])
    assert len(re.findall(r'name="tick" value="\d+"[^>]* checked', back)) == 2


def test_more_ticks_than_an_address_can_carry_are_said_to_be_dropped(stage):
    stage.domain("amber.com")
    page = stage.page(tick=list(range(1000, 1300)))
    assert page.count('<input type="hidden" name="tick"') == 200
    assert "100 were unticked" in page


def test_an_empty_list_says_so_and_an_empty_search_says_something_else(stage):
    assert "No domains yet" in stage.page()
    stage.domain("amber.com")
    assert "Nothing matches" in stage.page(search="zebra")


def test_a_name_cannot_carry_markup(stage):
    stage.domain("amber.com", shown="<script>alert(1)</script>")
    page = stage.page()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_staff_see_the_domains_of_all_accounts_with_their_account(stage):
    stage.domain("amber.com")
    other = cast.make_account(stage.database, "Birch Works")
    cast.make_domain(stage.database, other, "birch.com")
    page = stage.log_in(cast.make_user(stage.database, RoleName.READ_ONLY)).get("/domains").text
    assert "amber.com" in page
    assert "birch.com" in page
    assert f'<a href="/accounts/{other.id}/domains">Birch Works</a>' in page
    assert 'class="menu-box"' not in page, "actions need an account"


def test_read_only_staff_are_offered_no_actions(stage):
    stage.domain("amber.com")
    rosa = stage.log_in(cast.make_user(stage.database, RoleName.READ_ONLY))
    page = rosa.get(stage.url).text
    assert "amber.com" in page
    assert 'class="menu-box"' not in page
    assert 'name="tick"' not in page
    assert "Switch on recurring payment" not in rosa.get(f"{stage.url}/1").text


@pytest.mark.parametrize(
    ("change", "said", "fix"),
    [
        ({"status": DomainStatus.LEAVING}, "Is leaving for another registrar", None),
        ({"status": DomainStatus.CANCELLED}, "Cancelled", None),
        ({"status": DomainStatus.GONE}, "Is gone", None),
        ({"status": DomainStatus.SUSPENDED}, "Suspended, because", None),
    ],
    ids=str,
)
def test_a_domain_that_is_not_staying_says_so(stage, change, said, fix):
    stage.domain("amber.com", **change)
    assert said in stage.page()


def test_each_thing_that_stops_a_charge_comes_with_its_fix(stage):
    for name, card in (
        ("expiring.com", stage.card(exp_year=2026, exp_month=12)),
        ("revoked.com", stage.card(status=CardStatus.REVOKED)),
    ):
        cast.make_recurrence(stage.database, stage.domain(name), stage.contact, card)
    dear = stage.domain("dear.com")
    cast.make_recurrence(stage.database, dear, stage.contact, stage.card(), agreed_minor=900)
    page = stage.page()
    assert "expires before 7 Jan 2027" in page
    assert "can&#39;t be charged any more" in page
    assert "The price rose above what was agreed" in page
    assert page.count('class="verdict-fix"') == 3
    assert f'href="/accounts/{stage.account.id}/actions/recurring-payment?tick={dear.id}"' in page


def test_an_open_proforma_can_be_paid_from_the_row(stage):
    domain = stage.domain("amber.com", expires_in=5)
    proforma = cast.make_proforma(stage.database, stage.account, stage.contact, [domain])
    page = stage.page()
    assert "Waits for payment until 27 Nov 2026" in page
    assert (
        f'<a class="verdict-fix" href="/accounts/{stage.account.id}/proformas/{proforma.id}">Pay it</a>'
        in page
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (AttemptStatus.INTENDED, "Is being charged"),
        (AttemptStatus.SENDING, "Is being charged"),
        (AttemptStatus.UNKNOWN, "nothing is charged twice"),
        (AttemptStatus.ACTION_REQUIRED, "wants the cardholder to confirm"),
        (AttemptStatus.DECLINED, "The card was declined"),
    ],
)
def test_a_charge_on_its_way_says_how_far_it_is(stage, status, said):
    domain = stage.domain("amber.com", expires_in=5)
    proforma = cast.make_proforma(stage.database, stage.account, stage.contact, [domain])
    attempt = cast.make_attempt(stage.database, proforma, stage.card(), status=status)
    assert said in stage.page()
    with stage.database.read() as session:
        assert session.get_one(Attempt, attempt.id).status is status, "looking changes nothing"


def test_a_stopped_gateway_is_said_without_sending_a_client_to_staff_pages(stage):
    cast.make_recurrence(stage.database, stage.domain(), stage.contact, stage.card())
    with stage.database.write() as session:
        session.get_one(GatewayAccount, stage.gateway_account.id).stopped_at = cast.NOW
    assert "Charging is stopped" in stage.page()
    assert "/gateways" not in stage.page()
    staff = stage.log_in(cast.make_user(stage.database))
    assert '<a class="verdict-fix" href="/gateways">' in staff.get(stage.url).text


# A domain's own page


def test_a_domains_page_shows_the_three_switches_and_the_timeline(stage):
    cast.make_recurrence(stage.database, stage.domain("amber.com"), stage.contact, stage.card())
    page = stage.alice.get(f"{stage.url}/1").text
    for said in (
        "Will renew on 7 Jan 2027",
        "A proforma is made on 7 Jan 2027.",
        "Card Visa •••• 4242 is charged, invoices go to Anne Martin.",
        "extended at its registrar (manual)",
        "Proforma, and charge to card •••• 4242",
        "sales@evergreen.example",
    ):
        assert said in page
    days = re.findall(r'class="day">([^<]+)</span> (?:Proforma|If|Expiry|The|Redemption)', page)
    assert days == [
        "7 Jan 2027",
        "14 Jan 2027",
        "18 Jan 2027",
        "20 Jan 2027",
        "21 Jan 2027",
        "21 Jan 2027",
        "20 Feb 2027",
        "22 Mar 2027",
    ]


def test_a_domain_that_is_leaving_has_its_switches_off_and_no_timeline(stage):
    stage.domain("amber.com", status=DomainStatus.LEAVING)
    page = stage.alice.get(f"{stage.url}/1").text
    assert "No proforma is made: the domain isn&#39;t staying." in page
    assert "What happens when" not in page


def test_switching_off_on_the_domains_own_page_leads_to_what_was_done_with_an_undo(stage):
    domain = stage.domain("amber.com")
    cast.make_recurrence(stage.database, domain, stage.contact, stage.card())
    page = stage.alice.get(f"{stage.url}/{domain.id}").text
    key = re.search(r'name="request_key" value="([^"]+)"', page)[1]
    answer = stage.alice.send(f"{stage.url}/{domain.id}/switch-off", {"request_key": key})
    with stage.database.read() as session:
        action = session.scalars(sa.select(Action).where(Action.kind == ActionKind.SWITCH_OFF)).one()
        current = session.scalars(sa.select(Recurrence).where(Recurrence.current)).one()
        assert current.state is RecurrenceState.OFF
        assert session.scalar(sa.select(sa.func.count(JournalEntry.id))) == 1
    assert answer.headers["Location"] == f"/accounts/{stage.account.id}/actions/{action.id}"
    assert "Undo" in stage.alice.get(answer.headers["Location"]).text
    again = stage.alice.send(f"{stage.url}/{domain.id}/switch-off", {"request_key": key})
    assert again.headers["Location"] == answer.headers["Location"], "the same form sent twice is one action"


def test_switching_off_what_is_off_is_refused(stage):
    domain = stage.domain()
    answer = stage.alice.send(f"{stage.url}/{domain.id}/switch-off", {"request_key": "k" * 32})
    assert answer.status_code == 422
    assert "off already" in answer.text


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "<script>" * 4])
def test_a_form_without_a_key_of_ours_changes_nothing(stage, key):
    domain = stage.domain()
    cast.make_recurrence(stage.database, domain, stage.contact, stage.card())
    answer = stage.alice.send(f"{stage.url}/{domain.id}/switch-off", {"request_key": key})
    assert answer.status_code == 422
    with stage.database.read() as session:
        assert (
            session.scalars(sa.select(Recurrence).where(Recurrence.current)).one().state is RecurrenceState.ON
        )


def test_the_history_names_documents_and_who_did_what(stage):
    domain = stage.domain("amber.com", expires_in=5)
    cast.make_recurrence(stage.database, domain, stage.contact, stage.card())
    proforma = cast.make_proforma(stage.database, stage.account, stage.contact, [domain])
    invoice = cast.make_invoice(stage.database, proforma)
    page = stage.alice.get(f"{stage.url}/{domain.id}").text
    assert f"Invoice {invoice.full_number}" in page
    assert f"Proforma {proforma.number}" in page
    assert "On: card Visa •••• 4242, contact Anne Martin" in page


# Accounts


def test_an_account_is_found_by_name_contact_address_or_domain(stage):
    stage.domain("amber.com")
    birch = cast.make_account(stage.database, "Birch Works")
    cast.make_contact(stage.database, birch, "Bob Birch", email="bob@birch.example")
    cast.make_contact(stage.database, birch, "Bella", kind=ContactKind.BILLING, email="bella@birch.example")
    staff = stage.log_in(cast.make_user(stage.database))

    def found(search: str) -> list[str]:
        page = staff.get("/accounts", query_string={"search": search}).text
        return re.findall(r'class="name"><a href="/accounts/\d+/domains">([^<]+)</a>', page)

    assert found("") == ["Amber Studio", "Birch Works"]
    assert found("birch w") == ["Birch Works"]
    assert found("bob@birch") == ["Birch Works"]
    assert found("bella") == ["Birch Works"]
    assert found("amber.com") == ["Amber Studio"]
    assert found("%") == []


def test_staff_are_told_which_account_they_are_in_and_how_to_leave_it(stage):
    page = stage.log_in(cast.make_user(stage.database)).get(stage.url).text
    assert "Account Amber Studio" in page
    assert "Leave this account" in page


def test_a_client_is_shown_no_staff_pages_in_the_menu(stage):
    page = stage.page()
    for url in (
        'href="/domains"',
        'href="/accounts"',
        'href="/runs"',
        'href="/tasks"',
        'href="/gateways"',
        'href="/forecast"',
    ):
        assert url not in page
