"""Domains: the list with its verdicts and actions, and the page of one domain with its three switches."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.billing.calendar import seller_of
from panel.blueprints import domain_text, list_query, payment_text
from panel.blueprints.domain_facts import facts_of
from panel.blueprints.domain_ticks import Ticks
from panel.blueprints.verdict_text import sentence
from panel.records import Card, CardStatus, Domain, DomainStatus
from panel.renewals.domain_list import SORTS, DomainFilter, DomainPage, page_of_domains, rows_of
from panel.renewals.recurrence import switch_off as switch_recurrence_off
from panel.renewals.selection import Selection
from panel.renewals.usable_cards import usable_cards
from panel.web import (
    account_or_404,
    as_id,
    clock,
    database,
    is_staff,
    owned,
    page_number,
    posted_request_key,
    processors,
    redirect,
    render_page,
    user,
)

bp = Blueprint("domains", __name__)

Answer = Response | tuple[str, int]


@bp.get("/")
def home() -> Answer:
    if is_staff():
        return redirect(".all_domains")
    return redirect(".domains", account_id=user().account_id)


@bp.get("/domains")
def all_domains() -> Answer:
    wanted = _wanted(None)
    with database().read() as session:
        page = page_of_domains(session, wanted, processors=processors(), now=clock().now())
        return _list(page, wanted, account=None, cards=[], can_recur=False)


@bp.get("/accounts/<int:account_id>/domains")
def domains(account_id: int) -> Answer:
    wanted = _wanted(account_id)
    now = clock().now()
    with database().read() as session:
        account = account_or_404(session, account_id)
        page = page_of_domains(session, wanted, processors=processors(), now=now)
        can_recur = bool(usable_cards(session, account_id, now))
        return _list(page, wanted, account=account, cards=_cards(session, account_id), can_recur=can_recur)


@bp.get("/accounts/<int:account_id>/domains/<int:domain_id>")
def domain(account_id: int, domain_id: int) -> Answer:
    now = clock().now()
    with database().read() as session:
        account = account_or_404(session, account_id)
        shown = owned(session, Domain, account_id, domain_id)
        row = rows_of(session, [shown], processors=processors(), now=now)[0]
        return render_page(
            "domains/domain.html",
            account=account,
            domain=shown,
            row=row,
            verdict_text=sentence(row.verdict, shown),
            facts=facts_of(session, row, now),
            words=domain_text,
            payment=payment_text,
            sales_contact=seller_of(session).sales_contact,
            can_recur=bool(usable_cards(session, account_id, now)),
        )


@bp.post("/accounts/<int:account_id>/domains/<int:domain_id>/switch-off")
def switch_off(account_id: int, domain_id: int) -> Answer:
    with database().write() as session:
        owned(session, Domain, account_id, domain_id)
        action = switch_recurrence_off(
            session,
            account_id=account_id,
            selection=Selection.of([domain_id]),
            user_id=user().id,
            request_key=posted_request_key(),
            now=clock().now(),
        )
    return redirect("actions.done", account_id=account_id, action_id=action.id)


def _wanted(account_id: int | None) -> DomainFilter:
    """What the address asks for; nonsense in it means the default."""
    asked = request.args.getlist("sort")[-1:] or ["name"]
    sort = asked[0].removeprefix("-")
    recurring = request.args.get("recurring")
    return DomainFilter(
        account_id=account_id,
        search=list_query.search()[:253],
        status=list_query.one_of("status", DomainStatus),
        recurring="on" if recurring == "on" else "off" if recurring == "off" else None,
        card_id=as_id(request.args.get("card")),
        sort=sort if sort in SORTS else "name",
        descending=asked[0].startswith("-"),
        page=page_number(),
    )


def _list(page: DomainPage, wanted: DomainFilter, **values: Any) -> Answer:
    return render_page(
        "domains/domains.html",
        partial="domains/_table.html",
        page=page,
        wanted=wanted,
        filtered=bool(wanted.search or wanted.status or wanted.recurring or wanted.card_id),
        texts={row.domain.id: sentence(row.verdict, row.domain) for row in page.rows},
        ticks=Ticks.read(request.args.getlist("tick"), {row.domain.id for row in page.rows}),
        words=domain_text,
        list_url=url_for(request.endpoint or "", **(request.view_args or {})),
        **values,
    )


def _cards(session: Session, account_id: int) -> list[Card]:
    """What the list can be filtered by."""
    kept = sa.and_(Card.account_id == account_id, Card.status != CardStatus.REMOVED)
    return list(session.scalars(sa.select(Card).where(kept).order_by(Card.id)))
