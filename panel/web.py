"""What every page needs of the application around it: its parts, who is asking, and how an answer is given.

Views import from here; nothing below the blueprints does.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import flask
from flask import Response, current_app, g, request
from flask_babel import format_currency, format_date, format_datetime, gettext
from flask_security import current_user
from markupsafe import Markup
from sqlalchemy.orm import Session

from gateways.loading import Loaded, load
from gateways.money import Money
from panel.clock import Clock
from panel.database import Database, db
from panel.errors import N_, NotThere, Refused
from panel.messages.outbox import DeliveryCounts, deliver
from panel.messages.transport import transport_for
from panel.records import Account, RoleName, Seller, User
from panel.renewals.processors import Processors

# The largest id that both databases can hold.
LARGEST_ID = 2**63 - 1
# Far more boxes than a page shows; a rule with exceptions says the rest.
MOST_IDS = 5_000
DAY = "d MMM yyyy"
_REQUEST_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass
class Parts:
    """What create_app has joined: one for each application."""

    database: Database
    clock: Clock
    plugins_dir: Path
    # By the registrar's id; what is not here has none.
    registrar_settings: dict[str, dict[str, str]] = field(repr=False)
    base_url: str
    # How mail leaves, and from which address.
    mail: Mapping[str, Any]
    mail_from: str
    # Wakes the worker up: somebody asked for a charge.
    nudge: Callable[[], None]
    # The one host (and port) that pages may be asked for by; None while nobody has said: any loopback name.
    own_name: str | None

    @cached_property
    def plugins(self) -> Loaded:
        """Loaded at first use, so that the start doesn't wait for strangers' code."""
        return load(self.plugins_dir)

    @cached_property
    def processors(self) -> Processors:
        return Processors(self.plugins, self.registrar_settings)

    def deliver_mail(self, clock: Clock, *, limit: int = 500) -> DeliveryCounts:
        """Sends what is due in the outbox, `limit` mails at most."""
        return deliver(
            self.database,
            transport_for(**self.mail),
            clock,
            limit=limit,
            mail_from=self.mail_from,
            base_url=self.base_url,
        )


class Owned(Protocol):
    """A record that belongs to one account."""

    account_id: Any


Row = TypeVar("Row", bound=Owned)


def parts() -> Parts:
    return cast(Parts, current_app.extensions["perennial"])


def database() -> Database:
    return parts().database


def clock() -> Clock:
    return parts().clock


def processors() -> Processors:
    return parts().processors


def seller(session: Session) -> Seller | None:
    """The reseller's own row; None on a database that nobody has set up yet."""
    return session.get(Seller, 1)


def account_or_404(session: Session, account_id: int) -> Account:
    account = session.get(Account, account_id)
    if account is None:
        raise NotThere
    return account


def owned(session: Session, model: type[Row], account_id: int, row_id: int | None) -> Row:
    """The row, if it is the account's. Raises NotThere otherwise: absent and foreign are told apart by nobody."""
    row = session.get(model, row_id) if row_id is not None else None
    if row is None or row.account_id != account_id:
        raise NotThere
    return row


# Who is asking


def user() -> User:
    return cast(User, current_user)


def actor() -> str:
    """The journal's name for whoever is logged in."""
    return f"user:{user().id}"


def role() -> RoleName | None:
    """None for somebody who isn't logged in, or whose user has no role."""
    if not current_user.is_authenticated or not current_user.roles:
        return None
    return user().role


def is_staff() -> bool:
    return role() not in (None, RoleName.CLIENT)


def remote_address() -> str:
    return request.remote_addr or ""


# What was sent


def as_id(text: str | None) -> int | None:
    """A row id out of a form or an address, or None for whatever isn't one."""
    if text is None or not re.fullmatch(r"[1-9][0-9]{0,18}", text):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def ids_of(texts: Iterable[str]) -> list[int]:
    """The ids among them, each once, in the order they came in. Refused beyond MOST_IDS."""
    found = dict.fromkeys(number for text in texts if (number := as_id(text)) is not None)
    if len(found) > MOST_IDS:
        raise Refused(
            N_("Too many domains were sent at once. Use the action that ends in All."), field="tick"
        )
    return [*found]


def page_number(name: str = "page") -> int:
    """Which page of a list was asked for, from 1; what isn't a number is the first one."""
    asked = request.values.get(name, "1")
    return min(int(asked), 1_000_000) if re.fullmatch(r"[1-9][0-9]{0,18}", asked) else 1


def request_key() -> Markup:
    """A hidden field by which a form that is sent twice is known to be the same one."""
    return Markup('<input type="hidden" name="request_key" value="{}">').format(new_request_key())


def new_request_key() -> str:
    return secrets.token_urlsafe(24)


def posted_request_key() -> str:
    """The key of the form that was sent. Refused where it is missing or not one of ours."""
    key = request.form.get("request_key", "")
    if not _REQUEST_KEY.fullmatch(key):
        raise Refused(N_("This form was incomplete. Open the page again and repeat your choice."))
    return key


def is_htmx() -> bool:
    """Whether a fragment is wanted. A page that the browser restores from its history is wanted whole."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


# What is answered


def render_page(
    page: str, /, *, partial: str | None = None, status: int = 200, **values: Any
) -> tuple[str, int]:
    """The whole page, or its partial alone where HTMX asks for a fragment and there is one."""
    template = partial if partial is not None and is_htmx() else page
    return flask.render_template(template, **values), status


def redirect(endpoint: str, **values: Any) -> Response:
    """After a form: the browser gets the next page with GET. HTMX is told to move the whole page there."""
    return redirect_to(flask.url_for(endpoint, **values))


def redirect_to(url: str) -> Response:
    if is_htmx():
        return Response(status=204, headers={"HX-Redirect": url})
    return cast(Response, flask.redirect(url, code=303))


def safe_next(target: str | None) -> str | None:
    """`target` if it is a path on this panel. Anything that a browser might read as another host is None."""
    if not target or not target.startswith("/") or target.startswith("//"):
        return None
    if "\\" in target or any(ord(character) <= 32 or ord(character) == 127 for character in target):
        return None
    address = urlsplit(target)
    return target if not address.scheme and not address.netloc else None


def explain(refused: Refused) -> str:
    """The refusal in the reader's language, with its amounts and days as the reader writes them."""
    text = gettext(refused.message)
    if not refused.params:
        return text
    return text % {name: _shown(value) for name, value in refused.params.items()}


def flash_refused(refused: Refused) -> None:
    flask.flash(explain(refused), "error")


def _shown(value: object) -> object:
    if isinstance(value, Money):
        return money_text(value)
    if isinstance(value, date):
        return day_text(value)
    return value


# How values are written


def money_text(amount: Money | int, currency: str | None = None) -> str:
    """Money, or minor units and their currency, as the reader writes them."""
    if not isinstance(amount, Money):
        if currency is None:
            raise TypeError("minor units need their currency")
        amount = Money(amount, currency)
    return cast(str, format_currency(amount.major_text(), amount.currency))


def day_text(value: date | datetime | None) -> str:
    """A day, as in 3 Dec 2026: of an instant, its day in the seller's zone."""
    return "" if value is None else cast(str, format_date(value, DAY))


def instant_text(value: datetime | None) -> str:
    """A moment, to the minute, in the seller's zone."""
    return "" if value is None else cast(str, format_datetime(value, f"{DAY}, HH:mm"))


def zone_name() -> str:
    """The seller's time zone, in which every time is shown."""
    if "zone_name" not in g:
        row = db.session.get(Seller, 1)
        g.zone_name = row.zone if row is not None else "UTC"
    return cast(str, g.zone_name)
