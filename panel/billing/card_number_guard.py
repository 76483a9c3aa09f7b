"""Card numbers that people type where they don't belong: refused, not kept, not repeated."""

from __future__ import annotations

import unicodedata

from panel.errors import N_, Refused

SHORTEST, LONGEST = 13, 19
# What people put between groups of digits; more than a few of them in a row end the number.
SEPARATORS = frozenset(" -.\u2010\u2011\u2012\u2013\u2014/_\u00a0\u2007\u2009\u202f\t\n\r,")
WIDEST_GAP = 3
# The first digits of the card schemes. Only asked of a part of a longer row of digits: there, one sum in
# ten is right by chance.
SCHEMES = "23456"


def refuse_card_number(text: str | None, field: str) -> None:
    """Raises Refused, naming the field and not the number, when `text` has a card number in it."""
    if text and has_card_number(text):
        raise Refused(
            N_(
                "This looks like a card number. Please remove it: cards are added on the processor's own page, "
                "under Cards, and never written down here."
            ),
            field=field,
        )


def has_card_number(text: str) -> bool:
    """Whether 13 to 19 digits that satisfy the Luhn sum stand in `text`, in one piece or in groups, in any script."""
    return any(_is_card_number(groups) for groups in _rows_of_groups(text))


def _rows_of_groups(text: str) -> list[list[str]]:
    """Groups of digits that only separators part: "4111 1111, 12/27" is one row of four groups."""
    rows: list[list[str]] = [[]]
    group, gap = "", 0
    for character in text:
        digit = unicodedata.digit(character, None)
        if digit is not None:
            if gap > WIDEST_GAP:
                rows.append([])
            group, gap = group + str(digit), 0
            continue
        if group:
            rows[-1].append(group)
            group = ""
        gap = gap + 1 if character in SEPARATORS else WIDEST_GAP + 1
    if group:
        rows[-1].append(group)
    return [row for row in rows if row]


def _is_card_number(groups: list[str]) -> bool:
    whole = "".join(groups)
    if len(whole) < SHORTEST:
        return False
    if len(whole) <= LONGEST and luhn(whole):
        return True
    return any(_starts_card_number(groups, start) for start in range(len(groups)))


def _starts_card_number(groups: list[str], start: int) -> bool:
    """Whether the group at `start`, or that one and those right after it, are a number of a card scheme."""
    first = groups[start]
    if first[0] not in SCHEMES:
        return False
    if len(first) > LONGEST:
        return any(luhn(first[:length]) for length in (15, 16))
    digits = ""
    for group in groups[start : start + LONGEST]:
        digits += group
        if len(digits) > LONGEST:
            return False
        if len(digits) >= SHORTEST and luhn(digits):
            return True
    return False


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
