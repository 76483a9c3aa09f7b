"""Reads a form out of a page as a browser would send it."""

from __future__ import annotations

from html.parser import HTMLParser

from werkzeug.datastructures import MultiDict


class _FormReader(HTMLParser):
    def __init__(self, action: str) -> None:
        super().__init__()
        self._action = action
        self._inside = False
        self._select: str | None = None
        self._first_option: str | None = None
        self._selected: str | None = None
        self.found = False
        self.fields: MultiDict[str, str] = MultiDict()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: text or "" for name, text in attrs}
        if tag == "form" and values.get("action", "").endswith(self._action):
            self._inside = self.found = True
        if not self._inside or "disabled" in values:
            return
        if tag == "input" and values.get("name"):
            if values.get("type") not in ("checkbox", "radio") or "checked" in values:
                self.fields.add(values["name"], values.get("value", "on"))
        elif tag == "select":
            self._select, self._first_option, self._selected = values["name"], None, None
        elif tag == "option" and self._select:
            if self._first_option is None:
                self._first_option = values["value"]
            if "selected" in values:
                self._selected = values["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag == "select" and self._select:
            chosen = self._selected if self._selected is not None else self._first_option
            if chosen is not None:
                self.fields.add(self._select, chosen)
            self._select = None


def fields_of(page: str, action: str) -> MultiDict[str, str]:
    """What the form whose action ends with `action` would send if its button were pressed now."""
    reader = _FormReader(action)
    reader.feed(page)
    assert reader.found, f"no form that posts to {action}"
    return reader.fields
