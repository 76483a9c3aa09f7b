"""VAT ids: read by the rules of the country that gave them. Whether one is registered is not asked here."""

from __future__ import annotations

import string

from stdnum import get_cc_module
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from panel.billing.card_number_guard import refuse_card_number
from panel.billing.tax import EU
from panel.errors import N_, Refused

FIELD = "vat_id"
SHORTEST, LONGEST = 4, 20
# Countries whose ids carry another prefix than their ISO code, and those that use a neighbour's.
PREFIXES = {"GR": "EL", "MC": "FR", "IM": "GB"}
# Northern Ireland's traders have both an XI and a GB id.
NORTHERN_IRELAND = "XI"
_PLAIN = frozenset(string.ascii_uppercase + string.digits)


def read_vat_id(text: str | None, country: str) -> str | None:
    """The id in its compact form, with its country's prefix inside the EU; None for an empty one.

    Raises Refused, naming the field, for an id that its country can't have given.
    """
    compact = "".join(c for c in (text or "").upper() if c not in " .-/\u00a0")
    if not compact:
        return None
    if not set(compact) <= _PLAIN or not SHORTEST <= len(compact) <= LONGEST:
        raise Refused(
            N_("A VAT id has 4 to 20 letters and digits, as in DE123456789. Correct it, or leave it empty."),
            field=FIELD,
        )
    prefix = PREFIXES.get(country, country)
    if country in EU or compact.startswith(NORTHERN_IRELAND):
        return _european(compact, country, prefix)
    return _national(compact, country, prefix)


def _european(compact: str, country: str, prefix: str) -> str:
    stated = compact[:2]
    if not stated.isalpha():
        compact = prefix + compact
    elif (
        stated in _EUROPEAN_PREFIXES
        and stated != prefix
        and not (stated == NORTHERN_IRELAND and country == "GB")
    ):
        raise Refused(
            N_(
                "The VAT id %(vat_id)s belongs to another country than %(country)s. Correct the country or the id, "
                "or leave the id empty."
            ),
            field=FIELD,
            vat_id=compact,
            country=country,
        )
    # Some national ids begin with letters of their own, as Spain's do.
    for candidate in (compact, prefix + compact):
        try:
            return str(eu_vat.validate(candidate))
        except ValidationError:
            continue
    raise _wrong(compact, country)


def _national(compact: str, country: str, prefix: str) -> str:
    rules = get_cc_module(prefix.lower(), "vat")
    if rules is None:
        # Nothing to check it against, so at least it must not be something else.
        refuse_card_number(compact, FIELD)
        return compact
    bare = compact.removeprefix(prefix)
    for candidate in (compact, bare):
        try:
            rules.validate(candidate)
        except ValidationError:
            continue
        return compact
    raise _wrong(compact, country)


def _wrong(compact: str, country: str) -> Refused:
    return Refused(
        N_("%(vat_id)s isn't a VAT id of %(country)s. Check its digits, or leave it empty."),
        field=FIELD,
        vat_id=compact,
        country=country,
    )


_EUROPEAN_PREFIXES = frozenset(PREFIXES.get(country, country) for country in EU) | {NORTHERN_IRELAND}
