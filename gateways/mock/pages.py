"""The processor's own pages, where the cardholder types a card or answers a challenge."""

from __future__ import annotations

from html import escape
from typing import Final

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from gateways.mock.books import Books, not_found
from gateways.mock.cards import TEST_CARDS
from gateways.mock.charges import finish_authentication
from gateways.mock.database import Row
from gateways.mock.registrations import (
    CardRefused,
    cancel_registration,
    finish_challenge,
    read_card,
    registration_with,
    submit_card,
)
from gateways.money import Money

_STYLE: Final = """
:root { color-scheme: light; }
body { margin: 0; background: #eef1f5; color: #1c2733; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 2rem auto; padding: 1.5rem 2rem; background: #fff; border-radius: .5rem; }
h1 { margin-top: 0; font-size: 1.4rem; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input { box-sizing: border-box; width: 100%; padding: .5rem; border: 1px solid #6b7a8c; border-radius: .25rem;
  font: inherit; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.buttons { display: flex; gap: .75rem; margin-top: 1.5rem; }
button { padding: .6rem 1.2rem; border: 1px solid #0b5cad; border-radius: .25rem;
  background: #0b5cad; color: #fff; font: inherit; cursor: pointer; }
button.quiet { background: #fff; color: #0b5cad; }
[role=alert] { padding: .6rem 1rem; border-left: .3rem solid #a4161a; background: #fdecec; }
.notice { padding: .6rem 1rem; background: #fff6d6; }
table { width: 100%; margin-top: 2rem; border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; font-weight: 600; }
th, td { padding: .3rem .5rem; border-top: 1px solid #d5dbe2; text-align: left; font-weight: 400; }
th { white-space: nowrap; font-variant-numeric: tabular-nums; }
"""

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def style() -> Response:
    return Response(_STYLE, mimetype="text/css")


def front() -> Response:
    return _page(
        "A processor that plays along",
        "<p>No bank is behind this. It answers gateways under <code>/v1</code>, registrars under "
        "<code>/registry</code>, and customers on the pages that those send them to.</p>" + _test_numbers(),
    )


def registration(books: Books, request: Request, token: str) -> Response:
    """The card form; cancelled, refused and validated cards all lead back to the merchant."""
    row = registration_with(books, token)
    if request.method == "GET":
        return _card_form(row, request, "") if row["status"] == "pending" else _finished(row["return_url"])
    if request.form.get("action") == "cancel":
        return _back(cancel_registration(books, token))
    field = request.form.get
    try:
        typed = read_card(books, field("number", ""), field("expiry", ""), field("name", ""))
    except CardRefused as refusal:
        return _card_form(row, request, str(refusal))
    row = submit_card(books, token, typed)
    if row["status"] == "pending" and row["challenged"] is not None:
        return redirect(f"/hosted/challenges/{token}", 303)
    return _back(row)


def challenge(books: Books, request: Request, token: str) -> Response:
    """3-D Secure while a card is registered."""
    row = registration_with(books, token)
    if row["challenged"] is None:
        raise not_found("challenge")
    if request.method == "GET":
        purpose = "The bank asks whether it is you who is storing this card. Nothing is charged."
        return _challenge_form(purpose) if row["status"] == "pending" else _finished(row["return_url"])
    return _back(finish_challenge(books, token, request.form.get("action") == "complete"))


def authentication(books: Books, request: Request, token: str) -> Response:
    """3-D Secure for a charge that waits for the cardholder."""
    row = books.database.row("SELECT * FROM movements WHERE token = ?", token)
    if row is None:
        raise not_found("authentication")
    if request.method == "GET":
        amount = Money(row["amount"], row["currency"])
        purpose = f"The bank asks you to confirm a payment of {amount}."
        waiting = row["status"] == "requires_action"
        return _challenge_form(purpose) if waiting else _finished(row["return_url"])
    return _back(finish_authentication(books, token, request.form.get("action") == "complete"))


def _back(row: Row) -> Response:
    return redirect(row["return_url"], 303)


def _card_form(row: Row, request: Request, error: str) -> Response:
    values = {name: escape(request.form.get(name, "")) for name in ("name", "expiry")}
    values["name"] = values["name"] or escape(row["customer_name"])
    alert = f'<p role="alert" id="error">{escape(error)}</p>' if error else ""
    described = ' aria-describedby="error"' if error else ""
    return _page(
        "Add a card",
        f"""<p>{escape(row["description"])}</p>
<p class="notice">This is a test page: no real card is accepted, nothing is charged.</p>
{alert}
<form method="post">
<label for="name">Name on the card</label>
<input id="name" name="name" value="{values["name"]}" autocomplete="cc-name" required maxlength="120">
<label for="number">Card number</label>
<input id="number" name="number" inputmode="numeric" autocomplete="cc-number"
  required maxlength="23"{described}>
<div class="pair">
<div><label for="expiry">Expiry (MM/YY)</label>
<input id="expiry" name="expiry" value="{values["expiry"]}" autocomplete="cc-exp"
  required maxlength="7"></div>
<div><label for="cvc">Security code</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" maxlength="4"></div>
</div>
<div class="buttons"><button name="action" value="save">Save card</button>
<button name="action" value="cancel" class="quiet" formnovalidate>Cancel</button></div>
</form>{_test_numbers()}""",
        status=422 if error else 200,
    )


def _challenge_form(purpose: str) -> Response:
    return _page(
        "Your bank's confirmation",
        f"""<p>{escape(purpose)}</p>
<form method="post"><div class="buttons">
<button name="action" value="complete">Complete</button>
<button name="action" value="fail" class="quiet">Fail</button>
</div></form>""",
    )


def _finished(return_url: str) -> Response:
    body = f'<p>There is nothing left to do here. <a href="{escape(return_url)}">Go back</a></p>'
    return _page("This page has been used", body)


def _test_numbers() -> str:
    rows = "".join(
        f'<tr><th scope="row">{_grouped(card.number)}</th><td>{escape(card.label)}</td></tr>'
        for card in TEST_CARDS
    )
    return f"<table><caption>Test numbers (any future expiry, any code)</caption>{rows}</table>"


def _grouped(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _page(title: str, body: str, status: int = 200) -> Response:
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)} · Mock processor</title><link rel="stylesheet" href="/hosted/style.css"></head>
<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"""
    return Response(html, status, headers=_HEADERS, mimetype="text/html")
