"""A list of names, sorted into those that can be managed here and those that can't, each with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from panel.billing.names import NameRefused, ParsedName, parse_domain

NO_PRICE = "no_price"
TWICE = "twice"
MANAGED_ALREADY = "managed_already"


@dataclass(frozen=True)
class NotTaken:
    """`written` as it stood in the list, `reason` a short code, `message` for a person."""

    written: str
    reason: str
    message: str


@dataclass
class Sorted:
    taken: list[ParsedName] = field(default_factory=list)
    not_taken: list[NotTaken] = field(default_factory=list)


def sort_names(
    lines: Iterable[str], *, tlds: Collection[str], priced: Collection[str], managed: Collection[str]
) -> Sorted:
    """One name a line; empty lines don't count. `managed` are the A-label names that are here already."""
    names = Sorted()
    seen: set[str] = set()
    for line in lines:
        written = line.strip()
        if not written:
            continue
        try:
            name = parse_domain(written, tlds)
        except NameRefused as refused:
            names.not_taken.append(NotTaken(written, refused.problem.value, str(refused)))
            continue
        if name.name in seen:
            names.not_taken.append(NotTaken(written, TWICE, f"{name.shown} stands in the list twice."))
        elif name.name in managed:
            names.not_taken.append(
                NotTaken(written, MANAGED_ALREADY, f"{name.shown} is managed here already.")
            )
        elif name.tld not in priced:
            names.not_taken.append(NotTaken(written, NO_PRICE, f".{name.tld} has no price."))
        else:
            seen.add(name.name)
            names.taken.append(name)
    return names
