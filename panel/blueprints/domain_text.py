"""The words for a domain's status and its switches, each with the colour that it is shown in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from panel.records import DomainStatus

STATUS = {
    DomainStatus.ACTIVE: (_("Active"), "good"),
    DomainStatus.SUSPENDED: (_("Suspended"), "bad"),
    DomainStatus.LEAVING: (_("Leaving"), "warn"),
    DomainStatus.CANCELLED: (_("Cancelled"), "quiet"),
    DomainStatus.GONE: (_("Gone"), "quiet"),
}
SWITCH = {"invoice": _("Invoice"), "charge": _("Charge"), "extend": _("Extend")}
