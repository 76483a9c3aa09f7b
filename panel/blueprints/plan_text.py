"""The words for what a plan found: why a domain is left out, what must be seen first, what changed."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from panel.billing.early_renewal import RenewalRefusal, RenewalRow
from panel.errors import Refused
from panel.renewals.recurrence import CURRENT_WORDING, WORDING, PlanChanged
from panel.renewals.recurrence_plan import Exclusion, Plan, PlanRow, PlanWarning
from panel.web import day_text


def exclusion_text(exclusion: Exclusion) -> str:
    match exclusion:
        case Exclusion.LEAVING:
            return _("It is leaving or was cancelled, so it won't be renewed here.")
        case Exclusion.PRICE_MISSING:
            return _("There is no renewal price for its TLD in the account's currency.")
        case Exclusion.CURRENCY_NOT_ACCEPTED:
            return _("The card's processor doesn't take the account's currency.")
        case Exclusion.BELOW_MINIMUM:
            return _("The price is below the least that the card's processor charges.")
        case Exclusion.ABOVE_MAXIMUM:
            return _("The price is above the most that the card's processor charges.")


def warning_text(row: PlanRow) -> str:
    """What is wrong with the card on the days of this domain; empty when nothing is."""
    match row.warning:
        case PlanWarning.EXPIRES_BEFORE_BILL:
            return _("The card expires before the bill date, %(day)s.", day=day_text(row.bills_on))
        case PlanWarning.EXPIRES_BEFORE_LAST_RETRY:
            return _("The card expires before the last retry, %(day)s.", day=day_text(row.last_retry_on))
        case _:
            return ""


def warning_heading(warning: PlanWarning, count: int) -> str:
    if warning is PlanWarning.EXPIRES_BEFORE_BILL:
        return ngettext(
            "The card expires before %(num)s domain is billed.",
            "The card expires before %(num)s domains are billed.",
            count,
        )
    return ngettext(
        "The card expires between the first charge and the last retry of %(num)s domain.",
        "The card expires between the first charge and the last retry of %(num)s domains.",
        count,
    )


def acknowledgement_texts(plan: Plan) -> list[tuple[str, str]]:
    """Value and label of each box that must be ticked before Confirm, in the order of the page."""
    texts = {
        "holder_differs": _(
            "I have seen that the card is in the name of %(holder)s and invoices go to %(contact)s.",
            holder=plan.holder.holder_name or "—",
            contact=plan.holder.contact_name,
        ),
        "expires_before_bill": _(
            "I have seen that this card expires before some of these domains are billed: "
            "they will need another card by then."
        ),
        "expires_before_last_retry": _(
            "I have seen that this card expires before the last retry for some of these domains."
        ),
    }
    return [(value, text) for value, text in texts.items() if value in plan.required_acknowledgements]


def consent_wording(ceiling_percent: int) -> str:
    """The words that Confirm agrees to, in the reader's language."""
    return _(WORDING[CURRENT_WORDING], ceiling=ceiling_percent)


def changes_text(refused: Refused) -> list[str]:
    """What changed between the page and Confirm, as sentences; nothing for any other refusal."""
    if not isinstance(refused, PlanChanged):
        return []
    texts = {
        "domains": _("Which domains are concerned: some were added, left, or are ticked differently."),
        "recurrence": _("The recurring payment of some of the domains."),
        "expiry": _("The expiry of some of the domains."),
        "bill_date": _("The bill date of some of the domains."),
        "price": _("The price of some of the domains."),
        "card": _("The card."),
        "contact": _("The contact."),
    }
    return [texts[part] for part in refused.changed if part in texts]


def refusal_text(row: RenewalRow) -> str:
    """Why this domain can't be renewed now, with the day or the proforma where there is one."""
    match row.refusal:
        case RenewalRefusal.TOO_EARLY if row.opens_on is not None:
            return _("Its registry renews it from %(day)s on.", day=day_text(row.opens_on))
        case RenewalRefusal.ALREADY_ON_PROFORMA if row.proforma_id is not None:
            return _("Its renewal is on proforma PF-%(number)s already.", number=f"{row.proforma_id:06d}")
        case None:
            return ""
        case _:
            return refusal_heading(row.refusal)


def refusal_heading(refusal: RenewalRefusal) -> str:
    match refusal:
        case RenewalRefusal.LEAVING:
            return _("It is leaving or was cancelled, so it won't be renewed here.")
        case RenewalRefusal.NOT_ACTIVE:
            return _("It isn't active; only active domains can be renewed early.")
        case RenewalRefusal.TOO_EARLY:
            return _("Its registry doesn't renew it yet.")
        case RenewalRefusal.BEYOND_LONGEST_TERM:
            return _("Its registry doesn't sell a longer term than it has already.")
        case RenewalRefusal.ALREADY_ON_PROFORMA:
            return _("Its renewal is on an open proforma already.")
        case RenewalRefusal.PRICE_MISSING:
            return _("There is no renewal price for its TLD in the account's currency.")
