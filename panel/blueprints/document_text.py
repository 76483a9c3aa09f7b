"""The words on a document: who it is from and to, its tax, and what a list of documents is about."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask_babel import format_decimal, get_locale, ngettext
from flask_babel import gettext as _

from panel.billing.document_list import Names


def address_lines(party: Mapping[str, Any]) -> list[str]:
    """A party as documents keep it, in lines: company, name, street, place, country, VAT id."""
    place = " ".join(part for part in (party.get("postcode"), party.get("city")) if part)
    vat_id = party.get("vat_id")
    lines = [
        party.get("company"),
        party.get("name"),
        party.get("street"),
        place,
        country_name(party.get("country") or ""),
        _("VAT ID: %(vat_id)s", vat_id=vat_id) if vat_id else None,
    ]
    return [str(line) for line in lines if line]


def party_name(party: Mapping[str, Any]) -> str:
    """The company, or the person where there is none."""
    return str(party.get("company") or party.get("name") or "")


def country_name(code: str) -> str:
    """The country in the reader's language; the code itself where no name is known."""
    locale = get_locale()
    names = locale.territories if locale is not None else {}
    return names.get(code, code)


def tax_label(rate_bp: int) -> str:
    """`rate_bp` in basis points: 2100 is 21 %."""
    return _("VAT %(rate)s %%", rate=format_decimal(Decimal(rate_bp) / 100))


def tax_note(note: str | None) -> str:
    """The sentence that the tax rule asks for, translated; the rule wrote it in English."""
    return _(note) if note else ""


def about(names: Names) -> str:
    """The first domains by name, and how many others."""
    said = ", ".join(names.first)
    if names.others:
        said += " " + ngettext("and %(num)s more", "and %(num)s more", names.others)
    return said
