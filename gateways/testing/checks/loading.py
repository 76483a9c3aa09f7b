"""What the panel sees before any charge: a class that loads, agrees with itself, and describes its settings."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from gateways.contract import API_VERSION, FieldKind, Gateway, Mode, WrongMode
from gateways.loading import Loaded, load
from gateways.mock.faults import FaultKind
from gateways.secret import Secret
from gateways.setting_fields import problems_in
from gateways.testing import stand_in
from gateways.testing.bench import Bench, expect
from gateways.testing.checks.registry import check
from gateways.testing.outside import reached_outside
from gateways.testing.processor import NotOffered

_PLUGIN: Final = """
from gateways import hookimpl
from gateways.testing import stand_in

@hookimpl
def register_payment_gateways():
    return stand_in.offered()
"""
_BROKEN: Final = "raise RuntimeError('this sibling is broken')\n"


@check("Set id (lower case letters, digits, underscores), label, and api to the version you wrote it for.")
def it_says_who_it_is(bench: Bench) -> None:
    gateway = bench.conformance.gateway
    expect(
        re.fullmatch(r"[a-z][a-z0-9_]{0,39}", str(getattr(gateway, "id", ""))) is not None,
        f"id is {getattr(gateway, 'id', None)!r}",
    )
    expect(bool(str(getattr(gateway, "label", "")).strip()), "label is empty")
    api = getattr(gateway, "api", None)
    expect(
        isinstance(api, tuple) and api[0] == API_VERSION[0] and api <= API_VERSION,
        f"api is {api}, this is {API_VERSION}",
    )


@check("Let every flag in capabilities agree with the methods that you define.")
def flags_and_methods_agree(bench: Bench) -> None:
    loaded = _loaded_beside_a_broken_sibling(bench)
    said = "; ".join(item.error for item in loaded.quarantined if "mine" in item.name)
    expect(not said, said)


@check("Do nothing at import that another plugin's failure could break: yours must load beside a broken one.")
def a_broken_sibling_does_not_stop_it(bench: Bench) -> None:
    loaded = _loaded_beside_a_broken_sibling(bench)
    broken = [item.name for item in loaded.quarantined]
    expect(any("broken" in name for name in broken), "the broken sibling was not set aside")
    expect(stand_in.ID in loaded.gateways, f"beside it these were set aside: {', '.join(broken)}")


@check("Construct an instance from its settings alone: the first request belongs into a call with a context.")
def making_an_instance_does_no_io(bench: Bench) -> None:
    with reached_outside() as reached:
        gateway = bench.gateway
    expect(not reached, f"the constructor asked for {', '.join(reached)}")
    expect(gateway.mode is bench.conformance.mode, f"an instance for test mode says {gateway.mode}")


@check(
    "Describe every setting in setting_fields: a key once, a label, a pattern that compiles, keys as SECRET."
)
def the_settings_form_can_be_drawn(bench: Bench) -> None:
    fields = bench.conformance.gateway.setting_fields
    keys = [field.key for field in fields]
    expect(len(set(keys)) == len(keys), f"a key comes twice among {', '.join(keys)}")
    for field in fields:
        expect(bool(field.key and field.label), f"the field {field.key!r} has no key or no label")
        expect((field.kind is FieldKind.CHOICE) == bool(field.choices), f"{field.key}: choices do not fit")
        re.compile(field.pattern or "")
    problems = problems_in(fields, bench.conformance.settings)
    expect(not problems, f"the conformance's own settings have the problem: {problems[:1]}")
    for key, value in bench.conformance.settings.items():
        secret = any(field.key == key and field.kind is FieldKind.SECRET for field in fields)
        expect(secret == isinstance(value, Secret), f"{key} is a secret in only one of field and settings")


@check("Answer check_settings with a Problem for each required setting that is missing; raise nothing.")
def a_missing_setting_is_a_problem(bench: Bench) -> None:
    required = [
        field.key
        for field in bench.conformance.gateway.setting_fields
        if field.required and field.required_when is None and field.default is None
    ]
    if not required:
        raise NotOffered("no setting is required")
    for key in required:
        problems = bench.with_settings({key: None}).check_settings(bench.context())
        expect(any(problem.field == key for problem in problems), f"without {key} no problem names it")


@check("Answer check_settings with [] for right settings, by a request that changes nothing.")
def right_settings_have_no_problems(bench: Bench) -> None:
    problems = bench.gateway.check_settings(bench.context())
    expect(problems == [], f"right settings have the problem: {problems[:1]}")
    writes = [f"{sent.method} {sent.path}" for sent in bench.wire.writes()]
    expect(not writes, f"it sent {', '.join(writes)}")


@check("Answer check_settings with a Problem when the key is refused or nobody answers; raise nothing.")
def wrong_settings_are_a_problem_and_no_crash(bench: Bench) -> None:
    for kind in (FaultKind.UNAUTHORISED, FaultKind.ERROR_BEFORE, FaultKind.PAGE_502, FaultKind.GARBAGE):
        bench.processor.fault(kind, times=20)
        problems = bench.gateway.check_settings(bench.context())
        bench.calm()
        expect(bool(problems), f"with {kind.value} as the answer there was no problem")
    nowhere = bench.context(5.0, to="http://127.0.0.1:1")
    expect(bool(bench.gateway.check_settings(nowhere)), "with nobody there, there was no problem")


@check("Raise WrongMode in __init__ for a key of the other mode: a test key must never meet live money.")
def a_key_of_the_other_mode_is_refused(bench: Bench) -> None:
    other = Mode.LIVE if bench.conformance.mode is Mode.TEST else Mode.TEST
    try:
        bench.conformance.new_gateway(bench.conformance.settings, other, "1")
    except WrongMode as error:
        _expect_silent(bench, error)
        return
    expect(False, f"keys of {bench.conformance.mode.value} mode were taken in {other.value} mode")


def _expect_silent(bench: Bench, error: WrongMode) -> None:
    expect(not any(text in str(error) for text in bench.secret_texts), "the refusal says the key")


def _loaded_beside_a_broken_sibling(bench: Bench) -> Loaded:
    """Loads a copy of the class under another id, from a folder with a plugin that raises at import."""
    original: type[Gateway] = bench.conformance.gateway
    with tempfile.TemporaryDirectory() as folder, stand_in.offering(original):
        (Path(folder) / "a_broken_one.py").write_text(_BROKEN, encoding="utf-8")
        (Path(folder) / "mine.py").write_text(_PLUGIN, encoding="utf-8")
        return load(Path(folder), entry_points=False)
