"""How commands print: JSON for programs, tables for people."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SECONDS_A_MINUTE, _SECONDS_AN_HOUR, _SECONDS_A_DAY = 60, 3_600, 86_400
# Where output isn't a terminal, lines are not cut to 80 characters.
_WIDE = 200
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def print_json(document: Any) -> None:
    """Print one JSON document; structs, times and enumerations as msgspec writes them."""
    echo_json(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_json_lines(documents: Iterable[Any]) -> None:
    """Print one JSON document a line."""
    for document in documents:
        echo_json(msgspec.json.encode(document).decode())


def echo_json(text: str) -> None:
    """Print JSON; where standard output takes ASCII alone, letters beyond it are escaped, which says the same."""
    if not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf"):
        text = _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    click.echo(text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; a column whose name begins with ">" is aligned to the right."""
    table = Table(title=title or None, title_justify="left", header_style="bold", title_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(escape(shown(cell)) for cell in row))
    console().print(table)


def console() -> Console:
    """Return a console on standard output as it is now."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDE)


def shown(value: object) -> str:
    """Return a cell's text: nothing for None, times to the second in UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def duration(seconds: float | None) -> str:
    """Return a span for people: 45 s, 12 min, 3.5 h, 2.1 d."""
    if seconds is None:
        return ""
    if seconds < _SECONDS_A_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _SECONDS_AN_HOUR:
        return f"{seconds / _SECONDS_A_MINUTE:.0f} min"
    if seconds < _SECONDS_A_DAY:
        return f"{seconds / _SECONDS_AN_HOUR:.1f} h"
    return f"{seconds / _SECONDS_A_DAY:.1f} d"
