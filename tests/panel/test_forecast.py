"""Tomorrow's charges: what the coming runs will bill in all accounts, and why the rest is left out."""

from datetime import timedelta

import pytest

from gateways.money import Money
from panel.records import Card, CardStatus, GatewayAccount, PaymentMethod, RoleName
from panel.renewals.forecast import ForecastLine
from panel.renewals.forecast_page import Show, page_of_forecast
from tests import cast
from tests.panel.amber import TODAY, settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.READ_ONLY))


def make_recurring(amber, name, bills_in):
    """Billed in so many days: the seller's lead is 14."""
    domain = cast.make_domain(amber.database, amber.account, name, expires_in=bills_in + 14)
    cast.make_recurrence(amber.database, domain, amber.contact, amber.card)
    return domain


def rows(page):
    return page.partition('id="forecast"')[2]


def test_a_recurring_domain_is_listed_with_card_contact_and_tax(amber, staff):
    make_recurring(amber, "tomorrow.com", 1)
    page = rows(staff.get("/forecast").text)
    for text in (
        "tomorrow.com",
        "Amber Studio",
        "Anne Martin",
        "4242",
        "€12.00",
        "€2.40",
        "€14.40",
        "23 Nov 2026",
    ):
        assert text in page, text


def test_more_days_show_more(amber, staff):
    make_recurring(amber, "later.com", 20)
    assert "later.com" not in staff.get("/forecast?days=10").text
    assert "later.com" in staff.get("/forecast?days=30").text


@pytest.mark.parametrize("days", ["0", "-5", "61", "99999999999999999999", "x", ""])
def test_days_out_of_range_are_brought_into_it(amber, staff, days):
    answer = staff.get("/forecast", query_string={"days": days})
    assert answer.status_code == 200
    assert 'min="1" max="60"' in answer.text


def test_sums_are_by_day_and_currency_whatever_is_shown(amber, staff):
    for name in ("one.com", "two.com"):
        make_recurring(amber, name, 1)
    cast.make_domain(amber.database, amber.account, "by-hand.com", expires_in=15)
    for show in ("", "manual"):
        page = rows(staff.get(f"/forecast?show={show}").text)
        assert "€28.80" in page
        assert "by-hand.com" in page
    assert "one.com" not in rows(staff.get("/forecast?show=manual").text)
    assert "by-hand.com" not in rows(staff.get("/forecast?show=card").text)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": CardStatus.REVOKED}, "the card could not be charged on the bill date"),
        ({"exp_year": 2026, "exp_month": 10}, "the card could not be charged on the bill date"),
    ],
)
def test_a_card_that_will_not_be_charged_has_its_reason(amber, staff, changes, reason):
    make_recurring(amber, "dying.com", 1)
    with amber.database.write() as session:
        card = session.get_one(Card, amber.card.id)
        for name, value in changes.items():
            setattr(card, name, value)
    page = rows(staff.get("/forecast?show=skipped").text)
    assert "dying.com" in page
    assert reason in page
    assert "€14.40" in page, "it is asked for by hand"


def test_a_stopped_gateway_is_a_reason(amber, staff):
    make_recurring(amber, "stopped.com", 1)
    with amber.database.write() as session:
        session.get_one(GatewayAccount, amber.gateway_account.id).stopped_at = cast.NOW
    page = rows(staff.get("/forecast?show=skipped").text)
    assert "stopped.com" in page
    assert "gateway is stopped" in page


def test_a_domain_without_a_price_is_not_billed_and_says_so(amber, staff):
    cast.make_tld(amber.database, "org", price=None)
    cast.make_domain(amber.database, amber.account, "priceless.org", expires_in=15)
    page = rows(staff.get("/forecast?show=skipped").text)
    assert "priceless.org" in page
    assert "has no price" in page


def test_nothing_to_charge_is_said(app, log_in):
    settle_in(app, domains=())
    staff = log_in(cast.make_user(app.extensions["perennial"].database, RoleName.READ_ONLY))
    assert "Nothing will be charged" in staff.get("/forecast").text


def test_the_forecast_is_for_staff(amber, log_in):
    assert log_in(amber.user(RoleName.CLIENT)).get("/forecast").status_code == 403


def test_a_page_of_a_forecast_keeps_the_sums_of_all_of_it(amber):
    def line(number, **changes):
        values = {
            "day": TODAY + timedelta(days=number % 2),
            "account_id": 1,
            "account_name": "Amber",
            "domain_id": number,
            "domain_name": f"d{number}.com",
            "contact_name": "Anne",
            "card_name": "Visa",
            "net": Money(100, "EUR"),
            "tax_minor": 20,
            "method": PaymentMethod.CARD,
            "skip_reason": None,
        }
        return ForecastLine(**(values | changes))

    lines = [line(number) for number in range(7)] + [line(7, skip_reason="price_missing")]
    last = page_of_forecast(iter(lines), show=None, page=99, per_page=3)
    assert [row.domain_id for row in last.listing.rows] == [6, 7]
    assert (last.listing.page, last.listing.pages, last.listing.total) == (3, 3, 8)
    assert [(day.by_card, day.card_minor, day.by_hand) for day in last.sums] == [(4, 480, 0), (3, 360, 0)]
    assert last.skipped == 1
    middle = page_of_forecast(iter(lines), show=Show.CARD, page=2, per_page=3)
    assert [row.domain_id for row in middle.listing.rows] == [3, 4, 5]
    assert page_of_forecast(iter([]), show=None, page=1).listing.rows == []
