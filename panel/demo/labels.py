"""Invented domain names: made of syllables, a word of trade, and now and then a letter that ASCII lacks."""

from __future__ import annotations

import random


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = _words("bel cor dal fen gal hav jor kel lor mar nor ost pel quin ros sel tor ul vel wen yar zan")
_SECOND = _words("a e i o u an en in on ar er or al el il")
_THIRD = _words(
    "bach dale dor field fors garde holm lind mere mont nova quist ria sund tona vale vara vik wald zia"
)
_TRADE = _words(
    "atelier bakery cafe clinic consult craft dental design digital events farm films fitness foods garden"
    " glass hotel invest jewels keramik legal media mobil music nature optik paper print repair school shoes"
    " sport studio tea tools tours toys travel trio wines wood works yoga"
)
# TLDs whose registries take letters with diacritics, each with a letter for it.
_LETTERS = {
    "de": "ü",
    "at": "ö",
    "ch": "ä",
    "fr": "é",
    "se": "å",
    "no": "ø",
    "dk": "æ",
    "es": "ñ",
    "pl": "ł",
    "eu": "é",
}
_ONE_IN = 25


def word(dice: random.Random) -> str:
    """A word of no language, in lower case."""
    return dice.choice(_FIRST) + dice.choice(_SECOND) + dice.choice(_THIRD)


def label(dice: random.Random, tld: str) -> str:
    """A label that might be anybody's and is, as far as we know, nobody's."""
    stem = word(dice)
    if tld in _LETTERS and dice.randrange(_ONE_IN) == 0:
        return f"{stem}{_LETTERS[tld]}-{dice.choice(_TRADE)}"
    shape = dice.randrange(4)
    if shape == 0:
        return stem + dice.choice(_SECOND) + dice.choice(_THIRD)
    if shape == 1:
        return f"{dice.choice(_TRADE)}-{stem}"
    return f"{stem}-{dice.choice(_TRADE)}"
