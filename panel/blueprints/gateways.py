"""Gateways: what is configured, and in which state; plugins in quarantine; charging resumed."""

from __future__ import annotations

from flask import Blueprint, flash
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from panel.blueprints.gateway_list import gateway_rows
from panel.errors import Refused
from panel.renewals.processors import resume as resume_charging
from panel.web import clock, database, explain, processors, redirect, render_page, user

bp = Blueprint("gateways", __name__)

Answer = str | Response | tuple[str, int]


@bp.get("/gateways")
def gateways() -> Answer:
    return _list_page()


@bp.post("/gateways/<int:gateway_account_id>/resume")
def resume(gateway_account_id: int) -> Answer:
    try:
        with database().write() as session:
            account = resume_charging(
                session, gateway_account_id=gateway_account_id, user_id=user().id, now=clock().now()
            )
    except Refused as refused:
        return _list_page(problem=refused)
    flash(_("Charging through %(label)s goes on.", label=account.label), "success")
    return redirect("gateways.gateways")


def _list_page(problem: Refused | None = None) -> Answer:
    with database().read() as session:
        return render_page(
            "gateways/gateways.html",
            status=problem.status if problem else 200,
            rows=gateway_rows(session, processors()),
            registrars=sorted(plugin.label for plugin in processors().loaded.registrars.values()),
            quarantined=processors().loaded.quarantined,
            problem=explain(problem) if problem else None,
        )
