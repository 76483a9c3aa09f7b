"""README and its like don't lie: their walk is walked, their links followed, their commands and settings looked up."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType, ModuleType

import click
import pytest

from gateways.loading import load
from panel.cli import COMMANDS, cli
from panel.config import PREFIX, SETTINGS
from tests.house.documents import DOCUMENTS, README, Step, calls, code_of, links, section, steps, text_of
from tests.house.source import ROOT, defines, modules, reach

WALK = section(README, "## The walk")
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


# The walk


def test_the_walk_goes_from_the_page_to_the_tables_and_from_the_schedule_to_the_processor() -> None:
    walked = " ".join(str(step.path.relative_to(ROOT)) for step in steps(WALK))
    waypoints = (
        "panel/templates/actions/",
        "panel/blueprints/actions.py",
        "panel/renewals/recurrence.py",
        "panel/records/",
        "panel/worker.py",
        "panel/renewals/run.py",
        "panel/renewals/charging.py",
        "gateways/contract.py",
        "gateways/mock/gateway.py",
    )
    places = [walked.index(waypoint) for waypoint in waypoints]
    assert places == sorted(places)


def test_each_step_of_the_walk_calls_the_next() -> None:
    broken = [
        f"{above} doesn't come to {below}" for above, below in calls(WALK) if not _comes_to(above, below)
    ]
    assert not broken, "\n".join(broken)


def test_the_walk_is_not_empty() -> None:
    """Lines that aren't written as steps would be checked by nobody."""
    assert len(steps(WALK)) == sum(line.lstrip().startswith("- ") for line in WALK.splitlines()) > 30


def _comes_to(above: Step, below: Step) -> bool:
    if below.name is None:
        return _names_template(above, below)
    if above.name is None:
        return _posts_or_leads_to(above, below)
    if _overrides(above, below):
        return True
    return any(_says(node, above, below) for node in reach(above.path, above.name))


def _names_template(above: Step, below: Step) -> bool:
    template = str(below.path.relative_to(ROOT / "panel/templates"))
    if above.name is None:
        return f'"{template}"' in text_of(above.path)
    return any(
        isinstance(node, ast.Constant) and node.value == template for node in reach(above.path, above.name)
    )


def _posts_or_leads_to(above: Step, below: Step) -> bool:
    return re.search(rf"""['"]{below.path.stem}\.{below.name}['"]""", text_of(above.path)) is not None


def _overrides(above: Step, below: Step) -> bool:
    """Whether the second is the first, as a subclass has it."""
    base, _, method = (above.name or "").partition(".")
    derived, _, same = (below.name or "").partition(".")
    if not method or method != same or above.path == below.path:
        return False
    return issubclass(getattr(_module(below.path), derived), getattr(_module(above.path), base))


def _says(node: ast.AST, above: Step, below: Step) -> bool:
    assert below.name is not None
    owner, _, last = below.name.rpartition(".")
    names = vars(_module(above.path))
    if isinstance(node, ast.Constant):
        # The address of another page: of this blueprint, or of any.
        own = above.path == below.path and node.value == f".{last}"
        return own or node.value == f"{below.path.stem}.{last}"
    if isinstance(node, ast.Name):
        # Under its own name, or another that it was imported by.
        return not owner and _is(names.get(node.id), last, below.path)
    if not isinstance(node, ast.Attribute) or node.attr != last:
        return False
    holder = names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if isinstance(holder, ModuleType):
        return not owner and _is(vars(holder).get(last), last, below.path)
    # A method: whose it is, is only known when it runs, unless it is a class's own.
    return bool(owner) and (not isinstance(holder, type) or holder.__name__ == owner)


def _is(thing: object, name: str, path: Path) -> bool:
    """Whether this is the function or class of that name in that file."""
    if not isinstance(thing, type | FunctionType) or thing.__name__ != name:
        return False
    return Path(inspect.getsourcefile(thing) or "") == path


def _module(path: Path) -> ModuleType:
    return importlib.import_module(next(name for name, there in modules().items() if there == path))


# Links


@every_document
def test_every_link_leads_to_a_file_and_to_what_it_defines(document: Path) -> None:
    wrong = []
    for target, name in links(document):
        path = (document.parent / target).resolve()
        if not path.exists():
            wrong.append(f"{target} is not there")
        elif name and path.suffix == ".py" and not defines(path, name):
            wrong.append(f"{target} has no {name}")
    assert not wrong, "\n".join(wrong)


# Commands


@every_document
def test_every_command_exists_with_its_options(document: Path) -> None:
    wrong = [problem for line in code_of(document) for problem in _problems_of_command(line)]
    assert not wrong, "\n".join(wrong)


def test_every_command_is_in_the_readme() -> None:
    said = {
        line.removeprefix("perennial ").split()[0]
        for line in code_of(README)
        if line.startswith("perennial ")
    }
    assert {command.name for command in COMMANDS} <= said


def _problems_of_command(line: str) -> list[str]:
    words = re.sub(r"^(\S*/)?perennial ", "perennial ", line)
    if not words.startswith("perennial "):
        return []
    command: click.Command = cli
    problems: list[str] = []
    for word in shlex.split(words)[1:]:
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word not in command.commands:
                return [f"{line}: there is no {word}"]
            command = command.commands[word]
        elif re.match(r"--?[a-z]", word) and word not in ("--help", *_options(command)):
            problems.append(f"{line}: {command.name} has no {word}")
    return problems


def _options(command: click.Command) -> list[str]:
    return [option for parameter in command.params for option in parameter.opts]


@every_document
def test_every_target_of_make_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    said = {found for line in code_of(document) for found in re.findall(r"^make ([a-z]+)", line)}
    assert said <= targets


def test_the_mock_processor_takes_the_options_that_are_said() -> None:
    [line] = {line for line in code_of(README) if line.startswith("python -m gateways.mock ")}
    answer = subprocess.run(
        [sys.executable, "-m", "gateways.mock", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(option in answer.stdout for option in re.findall(r"--[a-z]+", line))


@every_document
def test_the_conformance_checks_are_run_as_is_said(document: Path) -> None:
    options = text_of(ROOT / "gateways/testing/plugin.py")
    known = {"NAME", *load(None, entry_points=False).gateways}
    for option, name in re.findall(r"^pytest (--\S+) (\S+)$", "\n".join(code_of(document)), re.M):
        assert f'"{option}"' in options
        assert name in known


# Settings and versions


def test_the_readme_has_every_setting_and_no_other() -> None:
    table = re.findall(rf"^\| `{PREFIX}([A-Z_]+)`", section(README, "## Host it"), re.M)
    assert sorted(table) == sorted(SETTINGS)


@every_document
def test_no_document_names_a_setting_that_is_none(document: Path) -> None:
    assert set(re.findall(rf"{PREFIX}([A-Z_]+)", text_of(document))) <= set(SETTINGS)


def test_the_changelog_begins_with_the_current_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    headings = re.findall(r"^## (\S+)", text_of(ROOT / "CHANGELOG.md"), re.M)
    assert headings[0] == version
