"""The settings of a gateway or registrar account, declared as data: the panel draws its form from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateways.secret import Secret


class FieldKind(StrEnum):
    TEXT = "text"
    SECRET = "secret"
    URL = "url"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One setting. `pattern` is a regular expression for the whole value; `required_when` is (key, value)
    of another field; `choices` are (value, label). Secrets are given to the gateway as `Secret`, never
    shown again."""

    key: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    required_when: tuple[str, str] | None = None
    pattern: str | None = None
    choices: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that staff must put right; `field` is a setting's key, or "" when no single field is to
    blame."""

    field: str
    message: str


SettingValue = str | int | bool | Secret | None


def problems_in(fields: Sequence[SettingField], settings: Mapping[str, SettingValue]) -> list[Problem]:
    """What is missing, of the wrong type, not in the pattern, not among the choices; no network."""
    found = [problem for field in fields if (problem := _problem(field, settings)) is not None]
    known = {field.key for field in fields}
    found += [Problem(field=key, message=f"{key} is not a setting") for key in settings if key not in known]
    return found


def _problem(field: SettingField, settings: Mapping[str, SettingValue]) -> Problem | None:
    value = settings.get(field.key)
    if value is None or value == "" or (isinstance(value, Secret) and not value):
        if _is_required(field, settings):
            return Problem(field=field.key, message=f"{field.label} is missing")
        return None
    complaint = _complaint(field, value)
    return None if complaint is None else Problem(field=field.key, message=f"{field.label} {complaint}")


def _is_required(field: SettingField, settings: Mapping[str, SettingValue]) -> bool:
    if field.required_when is None:
        return field.required
    key, wanted = field.required_when
    return str(settings.get(key)) == wanted


def _complaint(field: SettingField, value: SettingValue) -> str | None:
    if (field.kind is FieldKind.SECRET) != isinstance(value, Secret):
        return "must be a Secret" if field.kind is FieldKind.SECRET else "must not be a Secret"
    if field.kind is FieldKind.BOOLEAN:
        return None if isinstance(value, bool) else "is neither true nor false"
    if field.kind is FieldKind.INTEGER:
        return None if type(value) is int else "is not a whole number"
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return "is not a text"
    if field.choices and text not in {choice for choice, _ in field.choices}:
        return "is not one of the choices"
    if field.kind is FieldKind.URL and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        return "is not a web address"
    if field.pattern is not None and not re.fullmatch(field.pattern, text):
        return "has not the expected form"
    return None
