"""Plugins as strangers write them: each is used, or set aside with a sentence, and none stops another."""

import subprocess
import sys
from datetime import UTC, datetime
from textwrap import dedent

import pytest

from gateways.contract import Mode, StateChange, StateSubject
from gateways.loading import load

GOOD = """
from gateways import hookimpl
from gateways.contract import *

class Acme(Gateway):
    id = "acme"
    label = "Acme Pay"
    api = (1, 0)
    capabilities = Capabilities(
        currencies={}, idempotency_window_s=3600, settle_delay_s=60, webhook_auth=WebhookAuth.NONE
    )
    def start_registration(self, ctx, request): ...
    def get_registration(self, ctx, ref): ...
    def charge(self, ctx, request): ...
    def get_charge(self, ctx, ref): ...
    def find_charge(self, ctx, key, customer_ref, since): ...

@hookimpl
def register_payment_gateways():
    return [Acme]
"""

CHANGE = StateChange(
    subject=StateSubject.CHARGE,
    gateway_id="mock",
    account_id="1",
    mode=Mode.TEST,
    key="k",
    ref=None,
    old=None,
    new="succeeded",
    amount=None,
    occurred_at=datetime(2027, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def folder(tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    return plugins


def write(folder, name, source):
    (folder / name).write_text(dedent(source))


def test_built_ins_are_there_without_any_plugin():
    loaded = load(None, entry_points=False)
    assert set(loaded.gateways) >= {"mock"}
    assert set(loaded.registrars) >= {"manual", "mock"}
    assert loaded.quarantined == []


def test_a_module_and_a_package_in_the_folder_are_used(folder):
    write(folder, "acme.py", GOOD)
    package = folder / "beta"
    package.mkdir()
    write(package, "__init__.py", GOOD.replace('"acme"', '"beta"'))
    write(package, "words.py", "LABEL = 'Beta'")
    loaded = load(folder, entry_points=False)
    assert loaded.quarantined == []
    assert loaded.gateways["acme"].label == "Acme Pay"
    assert "beta" in loaded.gateways


def test_a_package_imports_its_own_modules(folder):
    package = folder / "gamma"
    package.mkdir()
    write(package, "words.py", "IDENTITY = 'gamma'")
    source = GOOD.replace('id = "acme"', "id = IDENTITY")
    write(package, "__init__.py", "from .words import IDENTITY\n" + source)
    assert "gamma" in load(folder, entry_points=False).gateways


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import a_module_that_nobody_has", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "it implements no hook"),
        (GOOD.replace("def register_payment_gateways", "def register_payment_gatways"), "unknown hook"),
        (GOOD.replace("def register_payment_gateways()", "def register_payment_gateways(app)"), "Argument"),
        (GOOD.replace("return [Acme]", "raise ValueError('in the hook')"), "ValueError: in the hook"),
        (GOOD.replace("return [Acme]", "raise SystemExit"), "SystemExit"),
        (GOOD.replace("return [Acme]", "return ['Acme']"), "not a subclass of Gateway"),
        (GOOD.replace("return [Acme]", "return [Acme, Acme]"), "registers the id 'acme' twice"),
        (GOOD.replace("return [Acme]", "return 5"), "TypeError"),
        (GOOD.replace('"acme"', '"mock"'), "the id 'mock' is taken by gateways.mock.gateway"),
        (GOOD.replace('"acme"', '"../acme"'), "Acme.id is '../acme'"),
        (GOOD.replace("api = (1, 0)", "api = (2, 0)"), "written for API 2.0; this is 1.0"),
        (GOOD.replace("api = (1, 0)", "api = (1, 9)"), "written for API 1.9"),
        (GOOD.replace("    api = (1, 0)\n", ""), "Acme.api is None"),
        (GOOD.replace('label = "Acme Pay"', 'label = ""'), "Acme.label is missing"),
        (GOOD.replace("    def charge(", "    def chagre("), "promises charge"),
        (GOOD + "\nAcme.refund = lambda self, ctx, request: None", "defines refund but its capabilities"),
        (GOOD.replace("capabilities =", "capability ="), "Acme.capabilities is missing"),
    ],
)
def test_a_plugin_that_is_wrong_is_set_aside_by_name_and_its_neighbour_works(folder, source, said):
    write(folder, "broken.py", source)
    write(folder, "works.py", GOOD.replace('"acme"', '"works"'))
    loaded = load(folder, entry_points=False)
    assert [item.name for item in loaded.quarantined] == ["broken.py"]
    assert said in loaded.quarantined[0].error
    assert "\n" not in loaded.quarantined[0].error
    assert {"works", "mock"} <= set(loaded.gateways)
    assert "acme" not in loaded.gateways


def test_a_yielding_hook_that_raises_half_way_registers_nothing(folder):
    write(folder, "half.py", GOOD.replace("return [Acme]", "yield Acme\n    raise ValueError('half way')"))
    loaded = load(folder, entry_points=False)
    assert "half way" in loaded.quarantined[0].error
    assert "acme" not in loaded.gateways


def test_of_two_plugins_with_one_id_the_first_stays(folder):
    write(folder, "a.py", GOOD)
    write(folder, "b.py", GOOD)
    loaded = load(folder, entry_points=False)
    assert loaded.gateways["acme"].__module__.endswith("_a")
    assert [item.name for item in loaded.quarantined] == ["b.py"]


def test_only_the_folder_itself_is_scanned(folder, tmp_path):
    write(tmp_path, "outside.py", GOOD)
    (folder / "linked.py").symlink_to(tmp_path / "outside.py")
    project = folder / "project"
    project.mkdir()
    write(project, "__init__.py", GOOD)
    write(project, "pyproject.toml", "")
    for name in ("_private.py", ".hidden.py", "notes.txt", "__init__.py"):
        write(folder, name, GOOD)
    (folder / "empty").mkdir()
    loaded = load(folder, entry_points=False)
    assert set(loaded.gateways) == {"mock"} | set(load(None, entry_points=False).gateways)
    assert [(item.name, item.error) for item in loaded.quarantined] == [
        ("linked.py", "linked.py leads out of the plugins folder")
    ]


def test_an_installed_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    write(tmp_path, "acme_gateway.py", GOOD)
    write(tmp_path, "acme_broken.py", "import sys; sys.exit('bye')")
    info = tmp_path / "acme-1.2.dist-info"
    info.mkdir()
    write(info, "METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
    write(info, "entry_points.txt", "[perennial.gateways]\nacme = acme_gateway\nbroken = acme_broken\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = load(None)
    assert loaded.gateways["acme"].label == "Acme Pay"
    assert [item.name for item in loaded.quarantined if "acme" in item.name] == ["broken (acme 1.2)"]


def test_news_reaches_every_plugin_although_one_raises(folder):
    listener = """
        from gateways import hookimpl
        heard = []

        @hookimpl
        def payment_state_changed(change):
            heard.append(change.key)
            {then}
    """
    write(folder, "a.py", listener.format(then="raise RuntimeError('listener')"))
    write(folder, "b.py", listener.format(then="raise SystemExit(1)"))
    write(folder, "c.py", listener.format(then="pass"))
    loaded = load(folder, entry_points=False)
    loaded.notify(CHANGE)
    heard = {name: sys.modules[f"perennial_plugins_{name}"].heard for name in "abc"}
    assert heard == {"a": ["k"], "b": ["k"], "c": ["k"]}


def test_importing_the_library_loads_nothing_big():
    code = (
        "import sys, gateways, gateways.contract, gateways.registrars.contract;"
        "print([n for n in ('flask','sqlalchemy','panel','requests','werkzeug','babel') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_everything_needs_neither_flask_nor_sqlalchemy_nor_the_panel():
    code = (
        "import sys, gateways.loading as l, gateways.mock.processor; l.load(None, entry_points=False);"
        "print([n for n in ('flask','sqlalchemy','panel') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
