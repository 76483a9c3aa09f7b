"""Cards: added on the processor's own page, named, made default, validated again, moved off, removed."""

from __future__ import annotations

from flask import Blueprint, flash, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.billing.calendar import day_in_zone, seller_of
from panel.blueprints.card_form import AddCardForm, RenameForm
from panel.blueprints.card_list import card_rows, removed_cards, undo_until
from panel.blueprints.consent import consent_given, typed_reference
from panel.blueprints.form_errors import attach
from panel.blueprints.plan_text import consent_wording
from panel.blueprints.posted import one_id
from panel.errors import Refused
from panel.records import Card, CardRegistration, CardStatus, RegistrationState
from panel.renewals import card_changes, card_registration, recurrence
from panel.web import (
    account_or_404,
    actor,
    clock,
    database,
    explain,
    owned,
    posted_request_key,
    processors,
    redirect,
    redirect_to,
    render_page,
    user,
)

bp = Blueprint("cards", __name__)

Answer = Response | tuple[str, int]

# On the page of a card; the others hang on it all the same.
DOMAINS_SHOWN = 50


@bp.get("/accounts/<int:account_id>/cards")
def cards(account_id: int) -> Answer:
    with database().read() as session:
        today = day_in_zone(clock().now(), seller_of(session).zone)
        return render_page(
            "cards/cards.html",
            account=account_or_404(session, account_id),
            rows=card_rows(session, account_id, today),
            removed=removed_cards(session, account_id, clock().now()),
        )


@bp.route("/accounts/<int:account_id>/cards/add", methods=["GET", "POST"])
def add(account_id: int) -> Answer:
    with database().read() as session:
        gateway_accounts = processors().choices(session)
        form = AddCardForm(gateway_accounts)
    status = 200
    if form.validate_on_submit():
        try:
            return redirect_to(_start(account_id, form.gateway_account.data, form.label.data))
        except Refused as refused:
            attach(form, refused)
            status = refused.status
    elif form.is_submitted():
        status = 422
    with database().read() as session:
        return render_page(
            "cards/add.html", status=status, account=account_or_404(session, account_id), form=form
        )


@bp.get("/accounts/<int:account_id>/cards/added/<int:registration_id>")
def added(account_id: int, registration_id: int) -> Answer:
    problem = None
    try:
        card_registration.finish(
            database(),
            processors(),
            account_id=account_id,
            registration_id=registration_id,
            now=clock().now(),
        )
    except Refused as refused:
        problem = explain(refused)
    with database().read() as session:
        account = account_or_404(session, account_id)
        registration = owned(session, CardRegistration, account_id, registration_id)
        if registration.state is RegistrationState.VALIDATED:
            flash(_("The card was validated by its processor and can be used now."), "success")
            return redirect(".cards", account_id=account_id)
        return render_page(
            "cards/added.html",
            partial="cards/_registration.html",
            account=account,
            registration=registration,
            problem=problem,
        )


@bp.get("/accounts/<int:account_id>/cards/<int:card_id>")
def card(account_id: int, card_id: int) -> Answer:
    return _card_page(account_id, card_id)


@bp.post("/accounts/<int:account_id>/cards/<int:card_id>/rename")
def rename(account_id: int, card_id: int) -> Answer:
    form = RenameForm()
    if not form.validate_on_submit():
        return _card_page(account_id, card_id, form=form, status=422)
    try:
        with database().write() as session:
            card_changes.rename(
                session,
                account_id=account_id,
                card_id=card_id,
                label=form.label.data or None,
                actor=actor(),
                now=clock().now(),
            )
    except Refused as refused:
        attach(form, refused)
        return _card_page(account_id, card_id, form=form, status=refused.status)
    flash(_("The card's name was saved."), "success")
    return _to_card(account_id, card_id)


@bp.post("/accounts/<int:account_id>/cards/<int:card_id>/default")
def make_default(account_id: int, card_id: int) -> Answer:
    try:
        with database().write() as session:
            card_changes.make_default(
                session, account_id=account_id, card_id=card_id, actor=actor(), now=clock().now()
            )
    except Refused as refused:
        return _card_page(account_id, card_id, problem=refused)
    flash(_("This is the default card now. Domains that hang on another card stay there."), "success")
    return _to_card(account_id, card_id)


@bp.post("/accounts/<int:account_id>/cards/<int:card_id>/validate")
def validate_again(account_id: int, card_id: int) -> Answer:
    try:
        stored = card_changes.revalidate(
            database(), processors(), account_id=account_id, card_id=card_id, actor=actor(), now=clock().now()
        )
    except Refused as refused:
        return _card_page(account_id, card_id, problem=refused)
    if stored.status is CardStatus.VALIDATED:
        flash(_("The processor says that the card is valid."), "success")
    else:
        flash(_("The processor says that the card can't be charged any more."), "warning")
    return _to_card(account_id, card_id)


@bp.route("/accounts/<int:account_id>/cards/<int:card_id>/remove", methods=["GET", "POST"])
def remove(account_id: int, card_id: int) -> Answer:
    status = 200
    problem = None
    if request.method == "POST":
        try:
            with database().write() as session:
                card_changes.remove(
                    session, account_id=account_id, card_id=card_id, actor=actor(), now=clock().now()
                )
            flash(_("The card was removed. You can undo this below."), "success")
            return _to_card(account_id, card_id)
        except Refused as refused:
            status, problem = refused.status, explain(refused)
    with database().read() as session:
        account = account_or_404(session, account_id)
        owned(session, Card, account_id, card_id)
        radius = card_changes.blast_radius(
            session, account_id=account_id, card_id=card_id, now=clock().now(), limit=DOMAINS_SHOWN
        )
        return render_page(
            "cards/remove.html",
            status=status,
            account=account,
            card=radius.card,
            radius=radius,
            problem=problem,
        )


@bp.post("/accounts/<int:account_id>/cards/<int:card_id>/undo-remove")
def undo_remove(account_id: int, card_id: int) -> Answer:
    try:
        with database().write() as session:
            card_changes.undo_remove(
                session, account_id=account_id, card_id=card_id, actor=actor(), now=clock().now()
            )
    except Refused as refused:
        return _card_page(account_id, card_id, problem=refused)
    flash(_("The card is back."), "success")
    return _to_card(account_id, card_id)


@bp.route("/accounts/<int:account_id>/cards/<int:card_id>/move", methods=["GET", "POST"])
def move(account_id: int, card_id: int) -> Answer:
    status = 200
    refusal: Refused | None = None
    if request.method == "POST":
        try:
            return redirect("actions.done", account_id=account_id, action_id=_move(account_id, card_id))
        except Refused as refused:
            status, refusal = refused.status, refused
    with database().read() as session:
        account = account_or_404(session, account_id)
        owned(session, Card, account_id, card_id)
        radius = card_changes.blast_radius(
            session, account_id=account_id, card_id=card_id, now=clock().now(), limit=DOMAINS_SHOWN
        )
        return render_page(
            "cards/move.html",
            status=status,
            account=account,
            card=radius.card,
            radius=radius,
            chosen=request.form.get("to_card", type=int),
            reference=typed_reference(request.form),
            acknowledged=set(request.form.getlist("acknowledge")),
            warnings=_move_warnings(session, account_id, card_id, radius.other_cards),
            wording=consent_wording(seller_of(session).consent_ceiling_percent),
            error_field=refusal.field if refusal else None,
            error=explain(refusal) if refusal else None,
        )


def _move_warnings(
    session: Session, account_id: int, card_id: int, other_cards: list[Card]
) -> dict[str, list[Card]]:
    """What would have to be acknowledged, and for which of the cards that the domains can move to."""
    found: dict[str, list[Card]] = {}
    for other in other_cards:
        for warning in sorted(
            recurrence.move_warnings(session, account_id=account_id, from_card_id=card_id, to_card=other)
        ):
            found.setdefault(warning, []).append(other)
    return found


def _move(account_id: int, card_id: int) -> int:
    with database().write() as session:
        account = account_or_404(session, account_id)
        action = recurrence.move(
            session,
            account_id=account_id,
            from_card_id=card_id,
            to_card_id=one_id(request.form, "to_card"),
            consent=consent_given(account),
            acknowledged=set(request.form.getlist("acknowledge")),
            request_key=posted_request_key(),
            now=clock().now(),
        )
        return action.id


def _start(account_id: int, gateway_account_id: int, label: str | None) -> str:
    return card_registration.start(
        database(),
        processors(),
        account_id=account_id,
        gateway_account_id=gateway_account_id,
        label=label or None,
        user_id=user().id,
        return_url=url_for(".cards", account_id=account_id, _external=True) + "/added/{registration}",
        now=clock().now(),
    )


def _card_page(
    account_id: int,
    card_id: int,
    *,
    form: RenameForm | None = None,
    problem: Refused | None = None,
    status: int = 200,
) -> Answer:
    with database().read() as session:
        account = account_or_404(session, account_id)
        stored = owned(session, Card, account_id, card_id)
        today = day_in_zone(clock().now(), seller_of(session).zone)
        radius = card_changes.blast_radius(
            session, account_id=account_id, card_id=card_id, now=clock().now(), limit=DOMAINS_SHOWN
        )
        return render_page(
            "cards/card.html",
            status=problem.status if problem else status,
            account=account,
            card=stored,
            usable=stored.status is CardStatus.VALIDATED and stored.usable_on(today),
            radius=radius,
            undo_until=undo_until(stored, clock().now()),
            form=form or RenameForm(obj=stored),
            problem=explain(problem) if problem else None,
        )


def _to_card(account_id: int, card_id: int) -> Response:
    return redirect(".card", account_id=account_id, card_id=card_id)
