"""The demo's log-ins, on a domain reserved for examples. Their passwords are public: never for real data."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from panel.records import RoleName, User
from panel.users import create_user


class DemoLogin(NamedTuple):
    email: str
    password: str
    role: RoleName
    name: str


DEMO_LOGINS: Final = (
    DemoLogin("admin@example.com", "perennial-demo-admin", RoleName.ADMIN, "Ada Ministrator"),
    DemoLogin("billing@example.com", "perennial-demo-billing", RoleName.BILLING, "Bil Lingham"),
    DemoLogin("readonly@example.com", "perennial-demo-readonly", RoleName.READ_ONLY, "Rhea Donly"),
    DemoLogin("client@example.com", "perennial-demo-client", RoleName.CLIENT, "Clio Enterly"),
)


def add_logins(session: Session, *, client_account_id: int, now: datetime) -> int:
    """Makes those that aren't there; returns how many."""
    present = set(session.scalars(sa.select(User.email)))
    missing = [login for login in DEMO_LOGINS if login.email not in present]
    for login in missing:
        create_user(
            session,
            email=login.email,
            password=login.password,
            role=login.role,
            account_id=client_account_id if login.role is RoleName.CLIENT else None,
            now=now,
            actor="cli",
            name=login.name,
        )
    return len(missing)
