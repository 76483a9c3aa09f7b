"""Accounts, their users and their contacts."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_security import AsaList, RoleMixin, UserMixin
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.database import Model, choice


class Account(Model):
    """A client of the reseller."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    currency: Mapped[str] = mapped_column(sa.String(3))
    locale: Mapped[str] = mapped_column(sa.String(8), default="en")
    suspended: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    contacts: Mapped[list[Contact]] = relationship(back_populates="account")


class RoleName(enum.StrEnum):
    ADMIN = "admin"
    BILLING = "billing"
    READ_ONLY = "read_only"
    CLIENT = "client"


roles_users = sa.Table(
    "roles_users",
    Model.metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("role_id", sa.ForeignKey("roles.id"), primary_key=True),
)


class Role(Model, RoleMixin):
    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    description: Mapped[str | None] = mapped_column(sa.String(200))


class User(Model, UserMixin):
    """Somebody who logs in: staff without an account, or a client with exactly one."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(255), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200), default="")
    password: Mapped[str | None] = mapped_column(sa.String(255))
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(sa.String(64), unique=True)
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    locale: Mapped[str | None] = mapped_column(sa.String(8))
    create_datetime: Mapped[datetime]
    update_datetime: Mapped[datetime]
    tf_primary_method: Mapped[str | None] = mapped_column(sa.String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(sa.String(255))
    tf_phone_number: Mapped[str | None] = mapped_column(sa.String(64))
    mf_recovery_codes: Mapped[list[Any] | None] = mapped_column(MutableList.as_mutable(AsaList()))

    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]
        secondary=roles_users, lazy="selectin"
    )
    account: Mapped[Account | None] = relationship(lazy="joined")

    @property
    def role(self) -> RoleName:
        return RoleName(self.roles[0].name)

    @property
    def is_staff(self) -> bool:
        return self.role is not RoleName.CLIENT


class ContactKind(enum.StrEnum):
    MAIN = "main"
    BILLING = "billing"


class Contact(Model):
    """Whom documents are issued to. One live main contact for an account, any number of billing sub-contacts."""

    __tablename__ = "contacts"
    __table_args__ = (
        sa.Index(
            "uq_contacts_one_main",
            "account_id",
            unique=True,
            sqlite_where=sa.text("kind = 'main' AND removed_at IS NULL"),
            postgresql_where=sa.text("kind = 'main' AND removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    kind: Mapped[ContactKind] = mapped_column(choice(ContactKind))
    name: Mapped[str] = mapped_column(sa.String(200))
    company: Mapped[str | None] = mapped_column(sa.String(200))
    email: Mapped[str] = mapped_column(sa.String(255))
    phone: Mapped[str | None] = mapped_column(sa.String(40))
    street: Mapped[str] = mapped_column(sa.String(200))
    city: Mapped[str] = mapped_column(sa.String(100))
    postcode: Mapped[str] = mapped_column(sa.String(20))
    country: Mapped[str] = mapped_column(sa.String(2))
    vat_id: Mapped[str | None] = mapped_column(sa.String(20))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(back_populates="contacts")

    @property
    def label(self) -> str:
        return f"{self.company} ({self.name})" if self.company else self.name
