"""What a person sees when something can't be done: a plain page, or a message in the page that HTMX is on.

These pages know nothing of who asks, so that one id can't be told from another by them, and need no database.
"""

from __future__ import annotations

import flask
from flask import Flask, g, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from panel.errors import N_, NotThere, Refused
from panel.web import explain, is_htmx

TEXTS = {
    400: (N_("This request can't be understood"), N_("Go back, open the page again and repeat your choice.")),
    401: (N_("Please log in"), N_("Your session has ended.")),
    403: (N_("You may not do this"), N_("Ask whoever gave you your log-in, if you need it.")),
    404: (N_("There is nothing here"), N_("The address is wrong, or what was here is gone.")),
    405: (N_("This can't be done this way"), N_("Go back, open the page again and use its buttons.")),
    409: (N_("Somebody was faster"), N_("What you saw has changed meanwhile. Open the page again.")),
    413: (N_("This is too much at once"), N_("What was sent is larger than the panel takes.")),
    422: (N_("This can't be done"), N_("Something in the form isn't right.")),
    429: (N_("Too many tries"), N_("Wait a few minutes, then try again.")),
    500: (N_("Something went wrong here"), N_("It is logged. Nothing was left half done.")),
    503: (N_("The panel is busy"), N_("Nothing was changed. Try again in a moment.")),
}
FORM_EXPIRED = N_(
    "This form was open too long, or was sent from elsewhere. Open the page again and repeat your choice."
)
UNKNOWN_NAME = (
    "The panel is not called by this name. Whoever runs it sets PERENNIAL_BASE_URL to the right one.\n"
)
ACCOUNT_SUSPENDED = N_("This account is suspended: you can look and pay. For the rest, ask your reseller.")
RETRY_SECONDS = 5


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(NotThere, lambda _error: answer(404))
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(PoolTimeout, _database_error)


def answer(status: int, text: str | None = None) -> Response:
    title, usual = TEXTS.get(status, TEXTS[500])
    values = {"title": _(title), "text": text or _(usual)}
    if is_htmx():
        response = flask.make_response(flask.render_template("errors/_error.html", **values), status)
        response.headers["HX-Retarget"] = "#flashes"
        response.headers["HX-Reswap"] = "innerHTML show:window:top"
        response.headers["HX-Push-Url"] = "false"
    else:
        response = flask.make_response(flask.render_template("errors/error.html", **values), status)
    if status in (429, 503):
        response.headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return response


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, SecurityError):
        # Without a name there are no addresses either, so no page.
        return Response(UNKNOWN_NAME, 400, mimetype="text/plain")
    if error.code is None or error.code < 400:
        return error.get_response()  # a redirect
    if isinstance(error, CSRFError):
        return answer(400, _(FORM_EXPIRED))
    if error.code == 403 and "denied_because" in g:
        return answer(403, _(g.denied_because))
    response = answer(error.code if error.code in TEXTS else 400 if error.code < 500 else 500)
    if error.code == 405 and "Allow" in (refused := error.get_response()).headers:
        response.headers["Allow"] = refused.headers["Allow"]
    return response


def _refused(refused: Refused) -> Response:
    return answer(refused.status, explain(refused))


def _database_error(error: OperationalError | PoolTimeout) -> Response:
    """A database that is busy, full or read-only has changed nothing: its transaction was rolled back."""
    reason = error.orig if isinstance(error, OperationalError) else error
    flask.current_app.logger.error("database: %s (%s %s)", reason, request.method, request.endpoint)
    return answer(503)
