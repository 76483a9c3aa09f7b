"""Reads the query string of a list: what can't be read means the default, since nobody types it."""

from __future__ import annotations

import enum
from datetime import date
from typing import TypeVar

from flask import request

State = TypeVar("State", bound=enum.StrEnum)


def search() -> str:
    return request.args.get("search", "").strip()


def one_of(name: str, states: type[State]) -> State | None:
    """The state that argument `name` gives; None when it gives none, or one that doesn't exist."""
    return request.args.get(name, None, type=states)


def day(name: str) -> date | None:
    return request.args.get(name, None, type=date.fromisoformat)


def kept(*names: str) -> dict[str, str]:
    """The arguments of a list that its paging and sorting links carry along; empty ones are left out."""
    return {name: value for name in names if (value := request.args.get(name, "").strip())}


def number(name: str, *, default: int, least: int, most: int) -> int:
    """The number that argument `name` gives, brought into its range."""
    return min(max(request.args.get(name, default, type=int), least), most)
