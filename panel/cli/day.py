"""A calendar day on the command line."""

from __future__ import annotations

import re
from datetime import date

import click


class Day(click.ParamType):
    """Written as 2026-12-31."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        written = str(value)
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
                return date.fromisoformat(written)
        except ValueError:
            pass
        self.fail(f"{written!r} is not a day; write it as 2026-12-31.", param, ctx)
