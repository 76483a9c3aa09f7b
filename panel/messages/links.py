"""Where a mail's links lead: paths under the panel's own address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PATHS = {
    "proforma_link": "/accounts/{account_id}/proformas/{proforma_id}",
    "cards_link": "/accounts/{account_id}/cards",
    "domains_link": "/accounts/{account_id}/domains",
}

_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\]{1,1900}")


def links_for(facts: Mapping[str, Any]) -> dict[str, str | None]:
    """Every link by name, None where the facts don't say enough. A fact called `link` is a link as it is.

    ValueError for an address that is none.
    """
    links = {name: _filled(path, facts) for name, path in PATHS.items()}
    links["link"] = _checked(facts["link"]) if facts.get("link") else links["proforma_link"]
    return links


def _filled(path: str, facts: Mapping[str, Any]) -> str | None:
    base = facts.get("base_url")
    ids = {name: facts.get(name) for name in re.findall(r"{(\w+)}", path)}
    if not base or None in ids.values():
        return None
    return _checked(base).rstrip("/") + path.format(**{name: int(str(value)) for name, value in ids.items()})


def _checked(address: object) -> str:
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise ValueError("a link in a mail is an address that starts with https:// or http://")
    return address
