"""The people and things that tests tell stories about. Each factory writes one row and gives it back, ready to read.

Alice owns the account *Amber Studio*, Bob owns *Birch Works*; Olga (admin), Bill (billing) and Rosa (read-only) are
the reseller's staff.
"""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from panel.billing.calendar import set_expiry
from panel.database import Database
from panel.records import (
    Account,
    Action,
    ActionKind,
    Attempt,
    AttemptStatus,
    Card,
    CardRegistration,
    CardStatus,
    Consent,
    ConsentKind,
    Contact,
    ContactKind,
    Domain,
    DomainStatus,
    GatewayAccount,
    GatewayMode,
    Invoice,
    InvoiceLine,
    LineKind,
    PaymentMethod,
    PriceKind,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Recurrence,
    RecurrenceState,
    RegistrationState,
    Role,
    RoleName,
    Run,
    RunPhase,
    RunStatus,
    Seller,
    Series,
    SeriesKind,
    StaffTask,
    TaskKind,
    Term,
    Tld,
    TldPrice,
    User,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def unique() -> int:
    """A number that no other row of this test run has used."""
    return next(_numbers)


def add(database: Database, row: Any) -> Any:
    """Writes one row in a unit of its own."""
    with database.write() as session:
        session.add(row)
    return row


def make_seller(database: Database, **changes: Any) -> Seller:
    values: dict[str, Any] = {
        "id": 1,
        "name": "Evergreen Domains",
        "street": "1 Forest Row",
        "city": "Vienna",
        "postcode": "1010",
        "country": "AT",
        "vat_id": "ATU99999999",
        "email": "billing@evergreen.example",
        "sales_contact": "sales@evergreen.example",
        "zone": "Europe/Vienna",
        "vat_rate_bp": 2000,
    }
    return add(database, Seller(**(values | changes)))


def make_account(database: Database, name: str = "", **changes: Any) -> Account:
    number = unique()
    values: dict[str, Any] = {"name": name or f"Account {number}", "currency": "EUR", "created_at": NOW}
    return add(database, Account(**(values | changes)))


def make_contact(
    database: Database,
    account: Account,
    name: str = "Anne Martin",
    kind: ContactKind = ContactKind.MAIN,
    **changes: Any,
) -> Contact:
    values: dict[str, Any] = {
        "account_id": account.id,
        "kind": kind,
        "name": name,
        "email": f"contact{unique()}@client.example",
        "street": "2 Mill Lane",
        "city": "Graz",
        "postcode": "8010",
        "country": "AT",
        "created_at": NOW,
    }
    return add(database, Contact(**(values | changes)))


def make_role(database: Database, name: RoleName) -> Role:
    """The role of this name, made when it isn't there yet."""
    with database.write() as session:
        role = session.scalar(sa.select(Role).where(Role.name == name.value))
        if role is None:
            role = Role(name=name.value, description=name.value)
            session.add(role)
    return role


@cache
def _hash_of(password: str) -> str:
    """Cheap on purpose: how hard a password is to guess is not what most tests are about."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def make_user(
    database: Database,
    role: RoleName = RoleName.ADMIN,
    account: Account | None = None,
    email: str = "",
    password: str = PASSWORD,
    **changes: Any,
) -> User:
    values: dict[str, Any] = {
        "email": email or f"{role.value}{unique()}@people.example",
        "name": role.value.replace("_", " ").title(),
        "password": _hash_of(password),
        "fs_uniquifier": secrets.token_hex(32),
        "account_id": account.id if account else None,
        "create_datetime": NOW,
        "update_datetime": NOW,
    }
    role_id = make_role(database, role).id
    with database.write() as session:
        user = User(**(values | changes))
        user.roles = [session.get_one(Role, role_id)]
        session.add(user)
        session.flush()
        session.refresh(user)
    return user


def make_gateway_account(
    database: Database, url: str = "http://127.0.0.1:9", **changes: Any
) -> GatewayAccount:
    """An account at the mock processor that answers at `url`."""
    values: dict[str, Any] = {
        "gateway": "mock",
        "label": f"Mock processor {unique()}",
        "mode": GatewayMode.TEST,
        "settings": {"base_url": url, "api_key": "mock_key_demo"},
        "webhook_token": secrets.token_urlsafe(32),
        "created_at": NOW,
    }
    return add(database, GatewayAccount(**(values | changes)))


def make_card(
    database: Database, account: Account, gateway_account: GatewayAccount | None = None, **changes: Any
) -> Card:
    """A validated Visa in the name of Anne Martin, good until the end of 2030."""
    gateway_account = gateway_account or make_gateway_account(database)
    number = unique()
    values: dict[str, Any] = {
        "account_id": account.id,
        "gateway_account_id": gateway_account.id,
        "instrument_ref": f"ins_{number}",
        "customer_ref": f"cus_{number}",
        "brand": "Visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2030,
        "holder_name": "Anne Martin",
        "fingerprint": f"fp_{number}",
        "status": CardStatus.VALIDATED,
        "created_at": NOW,
        "validated_at": NOW,
    }
    return add(database, Card(**(values | changes)))


def make_registration(
    database: Database, account: Account, gateway_account: GatewayAccount | None = None, **changes: Any
) -> CardRegistration:
    gateway_account = gateway_account or make_gateway_account(database)
    values: dict[str, Any] = {
        "account_id": account.id,
        "gateway_account_id": gateway_account.id,
        "key": f"registration-{unique()}-{secrets.token_hex(8)}",
        "state": RegistrationState.STARTED,
        "started_at": NOW,
    }
    return add(database, CardRegistration(**(values | changes)))


def make_tld(
    database: Database, tld: str = "com", price: int | None = 1200, currency: str = "EUR", **changes: Any
) -> Tld:
    """A TLD and, unless `price` (minor units, a year, without tax) is None, its renewal price."""
    values: dict[str, Any] = {
        "tld": tld,
        "operator": "A registry",
        "min_years": 1,
        "max_years": 10,
        "auto_renew_at_registry": False,
        "grace_days": 30,
        "redemption_days": 30,
        "pending_delete_days": 5,
    }
    with database.write() as session:
        row = session.get(Tld, tld)
        if row is None:
            row = Tld(**(values | changes))
            session.add(row)
            session.flush()
            if price is not None:
                session.add(TldPrice(tld=tld, currency=currency, kind=PriceKind.RENEWAL, minor=price))
    return row


def make_domain(
    database: Database,
    account: Account,
    name: str = "",
    *,
    expires_at: datetime | None = None,
    expires_in: int = 60,
    **changes: Any,
) -> Domain:
    """An active domain that expires at `expires_at`, or in so many days. The seller and the TLD are made if need be."""
    name = name or f"example-{unique()}.com"
    tld = name.rpartition(".")[2]
    make_tld(database, tld)
    moment = expires_at or NOW + timedelta(days=expires_in)
    with database.write() as session:
        seller = session.get(Seller, 1)
    if seller is None:
        seller = make_seller(database)
    with database.write() as session:
        domain = Domain(
            **(
                {
                    "account_id": account.id,
                    "name": name,
                    "shown": name,
                    "tld": tld,
                    "registrar": "manual",
                    "status": DomainStatus.ACTIVE,
                    "base_expires_at": moment,
                    "created_at": NOW,
                }
                | changes
            )
        )
        set_expiry(domain, moment, seller, session.get_one(Tld, tld))
        session.add(domain)
    return domain


def make_action(database: Database, account: Account, **changes: Any) -> Action:
    values: dict[str, Any] = {
        "account_id": account.id,
        "kind": ActionKind.RECURRING_PAYMENT,
        "request_key": f"action-{unique()}-{secrets.token_hex(8)}",
        "plan_digest": "0" * 64,
        "domains_changed": 1,
        "at": NOW,
        "undo_until": NOW + timedelta(hours=24),
    }
    return add(database, Action(**(values | changes)))


def make_recurrence(
    database: Database, domain: Domain, contact: Contact, card: Card, **changes: Any
) -> Recurrence:
    """Recurring payment that is on for this domain, with the consent and the action behind it."""
    account = Account(id=domain.account_id)
    consent = add(
        database,
        Consent(
            account_id=domain.account_id,
            kind=ConsentKind.ONLINE,
            on_behalf_of="Amber Studio",
            wording_version="2026-11",
            contact_id=contact.id,
            card_id=card.id,
            acknowledged=[],
            ceiling_percent=20,
            at=NOW,
        ),
    )
    action = make_action(database, account, consent_id=consent.id)
    values: dict[str, Any] = {
        "domain_id": domain.id,
        "version": 1,
        "current": True,
        "state": RecurrenceState.ON,
        "contact_id": contact.id,
        "card_id": card.id,
        "consent_id": consent.id,
        "action_id": action.id,
        "agreed_minor": 1200,
        "agreed_currency": "EUR",
        "created_at": NOW,
    }
    return add(database, Recurrence(**(values | changes)))


def make_proforma(
    database: Database,
    account: Account,
    contact: Contact,
    domains: list[Domain],
    *,
    net: int = 1200,
    **changes: Any,
) -> Proforma:
    """An open proforma for a year of each domain, `net` minor units each, plus 20 % tax; its terms are claimed."""
    total = net * len(domains)
    expires_on = min(domain.expires_on for domain in domains)
    values: dict[str, Any] = {
        "account_id": account.id,
        "contact_id": contact.id,
        "currency": account.currency,
        "method": PaymentMethod.MANUAL,
        "status": ProformaStatus.OPEN,
        "bill_on": min(domain.bills_on for domain in domains),
        "expires_on": expires_on,
        "due_on": expires_on,
        "net_minor": total,
        "tax_minor": total // 5,
        "total_minor": total + total // 5,
        "tax_rate_bp": 2000,
        "issued_to": {"name": contact.name, "street": contact.street, "city": contact.city},
        "issued_at": NOW,
    }
    with database.write() as session:
        proforma = Proforma(**(values | changes))
        session.add(proforma)
        session.flush()
        for domain in domains:
            _claim_year(session, proforma, domain, net)
    return proforma


def _claim_year(session: Session, proforma: Proforma, domain: Domain, net: int) -> None:
    starts_on = domain.expires_on
    line = ProformaLine(
        proforma_id=proforma.id,
        domain_id=domain.id,
        kind=LineKind.RENEWAL,
        years=1,
        starts_on=starts_on,
        ends_on=_a_year_after(starts_on),
        net_minor=net,
    )
    session.add(line)
    session.flush()
    session.add(Term(domain_id=domain.id, line_id=line.id, starts_on=starts_on))


def _a_year_after(day: date) -> date:
    return date(day.year + 1, day.month, min(day.day, 28) if day.month == 2 else day.day)


def make_attempt(database: Database, proforma: Proforma, card: Card, **changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "proforma_id": proforma.id,
        "card_id": card.id,
        "gateway_account_id": card.gateway_account_id,
        "key": f"attempt-{unique()}-{secrets.token_hex(8)}",
        "minor": proforma.total_minor,
        "currency": proforma.currency,
        "instrument_ref": card.instrument_ref,
        "customer_ref": card.customer_ref,
        "fingerprint": card.fingerprint,
        "status": AttemptStatus.INTENDED,
        "day": NOW.date(),
        "created_at": NOW,
    }
    return add(database, Attempt(**(values | changes)))


def make_invoice(database: Database, proforma: Proforma, **changes: Any) -> Invoice:
    """The invoice of a paid proforma, with the next number of the series; the proforma becomes paid."""
    with database.write() as session:
        paid = session.get_one(Proforma, proforma.id)
        paid.status, paid.paid_at = ProformaStatus.PAID, NOW
        series = session.scalar(sa.select(Series).where(Series.kind == SeriesKind.INVOICE))
        if series is None:
            series = Series(kind=SeriesKind.INVOICE, prefix="EG-", last_number=0)
            session.add(series)
        series.last_number += 1
        series.last_date = NOW.date()
        session.flush()
        values: dict[str, Any] = {
            "series_id": series.id,
            "number": series.last_number,
            "full_number": f"{series.prefix}{series.last_number:06d}",
            "date": NOW.date(),
            "account_id": paid.account_id,
            "contact_id": paid.contact_id,
            "proforma_id": paid.id,
            "currency": paid.currency,
            "net_minor": paid.net_minor,
            "tax_minor": paid.tax_minor,
            "total_minor": paid.total_minor,
            "tax_rate_bp": paid.tax_rate_bp,
            "issued_to": paid.issued_to,
            "issued_by": {"name": "Evergreen Domains"},
            "issued_at": NOW,
        }
        invoice = Invoice(**(values | changes))
        invoice.lines = [
            InvoiceLine(
                line_id=line.id,
                domain_name=line.domain.name,
                kind=line.kind,
                years=line.years,
                starts_on=line.starts_on,
                ends_on=line.ends_on,
                net_minor=line.net_minor,
            )
            for line in paid.lines
        ]
        session.add(invoice)
    return invoice


def make_run(database: Database, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "day": NOW.date(),
        "status": RunStatus.FINISHED,
        "phase": RunPhase.DONE,
        "counts": {"due": 0},
        "started_at": NOW,
        "finished_at": NOW,
        "heartbeat_at": NOW,
    }
    return add(database, Run(**(values | changes)))


def make_task(database: Database, **changes: Any) -> StaffTask:
    values: dict[str, Any] = {
        "kind": TaskKind.GATEWAY_STOPPED,
        "subject": f"gateway_account:{unique()}",
        "reason": "The processor refused the key.",
        "created_at": NOW,
    }
    return add(database, StaffTask(**(values | changes)))
