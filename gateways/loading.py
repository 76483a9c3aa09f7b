"""Finds plugins, loads them one by one, and sets aside whatever fails: it stops nothing else.

Each plugin has a plugin manager of its own, so that one which raises in a hook cannot take the others' turn.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import pluggy

from gateways import hookspecs
from gateways.contract import (
    API_VERSION,
    Capabilities,
    Gateway,
    LookupBy,
    RefundSupport,
    RegistrationKind,
    StateChange,
    WebhookAuth,
)
from gateways.registrars.contract import Registrar, RegistrarCapabilities

ENTRY_POINT_GROUP: Final = "perennial.gateways"

BUILT_IN: Final = (
    "gateways.mock.gateway",
    "gateways.stripe",
    "gateways.mollie",
    "gateways.registrars.manual",
    "gateways.registrars.mock",
)

_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOOKS = ("register_payment_gateways", "register_registrars", "payment_state_changed")
_log = logging.getLogger("gateways.loading")

Kind = TypeVar("Kind", Gateway, Registrar)


class PluginError(Exception):
    """Why a plugin is set aside, in words for its author."""


@dataclass(frozen=True)
class Quarantined:
    """A plugin that is not used. `name` says where it comes from, `error` (one line) what is wrong."""

    name: str
    error: str


@dataclass
class Loaded:
    """What was found. Classes only: accounts are made of them with settings and a mode."""

    gateways: dict[str, type[Gateway]] = field(default_factory=dict)
    registrars: dict[str, type[Registrar]] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    plugins: dict[str, pluggy.PluginManager] = field(default_factory=dict, repr=False)

    def notify(self, change: StateChange) -> None:
        """Calls payment_state_changed of every plugin; an error in one is logged and reaches nobody."""
        for name, manager in self.plugins.items():
            try:
                manager.hook.payment_state_changed(change=change)
            except (Exception, SystemExit) as error:  # what a stranger's code raises is not ours to foresee
                _log.warning("payment_state_changed of %s failed: %s", name, one_line(error))


@dataclass(frozen=True)
class _Candidate:
    name: str
    fetch: Callable[[], object]


def load(plugins_folder: Path | None = None, *, entry_points: bool = True) -> Loaded:
    """Built-ins first, then installed packages by name, then the folder: of two equal ids the first one
    stays."""
    loaded = Loaded()
    for candidate in _candidates(plugins_folder, entry_points):
        try:
            _load_one(candidate, loaded)
        except (Exception, SystemExit) as error:  # a plugin may raise anything at import or in its hooks
            _log.warning("plugin %s is set aside: %s", candidate.name, one_line(error))
            loaded.quarantined.append(Quarantined(candidate.name, one_line(error)))
    return loaded


def one_line(error: BaseException) -> str:
    """The error's type and text on one line of at most 500 characters."""
    said = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return said[:500]
    return f"{type(error).__name__}: {said}"[:500] if said else type(error).__name__


def _candidates(plugins_folder: Path | None, entry_points: bool) -> Iterator[_Candidate]:
    for module in BUILT_IN:
        yield _Candidate(module, lambda module=module: importlib.import_module(module))  # type: ignore[misc]
    if entry_points:
        found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
        for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
            yield _Candidate(_described(entry), entry.load)
    if plugins_folder is not None and plugins_folder.is_dir():
        yield from _in_folder(plugins_folder.resolve())


def _described(entry: importlib.metadata.EntryPoint) -> str:
    origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
    return f"{entry.name} ({origin})"


def _in_folder(folder: Path) -> Iterator[_Candidate]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir() and not (path / "__init__.py").is_file():
            continue
        if path.is_dir() and (path / "pyproject.toml").exists():
            continue  # the source of a package that is to be installed, not dropped in
        if path.is_file() and path.suffix != ".py":
            continue
        yield _Candidate(path.name, lambda path=path: _import_file(folder, path))  # type: ignore[misc]


def _import_file(folder: Path, path: Path) -> ModuleType:
    if path.resolve().parent != folder:
        raise PluginError(f"{path.name} leads out of the plugins folder")
    if not path.stem.isidentifier():
        raise PluginError(f"{path.name} is not a Python name")
    name = f"perennial_plugins_{path.stem}"
    source = path / "__init__.py" if path.is_dir() else path
    inside = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, source, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load_one(candidate: _Candidate, loaded: Loaded) -> None:
    manager = _registered(candidate.fetch())
    gateways = _collected(manager, "register_payment_gateways", Gateway)
    registrars = _collected(manager, "register_registrars", Registrar)
    for gateway in gateways:
        _check_class(gateway, loaded.gateways)
        _check_gateway(gateway)
    for registrar in registrars:
        _check_class(registrar, loaded.registrars)
        _check_registrar(registrar)
    _check_distinct([*gateways])
    _check_distinct([*registrars])
    loaded.gateways.update({gateway.id: gateway for gateway in gateways})
    loaded.registrars.update({registrar.id: registrar for registrar in registrars})
    loaded.plugins[candidate.name] = manager


def _registered(plugin: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()  # a misspelt hook would otherwise never be called, silently
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook: is @hookimpl missing?")
    return manager


def _collected(manager: pluggy.PluginManager, hook: str, base: type[Kind]) -> list[type[Kind]]:
    classes: list[type[Kind]] = []
    for answer in getattr(manager.hook, hook)():
        for found in answer:
            if not (isinstance(found, type) and issubclass(found, base)):
                raise PluginError(f"{hook} gave {found!r}, which is not a subclass of {base.__name__}")
            classes.append(found)
    return classes


def _check_class(found: type[Gateway] | type[Registrar], taken: dict[str, Any]) -> None:
    name = found.__name__
    identity = getattr(found, "id", None)
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise PluginError(f"{name}.id is {identity!r}; it must be lower case letters, digits and underscores")
    if identity in taken:
        raise PluginError(f"the id {identity!r} is taken by {taken[identity].__module__}")
    if not isinstance(getattr(found, "label", None), str) or not found.label.strip():
        raise PluginError(f"{name}.label is missing")
    api = getattr(found, "api", None)
    if not (isinstance(api, tuple) and len(api) == 2 and all(type(part) is int for part in api)):
        raise PluginError(
            f"{name}.api is {api!r}; it must be the API version it was written for: {API_VERSION}"
        )
    if api[0] != API_VERSION[0] or api[1] > API_VERSION[1]:
        raise PluginError(
            f"{name} is written for API {api[0]}.{api[1]}; this is {API_VERSION[0]}.{API_VERSION[1]}"
        )


def _check_distinct(classes: list[type[Any]]) -> None:
    identities = [found.id for found in classes]
    for identity in identities:
        if identities.count(identity) > 1:
            raise PluginError(f"it registers the id {identity!r} twice")


def _check_gateway(gateway: type[Gateway]) -> None:
    capabilities = getattr(gateway, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        raise PluginError(f"{gateway.__name__}.capabilities is missing")
    can = capabilities
    has_registration = can.registration is not RegistrationKind.NONE
    _check_flags(
        gateway,
        Gateway,
        {
            "charge": True,
            "start_registration": has_registration,
            "get_registration": has_registration,
            "find_charge": can.lookup is LookupBy.KEY,
            "parse_webhook": can.webhook_auth is not WebhookAuth.NONE,
            "refund": can.refunds is not RefundSupport.NONE,
            "start_authentication": can.authentication,
            "cancel_charge": can.cancel,
            "list_charges": can.list_charges,
            "get_instrument": can.instruments,
            "forget_instrument": can.forget,
        },
    )
    if can.lookup is not LookupBy.NONE:
        _check_flags(gateway, Gateway, {"get_charge": True})


def _check_registrar(registrar: type[Registrar]) -> None:
    can = getattr(registrar, "capabilities", None)
    if not isinstance(can, RegistrarCapabilities):
        raise PluginError(f"{registrar.__name__}.capabilities is missing")
    flags = {"renew": True}
    if can.automatic:
        flags |= {
            "suspend": can.suspend,
            "unsuspend": can.suspend,
            "delete": can.delete,
            "get_domain": can.state,
        }
    _check_flags(registrar, Registrar, flags)


def _check_flags(found: type[Any], base: type[Any], flags: dict[str, bool]) -> None:
    for method, promised in flags.items():
        offered = getattr(found, method) is not getattr(base, method)
        if promised and not offered:
            raise PluginError(
                f"{found.__name__} promises {method} in its capabilities but does not define it"
            )
        if offered and not promised:
            raise PluginError(f"{found.__name__} defines {method} but its capabilities say that it cannot")
