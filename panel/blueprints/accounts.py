"""Accounts: where staff find the client that they work for."""

from __future__ import annotations

from flask import Blueprint

from panel.blueprints import list_query
from panel.blueprints.account_list import page_of_accounts
from panel.web import database, page_number, render_page

bp = Blueprint("accounts", __name__)


@bp.get("/accounts")
def accounts() -> tuple[str, int]:
    search = list_query.search()[:253]
    with database().read() as session:
        return render_page(
            "accounts/accounts.html",
            partial="accounts/_table.html",
            listing=page_of_accounts(session, search, page=page_number()),
            search=search,
        )
