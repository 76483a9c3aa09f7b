"""What belongs to no subject: is the panel well, and in which language does it speak."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, abort, request, session
from flask_security import current_user
from werkzeug.wrappers import Response

from panel.blueprints.languages import LANGUAGES
from panel.records import User
from panel.web import database, redirect_to, safe_next

bp = Blueprint("system", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """For a load balancer: 200 while the database answers (else 503, as everywhere)."""
    with database().read() as unit:
        unit.execute(sa.text("SELECT 1"))
    return Response("ok\n", mimetype="text/plain")


@bp.post("/language")
def language() -> Response:
    """Kept with the user, so that mails come in it too, and in this browser for the log-in page."""
    chosen = request.form.get("locale", "")
    if chosen not in LANGUAGES:
        abort(400)
    session["locale"] = chosen
    if current_user.is_authenticated:
        with database().write() as unit:
            unit.execute(sa.update(User).where(User.id == current_user.id).values(locale=chosen))
    return redirect_to(safe_next(request.form.get("next")) or "/")
