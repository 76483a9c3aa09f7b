"""From the name on the command line to the author's Conformance."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateways.contract import Gateway
from gateways.loading import Loaded, load
from gateways.testing.conformance import Conformance

_SHIPPED: Final = "gateways.testing.fakes"


class NoConformance(Exception):
    """Why there is nothing to check, in words for the author."""


def conformance_of(name: str, folder: Path) -> Conformance:
    """`name` is the id of a loaded gateway, or a module or package; `folder` is searched for modules too.
    Raises NoConformance, and whatever the author's module raises at import."""
    loaded = load()
    gateway = loaded.gateways.get(name)
    modules = _modules_of(gateway) if gateway is not None else iter((f"{name}.conformance", name))
    for module in modules:
        found = _conformance_in(module, folder)
        if found is not None:
            return found
    raise NoConformance(_complaint(name, gateway, loaded))


def _modules_of(gateway: type[Gateway]) -> Iterator[str]:
    """The kit's own folder for what ships with it; else the gateway's module and the packages around it."""
    module = gateway.__module__
    if module.startswith("gateways."):
        yield f"{_SHIPPED}.{gateway.id}"
    while module:
        yield f"{module}.conformance"
        yield module
        module = module.rpartition(".")[0]


def _conformance_in(module: str, folder: Path) -> Conformance | None:
    if not _exists(module, folder):
        return None
    found = getattr(importlib.import_module(module), "conformance", None)
    return found if isinstance(found, Conformance) else None


def _exists(module: str, folder: Path) -> bool:
    if _has_spec(module):
        return True
    if str(folder) in sys.path:
        return False
    sys.path.insert(0, str(folder))  # as `python -m pytest` does
    importlib.invalidate_caches()
    return _has_spec(module)


def _has_spec(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # no such package around it, or no name of a module
        return False


def _complaint(name: str, gateway: type[Gateway] | None, loaded: Loaded) -> str:
    if gateway is not None:
        package = gateway.__module__.partition(".")[0]
        return (
            f"the gateway {name} is loaded, but neither {gateway.__module__} nor {package}.conformance has a "
            "`conformance = Conformance(...)` (see gateways.testing.conformance)"
        )
    aside = "".join(f"; set aside: {item.name}, {item.error}" for item in loaded.quarantined)
    return (
        f"{name} is neither the id of a loaded gateway ({', '.join(sorted(loaded.gateways))}) nor a module "
        f"with a `conformance = Conformance(...)` (see gateways.testing.conformance){aside}"
    )
