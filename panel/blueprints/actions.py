"""The Actions menu of Domains: Renew, Renew All, Recurring Payment, Recurring Payment All; and Undo."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.billing import early_renewal
from panel.billing.early_renewal import RenewalPlan
from panel.blueprints import plan_text
from panel.blueprints.consent import consent_given
from panel.blueprints.plan_forms import RecurringPaymentForm, RenewForm
from panel.blueprints.posted import one_id
from panel.errors import Refused
from panel.records import Account, Action, Proforma
from panel.renewals import recurrence, recurrence_plan
from panel.renewals.recurrence_plan import Plan, PlanRow
from panel.renewals.selection import Selection
from panel.renewals.usable_cards import usable_cards
from panel.web import (
    account_or_404,
    clock,
    database,
    explain,
    is_htmx,
    posted_request_key,
    processors,
    redirect,
    render_page,
    user,
)

bp = Blueprint("actions", __name__)

Answer = Response | tuple[str, int]

ROWS = 50
# Named beside a warning; the table has them all.
WARNED_NAMED = 10


@bp.route("/accounts/<int:account_id>/actions/recurring-payment", methods=["GET", "POST"])
def recurring_payment(account_id: int) -> Answer:
    return _recurring_payment(account_id, everything=False)


@bp.route("/accounts/<int:account_id>/actions/recurring-payment-all", methods=["GET", "POST"])
def recurring_payment_all(account_id: int) -> Answer:
    return _recurring_payment(account_id, everything=True)


@bp.post("/accounts/<int:account_id>/actions/recurring-payment/quote")
def recurring_payment_quote(account_id: int) -> Answer:
    """The same page for the choice as it stands now; changes nothing."""
    everything = request.form.get("of_all") == "1"
    try:
        return _show_recurring_payment(account_id, RecurringPaymentForm.posted(request.form), everything)
    except Refused as refused:
        return _show_recurring_payment(
            account_id, RecurringPaymentForm(Selection.of(())), everything, refused
        )


@bp.route("/accounts/<int:account_id>/actions/renew", methods=["GET", "POST"])
def renew(account_id: int) -> Answer:
    return _renew(account_id, everything=False)


@bp.route("/accounts/<int:account_id>/actions/renew-all", methods=["GET", "POST"])
def renew_all(account_id: int) -> Answer:
    return _renew(account_id, everything=True)


@bp.post("/accounts/<int:account_id>/actions/renew/quote")
def renew_quote(account_id: int) -> Answer:
    """The same page for the choice as it stands now; changes nothing."""
    everything = request.form.get("of_all") == "1"
    try:
        return _show_renew(account_id, RenewForm.posted(request.form), everything)
    except Refused as refused:
        return _show_renew(account_id, RenewForm(Selection.of(()), {}), everything, refused)


@bp.get("/accounts/<int:account_id>/actions/<int:action_id>")
def done(account_id: int, action_id: int) -> Answer:
    return _done_page(account_id, action_id)


@bp.post("/accounts/<int:account_id>/actions/<int:action_id>/undo")
def undo(account_id: int, action_id: int) -> Answer:
    try:
        with database().write() as session:
            result = recurrence.undo(
                session, account_id=account_id, action_id=action_id, user_id=user().id, now=clock().now()
            )
    except Refused as refused:
        return _done_page(account_id, action_id, refused)
    with database().read() as session:
        account = account_or_404(session, account_id)
        return render_page("actions/undone.html", account=account, result=result)


def _recurring_payment(account_id: int, *, everything: bool) -> Answer:
    form = RecurringPaymentForm(Selection.of(()))
    try:
        if request.method == "GET":
            form = RecurringPaymentForm.arrived(request.args, everything=everything)
            return _show_recurring_payment(account_id, form, everything)
        form = RecurringPaymentForm.posted(request.form)
        action = _confirm(account_id, form)
    except Refused as refused:
        return _show_recurring_payment(account_id, form, everything, refused)
    return redirect(".done", account_id=account_id, action_id=action.id)


def _confirm(account_id: int, form: RecurringPaymentForm) -> Action:
    with database().write() as session:
        account = account_or_404(session, account_id)
        return recurrence.confirm(
            session,
            account_id=account_id,
            selection=form.selection,
            contact_id=one_id(request.form, "contact"),
            card_id=one_id(request.form, "card"),
            digest=form.digest,
            acknowledged=set(form.acknowledged),
            consent=consent_given(account),
            request_key=posted_request_key(),
            processors=processors(),
            now=clock().now(),
        )


def _show_recurring_payment(
    account_id: int, form: RecurringPaymentForm, everything: bool, refused: Refused | None = None
) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        if not usable_cards(session, account_id, clock().now()):
            return _no_card(account, everything)
        plan, form, refused = _plan_recurring_payment(session, account, form, refused)
        listing = recurrence_plan.plan_rows(session, plan, page=form.page, per_page=ROWS, only=form.only)
        warned = _first_warned(session, plan)
        return render_page(
            "actions/recurring_payment.html",
            partial="actions/_recurring_payment_plan.html",
            account=account,
            everything=everything,
            plan=plan,
            listing=listing,
            # A box that is disabled sends nothing, which must not be read as unticked.
            shown=[row.domain.id for row in listing.rows if row.exclusion is None],
            warned=warned,
            form=form,
            acknowledgements=plan_text.acknowledgement_texts(plan),
            wording=plan_text.consent_wording(plan.seller.consent_ceiling_percent),
            warning_text=plan_text.warning_text,
            warning_heading=plan_text.warning_heading,
            exclusion_text=plan_text.exclusion_text,
            **_said(refused),
        )


def _first_warned(session: Session, plan: Plan) -> list[PlanRow]:
    if not plan.warnings:
        return []
    return recurrence_plan.plan_rows(session, plan, per_page=WARNED_NAMED, only="warned").rows


def _no_card(account: Account, everything: bool) -> Answer:
    if is_htmx():
        # The last card went while the form was open: the form goes too.
        return redirect(
            ".recurring_payment_all" if everything else ".recurring_payment", account_id=account.id
        )
    return render_page("actions/no_card.html", status=409, account=account, everything=everything)


def _plan_recurring_payment(
    session: Session, account: Account, form: RecurringPaymentForm, refused: Refused | None
) -> tuple[Plan, RecurringPaymentForm, Refused | None]:
    """The plan; what it refuses (a card removed meanwhile) goes back to its preset, and the page says so."""
    now = clock().now()
    while True:
        try:
            plan = recurrence_plan.plan(
                session,
                account_id=account.id,
                selection=form.selection,
                contact_id=form.contact_id,
                card_id=form.card_id,
                processors=processors(),
                now=now,
            )
            return plan, form, refused
        except Refused as refused_now:
            preset = form.without(refused_now.field)
            if preset == form:
                raise
            form, refused = preset, refused or refused_now


def _renew(account_id: int, *, everything: bool) -> Answer:
    form = RenewForm(Selection.of(()), {})
    try:
        if request.method == "GET":
            form = RenewForm.arrived(request.args, everything=everything)
            return _show_renew(account_id, form, everything)
        form = RenewForm.posted(request.form)
        proformas = _generate(account_id, form)
    except Refused as refused:
        return _show_renew(account_id, form, everything, refused)
    return _to_proformas(account_id, proformas)


def _generate(account_id: int, form: RenewForm) -> list[Proforma]:
    with database().write() as session:
        return early_renewal.generate(
            session,
            account_id=account_id,
            selection=form.selection,
            years=form.years,
            contact_id=form.contact_id,
            digest=form.digest,
            request_key=posted_request_key(),
            user_id=user().id,
            now=clock().now(),
        )


def _show_renew(account_id: int, form: RenewForm, everything: bool, refused: Refused | None = None) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        plan, form, refused = _plan_renewal(session, account, form, refused)
        listing = early_renewal.plan_rows(session, plan, page=form.page, per_page=ROWS)
        return render_page(
            "actions/renew.html",
            partial="actions/_renewal_plan.html",
            account=account,
            everything=everything,
            plan=plan,
            listing=listing,
            shown=[row.domain.id for row in listing.rows if row.refusal is None],
            form=form,
            refusal_text=plan_text.refusal_text,
            refusal_heading=plan_text.refusal_heading,
            **_said(refused),
        )


def _plan_renewal(
    session: Session, account: Account, form: RenewForm, refused: Refused | None
) -> tuple[RenewalPlan, RenewForm, Refused | None]:
    now = clock().now()
    while True:
        try:
            plan = early_renewal.plan(
                session,
                account_id=account.id,
                selection=form.selection,
                years=form.years,
                contact_id=form.contact_id,
                now=now,
            )
            return plan, form, refused
        except Refused as refused_now:
            preset = form.without(refused_now.field)
            if preset == form:
                raise
            form, refused = preset, refused or refused_now


def _to_proformas(account_id: int, proformas: list[Proforma]) -> Answer:
    numbers = ", ".join(proforma.number for proforma in proformas)
    flash(
        _("Made: %(numbers)s. Nothing was charged; each domain is renewed once it is paid.", numbers=numbers),
        "success",
    )
    if len(proformas) == 1:
        return redirect("proformas.proforma", account_id=account_id, proforma_id=proformas[0].id)
    return redirect("proformas.proformas", account_id=account_id)


def _done_page(account_id: int, action_id: int, refused: Refused | None = None) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        summary = recurrence.action_summary(session, account_id, action_id, clock().now())
        return render_page("actions/done.html", account=account, summary=summary, **_said(refused))


def _said(refused: Refused | None) -> dict[str, Any]:
    """A refusal as templates take it: its words, its field, what changed meanwhile, the status."""
    return {
        "error": explain(refused) if refused else None,
        "error_field": refused.field if refused else None,
        "changes": plan_text.changes_text(refused) if refused else [],
        "status": refused.status if refused else 200,
    }
