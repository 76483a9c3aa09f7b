"""The words for a task: what it is, what to do about it, and the evidence that the panel has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import format_timedelta, lazy_gettext
from flask_babel import gettext as _
from flask_babel.speaklater import LazyString

from panel.records import (
    Attempt,
    Domain,
    Extension,
    GatewayAccount,
    Message,
    Proforma,
    StaffTask,
    TaskKind,
)
from panel.renewals.task_list import TaskRow
from panel.web import day_text, instant_text, money_text


@dataclass(frozen=True)
class Fact:
    """One piece of evidence; `url` where there is a page about it."""

    label: str
    value: str
    url: str | None = None


TITLE: dict[TaskKind, LazyString] = {
    TaskKind.UNKNOWN_CHARGE: lazy_gettext("A charge whose outcome is not known"),
    TaskKind.AMOUNT_MISMATCH: lazy_gettext("The processor took another amount"),
    TaskKind.GATEWAY_STOPPED: lazy_gettext("Charging through a gateway is stopped"),
    TaskKind.REGISTRAR_WORKLIST: lazy_gettext("Renew by hand at the registrar"),
    TaskKind.CANNOT_EXTEND: lazy_gettext("Paid, and the registrar refuses to renew"),
    TaskKind.EXTENSION_STUCK: lazy_gettext("A paid renewal makes no progress"),
    TaskKind.LATE_SUCCESS: lazy_gettext("Money arrived for what was settled already"),
    TaskKind.PRICE_MISSING: lazy_gettext("A domain without a price"),
    TaskKind.MAIL_PARKED: lazy_gettext("A mail that can't be sent"),
}

WHAT_TO_DO: dict[TaskKind, LazyString] = {
    TaskKind.UNKNOWN_CHARGE: lazy_gettext(
        "Look for this key at the processor. The panel asks again every day, charges nothing meanwhile,"
        " and closes this task when the processor gives an answer."
    ),
    TaskKind.AMOUNT_MISMATCH: lazy_gettext(
        "Compare the charge at the processor with the proforma, and put the difference right there."
        " The proforma stays frozen until then."
    ),
    TaskKind.GATEWAY_STOPPED: lazy_gettext(
        "Put the gateway's keys and settings right, then resume it on the Gateways page."
        " Nobody is dunned or suspended because of this."
    ),
    TaskKind.REGISTRAR_WORKLIST: lazy_gettext(
        "Renew the domain at its registrar, then enter the expiry date that the registry shows afterwards."
    ),
    TaskKind.CANNOT_EXTEND: lazy_gettext(
        "Find out why. If the domain can't be renewed, refund its line and tell the client;"
        " note here what was done."
    ),
    TaskKind.EXTENSION_STUCK: lazy_gettext(
        "Look at the domain at the registrar. The panel tries again by itself and never renews twice;"
        " note what you find."
    ),
    TaskKind.LATE_SUCCESS: lazy_gettext(
        "The client paid twice. Refund this charge at the processor and note the refund's reference."
    ),
    TaskKind.PRICE_MISSING: lazy_gettext(
        "Enter a price for this TLD in the account's currency: until then the domain is not billed."
    ),
    TaskKind.MAIL_PARKED: lazy_gettext(
        "Correct the address with the client, and tell them by another way what the mail would have said."
    ),
}

# Tasks that close by themselves, when what they tell of is over: no note can close them.
CLOSES_BY_ITSELF = frozenset({TaskKind.UNKNOWN_CHARGE, TaskKind.AMOUNT_MISMATCH, TaskKind.GATEWAY_STOPPED})


def evidence(row: TaskRow) -> list[Fact]:
    """What the panel knows of the task's subject."""
    match row.subject:
        case Attempt():
            return _of_attempt(row.subject)
        case Extension():
            return _of_extension(row.subject)
        case Domain():
            return [_domain(row.subject), Fact(_("Expires"), day_text(row.subject.expires_at))]
        case GatewayAccount():
            return _of_gateway_account(row.subject)
        case Message():
            return _of_message(row.subject)
        case Proforma():
            return [_proforma(row.subject)]
    return []


def _of_attempt(attempt: Attempt) -> list[Fact]:
    facts = [
        _proforma(attempt.proforma),
        Fact(_("Amount"), money_text(attempt.minor, attempt.currency)),
        Fact(_("Card"), attempt.card.name),
        Fact(_("Key"), attempt.key),
        Fact(_("First sent"), instant_text(attempt.first_sent_at)),
        Fact(_("Processor's reference"), attempt.gateway_ref or ""),
        Fact(_("Asked again"), _("%(times)s times", times=attempt.checks) if attempt.checks else ""),
        Fact(_("Asked next"), instant_text(attempt.next_check_at)),
        Fact(_("Last answer"), attempt.message or ""),
    ]
    return [fact for fact in facts if fact.value]


def _of_extension(extension: Extension) -> list[Fact]:
    facts = [
        _domain(extension.domain),
        _proforma(extension.line.proforma),
        Fact(_("Registrar"), extension.registrar),
        Fact(_("Expiry before"), day_text(extension.believed_expiry)),
        Fact(_("Years paid"), str(extension.years)),
        Fact(_("Tries"), str(extension.tries) if extension.tries else ""),
        Fact(_("Last answer"), extension.message or ""),
    ]
    return [fact for fact in facts if fact.value]


def _of_gateway_account(account: GatewayAccount) -> list[Fact]:
    facts = [
        Fact(_("Gateway"), account.label, url_for("gateways.gateways")),
        Fact(_("Stopped"), instant_text(account.stopped_at)),
        Fact(_("Reason"), account.stopped_reason or ""),
    ]
    return [fact for fact in facts if fact.value]


def _of_message(message: Message) -> list[Fact]:
    facts = [
        Fact(_("To"), message.recipient),
        Fact(_("Kind"), message.kind.replace("_", " ")),
        Fact(_("About"), message.subject.replace(":", " ")),
        Fact(_("Tries"), str(message.tries)),
        Fact(_("Last error"), message.error or ""),
    ]
    return [fact for fact in facts if fact.value]


def _domain(domain: Domain) -> Fact:
    return Fact(
        _("Domain"),
        domain.shown,
        url_for("domains.domain", account_id=domain.account_id, domain_id=domain.id),
    )


def _proforma(proforma: Proforma) -> Fact:
    return Fact(
        _("Proforma"),
        proforma.number,
        url_for("proformas.proforma", account_id=proforma.account_id, proforma_id=proforma.id),
    )


def age(task: StaffTask, now: datetime) -> str:
    """For how long it waits, or has waited, roughly: "3 days"."""
    return str(format_timedelta((task.resolved_at or now) - task.created_at))
