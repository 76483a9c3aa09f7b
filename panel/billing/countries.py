"""The countries of ISO 3166-1, by code and by name."""

from __future__ import annotations

from functools import lru_cache

from anyascii import anyascii
from babel import Locale

# CLDR also names regions, groups and reservations that are no countries. Kosovo's XK isn't in ISO 3166
# either, but it is what everybody uses, and people live there.
_NO_COUNTRIES = "AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ"
_NO_POSTCODES = """
AE AG AO AW BF BI BJ BS BW BZ CD CF CG CM DJ DM ER FJ GD GM GQ GY HK KI KM KP ML MO MR MW NR NU QA RW SB SC SL SR ST
SY TD TG TK TL TO TV UG VU YE ZW
"""

WITHOUT_POSTCODES = frozenset(_NO_POSTCODES.split())
"""Where post is delivered without a postcode."""


@lru_cache(maxsize=16)
def countries(locale: str) -> tuple[tuple[str, str], ...]:
    """(code, name) of every country, in the order of its names in that language; for a form's choices."""
    names = Locale.parse(locale.replace("-", "_")).territories
    named = [(code, str(names[code])) for code in codes()]
    return tuple(sorted(named, key=lambda country: anyascii(country[1]).casefold()))


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """Every two-letter code."""
    two_letters = {
        str(code) for code in Locale("en").territories if len(str(code)) == 2 and str(code).isalpha()
    }
    return frozenset(two_letters - set(_NO_COUNTRIES.split()))
