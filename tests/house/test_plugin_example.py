"""The plugin that plugins/README.md shows is a plugin: loaded from a folder, and charged with over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateways import calling
from gateways.contract import (
    ChargeRequest,
    Context,
    Deadline,
    DeclineKind,
    Gateway,
    LookupAnswer,
    Mode,
    Money,
    Status,
)
from gateways.http import make_session
from gateways.loading import load
from gateways.mock.process import RunningProcessor, running_processor
from gateways.secret import Secret
from tests.house.source import ROOT

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LONGEST = 40


@pytest.fixture(scope="module")
def source() -> str:
    [block] = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "plugins/README.md").read_text(encoding="utf-8"), re.S | re.M
    )
    return block


@pytest.fixture(scope="module")
def plugin(source: str, tmp_path_factory: pytest.TempPathFactory) -> type[Gateway]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "acme.py").write_text(source, encoding="utf-8")
    (folder / "README.md").write_text("Not a plugin.", encoding="utf-8")
    loaded = load(folder, entry_points=False)
    assert loaded.quarantined == []
    return loaded.gateways["acme"]


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcessor]:
    with running_processor(tmp_path_factory.mktemp("processor")) as running:
        yield running


@pytest.fixture
def call_context() -> Iterator[Context]:
    with make_session() as http:
        yield Context(http=http, deadline=Deadline.after(10), now=NOW)


def account(plugin: type[Gateway], url: str, key: str) -> Gateway:
    return plugin({"base_url": url, "api_key": Secret(key)}, Mode.TEST, "1")


def request(key: str, behaviour: str = "ok") -> ChargeRequest:
    return ChargeRequest(
        idempotency_key=key,
        amount=Money(1490, "EUR"),
        instrument_ref=f"pm_test_{behaviour}_1",
        customer_ref="cus_1",
    )


def test_it_is_short(source: str) -> None:
    assert len([line for line in source.splitlines() if line.strip()]) <= LONGEST


def test_it_charges_and_finds_the_charge_again(
    plugin: type[Gateway], processor: RunningProcessor, call_context: Context
) -> None:
    gateway = account(plugin, processor.url, processor.api_key)
    assert gateway.check_settings(call_context) == []
    charged = calling.charge(gateway, call_context, request("key-of-the-readme"))
    assert (charged.status, charged.amount) == (Status.SUCCEEDED, Money(1490, "EUR"))
    assert calling.charge(gateway, call_context, request("key-of-the-readme")).ref == charged.ref
    assert len([item for item in processor.ledger() if item["key"] == "key-of-the-readme"]) == 1
    found = calling.find_charge(gateway, call_context, "key-of-the-readme", "cus_1", NOW, Money(1490, "EUR"))
    assert found.answer is LookupAnswer.YES
    assert found.result == calling.get_charge(gateway, call_context, charged.ref or "", Money(1490, "EUR"))
    absent = calling.find_charge(gateway, call_context, "never-sent", "cus_1", NOW, Money(1490, "EUR"))
    assert absent.answer is LookupAnswer.NO


def test_a_decline_is_one_and_a_wrong_key_is_none(
    plugin: type[Gateway], processor: RunningProcessor, call_context: Context
) -> None:
    gateway = account(plugin, processor.url, processor.api_key)
    declined = calling.charge(gateway, call_context, request("declined", "insufficient_funds"))
    assert declined.status is Status.DECLINED
    assert declined.decline is not None
    assert declined.decline.kind is DeclineKind.RETRYABLE
    refused = calling.charge(account(plugin, processor.url, "another"), call_context, request("refused"))
    assert refused.status is Status.UNKNOWN


def test_where_nobody_listens_nothing_was_sent(plugin: type[Gateway], call_context: Context) -> None:
    gateway = account(plugin, "http://127.0.0.1:9", "key")
    assert calling.charge(gateway, call_context, request("nobody")).status is Status.NOT_SUBMITTED


def test_the_folder_is_one_that_loads() -> None:
    """What the project ships in plugins/ sets nothing aside."""
    assert load(ROOT / "plugins", entry_points=False).quarantined == []
