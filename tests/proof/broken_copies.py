"""Deliberately broken copies of money code: a proof that doesn't fail on them proves nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from gateways import calling
from panel.billing.calendar import seller_of
from panel.clock import Clock
from panel.database import Database
from panel.failpoints import failpoint
from panel.renewals import charging
from panel.renewals.processors import Processors
from panel.renewals.settlement import settle


def charge_without_committing_the_intent(
    database: Database,
    processors: Processors,
    clock: Clock,
    *,
    actor: str,
    run_id: int | None,
    settled: Any,
    **_: Any,
) -> None:
    """`charging.charge_due` with one transaction around everything: the intent isn't durable when the money moves."""
    with database.write() as session:
        while sendings := charging.claim_chunk(
            session, processors, now=clock.now(), run_id=run_id, actor=actor, due=True
        ):
            for sending in sendings:
                result = calling.charge(sending.gateway, processors.context(clock.now()), sending.request)
                failpoint("charge.after_http")
                _settle(session, sending, result, clock, actor, settled)


def _settle(session: Session, sending: Any, result: Any, clock: Clock, actor: str, settled: Any) -> None:
    status = settle(
        session, sending.attempt_id, result, seller=seller_of(session), now=clock.now(), actor=actor
    )
    settled(session, [status])
