"""Proformas: listed, shown, paid with a saved card, recorded as paid by hand, cancelled."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from gateways.money import Money
from panel.billing import proformas as billing
from panel.billing.calendar import day_in_zone, seller_of
from panel.billing.document_list import ProformaFilter, page_of_proformas
from panel.blueprints import document_text, list_query, payment_text
from panel.blueprints.form_errors import attach
from panel.blueprints.proforma_form import CancelForm, PayForm, RecordPaymentForm
from panel.errors import Refused
from panel.records import Attempt, AttemptStatus, Card, Proforma, ProformaStatus
from panel.renewals import paying, settlement
from panel.renewals.payment_history import history_of, latest_attempt, page_of_lines
from panel.renewals.usable_cards import usable_cards
from panel.web import (
    account_or_404,
    actor,
    clock,
    database,
    explain,
    is_htmx,
    owned,
    page_number,
    parts,
    processors,
    redirect,
    render_page,
    user,
)

bp = Blueprint("proformas", __name__)

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

OVERDUE = "overdue"
# While it is on its way the outcome is seconds off; once the processor has taken it, hours or days.
SOON_S, LATER_S = 2, 20


@bp.get("/accounts/<int:account_id>/proformas")
def proformas(account_id: int) -> Answer:
    return _list_page(account_id)


@bp.get("/proformas")
def all_proformas() -> Answer:
    return _list_page(None)


@bp.get("/accounts/<int:account_id>/proformas/<int:proforma_id>")
def proforma(account_id: int, proforma_id: int) -> Answer:
    return _page(account_id, proforma_id)


@bp.post("/accounts/<int:account_id>/proformas/<int:proforma_id>/pay")
def pay(account_id: int, proforma_id: int) -> Answer:
    with database().read() as session:
        stored = owned(session, Proforma, account_id, proforma_id)
        form = PayForm(_cards_for(session, stored))
    if not form.validate_on_submit():
        return _page(account_id, proforma_id, pay=form, status=422)
    try:
        with database().write() as session:
            paying.pay_with_card(
                session,
                account_id=account_id,
                proforma_id=proforma_id,
                card_id=form.card.data,
                user_id=user().id,
                processors=processors(),
                now=clock().now(),
            )
    except Refused as refused:
        if refused.field is None:
            return _page(account_id, proforma_id, problem=refused)
        attach(form, refused)
        return _page(account_id, proforma_id, pay=form, status=refused.status)
    parts().nudge()
    return _to_proforma(account_id, proforma_id)


@bp.get("/accounts/<int:account_id>/proformas/<int:proforma_id>/progress")
def progress(account_id: int, proforma_id: int) -> Answer:
    with database().read() as session:
        owned(session, Proforma, account_id, proforma_id)
        attempt = latest_attempt(session, proforma_id)
    if not is_htmx():
        return _to_proforma(account_id, proforma_id)
    if attempt is None or not attempt.is_open:
        # Its invoice, its lines and what can be done next have changed with it: the whole page is shown anew.
        return "", 200, {"HX-Refresh": "true"}
    return render_template(
        "proformas/_progress.html",
        account_id=account_id,
        proforma_id=proforma_id,
        progress=_progress(attempt),
    )


@bp.post("/accounts/<int:account_id>/proformas/<int:proforma_id>/record-payment")
def record_payment(account_id: int, proforma_id: int) -> Answer:
    form = RecordPaymentForm()
    if not form.validate_on_submit():
        return _page(account_id, proforma_id, record=form, status=422)
    try:
        with database().write() as session:
            settlement.record_manual_payment(
                session,
                account_id=account_id,
                proforma_id=proforma_id,
                reference=form.reference.data,
                received_on=form.received_on.data,
                user_id=user().id,
                now=clock().now(),
            )
    except Refused as refused:
        if refused.field is None:
            return _page(account_id, proforma_id, record=form, problem=refused)
        attach(form, refused)
        return _page(account_id, proforma_id, record=form, status=refused.status)
    flash(_("The payment was recorded and the invoice issued."), "success")
    return _to_proforma(account_id, proforma_id)


@bp.route("/accounts/<int:account_id>/proformas/<int:proforma_id>/cancel", methods=["GET", "POST"])
def cancel(account_id: int, proforma_id: int) -> Answer:
    form = CancelForm()
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        try:
            with database().write() as session:
                billing.cancel(
                    session,
                    account_id=account_id,
                    proforma_id=proforma_id,
                    skip_term=form.term.data == "skip",
                    actor=actor(),
                    now=clock().now(),
                )
        except Refused as refused:
            return _page(account_id, proforma_id, problem=refused)
        flash(_("The proforma was cancelled."), "success")
        return _to_proforma(account_id, proforma_id)
    with database().read() as session:
        account = account_or_404(session, account_id)
        stored = owned(session, Proforma, account_id, proforma_id)
        if stored.status is not ProformaStatus.OPEN:
            return _to_proforma(account_id, proforma_id)
        lines = page_of_lines(session, proforma_id, page=page_number())
        return render_page(
            "proformas/cancel.html",
            status=status,
            account=account,
            proforma=stored,
            lines=lines,
            form=form,
            words=payment_text,
        )


def _list_page(account_id: int | None) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id) if account_id is not None else None
        today = day_in_zone(clock().now(), seller_of(session).zone)
        found = page_of_proformas(session, _wanted(account_id, today))
        return render_page(
            "proformas/proformas.html",
            partial="proformas/_list.html",
            account=account,
            listing=found.listing,
            search_too_wide=found.search_too_wide,
            today=today,
            states=[(state.value, payment_text.STATUS[state][0]) for state in ProformaStatus],
            query=list_query.kept("search", "status", "sort", "order"),
            endpoint="proformas.proformas" if account else "proformas.all_proformas",
            values={"account_id": account.id} if account else {},
            words=payment_text,
            text=document_text,
        )


def _wanted(account_id: int | None, today: date) -> ProformaFilter:
    overdue = request.args.get("status") == OVERDUE
    return ProformaFilter(
        account_id=account_id,
        search=list_query.search(),
        status=None if overdue else list_query.one_of("status", ProformaStatus),
        overdue_on=today if overdue else None,
        sort="due" if request.args.get("sort") == "due" else "issued",
        descending=request.args.get("order") != "up",
        page=page_number(),
    )


def _page(
    account_id: int,
    proforma_id: int,
    *,
    pay: PayForm | None = None,
    record: RecordPaymentForm | None = None,
    problem: Refused | None = None,
    status: int = 200,
) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        stored = owned(session, Proforma, account_id, proforma_id)
        today = day_in_zone(clock().now(), seller_of(session).zone)
        history = history_of(session, proforma_id)
        open_attempt = history.open_attempt
        payable = stored.status is ProformaStatus.OPEN and open_attempt is None
        cards = _cards_for(session, stored) if payable else []
        return render_page(
            "proformas/proforma.html",
            status=problem.status if problem else status,
            account=account,
            proforma=stored,
            today=today,
            history=history,
            lines=page_of_lines(session, proforma_id, page=page_number()),
            progress=_progress(open_attempt) if open_attempt else None,
            payable=payable,
            cards=cards,
            tried_today=bool(history.latest and history.latest.day == today),
            pay=pay or PayForm(cards, data={"card": stored.card_id}),
            record=record or RecordPaymentForm.of_today(today),
            record_open=record is not None,
            problem=explain(problem) if problem else None,
            words=payment_text,
            text=document_text,
        )


def _cards_for(session: Session, stored: Proforma) -> list[Card]:
    """The account's cards that may be charged for this proforma: their gateway works and takes the amount."""
    amount = Money(stored.total_minor, stored.currency)
    return [
        card
        for card in usable_cards(session, stored.account_id, clock().now())
        if card.gateway_account.stopped_at is None
        and (can := processors().capabilities(card.gateway_account)) is not None
        and can.amount_problem(amount) is None
    ]


def _progress(attempt: Attempt) -> dict[str, object]:
    """What the polled part shows, and in how many seconds it asks again."""
    soon = attempt.status in (AttemptStatus.INTENDED, AttemptStatus.SENDING)
    return {
        "attempt": attempt,
        "words": payment_text.of_attempt(attempt),
        "seconds": SOON_S if soon else LATER_S,
    }


def _to_proforma(account_id: int, proforma_id: int) -> Response:
    return redirect("proformas.proforma", account_id=account_id, proforma_id=proforma_id)
