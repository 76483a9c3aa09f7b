"""The registrar that talks to the mock registry: test mode only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gateways.contract import Context, Mode, Problem
from gateways.errors import Ambiguous, NotSent, Rejected, Unreachable
from gateways.hookspecs import hookimpl
from gateways.mock.wire import ADDRESS_FIELD, API_KEY_FIELD, body_of, call, instant, text
from gateways.registrars.contract import (
    ActionResult,
    ActionStatus,
    DomainState,
    DomainStatus,
    RefusalReason,
    Registrar,
    RegistrarCapabilities,
    RenewRequest,
    RenewResult,
    RenewStatus,
)
from gateways.setting_fields import problems_in

_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_REASONS: Final = {
    "expiry_differs": RefusalReason.EXPIRY_DIFFERS,
    "not_here": RefusalReason.NOT_HERE,
    "key_reused": RefusalReason.KEY_REUSED,
}


class MockRegistrar(Registrar):
    """The registry adopts a domain at first sight, with the expiry that the first renewal believes in."""

    id = "mock"
    label = "Mock registry"
    api = (1, 0)
    capabilities = RegistrarCapabilities(automatic=True, suspend=True, delete=True, state=True)
    setting_fields = (ADDRESS_FIELD, API_KEY_FIELD)
    modes = frozenset({Mode.TEST})

    def check_settings(self, ctx: Context) -> list[Problem]:
        problems = problems_in(self.setting_fields, self.settings)
        if problems:
            return problems
        try:
            body_of(call(ctx, self.settings, "GET", "/v1/account"))
        except Rejected as refusal:
            return [Problem(field="api_key", message=str(refusal))]
        except Unreachable as error:
            return [Problem(field="base_url", message=f"The registry does not answer: {error}")]
        return []

    def renew(self, ctx: Context, request: RenewRequest) -> RenewResult:
        body = {
            "key": request.key,
            "domain": request.domain,
            "believed_expiry": request.believed_expiry.isoformat(),
            "years": request.years,
        }
        try:
            answer = call(ctx, self.settings, "POST", "/registry/renewals", key=request.key, body=body)
            return _renewed(body_of(answer), request)
        except NotSent as error:
            return RenewResult(status=RenewStatus.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return RenewResult(status=RenewStatus.UNKNOWN, message=str(error))
        except Rejected as refusal:
            return _refused(refusal)

    def get_domain(self, ctx: Context, name: str) -> DomainState:
        try:
            shown = body_of(call(ctx, self.settings, "GET", f"/registry/domains/{_segment(name)}"))
        except Rejected as refusal:
            if refusal.http_status == 404 and refusal.code == "not_found":
                return DomainState(found=False)
            raise
        if text(shown, "name") != name:
            raise Ambiguous("the answer is about another domain")
        status = text(shown, "status")
        return DomainState(
            found=status not in (DomainStatus.DELETED, DomainStatus.ELSEWHERE),
            expires_at=instant(shown, "expires_at") if shown.get("expires_at") is not None else None,
            status=DomainStatus(status) if status in set(DomainStatus) else DomainStatus.UNKNOWN,
        )

    def suspend(self, ctx: Context, name: str) -> ActionResult:
        return self._act(ctx, name, "suspend")

    def unsuspend(self, ctx: Context, name: str) -> ActionResult:
        return self._act(ctx, name, "unsuspend")

    def delete(self, ctx: Context, name: str) -> ActionResult:
        return self._act(ctx, name, "delete")

    def _act(self, ctx: Context, name: str, action: str) -> ActionResult:
        try:
            shown = body_of(call(ctx, self.settings, "POST", f"/registry/domains/{_segment(name)}/{action}"))
        except NotSent as error:
            return ActionResult(status=ActionStatus.NOT_SUBMITTED, message=str(error))
        except Ambiguous as error:
            return ActionResult(status=ActionStatus.UNKNOWN, message=str(error))
        except Rejected as refusal:
            at_the_door = refusal.http_status in (401, 403, 429)
            status = ActionStatus.NOT_SUBMITTED if at_the_door else ActionStatus.REFUSED
            return ActionResult(status=status, message=str(refusal))
        done = shown.get("status")
        if done == "done":
            return ActionResult(status=ActionStatus.DONE)
        if done == "refused":
            return ActionResult(status=ActionStatus.REFUSED, message="the domain is not here")
        return ActionResult(status=ActionStatus.UNKNOWN, message=f"the registry answers {done!r}")


@hookimpl
def register_registrars() -> list[type[Registrar]]:
    return [MockRegistrar]


def _renewed(shown: Mapping[str, Any], request: RenewRequest) -> RenewResult:
    if text(shown, "key") != request.key or text(shown, "domain") != request.domain:
        raise Ambiguous("the answer is about another renewal")
    ref, expiry, status = text(shown, "id"), instant(shown, "new_expiry"), text(shown, "status")
    if status == "renewed":
        if expiry != request.wanted_expiry:
            raise Ambiguous(f"asked for {request.wanted_expiry}, the registry shows {expiry}")
        return RenewResult(status=RenewStatus.RENEWED, new_expiry=expiry, ref=ref)
    if status == "refused":
        reason = _REASONS.get(text(shown, "reason"), RefusalReason.OTHER)
        return RenewResult(status=RenewStatus.REFUSED, new_expiry=expiry, ref=ref, reason=reason)
    raise Ambiguous(f"unknown renewal status {status!r}")


def _refused(refusal: Rejected) -> RenewResult:
    """A refusal without a renewal: the door, or a request that the registry does not accept."""
    if refusal.http_status in (401, 403, 429):
        return RenewResult(status=RenewStatus.NOT_SUBMITTED, message=str(refusal))
    if refusal.http_status not in (400, 409) or not refusal.code:
        return RenewResult(status=RenewStatus.UNKNOWN, message=str(refusal))
    reason = _REASONS.get(refusal.code, RefusalReason.OTHER)
    return RenewResult(status=RenewStatus.REFUSED, reason=reason, message=str(refusal))


def _segment(name: str) -> str:
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise Rejected(
            f"{name[:80]!r} is not a domain name in ASCII form", code="not_a_name", http_status=400
        )
    return name
