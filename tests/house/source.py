"""The house as its source shows it: modules, what they import, and what a function comes to say."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateways", "panel")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name. Migrations aren't imported by anybody: Alembic runs them from their files."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:3] != ("panel", "migrations", "versions"):
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(module: str) -> set[str]:
    """The dotted names that a module imports; a module of ours is named whole, however it is imported."""
    found: set[str] = set()
    for node in ast.walk(tree_of(modules()[module])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                found.add(inner if inner in modules() else origin)
    return found


def _origin(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = modules()[module].name == "__init__.py"
    return importlib.util.resolve_name(
        "." * node.level + (node.module or ""), module if is_package else module.rpartition(".")[0]
    )


def definition(path: Path, name: str) -> Definition | None:
    """What a file defines under this name: `run`, or `Schedule._renewal_run` inside a class."""
    body: list[ast.stmt] = tree_of(path).body
    found: Definition | None = None
    for part in name.split("."):
        found = next((node for node in body if isinstance(node, Definition) and node.name == part), None)
        if found is None:
            return None
        body = found.body
    return found


def defines(path: Path, name: str) -> bool:
    """Whether a file defines this function, class or constant."""
    constants = {
        target.id
        for node in tree_of(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return name in constants or definition(path, name) is not None


def reach(path: Path, name: str) -> Iterator[ast.AST]:
    """Every node of a function, and of the functions of its own file that it comes to, one from another."""
    waiting, seen = [name], {name}
    owner = name.rpartition(".")[0]
    while waiting:
        found = definition(path, waiting.pop())
        if found is None:
            continue
        for node in ast.walk(found):
            yield node
            if isinstance(node, ast.Name):
                called = node.id
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and owner:
                called = f"{owner}.{node.attr}"
            else:
                continue
            if called not in seen:
                seen.add(called)
                waiting.append(called)
