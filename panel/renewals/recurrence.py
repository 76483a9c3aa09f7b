"""Recurring payment: switched on for ticked domains or all of them, switched off, moved to another card, undone.

Everything here is set-based: one domain and 100,000 take the same handful of statements, in one transaction. A change
is a new version of a recurrence; the version before it stays, which is what undo restores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from panel import journal
from panel.billing.calendar import seller_of
from panel.errors import N_, Conflict, NotThere, Refused
from panel.records import (
    Account,
    Action,
    ActionKind,
    Card,
    Consent,
    ConsentKind,
    Contact,
    Domain,
    Recurrence,
    RecurrenceState,
    User,
)
from panel.renewals.holder_match import HolderAnswer, match
from panel.renewals.processors import Processors
from panel.renewals.recurrence_plan import HOLDER_DIFFERS, Plan, PlanWarning, plan, source
from panel.renewals.selection import Selection
from panel.renewals.usable_cards import last_day, usable_card

UNDO_FOR = timedelta(hours=24)
LEFT_SHOWN = 100

CURRENT_WORDING = "2026-11"
WORDING = {
    "2026-11": N_(
        "I agree that the card named here is charged for the yearly renewal of each domain listed, on its bill date "
        "and without my being present, at the price shown or up to %(ceiling)s %% above it, until I switch recurring "
        "payment off. Invoices are issued to the contact named here."
    )
}


@dataclass(frozen=True)
class ConsentGiven:
    """Who agrees, for whom, from where. Staff can't agree for a client: they record the client's own consent."""

    user_id: int | None
    is_staff: bool
    on_behalf_of: str
    reference: str | None = None
    remote_address: str | None = None


class PlanChanged(Conflict):
    """Something that the page showed has changed; nothing was applied. `changed` names what."""

    def __init__(self, changed: list[str]):
        super().__init__(
            N_("Something changed since this page was shown. Nothing was applied; look again, then confirm.")
        )
        self.changed = changed


def confirm(
    session: Session,
    *,
    account_id: int,
    selection: Selection,
    contact_id: int,
    card_id: int,
    digest: str,
    acknowledged: set[str],
    consent: ConsentGiven,
    request_key: str,
    processors: Processors,
    now: datetime,
) -> Action:
    """Switches recurring payment on for exactly what the plan with `digest` showed. Charges nothing.

    The same `request_key` again answers with the same action. Raises Refused (nothing ticked, missing
    acknowledgement, unusable card, missing reference) or PlanChanged.
    """
    _lock_account(session, account_id)
    if done := already_done(session, account_id, request_key, digest):
        return done
    shown = plan(
        session,
        account_id=account_id,
        selection=selection,
        contact_id=contact_id,
        card_id=card_id,
        processors=processors,
        now=now,
    )
    if changed := shown.changed_since(digest):
        raise PlanChanged(changed)
    _refuse_incomplete(shown, acknowledged, consent)

    agreed = _record_consent(session, consent, shown.card, shown.contact.id, acknowledged, now)
    action = _record_action(
        session,
        account_id=account_id,
        kind=ActionKind.RECURRING_PAYMENT,
        user_id=consent.user_id,
        consent=agreed,
        request_key=request_key,
        digest=digest,
        now=now,
    )
    rows = source(shown)
    affected = sa.select(rows.c.id).where(rows.c.applies)
    _retire(session, affected)
    # What applies and has no current version now is exactly what was just retired, or never had one.
    fresh = (
        sa.select(
            rows.c.id,
            _last_version(rows.c.id) + 1,
            sa.true(),
            sa.literal(RecurrenceState.ON.value),
            sa.literal(shown.contact.id),
            sa.literal(shown.card.id),
            sa.literal(agreed.id),
            sa.literal(action.id),
            rows.c.a_year,
            sa.literal(shown.currency),
            _instant(now),
        )
        .where(rows.c.takes_part)
        .where(~_has_current(rows.c.id))
    )
    action.domains_changed = _insert_versions(session, fresh)
    _journal(
        session, action, consent.user_id, now, data={"contact_id": shown.contact.id, "card_id": shown.card.id}
    )
    return action


def switch_off(
    session: Session,
    *,
    account_id: int,
    selection: Selection,
    user_id: int | None,
    request_key: str,
    now: datetime,
) -> Action:
    """Switches recurring payment off for those of the selection that have it. Refused when none has."""
    _lock_account(session, account_id)
    if done := already_done(session, account_id, request_key):
        return done
    selection.refuse_foreign(session, account_id)
    affected = (
        sa.select(Recurrence.domain_id)
        .join(Domain, Domain.id == Recurrence.domain_id)
        .where(Domain.account_id == account_id, selection.condition())
        .where(Recurrence.current, Recurrence.state == RecurrenceState.ON)
    )
    action = _record_action(
        session,
        account_id=account_id,
        kind=ActionKind.SWITCH_OFF,
        user_id=user_id,
        consent=None,
        request_key=request_key,
        digest="",
        now=now,
    )
    if _retire(session, affected) == 0:
        raise Refused(N_("Recurring payment is off already."), field="tick")
    old = aliased(Recurrence)
    action.domains_changed = _insert_versions(
        session,
        sa.select(
            old.domain_id,
            old.version + 1,
            sa.true(),
            sa.literal(RecurrenceState.OFF.value),
            sa.null(),
            sa.null(),
            sa.null(),
            sa.literal(action.id),
            sa.null(),
            sa.null(),
            _instant(now),
        )
        .join(Domain, Domain.id == old.domain_id)
        .where(Domain.account_id == account_id, selection.condition())
        .where(_is_last_version(old), old.state == RecurrenceState.ON, ~old.current),
    )
    _journal(session, action, user_id, now)
    return action


def move(
    session: Session,
    *,
    account_id: int,
    from_card_id: int,
    to_card_id: int,
    consent: ConsentGiven,
    acknowledged: set[str],
    request_key: str,
    now: datetime,
) -> Action:
    """Moves every domain that hangs on one card to another; contacts and agreed prices stay as they are."""
    _lock_account(session, account_id)
    if done := already_done(session, account_id, request_key):
        return done
    to_card = usable_card(session, account_id, to_card_id, now)
    _refuse_unseen(
        move_warnings(session, account_id=account_id, from_card_id=from_card_id, to_card=to_card),
        acknowledged,
    )
    _refuse_without_reference(consent)
    agreed = _record_consent(session, consent, to_card, None, acknowledged, now)
    action = _record_action(
        session,
        account_id=account_id,
        kind=ActionKind.MOVE_CARD,
        user_id=consent.user_id,
        consent=agreed,
        request_key=request_key,
        digest="",
        now=now,
    )
    hanging = (
        sa.select(Recurrence.domain_id)
        .join(Domain, Domain.id == Recurrence.domain_id)
        .where(Domain.account_id == account_id, Recurrence.current, Recurrence.card_id == from_card_id)
    )
    if _retire(session, hanging) == 0:
        raise Refused(N_("No domain is paid by this card."), field="card")
    old = aliased(Recurrence)
    action.domains_changed = _insert_versions(
        session,
        sa.select(
            old.domain_id,
            old.version + 1,
            sa.true(),
            old.state,
            old.contact_id,
            sa.literal(to_card.id),
            sa.literal(agreed.id),
            sa.literal(action.id),
            old.agreed_minor,
            old.agreed_currency,
            _instant(now),
        )
        .join(Domain, Domain.id == old.domain_id)
        .where(Domain.account_id == account_id, old.card_id == from_card_id)
        .where(_is_last_version(old), ~old.current),
    )
    _journal(
        session, action, consent.user_id, now, data={"from_card_id": from_card_id, "card_id": to_card_id}
    )
    return action


def move_warnings(session: Session, *, account_id: int, from_card_id: int, to_card: Card) -> frozenset[str]:
    """What must be acknowledged before the domains of one card hang on another: a cardholder who differs from one of
    their contacts, a bill date after the card's last day."""
    hanging = (
        sa.select(Recurrence)
        .join(Domain, Domain.id == Recurrence.domain_id)
        .where(Domain.account_id == account_id, Recurrence.current, Recurrence.card_id == from_card_id)
    )
    contacts = session.scalars(
        sa.select(Contact).where(Contact.id.in_(hanging.with_only_columns(Recurrence.contact_id)))
    )
    warnings = set()
    if any(
        match(to_card.holder_name, contact.name, contact.company).answer is HolderAnswer.DIFFERS
        for contact in contacts
    ):
        warnings.add(HOLDER_DIFFERS)
    late = hanging.with_only_columns(Recurrence.id).where(Domain.bills_on > last_day(to_card)).limit(1)
    if session.scalar(late) is not None:
        warnings.add(PlanWarning.EXPIRES_BEFORE_BILL.value)
    return frozenset(warnings)


@dataclass(frozen=True)
class UndoResult:
    """How many domains got back what they had, and which were left because they changed since."""

    action: Action
    restored: int
    left_count: int
    left: list[Domain] = field(default_factory=list)


def undo(
    session: Session, *, account_id: int, action_id: int, user_id: int | None, now: datetime
) -> UndoResult:
    """Restores the versions that an action replaced, domain by domain where nothing changed since.

    Never touches attempts, charges or invoices. Refused after 24 hours, or when it was undone already.
    """
    _lock_account(session, account_id)
    undone = session.scalar(sa.select(Action).where(Action.id == action_id, Action.account_id == account_id))
    if undone is None:
        raise NotThere
    if undone.undone_by_id is not None:
        raise Conflict(N_("This was undone already."))
    if undone.undo_until is None or now > undone.undo_until:
        raise Refused(N_("The time for undoing this has passed; change the domains themselves instead."))
    action = _record_action(
        session,
        account_id=account_id,
        kind=ActionKind.UNDO,
        user_id=user_id,
        consent=None,
        request_key=f"undo-{undone.id}",
        digest="",
        now=now,
    )
    unchanged = sa.select(Recurrence.domain_id).where(Recurrence.action_id == undone.id, Recurrence.current)
    _retire(session, unchanged)
    made, before = aliased(Recurrence), aliased(Recurrence)
    action.domains_changed = _insert_versions(
        session,
        sa.select(
            made.domain_id,
            made.version + 1,
            sa.true(),
            sa.func.coalesce(sa.cast(before.state, sa.String), RecurrenceState.OFF.value),
            before.contact_id,
            before.card_id,
            before.consent_id,
            sa.literal(action.id),
            before.agreed_minor,
            before.agreed_currency,
            _instant(now),
        )
        .outerjoin(before, sa.and_(before.domain_id == made.domain_id, before.version == made.version - 1))
        .where(made.action_id == undone.id, ~made.current, _is_last_version(made)),
    )
    undone.undone_by_id = action.id
    _journal(session, action, user_id, now, data={"undone_action_id": undone.id})
    left_count = undone.domains_changed - action.domains_changed
    return UndoResult(
        action, action.domains_changed, left_count, _left(session, undone, action) if left_count else []
    )


def _left(session: Session, undone: Action, action: Action) -> list[Domain]:
    restored = sa.select(Recurrence.domain_id).where(Recurrence.action_id == action.id)
    return list(
        session.scalars(
            sa.select(Domain)
            .join(Recurrence, Recurrence.domain_id == Domain.id)
            .where(Recurrence.action_id == undone.id, Domain.id.not_in(restored))
            .order_by(Domain.name)
            .limit(LEFT_SHOWN)
        )
    )


@dataclass(frozen=True)
class ActionSummary:
    """What an action did, for the page that follows it."""

    action: Action
    domains: list[Domain]
    count: int
    can_undo: bool
    undone: bool
    contact: Contact | None
    card: Card | None
    user_name: str


def action_summary(session: Session, account_id: int, action_id: int, now: datetime) -> ActionSummary:
    """NotThere when absent or of another account."""
    action = session.scalar(sa.select(Action).where(Action.id == action_id, Action.account_id == account_id))
    if action is None:
        raise NotThere
    consent = session.get(Consent, action.consent_id) if action.consent_id else None
    user = session.get(User, action.user_id) if action.user_id else None
    domains = session.scalars(
        sa.select(Domain)
        .join(Recurrence, Recurrence.domain_id == Domain.id)
        .where(Recurrence.action_id == action.id)
        .order_by(Domain.name)
        .limit(50)
    )
    return ActionSummary(
        action=action,
        domains=list(domains),
        count=action.domains_changed,
        can_undo=action.undone_by_id is None and action.undo_until is not None and now <= action.undo_until,
        undone=action.undone_by_id is not None,
        contact=session.get(Contact, consent.contact_id) if consent and consent.contact_id else None,
        card=session.get(Card, consent.card_id) if consent else None,
        user_name=user.name or user.email if user else "",
    )


def _lock_account(session: Session, account_id: int) -> None:
    """Changes of one account's recurring payments happen one after the other."""
    if (
        session.scalar(sa.select(Account.id).where(Account.id == account_id).with_for_update(key_share=True))
        is None
    ):
        raise NotThere


def already_done(session: Session, account_id: int, request_key: str, digest: str = "") -> Action | None:
    """The action that this form led to when it was sent before. Conflict for a form that was changed in between."""
    action = session.scalar(sa.select(Action).where(Action.request_key == request_key))
    if action is not None and (action.account_id, action.plan_digest) != (account_id, digest):
        raise Conflict(N_("This form was sent before with other choices; open the page again."))
    return action


def _refuse_incomplete(shown: Plan, acknowledged: set[str], consent: ConsentGiven) -> None:
    if shown.totals.ticked == 0:
        raise Refused(N_("Tick at least one domain."), field="tick")
    if shown.totals.applies == 0:
        raise Refused(
            N_("None of the ticked domains would change; see the reason beside each."), field="tick"
        )
    _refuse_unseen(shown.required_acknowledgements, acknowledged)
    _refuse_without_reference(consent)


_IN_PAGE_ORDER = (HOLDER_DIFFERS, *(warning.value for warning in PlanWarning))


def _refuse_unseen(warnings: frozenset[str], acknowledged: set[str]) -> None:
    if missing := warnings - acknowledged:
        raise Refused(
            N_("Confirm that you have seen the warnings by ticking the box beside each."),
            field=next(warning for warning in _IN_PAGE_ORDER if warning in missing),
        )


def _refuse_without_reference(consent: ConsentGiven) -> None:
    if consent.is_staff and not (consent.reference or "").strip():
        raise Refused(
            N_(
                "Say how the client agreed (a mail, a call, a contract): the reference is kept with the consent."
            ),
            field="reference",
        )


def _record_consent(
    session: Session,
    given: ConsentGiven,
    card: Card,
    contact_id: int | None,
    acknowledged: set[str],
    now: datetime,
) -> Consent:
    consent = Consent(
        account_id=card.account_id,
        kind=ConsentKind.OFFLINE if given.is_staff else ConsentKind.ONLINE,
        user_id=given.user_id,
        on_behalf_of=given.on_behalf_of,
        reference=given.reference,
        wording_version=CURRENT_WORDING,
        contact_id=contact_id,
        card_id=card.id,
        acknowledged=sorted(acknowledged),
        ceiling_percent=seller_of(session).consent_ceiling_percent,
        remote_address=given.remote_address,
        at=now,
    )
    session.add(consent)
    session.flush()
    return consent


def _record_action(
    session: Session,
    *,
    account_id: int,
    kind: ActionKind,
    user_id: int | None,
    consent: Consent | None,
    request_key: str,
    digest: str,
    now: datetime,
) -> Action:
    action = Action(
        account_id=account_id,
        kind=kind,
        user_id=user_id,
        consent_id=consent.id if consent else None,
        request_key=request_key,
        plan_digest=digest,
        domains_changed=0,
        at=now,
        undo_until=None if kind is ActionKind.UNDO else now + UNDO_FOR,
    )
    session.add(action)
    session.flush()
    return action


def _retire(session: Session, domain_ids: sa.Select[Any]) -> int:
    """Takes `current` from the versions of these domains; returns how many."""
    result = session.execute(
        sa.update(Recurrence)
        .where(Recurrence.current, Recurrence.domain_id.in_(domain_ids))
        .values(current=False)
        .execution_options(synchronize_session=False)
    )
    return _rows_of(result)


def _rows_of(result: sa.Result[Any]) -> int:
    """How many rows a bulk statement touched."""
    return int(cast(sa.CursorResult[Any], result).rowcount)


def _insert_versions(session: Session, versions: Any) -> int:
    columns = [
        "domain_id",
        "version",
        "current",
        "state",
        "contact_id",
        "card_id",
        "consent_id",
        "action_id",
        "agreed_minor",
        "agreed_currency",
        "created_at",
    ]
    statement = sa.insert(Recurrence).from_select(columns, versions)
    return _rows_of(session.execute(statement, execution_options={"preserve_rowcount": True}))


def _last_version(domain_id: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    any_version = aliased(Recurrence)
    return sa.func.coalesce(
        sa.select(sa.func.max(any_version.version))
        .where(any_version.domain_id == domain_id)
        .scalar_subquery(),
        0,
    )


def _is_last_version(version: Any) -> sa.ColumnElement[bool]:
    later = aliased(Recurrence)
    return ~sa.exists().where(later.domain_id == version.domain_id, later.version > version.version)


def _has_current(domain_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    other = aliased(Recurrence)
    return sa.exists().where(other.domain_id == domain_id, other.current)


def _instant(now: datetime) -> sa.ColumnElement[datetime]:
    return sa.literal(now, Recurrence.__table__.c.created_at.type)


def _journal(
    session: Session, action: Action, user_id: int | None, now: datetime, data: dict[str, Any] | None = None
) -> None:
    journal.write(
        session,
        now=now,
        actor=f"user:{user_id}" if user_id else "link",
        kind=f"recurrence.{action.kind.value}",
        subject=f"action:{action.id}",
        account_id=action.account_id,
        data={"domains": action.domains_changed, "digest": action.plan_digest, **(data or {})},
    )
