"""The first tables, and the four roles.

Revision ID: 0001
Revises: nothing
Create Date: 2026-11-22
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As in panel.database, which may change later: a migration stays what it was.
INSTANT = sa.DateTime(timezone=True)
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


ROLES = {
    "admin": "everything, settings and users among it",
    "billing": "staff that may act on money",
    "read_only": "staff that may look",
    "client": "its own account alone",
}


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "gateway_accounts",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("test", "live", name="gatewaymode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("webhook_token", sa.String(length=64), nullable=False),
        sa.Column("stopped_at", INSTANT, nullable=True),
        sa.Column("stopped_reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_accounts")),
        sa.UniqueConstraint("webhook_token", name=op.f("uq_gateway_accounts_webhook_token")),
    )
    op.create_table(
        "roles",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("name", name=op.f("uq_roles_name")),
    )
    op.create_table(
        "runs",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "running",
                "finished",
                "interrupted",
                name="runstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "phase",
            sa.Enum(
                "recover",
                "issue",
                "charge",
                "extend",
                "remind",
                "suspend",
                "mail",
                "done",
                name="runphase",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("total", WHOLE, nullable=False),
        sa.Column("done", WHOLE, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("heartbeat_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_day"), "runs", ["day"], unique=False)
    op.create_table(
        "seller",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("street", sa.String(length=200), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("postcode", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("sales_contact", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("vat_rate_bp", WHOLE, nullable=False),
        sa.Column("lead_days", WHOLE, nullable=False),
        sa.Column("retry_days", sa.JSON(), nullable=False),
        sa.Column("suspend_after_days", WHOLE, nullable=False),
        sa.Column("consent_ceiling_percent", WHOLE, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_seller_one_row")),
        sa.CheckConstraint("lead_days BETWEEN 1 AND 90", name=op.f("ck_seller_lead")),
        sa.CheckConstraint("suspend_after_days BETWEEN 0 AND 60", name=op.f("ck_seller_suspend_after")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seller")),
    )
    op.create_table(
        "series",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "invoice",
                "credit_note",
                name="serieskind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("last_number", WHOLE, nullable=False),
        sa.Column("last_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("kind", name=op.f("uq_series_kind")),
        sa.UniqueConstraint("prefix", name=op.f("uq_series_prefix")),
    )
    op.create_table(
        "tlds",
        sa.Column("tld", sa.String(length=63), nullable=False),
        sa.Column("operator", sa.String(length=100), nullable=False),
        sa.Column("min_years", WHOLE, nullable=False),
        sa.Column("max_years", WHOLE, nullable=True),
        sa.Column("renewal_window_days", WHOLE, nullable=True),
        sa.Column("auto_renew_at_registry", sa.Boolean(), nullable=True),
        sa.Column("grace_days", WHOLE, nullable=True),
        sa.Column("redemption_days", WHOLE, nullable=True),
        sa.Column("pending_delete_days", WHOLE, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("confidence", sa.String(length=20), nullable=False),
        sa.Column("lead_days", WHOLE, nullable=True),
        sa.Column("suspend_after_days", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("tld", name=op.f("pk_tlds")),
    )
    op.create_table(
        "cards",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column("gateway_account_id", WHOLE, nullable=False),
        sa.Column("label", sa.String(length=100), nullable=True),
        sa.Column("instrument_ref", sa.String(length=255), nullable=False),
        sa.Column("customer_ref", sa.String(length=255), nullable=False),
        sa.Column("brand", sa.String(length=40), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("exp_month", WHOLE, nullable=False),
        sa.Column("exp_year", WHOLE, nullable=False),
        sa.Column("holder_name", sa.String(length=200), nullable=True),
        sa.Column("fingerprint", sa.String(length=255), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "validated",
                "revoked",
                "expired",
                "declined",
                "removed",
                name="cardstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("validated_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column(
            "removed_from",
            sa.Enum(
                "validated",
                "revoked",
                "expired",
                "declined",
                "removed",
                name="removed_from",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("forgotten_at", INSTANT, nullable=True),
        sa.CheckConstraint("exp_month BETWEEN 1 AND 12", name=op.f("ck_cards_month")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_cards_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["gateway_account_id"],
            ["gateway_accounts.id"],
            name=op.f("fk_cards_gateway_account_id_gateway_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint(
            "gateway_account_id", "instrument_ref", name=op.f("uq_cards_gateway_account_id_instrument_ref")
        ),
    )
    op.create_index(op.f("ix_cards_account_id"), "cards", ["account_id"], unique=False)
    op.create_index(op.f("ix_cards_fingerprint"), "cards", ["fingerprint"], unique=False)
    op.create_index(
        "uq_cards_one_default",
        "cards",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("is_default AND status = 'validated'"),
        postgresql_where=sa.text("is_default AND status = 'validated'"),
    )
    op.create_table(
        "contacts",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "main", "billing", name="contactkind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("company", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("street", sa.String(length=200), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("postcode", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=True),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_contacts_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index(op.f("ix_contacts_account_id"), "contacts", ["account_id"], unique=False)
    op.create_index(
        "uq_contacts_one_main",
        "contacts",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'main' AND removed_at IS NULL"),
        postgresql_where=sa.text("kind = 'main' AND removed_at IS NULL"),
    )
    op.create_table(
        "domains",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("shown", sa.String(length=253), nullable=False),
        sa.Column("tld", sa.String(length=63), nullable=False),
        sa.Column("registrar", sa.String(length=64), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "suspended",
                "leaving",
                "cancelled",
                "gone",
                name="domainstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("bills_on", sa.Date(), nullable=False),
        sa.Column("base_expires_at", INSTANT, nullable=False),
        sa.Column("suspended_at", INSTANT, nullable=True),
        sa.Column(
            "suspension_cause",
            sa.Enum(
                "declined",
                "no_card",
                "authentication",
                "manual_unpaid",
                name="suspensioncause",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("skipped_on", sa.Date(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_domains_account_id_accounts")),
        sa.ForeignKeyConstraint(["tld"], ["tlds.tld"], name=op.f("fk_domains_tld_tlds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("name", name=op.f("uq_domains_name")),
    )
    op.create_index("ix_domains_account_id_expires_at", "domains", ["account_id", "expires_at"], unique=False)
    op.create_index("ix_domains_account_id_name", "domains", ["account_id", "name"], unique=False)
    op.create_index("ix_domains_bills_on", "domains", ["bills_on", "id"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("account_id", WHOLE, nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_journal_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_account_id_at", "journal", ["account_id", "at"], unique=False)
    op.create_index(op.f("ix_journal_subject"), "journal", ["subject"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=32), nullable=False),
        sa.Column("account_id", WHOLE, nullable=True),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "sent",
                "parked",
                name="messagestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("tries", WHOLE, nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_messages_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("kind", "subject", "period", name=op.f("uq_messages_kind_subject_period")),
        sa.UniqueConstraint("message_id", name=op.f("uq_messages_message_id")),
    )
    op.create_index(op.f("ix_messages_account_id"), "messages", ["account_id"], unique=False)
    op.create_index("ix_messages_status_next_try_at", "messages", ["status", "next_try_at"], unique=False)
    op.create_table(
        "tld_prices",
        sa.Column("tld", sa.String(length=63), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "renewal",
                "reactivation",
                "redemption",
                name="pricekind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("minor", WHOLE, nullable=False),
        sa.CheckConstraint("minor >= 0", name=op.f("ck_tld_prices_not_negative")),
        sa.ForeignKeyConstraint(["tld"], ["tlds.tld"], name=op.f("fk_tld_prices_tld_tlds")),
        sa.PrimaryKeyConstraint("tld", "currency", "kind", name=op.f("pk_tld_prices")),
    )
    op.create_table(
        "users",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("account_id", WHOLE, nullable=True),
        sa.Column("locale", sa.String(length=8), nullable=True),
        sa.Column("create_datetime", INSTANT, nullable=False),
        sa.Column("update_datetime", INSTANT, nullable=False),
        sa.Column("tf_primary_method", sa.String(length=64), nullable=True),
        sa.Column("tf_totp_secret", sa.String(length=255), nullable=True),
        sa.Column("tf_phone_number", sa.String(length=64), nullable=True),
        sa.Column("mf_recovery_codes", sa.UnicodeText(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_users_fs_uniquifier")),
    )
    op.create_index(op.f("ix_users_account_id"), "users", ["account_id"], unique=False)
    op.create_table(
        "card_registrations",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column("gateway_account_id", WHOLE, nullable=False),
        sa.Column("user_id", WHOLE, nullable=True),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=True),
        sa.Column("label", sa.String(length=100), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "started",
                "validated",
                "cancelled",
                "failed",
                name="registrationstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("card_id", WHOLE, nullable=True),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_card_registrations_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_registrations_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["gateway_account_id"],
            ["gateway_accounts.id"],
            name=op.f("fk_card_registrations_gateway_account_id_gateway_accounts"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_card_registrations_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_registrations")),
        sa.UniqueConstraint("key", name=op.f("uq_card_registrations_key")),
    )
    op.create_index(
        op.f("ix_card_registrations_account_id"), "card_registrations", ["account_id"], unique=False
    )
    op.create_table(
        "consents",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "online", "offline", name="consentkind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("user_id", WHOLE, nullable=True),
        sa.Column("on_behalf_of", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("wording_version", sa.String(length=20), nullable=False),
        sa.Column("contact_id", WHOLE, nullable=True),
        sa.Column("card_id", WHOLE, nullable=False),
        sa.Column("acknowledged", sa.JSON(), nullable=False),
        sa.Column("ceiling_percent", WHOLE, nullable=False),
        sa.Column("remote_address", sa.String(length=45), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_consents_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_consents_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_consents_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_consents_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_account_id"), "consents", ["account_id"], unique=False)
    op.create_table(
        "journal_seals",
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("entry_id", WHOLE, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["journal.id"], name=op.f("fk_journal_seals_entry_id_journal")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_journal_seals")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_journal_seals_entry_id")),
    )
    op.create_table(
        "roles_users",
        sa.Column("user_id", WHOLE, nullable=False),
        sa.Column("role_id", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_roles_users_role_id_roles")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_roles_users_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "role_id", name=op.f("pk_roles_users")),
    )
    op.create_table(
        "staff_tasks",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "unknown_charge",
                "amount_mismatch",
                "gateway_stopped",
                "registrar_worklist",
                "cannot_extend",
                "extension_stuck",
                "late_success",
                "price_missing",
                "mail_parked",
                name="taskkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("account_id", WHOLE, nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("resolved_by_id", WHOLE, nullable=True),
        sa.Column("resolution", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_staff_tasks_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by_id"], ["users.id"], name=op.f("fk_staff_tasks_resolved_by_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_tasks")),
    )
    op.create_index(op.f("ix_staff_tasks_account_id"), "staff_tasks", ["account_id"], unique=False)
    op.create_index(op.f("ix_staff_tasks_subject"), "staff_tasks", ["subject"], unique=False)
    op.create_index(
        "uq_staff_tasks_one_open",
        "staff_tasks",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "actions",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "recurring_payment",
                "switch_off",
                "move_card",
                "undo",
                "renew",
                name="actionkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("user_id", WHOLE, nullable=True),
        sa.Column("consent_id", WHOLE, nullable=True),
        sa.Column("request_key", sa.String(length=64), nullable=False),
        sa.Column("plan_digest", sa.String(length=200), nullable=False),
        sa.Column("domains_changed", WHOLE, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("undo_until", INSTANT, nullable=True),
        sa.Column("undone_by_id", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_actions_account_id_accounts")),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.id"], name=op.f("fk_actions_consent_id_consents")),
        sa.ForeignKeyConstraint(
            ["undone_by_id"], ["actions.id"], name=op.f("fk_actions_undone_by_id_actions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_actions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.UniqueConstraint("request_key", name=op.f("uq_actions_request_key")),
    )
    op.create_index(op.f("ix_actions_account_id"), "actions", ["account_id"], unique=False)
    op.create_table(
        "proformas",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column("contact_id", WHOLE, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "card", "manual", name="paymentmethod", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "manual_reason",
            sa.Enum(
                "not_recurring",
                "early_renewal",
                "card_unusable",
                "above_ceiling",
                "currency",
                "gateway",
                "below_minimum",
                name="manualreason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("card_id", WHOLE, nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "paid",
                "cancelled",
                name="proformastatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("bill_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("next_charge_on", sa.Date(), nullable=True),
        sa.Column("net_minor", WHOLE, nullable=False),
        sa.Column("tax_minor", WHOLE, nullable=False),
        sa.Column("total_minor", WHOLE, nullable=False),
        sa.Column("tax_rate_bp", WHOLE, nullable=False),
        sa.Column("tax_note", sa.String(length=200), nullable=True),
        sa.Column("issued_to", sa.JSON(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.Column("run_id", WHOLE, nullable=True),
        sa.Column("action_id", WHOLE, nullable=True),
        sa.CheckConstraint("(status = 'paid') = (paid_at IS NOT NULL)", name=op.f("ck_proformas_paid_when")),
        sa.CheckConstraint("method = 'manual' OR card_id IS NOT NULL", name=op.f("ck_proformas_card_named")),
        sa.CheckConstraint("net_minor >= 0 AND tax_minor >= 0", name=op.f("ck_proformas_not_negative")),
        sa.CheckConstraint("total_minor = net_minor + tax_minor", name=op.f("ck_proformas_sum")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_proformas_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_proformas_action_id_actions")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_proformas_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_proformas_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_proformas_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proformas")),
    )
    op.create_index(
        "ix_proformas_account_id_issued_at", "proformas", ["account_id", "issued_at"], unique=False
    )
    op.create_index(op.f("ix_proformas_action_id"), "proformas", ["action_id"], unique=False)
    op.create_index(op.f("ix_proformas_card_id"), "proformas", ["card_id"], unique=False)
    op.create_index(op.f("ix_proformas_contact_id"), "proformas", ["contact_id"], unique=False)
    op.create_index(op.f("ix_proformas_run_id"), "proformas", ["run_id"], unique=False)
    op.create_index("ix_proformas_status_due_on", "proformas", ["status", "due_on"], unique=False)
    op.create_index(
        "ix_proformas_status_next_charge_on", "proformas", ["status", "next_charge_on"], unique=False
    )
    op.create_table(
        "recurrences",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("domain_id", WHOLE, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "on", "off", name="recurrencestate", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("contact_id", WHOLE, nullable=True),
        sa.Column("card_id", WHOLE, nullable=True),
        sa.Column("consent_id", WHOLE, nullable=True),
        sa.Column("action_id", WHOLE, nullable=False),
        sa.Column("agreed_minor", WHOLE, nullable=True),
        sa.Column("agreed_currency", sa.String(length=3), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state = 'off' OR (contact_id IS NOT NULL AND card_id IS NOT NULL AND consent_id IS NOT NULL AND agreed_minor IS NOT NULL)",
            name=op.f("ck_recurrences_on_is_complete"),
        ),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_recurrences_action_id_actions")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_recurrences_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_recurrences_consent_id_consents")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_recurrences_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name=op.f("fk_recurrences_domain_id_domains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recurrences")),
        sa.UniqueConstraint("domain_id", "version", name=op.f("uq_recurrences_domain_id_version")),
    )
    op.create_index(op.f("ix_recurrences_action_id"), "recurrences", ["action_id"], unique=False)
    op.create_index(
        "ix_recurrences_card_current",
        "recurrences",
        ["card_id"],
        unique=False,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.create_index(
        "uq_recurrences_one_current",
        "recurrences",
        ["domain_id"],
        unique=True,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("proforma_id", WHOLE, nullable=False),
        sa.Column("card_id", WHOLE, nullable=False),
        sa.Column("gateway_account_id", WHOLE, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("minor", WHOLE, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("instrument_ref", sa.String(length=255), nullable=False),
        sa.Column("customer_ref", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=255), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "intended",
                "sending",
                "pending",
                "action_required",
                "unknown",
                "succeeded",
                "declined",
                "not_submitted",
                "lost",
                "abandoned",
                name="attemptstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("first_sent_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("sends", WHOLE, nullable=False),
        sa.Column("checks", WHOLE, nullable=False),
        sa.Column("next_check_at", INSTANT, nullable=True),
        sa.Column("absent_since", INSTANT, nullable=True),
        sa.Column("gateway_ref", sa.String(length=255), nullable=True),
        sa.Column("decline_kind", sa.String(length=32), nullable=True),
        sa.Column("decline_code", sa.String(length=64), nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("run_id", WHOLE, nullable=True),
        sa.Column("user_id", WHOLE, nullable=True),
        sa.CheckConstraint("minor > 0", name=op.f("ck_attempts_positive")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_attempts_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["gateway_account_id"],
            ["gateway_accounts.id"],
            name=op.f("fk_attempts_gateway_account_id_gateway_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["proforma_id"], ["proformas.id"], name=op.f("fk_attempts_proforma_id_proformas")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_attempts_run_id_runs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_attempts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("key", name=op.f("uq_attempts_key")),
        sa.UniqueConstraint("proforma_id", "day", name=op.f("uq_attempts_proforma_id_day")),
    )
    op.create_index(
        "ix_attempts_cap", "attempts", ["fingerprint", "minor", "currency", "finished_at"], unique=False
    )
    op.create_index(op.f("ix_attempts_card_id"), "attempts", ["card_id"], unique=False)
    op.create_index(op.f("ix_attempts_run_id"), "attempts", ["run_id"], unique=False)
    op.create_index("ix_attempts_status_next_check_at", "attempts", ["status", "next_check_at"], unique=False)
    op.create_index(
        "uq_attempts_one_open",
        "attempts",
        ["proforma_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('intended', 'sending', 'pending', 'action_required', 'unknown')"),
        postgresql_where=sa.text(
            "status IN ('intended', 'sending', 'pending', 'action_required', 'unknown')"
        ),
    )
    op.create_index(
        "uq_attempts_one_success",
        "attempts",
        ["proforma_id"],
        unique=True,
        sqlite_where=sa.text("status = 'succeeded'"),
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.create_table(
        "invoices",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("series_id", WHOLE, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("full_number", sa.String(length=40), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("account_id", WHOLE, nullable=False),
        sa.Column("contact_id", WHOLE, nullable=False),
        sa.Column("proforma_id", WHOLE, nullable=False),
        sa.Column("credits_id", WHOLE, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net_minor", WHOLE, nullable=False),
        sa.Column("tax_minor", WHOLE, nullable=False),
        sa.Column("total_minor", WHOLE, nullable=False),
        sa.Column("tax_rate_bp", WHOLE, nullable=False),
        sa.Column("tax_note", sa.String(length=200), nullable=True),
        sa.Column("issued_to", sa.JSON(), nullable=False),
        sa.Column("issued_by", sa.JSON(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_invoices_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_invoices_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(
            ["credits_id"], ["invoices.id"], name=op.f("fk_invoices_credits_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["proforma_id"], ["proformas.id"], name=op.f("fk_invoices_proforma_id_proformas")
        ),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_invoices_series_id_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("full_number", name=op.f("uq_invoices_full_number")),
        sa.UniqueConstraint("series_id", "number", name=op.f("uq_invoices_series_id_number")),
    )
    op.create_index("ix_invoices_account_id_issued_at", "invoices", ["account_id", "issued_at"], unique=False)
    op.create_index(op.f("ix_invoices_credits_id"), "invoices", ["credits_id"], unique=False)
    op.create_index(
        "uq_invoices_one_for_proforma",
        "invoices",
        ["proforma_id"],
        unique=True,
        sqlite_where=sa.text("credits_id IS NULL"),
        postgresql_where=sa.text("credits_id IS NULL"),
    )
    op.create_table(
        "manual_payments",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("proforma_id", WHOLE, nullable=False),
        sa.Column("minor", WHOLE, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("user_id", WHOLE, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("minor > 0", name=op.f("ck_manual_payments_positive")),
        sa.ForeignKeyConstraint(
            ["proforma_id"], ["proformas.id"], name=op.f("fk_manual_payments_proforma_id_proformas")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_manual_payments_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manual_payments")),
        sa.UniqueConstraint("proforma_id", name=op.f("uq_manual_payments_proforma_id")),
    )
    op.create_table(
        "proforma_lines",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("proforma_id", WHOLE, nullable=False),
        sa.Column("domain_id", WHOLE, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "renewal",
                "reactivation",
                "redemption",
                name="linekind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("years", WHOLE, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("net_minor", WHOLE, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "years > 0 OR kind <> 'renewal'", name=op.f("ck_proforma_lines_renewal_has_years")
        ),
        sa.CheckConstraint("net_minor >= 0", name=op.f("ck_proforma_lines_not_negative")),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_proforma_lines_domain_id_domains")
        ),
        sa.ForeignKeyConstraint(
            ["proforma_id"], ["proformas.id"], name=op.f("fk_proforma_lines_proforma_id_proformas")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proforma_lines")),
    )
    op.create_index(op.f("ix_proforma_lines_domain_id"), "proforma_lines", ["domain_id"], unique=False)
    op.create_index(op.f("ix_proforma_lines_proforma_id"), "proforma_lines", ["proforma_id"], unique=False)
    op.create_index(
        "uq_proforma_lines_one_fee",
        "proforma_lines",
        ["domain_id", "kind", "starts_on"],
        unique=True,
        sqlite_where=sa.text("kind <> 'renewal' AND live"),
        postgresql_where=sa.text("kind <> 'renewal' AND live"),
    )
    op.create_table(
        "effects",
        sa.Column("attempt_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("invoice_id", WHOLE, nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_effects_attempt_id_attempts")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_effects_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_effects")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_effects_invoice_id")),
    )
    op.create_table(
        "extensions",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("line_id", WHOLE, nullable=False),
        sa.Column("domain_id", WHOLE, nullable=False),
        sa.Column("registrar", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("years", WHOLE, nullable=False),
        sa.Column("believed_expiry", INSTANT, nullable=False),
        sa.Column("new_expiry", INSTANT, nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "intended",
                "sending",
                "unknown",
                "worklist",
                "done",
                "refused",
                name="extensionstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("tries", WHOLE, nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name=op.f("fk_extensions_domain_id_domains")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["proforma_lines.id"], name=op.f("fk_extensions_line_id_proforma_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extensions")),
        sa.UniqueConstraint("key", name=op.f("uq_extensions_key")),
        sa.UniqueConstraint("line_id", name=op.f("uq_extensions_line_id")),
    )
    op.create_index(op.f("ix_extensions_domain_id"), "extensions", ["domain_id"], unique=False)
    op.create_index("ix_extensions_status_next_try_at", "extensions", ["status", "next_try_at"], unique=False)
    op.create_table(
        "invoice_lines",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("invoice_id", WHOLE, nullable=False),
        sa.Column("line_id", WHOLE, nullable=False),
        sa.Column("domain_name", sa.String(length=253), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "renewal",
                "reactivation",
                "redemption",
                name="linekind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("years", WHOLE, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("net_minor", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_lines_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["proforma_lines.id"], name=op.f("fk_invoice_lines_line_id_proforma_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_lines")),
    )
    op.create_index(op.f("ix_invoice_lines_invoice_id"), "invoice_lines", ["invoice_id"], unique=False)
    op.create_table(
        "terms",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("domain_id", WHOLE, nullable=False),
        sa.Column("line_id", WHOLE, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name=op.f("fk_terms_domain_id_domains")),
        sa.ForeignKeyConstraint(
            ["line_id"], ["proforma_lines.id"], name=op.f("fk_terms_line_id_proforma_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terms")),
    )
    op.create_index(op.f("ix_terms_line_id"), "terms", ["line_id"], unique=False)
    op.create_index(
        "uq_terms_one_live",
        "terms",
        ["domain_id", "starts_on"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    roles = sa.table("roles", sa.column("name", sa.String), sa.column("description", sa.String))
    op.bulk_insert(roles, [{"name": name, "description": what} for name, what in ROLES.items()])


def downgrade() -> None:
    op.drop_index(
        "uq_terms_one_live",
        table_name="terms",
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.drop_index(op.f("ix_terms_line_id"), table_name="terms")
    op.drop_table("terms")
    op.drop_index(op.f("ix_invoice_lines_invoice_id"), table_name="invoice_lines")
    op.drop_table("invoice_lines")
    op.drop_index("ix_extensions_status_next_try_at", table_name="extensions")
    op.drop_index(op.f("ix_extensions_domain_id"), table_name="extensions")
    op.drop_table("extensions")
    op.drop_table("effects")
    op.drop_index(
        "uq_proforma_lines_one_fee",
        table_name="proforma_lines",
        sqlite_where=sa.text("kind <> 'renewal' AND live"),
        postgresql_where=sa.text("kind <> 'renewal' AND live"),
    )
    op.drop_index(op.f("ix_proforma_lines_proforma_id"), table_name="proforma_lines")
    op.drop_index(op.f("ix_proforma_lines_domain_id"), table_name="proforma_lines")
    op.drop_table("proforma_lines")
    op.drop_table("manual_payments")
    op.drop_index(
        "uq_invoices_one_for_proforma",
        table_name="invoices",
        sqlite_where=sa.text("credits_id IS NULL"),
        postgresql_where=sa.text("credits_id IS NULL"),
    )
    op.drop_index(op.f("ix_invoices_credits_id"), table_name="invoices")
    op.drop_index("ix_invoices_account_id_issued_at", table_name="invoices")
    op.drop_table("invoices")
    op.drop_index(
        "uq_attempts_one_success",
        table_name="attempts",
        sqlite_where=sa.text("status = 'succeeded'"),
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.drop_index(
        "uq_attempts_one_open",
        table_name="attempts",
        sqlite_where=sa.text("status IN ('intended', 'sending', 'pending', 'action_required', 'unknown')"),
        postgresql_where=sa.text(
            "status IN ('intended', 'sending', 'pending', 'action_required', 'unknown')"
        ),
    )
    op.drop_index("ix_attempts_status_next_check_at", table_name="attempts")
    op.drop_index(op.f("ix_attempts_run_id"), table_name="attempts")
    op.drop_index(op.f("ix_attempts_card_id"), table_name="attempts")
    op.drop_index("ix_attempts_cap", table_name="attempts")
    op.drop_table("attempts")
    op.drop_index(
        "uq_recurrences_one_current",
        table_name="recurrences",
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.drop_index(
        "ix_recurrences_card_current",
        table_name="recurrences",
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.drop_index(op.f("ix_recurrences_action_id"), table_name="recurrences")
    op.drop_table("recurrences")
    op.drop_index("ix_proformas_status_next_charge_on", table_name="proformas")
    op.drop_index("ix_proformas_status_due_on", table_name="proformas")
    op.drop_index(op.f("ix_proformas_run_id"), table_name="proformas")
    op.drop_index(op.f("ix_proformas_contact_id"), table_name="proformas")
    op.drop_index(op.f("ix_proformas_card_id"), table_name="proformas")
    op.drop_index(op.f("ix_proformas_action_id"), table_name="proformas")
    op.drop_index("ix_proformas_account_id_issued_at", table_name="proformas")
    op.drop_table("proformas")
    op.drop_index(op.f("ix_actions_account_id"), table_name="actions")
    op.drop_table("actions")
    op.drop_index(
        "uq_staff_tasks_one_open",
        table_name="staff_tasks",
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.drop_index(op.f("ix_staff_tasks_subject"), table_name="staff_tasks")
    op.drop_index(op.f("ix_staff_tasks_account_id"), table_name="staff_tasks")
    op.drop_table("staff_tasks")
    op.drop_table("roles_users")
    op.drop_table("journal_seals")
    op.drop_index(op.f("ix_consents_account_id"), table_name="consents")
    op.drop_table("consents")
    op.drop_index(op.f("ix_card_registrations_account_id"), table_name="card_registrations")
    op.drop_table("card_registrations")
    op.drop_index(op.f("ix_users_account_id"), table_name="users")
    op.drop_table("users")
    op.drop_table("tld_prices")
    op.drop_index("ix_messages_status_next_try_at", table_name="messages")
    op.drop_index(op.f("ix_messages_account_id"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_journal_subject"), table_name="journal")
    op.drop_index("ix_journal_account_id_at", table_name="journal")
    op.drop_table("journal")
    op.drop_index("ix_domains_bills_on", table_name="domains")
    op.drop_index("ix_domains_account_id_name", table_name="domains")
    op.drop_index("ix_domains_account_id_expires_at", table_name="domains")
    op.drop_table("domains")
    op.drop_index(
        "uq_contacts_one_main",
        table_name="contacts",
        sqlite_where=sa.text("kind = 'main' AND removed_at IS NULL"),
        postgresql_where=sa.text("kind = 'main' AND removed_at IS NULL"),
    )
    op.drop_index(op.f("ix_contacts_account_id"), table_name="contacts")
    op.drop_table("contacts")
    op.drop_index(
        "uq_cards_one_default",
        table_name="cards",
        sqlite_where=sa.text("is_default AND status = 'validated'"),
        postgresql_where=sa.text("is_default AND status = 'validated'"),
    )
    op.drop_index(op.f("ix_cards_fingerprint"), table_name="cards")
    op.drop_index(op.f("ix_cards_account_id"), table_name="cards")
    op.drop_table("cards")
    op.drop_table("tlds")
    op.drop_table("series")
    op.drop_table("seller")
    op.drop_index(op.f("ix_runs_day"), table_name="runs")
    op.drop_table("runs")
    op.drop_table("roles")
    op.drop_table("gateway_accounts")
    op.drop_table("accounts")
