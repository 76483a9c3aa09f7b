"""The words for how a document is paid: its status, each attempt at a card, each extension that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from flask_babel.speaklater import LazyString

from gateways.declines import CUSTOMER_TEXT, NEXT_STEP_TEXT, DeclineKind
from panel.records import (
    Attempt,
    AttemptStatus,
    Extension,
    ExtensionStatus,
    LineKind,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaStatus,
)

# The text and the kind of badge (good, warn, bad, quiet, busy).
Label = tuple[LazyString, str]


@dataclass(frozen=True)
class Words:
    """A badge, and what else is to be said: why, and what to do next."""

    text: str
    kind: str
    why: str = ""
    next_step: str = ""


STATUS: dict[ProformaStatus, Label] = {
    ProformaStatus.OPEN: (lazy_gettext("Open"), "busy"),
    ProformaStatus.PAID: (lazy_gettext("Paid"), "good"),
    ProformaStatus.CANCELLED: (lazy_gettext("Cancelled"), "quiet"),
}

MANUAL_REASON: dict[ManualReason, LazyString] = {
    ManualReason.NOT_RECURRING: lazy_gettext("recurring payment is off for these domains"),
    ManualReason.EARLY_RENEWAL: lazy_gettext("an early renewal was asked for"),
    ManualReason.CARD_UNUSABLE: lazy_gettext("the card could not be charged on the bill date"),
    ManualReason.ABOVE_CEILING: lazy_gettext("the price has risen beyond what was agreed for the card"),
    ManualReason.CURRENCY: lazy_gettext("the card's gateway does not take this currency"),
    ManualReason.BELOW_MINIMUM: lazy_gettext("the card's gateway does not take so small an amount"),
}

LINE_KIND: dict[LineKind, LazyString] = {
    LineKind.RENEWAL: lazy_gettext("Renewal"),
    LineKind.REACTIVATION: lazy_gettext("Reactivation fee"),
    LineKind.REDEMPTION: lazy_gettext("Redemption fee"),
}

ATTEMPT: dict[AttemptStatus, Label] = {
    AttemptStatus.INTENDED: (lazy_gettext("Waiting to be charged"), "busy"),
    AttemptStatus.SENDING: (lazy_gettext("Being charged"), "busy"),
    AttemptStatus.PENDING: (lazy_gettext("Accepted, not decided yet"), "busy"),
    AttemptStatus.ACTION_REQUIRED: (lazy_gettext("The cardholder must confirm"), "warn"),
    AttemptStatus.UNKNOWN: (lazy_gettext("Not known yet"), "warn"),
    AttemptStatus.SUCCEEDED: (lazy_gettext("Paid"), "good"),
    AttemptStatus.DECLINED: (lazy_gettext("Declined"), "bad"),
    AttemptStatus.NOT_SUBMITTED: (lazy_gettext("Not sent"), "quiet"),
    AttemptStatus.LOST: (lazy_gettext("Never arrived"), "quiet"),
    AttemptStatus.ABANDONED: (lazy_gettext("Given up"), "quiet"),
}

ATTEMPT_WHY: dict[AttemptStatus, LazyString] = {
    AttemptStatus.INTENDED: lazy_gettext("The charge is written down; the panel will send it in a moment."),
    AttemptStatus.SENDING: lazy_gettext("The processor has been asked; its answer takes a few seconds."),
    AttemptStatus.PENDING: lazy_gettext("The processor has accepted the charge and decides later."),
    AttemptStatus.ACTION_REQUIRED: lazy_gettext("The bank asks the cardholder to confirm this payment."),
    AttemptStatus.UNKNOWN: lazy_gettext(
        "The processor's answer was lost. The panel asks it again and charges nothing meanwhile."
    ),
    AttemptStatus.NOT_SUBMITTED: lazy_gettext("The processor could not be reached. Nothing was charged."),
    AttemptStatus.LOST: lazy_gettext(
        "The processor says that it never saw this charge. Nothing was charged."
    ),
    AttemptStatus.ABANDONED: lazy_gettext("It was stopped before it was charged. Nothing was charged."),
}

EXTENSION: dict[ExtensionStatus, Label] = {
    ExtensionStatus.INTENDED: (lazy_gettext("Waits for the registrar"), "busy"),
    ExtensionStatus.SENDING: (lazy_gettext("At the registrar"), "busy"),
    ExtensionStatus.UNKNOWN: (lazy_gettext("The registrar's answer was lost"), "warn"),
    ExtensionStatus.WORKLIST: (lazy_gettext("To be done by staff"), "busy"),
    ExtensionStatus.DONE: (lazy_gettext("Extended"), "good"),
    ExtensionStatus.REFUSED: (lazy_gettext("Refused by the registrar"), "bad"),
}


def of_status(proforma: Proforma, today: date) -> Words:
    """`today` is the day in the seller's zone: what is open after its last day is overdue."""
    if proforma.status is ProformaStatus.OPEN and proforma.due_on < today:
        return Words(_("Overdue"), "bad")
    text, kind = STATUS[proforma.status]
    return Words(str(text), kind)


def of_attempt(attempt: Attempt) -> Words:
    text, kind = ATTEMPT[attempt.status]
    if attempt.decline_kind and attempt.status in (AttemptStatus.DECLINED, AttemptStatus.ACTION_REQUIRED):
        decline = DeclineKind(attempt.decline_kind)
        return Words(str(text), kind, _(CUSTOMER_TEXT[decline]), _(NEXT_STEP_TEXT[decline]))
    return Words(str(text), kind, str(ATTEMPT_WHY.get(attempt.status, "")))


def of_extension(extension: Extension) -> Words:
    text, kind = EXTENSION[extension.status]
    return Words(str(text), kind)


def of_extensions(counts: Mapping[ExtensionStatus, int]) -> list[Words]:
    """One badge for each state that there is; the number is said when there are several lines."""
    several = sum(counts.values()) > 1
    badges = []
    for state, (text, kind) in EXTENSION.items():
        if count := counts.get(state, 0):
            badges.append(Words(f"{text} · {count}" if several else str(text), kind))
    return badges


def years(line_years: int) -> str:
    return ngettext("%(num)s year", "%(num)s years", line_years) if line_years else ""


def method_name(proforma: Proforma) -> str:
    """How it is paid, in a word: for lists."""
    if proforma.method is PaymentMethod.CARD and proforma.card is not None:
        return proforma.card.masked
    return _("Manual")


def method_sentence(proforma: Proforma) -> str:
    """How it is paid: by which card, or by hand and for which reason."""
    if proforma.method is PaymentMethod.CARD and proforma.card is not None:
        return _("Card %(card)s", card=proforma.card.name)
    if proforma.manual_reason is None:
        return _("Manual payment")
    return _("Manual payment: %(reason)s", reason=MANUAL_REASON[proforma.manual_reason])
