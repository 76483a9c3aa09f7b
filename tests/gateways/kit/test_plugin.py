"""`pytest --gateway NAME` as an author runs it, in a process and a folder of its own."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from gateways.testing.checks.catalogue import ALL

ROOT = Path(__file__).parents[3]
AUTHORS_MODULE = """
from dataclasses import replace
from gateways.testing.fakes.mock import conformance as mock
from gateways.mock.gateway import MockGateway

class Shouting(MockGateway):
    label = ""

conformance = replace(mock, gateway=Shouting)
"""


@pytest.fixture
def author(tmp_path):
    """Runs pytest in the author's folder; answers with its exit code and what it printed."""

    def run(*arguments):
        (tmp_path / "shouting.py").write_text(AUTHORS_MODULE)
        (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
        command = [sys.executable, "-m", "pytest", "-p", "gateways.testing.plugin", "-p", "no:cacheprovider"]
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_ADDOPTS": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_checks_alone_are_run_and_counted_by_group(author):
    code, said = author("--gateway", "mock", "-k", "loading or outcomes")
    assert code == 0, said
    assert "gateway: mock (gateways.mock.gateway.MockGateway), API 1.0" in said
    assert "test_own" not in said
    assert "loading         9 of 9" in " ".join(said.split("\n"))
    assert (
        "not offered: outcomes.a_slow_payment_is_pending_until_it_is_known (capabilities.asynchronous is"
        in said
    )
    assert f"24 of {len(ALL)} checks: 20 passed, 4 not offered" in said


def test_a_failure_is_a_sentence_and_what_was_seen(author):
    code, said = author("--gateway", "shouting", "-k", "loading")
    assert code == 1
    assert (
        "Set id (lower case letters, digits, underscores), label, and api to the version you wrote it for."
        in said
    )
    assert "Seen: label is empty" in said
    assert "FAILED gateway mock::loading::it_says_who_it_is" in said
    assert "Traceback" not in said


def test_paths_that_are_named_run_too(author):
    code, said = author("--gateway", "mock", "-v", "-k", "who_it_is or own", "test_own.py")
    assert code == 0, said
    assert "gateway mock::loading::it_says_who_it_is PASSED" in said
    assert "test_own.py::test_own PASSED" in said


def test_the_badge_says_what_was_run(author, tmp_path):
    author("--gateway", "shouting", "-k", "loading", "--gateway-badge", "badge.svg")
    told = json.loads((tmp_path / "badge.json").read_text())
    assert (told["label"], told["conforms"], told["schemaVersion"]) == ("Perennial gateway", False, 1)
    assert told["checks"]["loading.it_says_who_it_is"] == "failed"
    badge = ElementTree.fromstring((tmp_path / "badge.svg").read_text())
    assert badge.get("aria-label") == f"Perennial gateway mock: {told['message']}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--gateway", "acme"), "acme is neither the id of a loaded gateway ("),
        (("--gateway", "json"), "json is neither the id"),
        (("--gateway-badge", "x.svg"), "--gateway-badge needs --gateway NAME"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error_that_says_so(author, arguments, complaint):
    code, said = author(*arguments)
    assert code == 4
    assert complaint in said
    assert "Traceback" not in said


def loaded_by(statement):
    """The packages that a fresh interpreter has loaded after it."""
    program = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return set(
        subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        .stdout.split()
    )  # fmt: skip


def test_importing_gateways_loads_no_framework():
    loaded = loaded_by("import gateways")
    assert not loaded & {"flask", "sqlalchemy", "panel", "werkzeug", "pytest", "requests", "stripe"}


def test_the_whole_library_and_its_kit_load_neither_panel_nor_flask_nor_sqlalchemy():
    loaded = loaded_by(
        "import gateways.loading, gateways.testing.collection, gateways.testing.fakes.mock\n"
        "gateways.loading.load(entry_points=False)"
    )
    assert not loaded & {"flask", "sqlalchemy", "panel", "jinja2"}


def test_the_plugin_costs_nothing_until_it_is_asked_for():
    loaded = loaded_by("import gateways.testing.plugin")
    assert not loaded & {"werkzeug", "requests", "flask", "sqlalchemy", "panel"}
