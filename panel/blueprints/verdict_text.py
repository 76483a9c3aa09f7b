"""A verdict in words: what will happen to a domain, and the button that mends it where something must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from panel.records import Domain
from panel.renewals.verdict import Verdict, VerdictCode
from panel.web import day_text


@dataclass(frozen=True)
class Fix:
    """A link to the page where it is put right. Templates show it to those who may go there."""

    text: str
    endpoint: str
    values: dict[str, Any]
    method: str = "GET"

    @property
    def url(self) -> str:
        return url_for(self.endpoint, **self.values)


@dataclass(frozen=True)
class VerdictText:
    """`kind` is good, warn, bad, quiet or busy."""

    text: str
    kind: str
    fix: Fix | None = None


def sentence(verdict: Verdict, domain: Domain) -> VerdictText:
    """The verdict of this domain as a table row or the top of its page says it."""
    return _SENTENCES[verdict.code](verdict, domain)


def _will_renew(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(
        _("Will renew on %(day)s, card %(card)s", day=day_text(verdict.day), card=verdict.card or ""), "good"
    )


def _will_invoice(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("A proforma to pay by hand comes on %(day)s", day=day_text(verdict.day)), "good")


def _awaiting_payment(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Waits for payment until %(day)s", day=day_text(verdict.day))
    return VerdictText(text, "warn", _pay(verdict, domain))


def _charge_running(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Is being charged"), "busy", _proforma(verdict, domain))


def _in_doubt(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Perhaps charged: the processor's answer is awaited, nothing is charged twice")
    return VerdictText(text, "warn", _proforma(verdict, domain))


def _declined(verdict: Verdict, domain: Domain) -> VerdictText:
    if verdict.day is None:
        text = _("The card was declined, and no further try is planned")
    else:
        text = _("The card was declined; next try on %(day)s", day=day_text(verdict.day))
    return VerdictText(text, "bad", _pay(verdict, domain))


def _needs_authentication(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("The bank wants the cardholder to confirm the payment")
    return VerdictText(text, "bad", _pay(verdict, domain))


def _card_expires_first(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Card %(card)s expires before %(day)s", card=verdict.card or "", day=day_text(verdict.day))
    return VerdictText(text, "bad", _recurring(domain, _("Change the card")))


def _card_not_validated(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Card %(card)s can't be charged any more", card=verdict.card or "")
    return VerdictText(text, "bad", _recurring(domain, _("Change the card")))


def _gateway_stopped(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Charging is stopped at the card's processor; nobody is dunned for it")
    return VerdictText(text, "warn", Fix(_("See gateways"), "gateways.gateways", {}))


def _currency_not_accepted(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("The processor of card %(card)s doesn't take this currency", card=verdict.card or "")
    return VerdictText(text, "bad", _recurring(domain, _("Change the card")))


def _price_missing(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("There is no price for .%(tld)s, so no proforma is made", tld=domain.tld), "bad")


def _above_ceiling(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("The price rose above what was agreed: it won't be charged, but billed by hand")
    return VerdictText(text, "warn", _recurring(domain, _("Agree to the new price")))


def _suspended(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Suspended, because it wasn't paid"), "bad", _pay(verdict, domain))


def _leaving(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Is leaving for another registrar: not renewed"), "quiet")


def _cancelled(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Cancelled: runs until its expiry, not renewed"), "quiet")


def _gone(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Is gone"), "quiet")


def _skipped(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("The year from %(day)s is skipped: not renewed", day=day_text(verdict.day))
    return VerdictText(text, "warn")


def _extending(verdict: Verdict, domain: Domain) -> VerdictText:
    return VerdictText(_("Paid, and being extended at the registrar"), "busy")


def _extension_failed(verdict: Verdict, domain: Domain) -> VerdictText:
    text = _("Paid, but the registrar refused to extend it; your reseller is told")
    return VerdictText(text, "bad", Fix(_("See what waits"), "tasks.tasks", {}))


def _recurring(domain: Domain, text: str) -> Fix:
    return Fix(text, "actions.recurring_payment", {"account_id": domain.account_id, "tick": domain.id})


def _proforma(verdict: Verdict, domain: Domain, text: str | None = None) -> Fix | None:
    if verdict.proforma_id is None:
        return None
    values = {"account_id": domain.account_id, "proforma_id": verdict.proforma_id}
    return Fix(text or _("See the proforma"), "proformas.proforma", values)


def _pay(verdict: Verdict, domain: Domain) -> Fix | None:
    return _proforma(verdict, domain, _("Pay it"))


_SENTENCES: dict[VerdictCode, Callable[[Verdict, Domain], VerdictText]] = {
    VerdictCode.WILL_RENEW: _will_renew,
    VerdictCode.WILL_INVOICE: _will_invoice,
    VerdictCode.AWAITING_PAYMENT: _awaiting_payment,
    VerdictCode.CHARGE_RUNNING: _charge_running,
    VerdictCode.IN_DOUBT: _in_doubt,
    VerdictCode.DECLINED: _declined,
    VerdictCode.NEEDS_AUTHENTICATION: _needs_authentication,
    VerdictCode.CARD_EXPIRES_FIRST: _card_expires_first,
    VerdictCode.CARD_NOT_VALIDATED: _card_not_validated,
    VerdictCode.GATEWAY_STOPPED: _gateway_stopped,
    VerdictCode.CURRENCY_NOT_ACCEPTED: _currency_not_accepted,
    VerdictCode.PRICE_MISSING: _price_missing,
    VerdictCode.ABOVE_CEILING: _above_ceiling,
    VerdictCode.SUSPENDED: _suspended,
    VerdictCode.LEAVING: _leaving,
    VerdictCode.CANCELLED: _cancelled,
    VerdictCode.GONE: _gone,
    VerdictCode.SKIPPED: _skipped,
    VerdictCode.EXTENDING: _extending,
    VerdictCode.EXTENSION_FAILED: _extension_failed,
}
