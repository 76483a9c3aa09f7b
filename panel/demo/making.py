"""Makes the demo in one transaction: all of it or nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel import journal
from panel.billing.pricing import price_list
from panel.billing.tld_defaults import load_defaults
from panel.database import Database
from panel.demo import cast, reseller
from panel.demo.accounts import Client, add_card, add_client, add_clients
from panel.demo.logins import add_logins
from panel.demo.portfolio import Portfolio, Progress
from panel.demo.prices import add_prices
from panel.demo.real_names import NotTaken, sort_names
from panel.errors import N_, Conflict
from panel.records import Account, GatewayAccount

NAMES_ACCOUNT = "Portfolio from a list"
CLIENT_DOMAINS = 12
# Clients without a card have fewer domains, so that most of all domains have recurring payment.
FEW = 0.2


@dataclass(frozen=True)
class Wishes:
    """`start` is the first day: expiries are spread over the year from there. `add` to what is there."""

    accounts: int
    domains: int
    seed: int
    start: date
    mock_url: str
    add: bool = False


@dataclass
class Made:
    """What was made. `not_taken` are the names of a list that can't be managed here."""

    accounts: int = 0
    domains: int = 0
    recurring: int = 0
    cards: int = 0
    not_taken: list[NotTaken] = field(default_factory=list)


def make(
    database: Database,
    wishes: Wishes,
    *,
    names: Iterable[str] | None = None,
    progress: Progress = lambda _: None,
) -> Made:
    """Invented accounts, or with `names` one account of these. The same seed makes the same data in an empty
    database. Conflict when accounts are there already, unless `add`. Needs an application context."""
    with database.write() as session:
        if not wishes.add and session.scalar(sa.select(Account.id).limit(1)) is not None:
            raise Conflict(N_("There are accounts in this database already; --add adds demo data to them."))
        seller = reseller.seller(session)
        now = datetime.combine(wishes.start, time(), ZoneInfo(seller.zone)).astimezone(UTC)
        reseller.add_series(session)
        load_defaults(session)
        add_prices(session)
        gateway = reseller.mock_account(session, url=wishes.mock_url, now=now)
        # Not a secret to anybody: the same data again is what the seed is for.
        dice = random.Random(wishes.seed)
        portfolio = Portfolio(session, seller, dice, now=now, progress=progress)
        made = Made()
        if names is None:
            client = _invent(session, portfolio, wishes, gateway, made)
        else:
            client = _from_list(session, portfolio, names, gateway, made)
        add_logins(session, client_account_id=client.account.id, now=now)
        journal.write(
            session,
            now=now,
            actor="cli",
            kind="demo.made",
            subject=f"account:{client.account.id}",
            data={"accounts": made.accounts, "domains": made.domains, "seed": wishes.seed},
        )
    return made


def _invent(
    session: Session, portfolio: Portfolio, wishes: Wishes, gateway: GatewayAccount, made: Made
) -> Client:
    last = session.scalar(sa.select(sa.func.max(Account.id))) or 0
    clients = add_clients(
        session,
        portfolio.dice,
        count=wishes.accounts,
        first_number=last + 1,
        gateway=gateway,
        now=portfolio.now,
    )
    for client, count in zip(clients, _shares(portfolio.dice, clients, wishes.domains), strict=True):
        staying = portfolio.add(client, portfolio.invent(client, count), leaving=0.0 if count < 5 else 0.02)
        if client.cards:
            made.recurring += portfolio.switch_on(
                client, staying, _year_prices(session, client.account.currency)
            )
    made.accounts = len(clients)
    made.domains = wishes.domains
    made.cards = sum(len(client.cards) for client in clients)
    return clients[0]


def _from_list(
    session: Session, portfolio: Portfolio, names: Iterable[str], gateway: GatewayAccount, made: Made
) -> Client:
    """One account with a good card and no recurring payment yet: switching it on is what the list is for."""
    country = cast.COUNTRIES[0]
    number = (session.scalar(sa.select(sa.func.max(Account.id))) or 0) + 1
    main = cast.person(portfolio.dice, country, is_company=True, number=number)
    client = add_client(session, main, country, now=portfolio.now, name=NAMES_ACCOUNT)
    client.cards.append(
        add_card(session, portfolio.dice, client.account, main.name, gateway, portfolio.now, behaviour="ok")
    )
    listed = sort_names(
        names,
        tlds=frozenset(portfolio.tlds),
        priced=_year_prices(session, client.account.currency),
        managed=portfolio.taken,
    )
    portfolio.add(client, listed.taken, leaving=0.0)
    made.accounts = made.cards = 1
    made.domains = len(listed.taken)
    made.not_taken = listed.not_taken
    return client


def _year_prices(session: Session, currency: str) -> dict[str, int]:
    """Minor units by TLD."""
    return {tld: price.minor for tld, price in price_list(session, currency).items()}


def _shares(dice: random.Random, clients: list[Client], domains: int) -> list[int]:
    """How many domains each client gets: the first one a dozen, of the others some many and some few."""
    if len(clients) == 1:
        return [domains]
    first = min(CLIENT_DOMAINS, domains // len(clients))
    weights = [dice.paretovariate(1.5) * (1.0 if client.cards else FEW) for client in clients[1:]]
    shares = [int((domains - first) * weight / sum(weights)) for weight in weights]
    shares[0] += domains - first - sum(shares)
    return [first, *shares]
