"""Contacts of an account: the main one and the billing sub-contacts to whom invoices are issued.

What was issued stays as it was issued: a change acts on the next document.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.contact_fields import FIELDS, ContactValues, checked
from panel.errors import N_, Conflict, NotThere, Refused
from panel.records import (
    Account,
    Contact,
    ContactKind,
    Proforma,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
)

__all__ = ["ContactChanged", "ContactValues", "add", "change", "remove", "uses"]


class ContactChanged(Conflict):
    """Somebody else changed the contact. `changed`: the fields in which it now differs from what was asked for."""

    def __init__(self, changed: list[str]):
        super().__init__(
            N_(
                "Somebody else has changed this contact meanwhile. Look at what differs from yours, then save yours "
                "again or leave it."
            )
        )
        self.changed = changed


def add(session: Session, *, account_id: int, values: ContactValues, actor: str, now: datetime) -> Contact:
    """A new billing sub-contact; the main contact when the account has none.

    The same values again are the same contact: a form that was sent twice adds one.
    """
    wanted = checked(values)
    # Locked, so that two forms at the same time don't both find nothing.
    if (
        session.scalar(sa.select(Account.id).where(Account.id == account_id).with_for_update(key_share=True))
        is None
    ):
        raise NotThere
    present = session.scalars(
        sa.select(Contact).where(Contact.account_id == account_id, Contact.removed_at.is_(None))
    ).all()
    for contact in present:
        if _values_of(contact) == wanted:
            return contact
    has_main = any(contact.kind is ContactKind.MAIN for contact in present)
    contact = Contact(
        account_id=account_id,
        kind=ContactKind.BILLING if has_main else ContactKind.MAIN,
        version=1,
        created_at=now,
        **asdict(wanted),
    )
    session.add(contact)
    session.flush()
    _write_down(session, contact, "contact.added", actor, now, {"kind": contact.kind.value})
    return contact


def change(
    session: Session,
    *,
    account_id: int,
    contact_id: int,
    version: int,
    values: ContactValues,
    actor: str,
    now: datetime,
) -> Contact:
    """Puts `values` in place of those of `version`.

    ContactChanged, saying what differs, when somebody else changed the contact since; nothing then changes.
    """
    contact = _locked(session, account_id, contact_id)
    wanted = checked(values)
    differing = [name for name in FIELDS if getattr(contact, name) != getattr(wanted, name)]
    if not differing:
        return contact
    if contact.version != version:
        raise ContactChanged(differing)
    for name in differing:
        setattr(contact, name, getattr(wanted, name))
    contact.version += 1
    session.flush()
    _write_down(
        session, contact, "contact.changed", actor, now, {"fields": differing, "version": contact.version}
    )
    return contact


def remove(session: Session, *, account_id: int, contact_id: int, actor: str, now: datetime) -> None:
    """Removes a sub-contact that nothing needs any more. Documents already issued to it stay."""
    contact = _locked(session, account_id, contact_id)
    if contact.kind is ContactKind.MAIN:
        raise Refused(N_("The main contact can't be removed. Change it instead."))
    recurring, proformas = uses(session, contact_id)
    if recurring or proformas:
        raise Refused(
            N_(
                "This contact is still needed: domains with recurring payment: %(recurring)s, open proformas: "
                "%(proformas)s. Give the domains another contact and settle the proformas first."
            ),
            recurring=recurring,
            proformas=proformas,
        )
    contact.removed_at = now
    contact.version += 1
    session.flush()
    _write_down(session, contact, "contact.removed", actor, now, {})


def uses(session: Session, contact_id: int) -> tuple[int, int]:
    """How many domains are paid for in this contact's name, and how many of its proformas are open."""
    recurring = session.scalar(
        sa.select(sa.func.count())
        .select_from(Recurrence)
        .where(
            Recurrence.contact_id == contact_id,
            Recurrence.current,
            Recurrence.state == RecurrenceState.ON,
        )
    )
    proformas = session.scalar(
        sa.select(sa.func.count())
        .select_from(Proforma)
        .where(Proforma.contact_id == contact_id, Proforma.status == ProformaStatus.OPEN)
    )
    return recurring or 0, proformas or 0


def _locked(session: Session, account_id: int, contact_id: int) -> Contact:
    contact = session.scalars(
        sa.select(Contact)
        .where(Contact.id == contact_id, Contact.account_id == account_id, Contact.removed_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if contact is None:
        raise NotThere
    return contact


def _values_of(contact: Contact) -> ContactValues:
    return ContactValues(**{name: getattr(contact, name) for name in FIELDS})


def _write_down(
    session: Session, contact: Contact, kind: str, actor: str, now: datetime, data: dict[str, object]
) -> None:
    """In the journal there are ids and the names of fields, nothing about the person."""
    journal.write(
        session,
        now=now,
        actor=actor,
        kind=kind,
        subject=f"contact:{contact.id}",
        account_id=contact.account_id,
        data=data,
    )
