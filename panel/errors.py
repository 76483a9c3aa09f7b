"""Refusals: what a person asked for that can't be done, with the field and the remedy. Nothing was changed."""

from __future__ import annotations


def N_(message: str) -> str:
    """Marks a message for translation where it is written; it is translated where it is shown."""
    return message


class Refused(Exception):
    """`message` is English with %(name)s places, filled from `params` after translation."""

    status = 422

    def __init__(self, message: str, *, field: str | None = None, **params: object):
        super().__init__(message % params if params else message)
        self.message = message
        self.params = params
        self.field = field


class Conflict(Refused):
    """Somebody else was faster, or what was shown has changed."""

    status = 409


class NotThere(Exception):
    """An id that is absent, or belongs to somebody else: told apart by nobody."""
