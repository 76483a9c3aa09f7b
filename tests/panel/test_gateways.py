"""The gateways page: what is configured, what each can do, what is stopped, and what was set aside."""

import pytest
import sqlalchemy as sa

from panel.records import GatewayAccount, JournalEntry, RoleName, StaffTask
from tests import cast
from tests.panel.amber import settle_in


@pytest.fixture
def amber(app):
    return settle_in(app)


@pytest.fixture
def staff(amber, log_in):
    return log_in(amber.user(RoleName.BILLING))


@pytest.fixture
def stopped(amber):
    with amber.database.write() as session:
        account = session.get_one(GatewayAccount, amber.gateway_account.id)
        account.stopped_at, account.stopped_reason = cast.NOW, "invalid_api_key"
    cast.make_task(amber.database, subject=f"gateway_account:{account.id}")
    return account


def test_an_account_shows_its_state_and_abilities_and_no_secret(amber, staff):
    page = staff.get("/gateways").text
    assert amber.gateway_account.label in page
    assert "Enabled" in page
    assert "Test" in page
    assert "EUR" in page
    assert "A lost answer is looked up by our own key" in page
    assert "mock_key_demo" not in page
    assert "None: every plugin was loaded." in page


def test_an_account_whose_plugin_is_missing_says_so(amber, staff):
    cast.make_gateway_account(amber.database, gateway="vanished", label="Old one")
    page = staff.get("/gateways").text
    assert "Not loaded" in page
    assert "vanished is not loaded" in page


def test_a_disabled_account_is_marked(amber, staff):
    cast.make_gateway_account(amber.database, enabled=False)
    assert "Disabled" in staff.get("/gateways").text


def test_without_accounts_the_page_says_what_that_means(amber, staff):
    with amber.database.write() as session:
        session.execute(sa.text("DELETE FROM cards"))
        session.execute(sa.delete(GatewayAccount))
    assert "No gateway is configured" in staff.get("/gateways").text


def test_a_stopped_account_shows_why_and_is_resumed_by_staff(amber, staff, stopped):
    page = staff.get("/gateways").text
    assert "Stopped" in page
    assert "invalid_api_key" in page
    answer = staff.send(f"/gateways/{stopped.id}/resume", follow_redirects=True)
    assert f"Charging through {stopped.label} goes on." in answer.text
    with amber.database.read() as session:
        assert session.get_one(GatewayAccount, stopped.id).stopped_at is None
        assert session.scalars(sa.select(StaffTask)).one().resolved_at is not None
        kinds = session.scalars(sa.select(JournalEntry.kind)).all()
    assert "gateway.resumed" in kinds


def test_resuming_what_is_not_stopped_is_refused(amber, staff):
    answer = staff.send(f"/gateways/{amber.gateway_account.id}/resume")
    assert answer.status_code == 422
    assert "is not stopped" in answer.text


def test_read_only_staff_cannot_resume(amber, log_in, stopped):
    reader = log_in(amber.user(RoleName.READ_ONLY))
    assert "/resume" not in reader.get("/gateways").text
    assert reader.send(f"/gateways/{stopped.id}/resume").status_code == 403
    with amber.database.read() as session:
        assert session.get_one(GatewayAccount, stopped.id).stopped_at is not None


def test_an_absent_account_is_not_found(staff):
    assert staff.send("/gateways/99999999/resume").status_code == 404


def test_a_plugin_that_raises_is_shown_with_its_error(settings, tmp_path, request):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "broken.py").write_text("raise RuntimeError('<b>no luck</b>')\n")
    settings["PLUGINS_DIR"] = str(plugins)
    amber = settle_in(request.getfixturevalue("app"))
    page = request.getfixturevalue("log_in")(amber.user(RoleName.ADMIN)).get("/gateways").text
    assert "broken.py" in page
    assert "RuntimeError: &lt;b&gt;no luck&lt;/b&gt;" in page


def test_gateways_are_for_staff(amber, log_in):
    assert log_in(amber.user(RoleName.CLIENT)).get("/gateways").status_code == 403
