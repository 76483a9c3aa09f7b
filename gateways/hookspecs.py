"""The hooks that a plugin may implement: three, and no `charge` among them.

pluggy broadcasts, so with a charge hook any plugin could answer for another; plugins register classes
instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from gateways.contract import Gateway, StateChange
    from gateways.registrars.contract import Registrar

PROJECT = "perennial"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_payment_gateways() -> Iterable[type[Gateway]]:  # type: ignore[empty-body]
    """The gateway classes of this plugin. No I/O."""


@hookspec
def register_registrars() -> Iterable[type[Registrar]]:  # type: ignore[empty-body]
    """The registrar classes of this plugin. No I/O."""


@hookspec
def payment_state_changed(change: StateChange) -> None:
    """Told after the commit: it cannot veto, and an error in it harms nothing."""
