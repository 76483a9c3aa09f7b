"""A registrar without an interface: staff renew by hand, from a worklist."""

from __future__ import annotations

from gateways.contract import Context
from gateways.hookspecs import hookimpl
from gateways.registrars.contract import (
    ActionResult,
    ActionStatus,
    Registrar,
    RegistrarCapabilities,
    RenewRequest,
    RenewResult,
    RenewStatus,
)


class ManualRegistrar(Registrar):
    """Answers WORKLIST to everything: whoever did it records the registry's new expiry in the panel."""

    id = "manual"
    label = "By hand"
    api = (1, 0)
    capabilities = RegistrarCapabilities(automatic=False)

    def renew(self, ctx: Context, request: RenewRequest) -> RenewResult:
        return RenewResult(status=RenewStatus.WORKLIST)

    def suspend(self, ctx: Context, name: str) -> ActionResult:
        return ActionResult(status=ActionStatus.WORKLIST)

    def unsuspend(self, ctx: Context, name: str) -> ActionResult:
        return ActionResult(status=ActionStatus.WORKLIST)

    def delete(self, ctx: Context, name: str) -> ActionResult:
        return ActionResult(status=ActionStatus.WORKLIST)


@hookimpl
def register_registrars() -> list[type[Registrar]]:
    return [ManualRegistrar]
