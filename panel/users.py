"""Making people who log in. Needs an application context: Flask-Security judges and hashes the password."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from flask import current_app
from flask_security import MailUtil, PasswordUtil, hash_password
from sqlalchemy.orm import Session

from panel import journal
from panel.errors import N_, Conflict, Refused
from panel.records import Account, Role, RoleName, User


def create_user(
    session: Session,
    *,
    email: str,
    password: str,
    role: RoleName,
    account_id: int | None,
    now: datetime,
    actor: str,
    name: str = "",
) -> User:
    """Refused for a bad or known address, a weak password, a client without account or staff with one."""
    if role is RoleName.CLIENT and account_id is None:
        raise Refused(N_("A client needs an account."), field="account")
    if role is not RoleName.CLIENT and account_id is not None:
        raise Refused(N_("Staff belong to no account; only clients do."), field="account")
    if account_id is not None and session.get(Account, account_id) is None:
        raise Refused(N_("There is no account %(account)s."), field="account", account=account_id)
    address = _normalised(email)
    if session.scalar(sa.select(User.id).where(sa.func.lower(User.email) == address.lower())) is not None:
        raise Conflict(N_("%(email)s has a log-in already."), field="email", email=address)
    user = User(
        email=address,
        name=name,
        password=hash_password(_judged(password)),
        active=True,
        fs_uniquifier=uuid.uuid4().hex,
        account_id=account_id,
        create_datetime=now,
        update_datetime=now,
        roles=[role_row(session, role)],
    )
    session.add(user)
    session.flush()
    journal.write(
        session,
        now=now,
        actor=actor,
        kind="user.created",
        subject=f"user:{user.id}",
        account_id=account_id,
        data={"email": address, "role": role.value},
    )
    return user


def role_row(session: Session, role: RoleName) -> Role:
    """The row of a role; the first migration brings them all along."""
    row = session.scalar(sa.select(Role).where(Role.name == role.value))
    if row is None:
        row = Role(name=role.value)
        session.add(row)
        session.flush()
    return row


def _normalised(email: str) -> str:
    """As Flask-Security writes it at log-in; an address that isn't one is refused."""
    try:
        address: str = MailUtil(current_app).normalize(email)
    except ValueError as problem:
        raise Refused(
            N_("%(email)s isn't an e-mail address: %(problem)s"), field="email", email=email, problem=problem
        ) from problem
    return address


def _judged(password: str) -> str:
    problems, normalised = PasswordUtil(current_app).validate(password, is_register=True)
    if problems:
        raise Refused(N_("The password isn't good enough: %(why)s"), field="password", why=" ".join(problems))
    return normalised
