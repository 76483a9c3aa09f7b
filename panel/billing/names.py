"""Domain names: normalised by IDNA 2008, matched to a TLD, and shown where they can't deceive."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

import idna

from panel.errors import N_, Refused

# In octets of the A-label form. No form of a name has fewer octets than it has characters when written out.
LONGEST_NAME = 253
LONGEST_LABEL = 63


class NameProblem(enum.StrEnum):
    EMPTY = "empty"
    TOO_LONG = "too_long"
    INVALID_LABEL = "invalid_label"
    NOT_IN_IDNA = "not_in_idna"
    NO_TLD = "no_tld"
    IS_TLD = "is_tld"
    UNKNOWN_TLD = "unknown_tld"
    UNKNOWN_SUFFIX = "unknown_suffix"


_MESSAGES = {
    NameProblem.EMPTY: N_("A domain name is missing."),
    NameProblem.TOO_LONG: N_("“%(name)s” is too long: a name has at most 253 characters, a part of it 63."),
    NameProblem.INVALID_LABEL: N_("“%(name)s” isn't a domain name: “%(label)s” can't be a part of one."),
    NameProblem.NOT_IN_IDNA: N_("“%(name)s” has a character that domain names can't have, in “%(label)s”."),
    NameProblem.NO_TLD: N_("“%(name)s” has no TLD."),
    NameProblem.IS_TLD: N_("“%(name)s” is itself a TLD."),
    NameProblem.UNKNOWN_TLD: N_("The TLD .%(tld)s isn't in the list of TLDs."),
    NameProblem.UNKNOWN_SUFFIX: N_(
        "“%(name)s” isn't directly below .%(tld)s, and .%(suffix)s isn't in the list of TLDs."
    ),
}


class NameRefused(Refused):
    """What was written isn't a name that can be managed here; `problem` says why."""

    def __init__(self, problem: NameProblem, **params: str):
        quoted = {key: _quotable(value) for key, value in params.items()}
        super().__init__(_MESSAGES[problem], field="name", **quoted)
        self.problem = problem


def _quotable(text: str) -> str:
    """Safe to put into a message: nothing that moves a cursor or turns the direction, and not a novel."""
    safe = "".join(letter if letter.isprintable() else "�" for letter in text[:80])
    return safe if len(text) <= 80 else f"{safe}…"


class ParsedName(NamedTuple):
    """`name` in A-label form, `shown` as people may see it, `tld` in A-label form, without a dot."""

    name: str
    shown: str
    tld: str


def parse_domain(text: str, tlds: Collection[str]) -> ParsedName:
    """Normalises what a person wrote. Of the known `tlds` the longest that fits is taken: co.uk, not uk.

    Raises NameRefused. Takes time linear in the text, of which no more than 253 characters are looked at.
    """
    name = _ascii_form(text)
    labels = name.split(".")
    if len(labels) == 1:
        raise NameRefused(NameProblem.IS_TLD if name in tlds else NameProblem.NO_TLD, name=name)
    tld = _longest_tld(labels, tlds)
    if tld is None:
        raise NameRefused(NameProblem.UNKNOWN_TLD, tld=labels[-1])
    if tld == name:
        raise NameRefused(NameProblem.IS_TLD, name=name)
    if len(labels) != tld.count(".") + 2:
        suffix = ".".join(labels[1:])
        raise NameRefused(NameProblem.UNKNOWN_SUFFIX, name=name, tld=tld, suffix=suffix)
    return ParsedName(name, shown_form(name), tld)


def shown_form(name: str) -> str:
    """An A-label name as it may be shown: with its own letters, or as it is where those could deceive."""
    letters = [idna.decode(label) if label.startswith("xn--") else label for label in name.split(".")]
    return ".".join(letters) if all(map(_is_honest, letters)) else name


def _ascii_form(text: str) -> str:
    written = text.strip().removesuffix(".")
    if not written:
        raise NameRefused(NameProblem.EMPTY)
    if len(written) > LONGEST_NAME:
        raise NameRefused(NameProblem.TOO_LONG, name=written)
    try:
        mapped = idna.uts46_remap(written, std3_rules=True, transitional=False)
    except idna.IDNAError as problem:
        raise NameRefused(NameProblem.NOT_IN_IDNA, name=written, label=written) from problem
    name = ".".join(_ascii_label(label, written) for label in mapped.split("."))
    if len(name) > LONGEST_NAME:
        raise NameRefused(NameProblem.TOO_LONG, name=written)
    return name


def _ascii_label(label: str, written: str) -> str:
    if len(label) > LONGEST_LABEL:
        raise NameRefused(NameProblem.TOO_LONG, name=written)
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.InvalidCodepoint, idna.InvalidCodepointContext, idna.IDNABidiError) as problem:
        raise NameRefused(NameProblem.NOT_IN_IDNA, name=written, label=label) from problem
    except idna.IDNAError as problem:
        raise NameRefused(NameProblem.INVALID_LABEL, name=written, label=label) from problem


def _longest_tld(labels: list[str], tlds: Collection[str]) -> str | None:
    for start in range(len(labels)):
        if (candidate := ".".join(labels[start:])) in tlds:
            return candidate
    return None


# Scripts that are written together, by the first word of Unicode's names for their characters.
_WRITTEN_TOGETHER = (
    frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"CJK", "IDEOGRAPHIC", "HANGUL"}),
    frozenset({"CJK", "IDEOGRAPHIC", "BOPOMOFO"}),
)
_COMMON = frozenset({"DIGIT", "HYPHEN-MINUS"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
# Letters of other scripts that look like Latin ones: a label of these alone could pass for another name.
_LOOK_LATIN = frozenset("асԁеһіјӏорԛѕԝхуъьҽпгѵѡԍɡαγικνορτυχωօոսհզցգյ")


def _is_honest(label: str) -> bool:
    """Of one script, left to right, and not made of another script's look-alikes alone."""
    if label.isascii():
        return True
    if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in label):
        return False
    scripts = {unicodedata.name(letter, "UNNAMED").split(" ")[0] for letter in label} - _COMMON
    if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
        return False
    return not all(letter.isascii() or letter in _LOOK_LATIN for letter in label)
