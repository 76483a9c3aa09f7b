"""The words for renewal runs: their phases, their counts, and what became of each proforma."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from panel.blueprints.payment_text import MANUAL_REASON
from panel.records import ManualReason, Run, RunPhase, RunStatus
from panel.renewals.run_list import Outcome, RunRow

Label = tuple[LazyString, str]

STATUS: dict[RunStatus, Label] = {
    RunStatus.RUNNING: (lazy_gettext("Running"), "busy"),
    RunStatus.FINISHED: (lazy_gettext("Finished"), "good"),
    RunStatus.INTERRUPTED: (lazy_gettext("Interrupted"), "warn"),
}
SILENT: Label = (lazy_gettext("No sign of life"), "bad")

PHASE: dict[RunPhase, LazyString] = {
    RunPhase.RECOVER: lazy_gettext("Asking processors about charges that are in doubt"),
    RunPhase.ISSUE: lazy_gettext("Issuing proformas"),
    RunPhase.CHARGE: lazy_gettext("Charging cards"),
    RunPhase.EXTEND: lazy_gettext("Extending domains at their registrars"),
    RunPhase.REMIND: lazy_gettext("Writing reminders"),
    RunPhase.SUSPEND: lazy_gettext("Suspending what stayed unpaid"),
    RunPhase.MAIL: lazy_gettext("Sending mail"),
    RunPhase.DONE: lazy_gettext("Done"),
}

COUNT: dict[str, LazyString] = {
    "due": lazy_gettext("due"),
    "issued": lazy_gettext("issued"),
    "charged": lazy_gettext("charged"),
    "declined": lazy_gettext("declined"),
    "unknown": lazy_gettext("not known yet"),
    "action_required": lazy_gettext("to be confirmed by the cardholder"),
    "pending": lazy_gettext("not decided yet"),
    "recovered": lazy_gettext("recovered from doubt"),
    "extended": lazy_gettext("extended"),
    "suspended": lazy_gettext("suspended"),
    "reminded": lazy_gettext("reminded"),
    "mailed": lazy_gettext("mailed"),
}

OUTCOME: dict[Outcome, Label] = {
    Outcome.CHARGED: (lazy_gettext("Charged"), "good"),
    Outcome.DECLINED: (lazy_gettext("Declined"), "bad"),
    Outcome.ACTION_REQUIRED: (lazy_gettext("The cardholder must confirm"), "warn"),
    Outcome.IN_DOUBT: (lazy_gettext("Not known yet"), "warn"),
    Outcome.WAITING: (lazy_gettext("Being charged"), "busy"),
    Outcome.NOT_CHARGED: (lazy_gettext("Not charged"), "quiet"),
    Outcome.ISSUED: (lazy_gettext("Issued only"), "quiet"),
}


SKIPPED: dict[str, LazyString] = {
    "price_missing": lazy_gettext("its TLD has no price in the account's currency, so it is not billed"),
    "gateway_stopped": lazy_gettext("charging through the card's gateway is stopped"),
}


def of_run(row: RunRow) -> Label:
    return SILENT if row.silent else STATUS[row.run.status]


def counts(run: Run) -> list[tuple[str, int]]:
    """What a run counted, in a fixed order; what a newer run counts besides comes last under its own name."""
    found: Mapping[str, Any] = run.counts
    known = [(str(name), int(found[key])) for key, name in COUNT.items() if key in found]
    others = [
        (key.replace("_", " "), value)
        for key, value in sorted(found.items())
        if key not in COUNT and type(value) is int
    ]
    return known + others


def outcome_choices(found: Mapping[Outcome, int]) -> list[tuple[Outcome | None, str, int]]:
    """The filter above the outcomes: everything first, then each outcome that there is."""
    everything: list[tuple[Outcome | None, str, int]] = [(None, _("All"), sum(found.values()))]
    return everything + [(state, str(OUTCOME[state][0]), found[state]) for state in OUTCOME if state in found]


def skip_reason(code: str) -> str:
    """Why a card isn't charged: a `ManualReason`, or a reason of the forecast's own."""
    if code in SKIPPED:
        return str(SKIPPED[code])
    return str(MANUAL_REASON[ManualReason(code)])
