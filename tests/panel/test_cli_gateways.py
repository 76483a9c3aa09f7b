"""`perennial gateways`: loaded, configured, set aside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from panel.cli import cli
from panel.database import Database
from panel.records import GatewayMode
from tests import cast

SECRET = "mock_key_that_nobody_may_see"


@pytest.fixture
def settings(settings: dict, tmp_path: Path) -> dict:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "broken.py").write_text("raise RuntimeError('no luck\\x1b[2J today')")
    return settings | {"PLUGINS_DIR": str(plugins)}


@pytest.fixture
def gateways(app: Flask, database: Database) -> Callable[..., Result]:
    cast.make_gateway_account(
        database, label="Main", settings={"base_url": "http://127.0.0.1:1", "api_key": SECRET}
    )
    cast.make_gateway_account(database, label="Old", enabled=False)
    cast.make_gateway_account(database, label="Stopped", stopped_at=cast.NOW, stopped_reason="wrong key")
    cast.make_gateway_account(database, gateway="acme", label="Gone", mode=GatewayMode.LIVE)
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(cli, ["gateways", *arguments])


def test_one_object_says_what_is_loaded_configured_and_set_aside(gateways: Callable[..., Result]) -> None:
    answer = gateways("--json")
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.output)
    assert "mock" in [row["id"] for row in said["loaded"]]
    assert [(row["label"], row["mode"], row["state"]) for row in said["configured"]] == [
        ("Main", "test", "enabled"),
        ("Old", "test", "disabled"),
        ("Stopped", "test", "stopped: wrong key"),
        ("Gone", "live", "not loaded"),
    ]
    assert [row["name"] for row in said["quarantined"]] == ["broken.py"]
    assert "no luck" in said["quarantined"][0]["error"]


def test_the_tables_hide_secrets_and_control_characters(gateways: Callable[..., Result]) -> None:
    answer = gateways()
    assert answer.exit_code == 0, answer.output
    assert "broken.py" in answer.output
    assert SECRET not in answer.output
    assert "\x1b" not in answer.output
