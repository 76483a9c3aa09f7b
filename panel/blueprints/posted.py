"""What a form sent, read with suspicion: ids, ticks and pages. Nonsense raises Refused, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from werkzeug.datastructures import MultiDict

from panel.errors import N_, Refused
from panel.renewals.selection import MAX_EXCEPTIONS, Selection
from panel.web import as_id


def one_id(values: Mapping[str, str], name: str) -> int:
    """The id in field `name`; Refused, naming the field, when it is missing or isn't one."""
    found = optional_id(values, name)
    if found is None:
        raise Refused(N_("Choose one from the list."), field=name)
    return found


def optional_id(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name, "").strip()
    return _id(text, name) if text else None


def ids_in(texts: Iterable[str], name: str) -> list[int]:
    """Ids written one by one or with commas between them, each once."""
    words = dict.fromkeys(word.strip() for text in texts for word in text.split(",") if word.strip())
    if len(words) > MAX_EXCEPTIONS:
        raise Refused(
            N_("At most %(most)s domains can be ticked one by one; use the action for all of them instead."),
            field=name,
            most=MAX_EXCEPTIONS,
        )
    return [_id(word, name) for word in words]


def page_number(values: Mapping[str, str]) -> int:
    """The page that a paging button asks for, else the one that was shown, else the first."""
    return min(as_id(values.get("go") or values.get("page")) or 1, 1_000_000)


def arrived_with(values: MultiDict[str, str], *, everything: bool) -> Selection:
    """The ticks that the Domains page hands over by its address."""
    return Selection.all() if everything else Selection.of(ids_in(values.getlist("tick"), "tick"))


def posted_selection(values: MultiDict[str, str]) -> Selection:
    """The rule with exceptions that the page carried along, changed by the rows that it showed."""
    match values.get("choose"):
        case "all":
            return Selection.all()
        case "none":
            return Selection.of(())
    exceptions = ids_in([values.get("exceptions", "")], "tick")
    shown = ids_in([values.get("shown", "")], "tick")
    carried = Selection(values.get("everything") == "1", frozenset(exceptions))
    return carried.with_page(shown, ids_in(values.getlist("tick"), "tick"))


def _id(text: str, name: str) -> int:
    found = as_id(text)
    if found is None:
        raise Refused(N_("The form was damaged on its way; open the page again."), field=name)
    return found
