"""How commands print: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Columns for a table that isn't shown on a terminal.
WIDE = 240

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of a table."
)


def print_json(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Numbers stand to the right. Nothing in a cell is taken for markup or moves the cursor."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        numbers = all(cell[place].justify == "right" for cell in cells)
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    console = Console(highlight=False)
    if not console.is_terminal:
        # A file or a pipe has no width: whoever reads it looks for whole lines.
        console.width = WIDE
    console.print(table)


def _cell(value: object) -> Text:
    said = "" if value is None else str(value)
    safe = "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in said)
    return Text(safe, justify="right" if isinstance(value, int) and not isinstance(value, bool) else "left")
