"""Contacts: the main one, and the billing sub-contacts to whom documents can be issued instead."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from flask import Blueprint, flash
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.billing import contacts as billing_contacts
from panel.blueprints.contact_form import ContactForm
from panel.blueprints.document_text import country_name
from panel.blueprints.form_errors import attach
from panel.errors import Conflict, Refused
from panel.records import Contact, ContactKind
from panel.web import account_or_404, actor, clock, database, flash_refused, owned, redirect, render_page

bp = Blueprint("contacts", __name__)

Answer = Response | tuple[str, int]


@bp.get("/accounts/<int:account_id>/contacts")
def contacts(account_id: int) -> Answer:
    with database().read() as session:
        return render_page(
            "contacts/contacts.html",
            account=account_or_404(session, account_id),
            contacts=_live_contacts(session, account_id),
            country_name=country_name,
        )


@bp.route("/accounts/<int:account_id>/contacts/add", methods=["GET", "POST"])
def add(account_id: int) -> Answer:
    form = ContactForm()
    status = 200
    if form.validate_on_submit():
        try:
            with database().write() as session:
                contact = billing_contacts.add(
                    session, account_id=account_id, values=form.values(), actor=actor(), now=clock().now()
                )
                flash(_("%(name)s was added.", name=contact.label), "success")
            return redirect(".contacts", account_id=account_id)
        except Refused as refused:
            attach(form, refused)
            status = refused.status
    elif form.is_submitted():
        status = 422
    with database().read() as session:
        account = account_or_404(session, account_id)
        return render_page("contacts/add.html", status=status, account=account, form=form)


@bp.route("/accounts/<int:account_id>/contacts/<int:contact_id>", methods=["GET", "POST"])
def contact(account_id: int, contact_id: int) -> Answer:
    with database().read() as session:
        form = ContactForm(owned(session, Contact, account_id, contact_id))
    status = 200
    differences: list[tuple[str, str]] = []
    if form.validate_on_submit():
        try:
            with database().write() as session:
                changed = billing_contacts.change(
                    session,
                    account_id=account_id,
                    contact_id=contact_id,
                    version=form.shown_version(),
                    values=form.values(),
                    actor=actor(),
                    now=clock().now(),
                )
                flash(_("%(name)s was saved.", name=changed.label), "success")
            return redirect(".contacts", account_id=account_id)
        except Refused as refused:
            status = refused.status
            if isinstance(refused, Conflict):
                differences = _take_newer_version(form, account_id, contact_id)
            else:
                attach(form, refused)
    elif form.is_submitted():
        status = 422
    return _page(account_id, contact_id, form, status=status, differences=differences)


@bp.post("/accounts/<int:account_id>/contacts/<int:contact_id>/remove")
def remove(account_id: int, contact_id: int) -> Answer:
    try:
        with database().write() as session:
            name = owned(session, Contact, account_id, contact_id).label
            billing_contacts.remove(
                session, account_id=account_id, contact_id=contact_id, actor=actor(), now=clock().now()
            )
    except Refused as refused:
        flash_refused(refused)
        return _page(account_id, contact_id, None, status=refused.status)
    flash(_("%(name)s was removed.", name=name), "success")
    return redirect(".contacts", account_id=account_id)


def _live_contacts(session: Session, account_id: int) -> list[Contact]:
    """The main contact first, then the sub-contacts by name."""
    return list(
        session.scalars(
            sa.select(Contact)
            .where(Contact.account_id == account_id, Contact.removed_at.is_(None))
            .order_by(Contact.kind != ContactKind.MAIN, Contact.name, Contact.id)
        )
    )


def _take_newer_version(form: ContactForm, account_id: int, contact_id: int) -> list[tuple[str, str]]:
    # What was typed stays in the form; saving again then overwrites the other change knowingly.
    with database().read() as session:
        stored = owned(session, Contact, account_id, contact_id)
        form.version.data = str(stored.version)
        return form.differences(stored)


def _page(
    account_id: int,
    contact_id: int,
    form: ContactForm | None,
    *,
    status: int,
    differences: Sequence[tuple[str, str]] = (),
) -> Answer:
    """The page of one contact; without a form, with one that shows what is stored."""
    with database().read() as session:
        account = account_or_404(session, account_id)
        stored = owned(session, Contact, account_id, contact_id)
        return render_page(
            "contacts/contact.html",
            status=status,
            account=account,
            contact=stored,
            form=form or ContactForm.of(stored),
            differences=differences,
            country_name=country_name,
        )
