"""Answers that are wrong in one respect, for processors whose field names the author tells."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateways.mock.faults import FaultKind


def falsified(kind: FaultKind, body: Any, names: Mapping[FaultKind, tuple[str, ...]]) -> Any:
    """`body` with every field of `names[kind]`, at any depth, made wrong; records are left alone."""
    chosen = names.get(kind, ())
    if isinstance(body, Mapping):
        return {
            name: _wrong(kind, value)
            if name in chosen and value is not None
            else falsified(kind, value, names)
            for name, value in body.items()
        }
    if isinstance(body, list | tuple):
        return [falsified(kind, item, names) for item in body]
    return body


def _wrong(kind: FaultKind, value: Any) -> Any:
    if kind is FaultKind.WRONG_AMOUNT:
        return _more(value)
    if kind is FaultKind.WRONG_CURRENCY:
        return _other_currency(value)
    return f"{value}x"


def _more(value: Any) -> Any:
    """100 minor units or 1 major unit more, in the form that it came in."""
    if isinstance(value, Mapping):
        return {name: _more(inside) if name == "value" else inside for name, inside in value.items()}
    if isinstance(value, str):
        return str(Decimal(value) + (1 if "." in value else 100))
    return value + 100


def _other_currency(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _other_currency(inside) if name == "currency" else inside for name, inside in value.items()
        }
    other = "USD" if str(value).upper() != "USD" else "EUR"
    return other.lower() if str(value).islower() else other
