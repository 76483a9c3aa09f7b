"""What the pages of Renew and of Recurring Payment send: the choice, and what was shown when it was made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast, get_args

from werkzeug.datastructures import MultiDict

from panel.blueprints.consent import typed_reference
from panel.blueprints.posted import arrived_with, ids_in, optional_id, page_number, posted_selection
from panel.errors import N_, Refused
from panel.renewals.recurrence_plan import Only
from panel.renewals.selection import MAX_EXCEPTIONS, Selection


@dataclass(frozen=True)
class RecurringPaymentForm:
    """`contact_id` and `card_id` are None until somebody chose; then the plan's presets hold."""

    selection: Selection
    contact_id: int | None = None
    card_id: int | None = None
    page: int = 1
    only: Only = "all"
    acknowledged: frozenset[str] = frozenset()
    reference: str = ""
    digest: str = ""

    @classmethod
    def arrived(cls, values: MultiDict[str, str], *, everything: bool) -> RecurringPaymentForm:
        return cls(
            arrived_with(values, everything=everything),
            contact_id=optional_id(values, "contact"),
            card_id=optional_id(values, "card"),
        )

    @classmethod
    def posted(cls, values: MultiDict[str, str]) -> RecurringPaymentForm:
        only = values.get("show") or values.get("only", "all")
        return cls(
            posted_selection(values),
            contact_id=optional_id(values, "contact"),
            card_id=optional_id(values, "card"),
            page=page_number(values),
            only=cast(Only, only) if only in get_args(Only) else "all",
            acknowledged=frozenset(values.getlist("acknowledge")),
            reference=typed_reference(values),
            digest=values.get("digest", ""),
        )

    def without(self, field: str | None) -> RecurringPaymentForm:
        """The same form with the field that was refused back at its preset."""
        match field:
            case "contact":
                return replace(self, contact_id=None)
            case "card":
                return replace(self, card_id=None)
            case _:
                return replace(self, selection=Selection.of(()))


@dataclass(frozen=True)
class RenewForm:
    """`years` holds the choices made so far, by domain; the others are renewed for their shortest term."""

    selection: Selection
    years: dict[int, int]
    contact_id: int | None = None
    page: int = 1
    digest: str = ""

    @classmethod
    def arrived(cls, values: MultiDict[str, str], *, everything: bool) -> RenewForm:
        return cls(arrived_with(values, everything=everything), {})

    @classmethod
    def posted(cls, values: MultiDict[str, str]) -> RenewForm:
        return cls(
            posted_selection(values),
            _posted_years(values),
            contact_id=optional_id(values, "contact"),
            page=page_number(values),
            digest=values.get("digest", ""),
        )

    def without(self, field: str | None) -> RenewForm:
        match field:
            case "contact":
                return replace(self, contact_id=None)
            case "years":
                return replace(self, years={})
            case _:
                return replace(self, selection=Selection.of(()))


def _posted_years(values: MultiDict[str, str]) -> dict[int, int]:
    """The years carried along from other pages ("12:2,15:3"), and those of this one ("years-12": "2")."""
    years = dict(_pair(word) for word in values.get("years", "").split(",") if word)
    for domain_id in ids_in([values.get("shown", "")], "tick"):
        if text := values.get(f"years-{domain_id}"):
            years[domain_id] = _number_of_years(text)
    if len(years) > MAX_EXCEPTIONS:
        raise Refused(
            N_("The years of at most %(most)s domains can be chosen at once."),
            field="years",
            most=MAX_EXCEPTIONS,
        )
    return years


def _pair(word: str) -> tuple[int, int]:
    domain_id, _colon, years = word.partition(":")
    return ids_in([domain_id], "years")[0] if domain_id.strip() else 0, _number_of_years(years)


def _number_of_years(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise Refused(
            N_("A domain is renewed for a whole number of years; choose it from the list."), field="years"
        )
    return int(text)
