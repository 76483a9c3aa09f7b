"""The list of accounts, searched by name, by a contact's name or address, or by a whole domain name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.billing.paging import Listing, page_of_ids
from panel.records import Account, Contact, ContactKind, Domain

PER_PAGE = 50


@dataclass(frozen=True)
class AccountRow:
    account: Account
    main_contact: Contact | None
    domains: int


def page_of_accounts(session: Session, search: str, *, page: int) -> Listing[AccountRow]:
    found = page_of_ids(
        session, _matching(search), (sa.func.lower(Account.name), Account.id), page=page, per_page=PER_PAGE
    )
    accounts = {
        account.id: account
        for account in session.scalars(sa.select(Account).where(Account.id.in_(found.rows)))
    }
    contacts = session.scalars(
        sa.select(Contact).where(
            Contact.account_id.in_(found.rows), Contact.kind == ContactKind.MAIN, Contact.removed_at.is_(None)
        )
    )
    main = {contact.account_id: contact for contact in contacts}
    counts = session.execute(
        sa.select(Domain.account_id, sa.func.count().label("domains"))
        .where(Domain.account_id.in_(found.rows))
        .group_by(Domain.account_id)
    )
    domains = {row.account_id: row.domains for row in counts}
    rows = [AccountRow(accounts[number], main.get(number), domains.get(number, 0)) for number in found.rows]
    return Listing(rows, found.total, found.more, found.page, found.pages)


def _matching(search: str) -> sa.Select[Any]:
    ids = sa.select(Account.id)
    if not search:
        return ids
    contacts = sa.select(Contact.account_id).where(
        Contact.removed_at.is_(None),
        sa.or_(
            *(
                column.icontains(search, autoescape=True)
                for column in (Contact.name, Contact.company, Contact.email)
            )
        ),
    )
    domains = sa.select(Domain.account_id).where(
        sa.or_(Domain.name == search.lower(), Domain.shown == search.lower())
    )
    return ids.where(
        sa.or_(
            Account.name.icontains(search, autoescape=True), Account.id.in_(contacts), Account.id.in_(domains)
        )
    )
