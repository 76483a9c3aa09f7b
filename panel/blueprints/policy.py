"""Who may do what: one line for each endpoint and method. What has no line here is denied.

Account-scoped addresses carry `<int:account_id>`. A client's own is the only one that exists for it: a foreign, an
absent and a malformed id are answered by the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, flash, g, request, url_for
from flask import session as browser_session
from flask_babel import gettext as _
from flask_security import current_user
from werkzeug.exceptions import SecurityError
from werkzeug.routing import IntegerConverter, ValidationError
from werkzeug.wrappers import Response

from panel.blueprints.error_pages import ACCOUNT_SUSPENDED
from panel.database import db
from panel.records import Account, RoleName
from panel.web import LARGEST_ID, is_htmx, is_staff, parts, redirect_to, role, safe_next

ADMIN, BILLING, READ_ONLY, CLIENT = RoleName.ADMIN, RoleName.BILLING, RoleName.READ_ONLY, RoleName.CLIENT

SAFE_METHODS = ("GET", "HEAD")


@dataclass(frozen=True)
class Line:
    """`roles` may; `anonymous` too, where it says so; a client of a suspended account only with `suspended`."""

    roles: frozenset[RoleName]
    suspended: bool = False
    anonymous: bool = False


PUBLIC = Line(frozenset(RoleName), suspended=True, anonymous=True)
NOBODY = Line(frozenset())
EVERYBODY = Line(frozenset(RoleName), suspended=True)
STAFF = Line(frozenset({ADMIN, BILLING, READ_ONLY}))
STAFF_CHANGES = Line(frozenset({ADMIN, BILLING}))
# The page of a form, or a calculation that changes nothing: staff may look, a suspended client has no use for it.
FORMS = Line(frozenset(RoleName))
CHANGES = Line(frozenset({ADMIN, BILLING, CLIENT}))
PAYS = Line(frozenset({ADMIN, BILLING, CLIENT}), suspended=True)


def _line(endpoint: str, **methods: Line) -> Iterator[tuple[tuple[str, str], Line]]:
    for method, line in methods.items():
        yield (endpoint, method), line


TABLE: dict[tuple[str, str], Line] = dict(
    pair
    for lines in (
        # system
        _line("static", GET=PUBLIC),
        _line("system.healthz", GET=PUBLIC),
        _line("system.language", POST=PUBLIC),
        # log-in (Flask-Security)
        _line("security.login", GET=PUBLIC, POST=PUBLIC),
        _line("security.logout", POST=PUBLIC),
        _line("security.forgot_password", GET=PUBLIC, POST=PUBLIC),
        _line("security.reset_password", GET=PUBLIC, POST=PUBLIC),
        _line("security.change_password", GET=EVERYBODY, POST=EVERYBODY),
        _line("security.verify", GET=EVERYBODY, POST=EVERYBODY),
        _line("security.two_factor_setup", GET=EVERYBODY, POST=EVERYBODY),
        _line("security.two_factor_setup_validate", POST=EVERYBODY),
        # These stand between the password and being logged in.
        _line("security.two_factor_token_validation", GET=PUBLIC, POST=PUBLIC),
        _line("security.mf_recovery", GET=PUBLIC, POST=PUBLIC),
        _line("security.mf_recovery_codes", GET=EVERYBODY, POST=EVERYBODY),
        # Flask-Security brings these along: there is one second step, and no mail that gets round it.
        _line("security.tf_select", GET=NOBODY, POST=NOBODY),
        _line("security.two_factor_rescue", GET=NOBODY, POST=NOBODY),
        # domains
        _line("domains.home", GET=EVERYBODY),
        _line("domains.all_domains", GET=STAFF),
        _line("domains.domains", GET=EVERYBODY),
        _line("domains.domain", GET=EVERYBODY),
        _line("domains.switch_off", POST=CHANGES),
        _line("accounts.accounts", GET=STAFF),
        # actions
        _line("actions.renew", GET=FORMS, POST=CHANGES),
        _line("actions.renew_all", GET=FORMS, POST=CHANGES),
        _line("actions.renew_quote", POST=FORMS),
        _line("actions.recurring_payment", GET=FORMS, POST=CHANGES),
        _line("actions.recurring_payment_all", GET=FORMS, POST=CHANGES),
        _line("actions.recurring_payment_quote", POST=FORMS),
        _line("actions.done", GET=EVERYBODY),
        _line("actions.undo", POST=CHANGES),
        # cards
        _line("cards.cards", GET=EVERYBODY),
        _line("cards.add", GET=FORMS, POST=CHANGES),
        _line("cards.added", GET=EVERYBODY),
        _line("cards.card", GET=EVERYBODY),
        _line("cards.rename", POST=CHANGES),
        _line("cards.make_default", POST=CHANGES),
        _line("cards.validate_again", POST=CHANGES),
        _line("cards.remove", GET=FORMS, POST=CHANGES),
        _line("cards.undo_remove", POST=CHANGES),
        _line("cards.move", GET=FORMS, POST=CHANGES),
        # contacts
        _line("contacts.contacts", GET=EVERYBODY),
        _line("contacts.add", GET=FORMS, POST=CHANGES),
        _line("contacts.contact", GET=EVERYBODY, POST=CHANGES),
        _line("contacts.remove", POST=CHANGES),
        # proformas and invoices
        _line("proformas.all_proformas", GET=STAFF),
        _line("proformas.proformas", GET=EVERYBODY),
        _line("proformas.proforma", GET=EVERYBODY),
        _line("proformas.progress", GET=EVERYBODY),
        _line("proformas.pay", POST=PAYS),
        _line("proformas.record_payment", POST=STAFF_CHANGES),
        _line("proformas.cancel", GET=STAFF, POST=STAFF_CHANGES),
        _line("invoices.all_invoices", GET=STAFF),
        _line("invoices.invoices", GET=EVERYBODY),
        _line("invoices.invoice", GET=EVERYBODY),
        # what the panel does on its own
        _line("runs.runs", GET=STAFF),
        _line("runs.run", GET=STAFF),
        _line("runs.progress", GET=STAFF),
        _line("runs.forecast", GET=STAFF),
        _line("tasks.tasks", GET=STAFF),
        _line("tasks.resolve", POST=STAFF_CHANGES),
        _line("gateways.gateways", GET=STAFF),
        _line("gateways.resume", POST=STAFF_CHANGES),
    )
    for pair in lines
)


class RowId(IntegerConverter):
    """The id of a row in an address, written in the one way there is: what no database could hold is no id."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > LARGEST_ID:
            raise ValidationError
        return number


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = RowId
    app.before_request(enforce)
    app.jinja_env.globals["may"] = may
    app.context_processor(_page_values)


def line_for(endpoint: str, method: str) -> Line | None:
    return TABLE.get((endpoint, "GET" if method == "HEAD" else method))


def may(endpoint: str, method: str = "GET") -> bool:
    """Whether whoever is logged in may do this, for their own account: templates leave out what would be refused."""
    line = line_for(endpoint, method)
    return line is not None and _allows(line)


def enforce() -> Response | None:
    """Before every request. What routing has refused already (404, 405) stays refused."""
    if request.routing_exception is not None or request.endpoint is None:
        return None
    _require_own_name()
    line = line_for(request.endpoint, request.method)
    if line is None:
        current_app.logger.error("no line in the policy for %s %s", request.method, request.endpoint)
        abort(404)
    if request.endpoint == "static":
        return None
    _require_same_origin()
    if _writes_with_our_session(request.endpoint):
        db.session.connection(execution_options={"write_unit": True})
    if current_user.is_authenticated:
        g.user_locale = current_user.locale
    elif not line.anonymous:
        return _log_in_first()
    g.is_staff = is_staff()
    _require_account()
    if not _allows(line):
        _deny(line)
    return None


def _allows(line: Line) -> bool:
    who = role()
    if who is None or who not in line.roles:
        return line.anonymous
    if who is CLIENT:
        account = current_user.account
        return account is not None and (line.suspended or not account.suspended)
    return True


def _deny(line: Line) -> NoReturn:
    if role() in line.roles:
        g.denied_because = ACCOUNT_SUSPENDED
    abort(403)


def _require_account() -> None:
    """Puts the account of this address into `g`. A client's own is the only one that there is for it."""
    if role() is CLIENT:
        g.account = current_user.account
    account_id = (request.view_args or {}).get("account_id")
    if account_id is None:
        return
    if not is_staff() and account_id != current_user.account_id:
        abort(404)
    if is_staff():
        g.account = _account(account_id)


def _account(account_id: int) -> Account:
    account = db.session.get(Account, account_id)
    if account is None:
        abort(404)
    return account


def _require_own_name() -> None:
    """Only a health check may call the panel by a name that isn't its own: links in mails are made of that name."""
    own_name = parts().own_name
    if own_name is not None and request.host != own_name and request.endpoint != "system.healthz":
        raise SecurityError


def _require_same_origin() -> None:
    """A second lock beside the CSRF token: the browser itself says where a form came from."""
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403)


def _writes_with_our_session(endpoint: str) -> bool:
    """Flask-Security reads and then writes with one session, which on SQLite must begin as a writer.

    A log-in only reads, and must not wait for whoever writes.
    """
    return request.method == "POST" and endpoint.startswith("security.") and endpoint != "security.login"


def _log_in_first() -> Response:
    """To the log-in page, and back afterwards: to the page that was asked for, never to a form's target."""
    if request.path != "/" and "_flashes" not in browser_session:
        flash(
            _("Your session has ended. Log in to go on.") if _had_session() else _("Please log in."), "info"
        )
    if is_htmx():
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = shown.path + (f"?{shown.query}" if shown.query else "")
        log_in = url_for("security.login", next=safe_next(back))
        return Response(status=401, headers={"HX-Redirect": log_in})
    asked = request.full_path.rstrip("?") if request.method in SAFE_METHODS and request.path != "/" else None
    return redirect_to(url_for("security.login", next=safe_next(asked)))


def _had_session() -> bool:
    return "_user_id" in browser_session or is_htmx()


def _page_values() -> dict[str, Any]:
    return {"account": g.get("account"), "is_staff": g.get("is_staff", False)}
