"""The house has floors. Imports go downwards; on one floor neighbours visit each other only where the table says so."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass

from tests.house.source import ROOT, imports_of, modules, tree_of


@dataclass(frozen=True)
class Room:
    """A module, or a package with all that is in it, and the neighbours on its floor that it may import."""

    floor: int
    visits: tuple[str, ...] = ()


# The longest name that fits a module is its room; `panel` itself is `panel/__init__.py` alone.
HOUSE = {
    # a library that could be published alone
    "gateways": Room(1),
    # what everything stands on: the database and its tables, the clock, refusals, the journal
    "panel.errors": Room(2),
    "panel.clock": Room(2),
    "panel.failpoints": Room(2),
    "panel.data_dir": Room(2),
    "panel.database": Room(2),
    "panel.records": Room(2, visits=("panel.database",)),
    "panel.journal": Room(2, visits=("panel.database", "panel.records")),
    # rules of money, and mail
    "panel.messages": Room(3),
    "panel.billing": Room(3, visits=("panel.messages",)),
    # rules of renewal
    "panel.renewals": Room(4),
    # people, pages, commands, the schedule: whatever knows of requests and of the application
    "panel.web": Room(5),
    "panel.users": Room(5),
    "panel.migrations": Room(5),
    "panel.blueprints": Room(5, visits=("panel.web",)),
    "panel.worker": Room(5, visits=("panel.web",)),
    "panel.demo": Room(5, visits=("panel.users",)),
    "panel.cli": Room(
        5, visits=("panel.web", "panel.users", "panel.migrations", "panel.worker", "panel.demo")
    ),
    # what joins everything
    "panel.config": Room(6),
    "panel": Room(6, visits=("panel.config",)),
    "panel.__main__": Room(6),
}

# Flask below the fifth floor: base classes that extensions give to tables, and nothing that knows of a request.
FLASK_BELOW = {
    "panel.database": {"flask_sqlalchemy"},
    "panel.records.accounts": {"flask_security"},
}

NOT_IN_GATEWAYS = {"panel", "flask", "sqlalchemy", "alembic", "huey", "wtforms", "jinja2"}

# Those play the other side, which has a clock of its own.
OTHER_SIDE = ("gateways.mock", "gateways.testing")

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "services", "managers"}

CLOCKS = (
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "func.now",
)  # fmt: skip

ALL = sorted(modules())


def room_of(module: str) -> str:
    """The name of the room in which a module is; KeyError for one that has no place in the table."""
    name = module
    while name != "panel" or module == "panel":
        if name in HOUSE:
            return name
        if "." not in name:
            break
        name = name.rpartition(".")[0]
    raise KeyError(f"{module} has no room: give it a line in HOUSE")


def floor_of(module: str) -> int:
    return HOUSE[room_of(module)].floor


def _top(name: str) -> str:
    return name.partition(".")[0]


def test_every_module_has_a_room_and_every_room_is_there() -> None:
    assert {room_of(module) for module in ALL} == set(HOUSE)


def test_imports_go_downwards_and_to_neighbours_that_the_table_names() -> None:
    wrong = [
        f"{module} (floor {floor_of(module)}) imports {imported} (floor {floor_of(imported)})"
        for module in ALL
        for imported in sorted(imports_of(module) & set(modules()))
        if not _may_import(room_of(module), room_of(imported))
    ]
    assert not wrong, "Move what is needed to a lower floor, or hand it over as an argument:\n" + "\n".join(
        wrong
    )


def _may_import(room: str, other: str) -> bool:
    return other == room or HOUSE[other].floor < HOUSE[room].floor or other in HOUSE[room].visits


def test_gateways_could_be_published_alone() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in ALL
        if _top(module) == "gateways"
        for name in sorted(imports_of(module))
        if _top(name) in NOT_IN_GATEWAYS or _top(name).startswith("flask_")
    ]
    assert not wrong, "\n".join(wrong)


def test_importing_the_gateways_brings_neither_panel_nor_flask_nor_sqlalchemy() -> None:
    script = (
        "import sys, gateways, gateways.contract, gateways.loading, gateways.calling;"
        "gateways.loading.load(None, entry_points=False);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"panel", "flask", "sqlalchemy"} & set(loaded)


def test_below_the_fifth_floor_nobody_knows_of_requests() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in ALL
        if floor_of(module) < 5
        for name in sorted(imports_of(module))
        if _top(name) == "flask" or _top(name).startswith("flask_")
        if name not in FLASK_BELOW.get(module, ())
    ]
    assert not wrong, "request and current_app are for floor 5, take plain arguments:\n" + "\n".join(wrong)


def test_below_the_fifth_floor_the_time_is_an_argument() -> None:
    wrong = [
        f"{module}, line {node.lineno}: {ast.unparse(node)}"
        for module in ALL
        if floor_of(module) < 5 and module != "panel.clock" and not module.startswith(OTHER_SIDE)
        for node in ast.walk(tree_of(modules()[module]))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(CLOCKS)
    ]
    assert not wrong, "Take `now`, or a Clock:\n" + "\n".join(wrong)


def test_no_import_hides_inside_a_function() -> None:
    wrong = [
        f"{module}, line {node.lineno}"
        for module in ALL
        for function in ast.walk(tree_of(modules()[module]))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not wrong, "Move the thing to a lower floor:\n" + "\n".join(wrong)


def test_no_file_is_a_drawer() -> None:
    assert not [name for name in ALL if name.rpartition(".")[2] in DRAWERS]


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in modules().values()}
    assert not [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()]
