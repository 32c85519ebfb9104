"""How commands print: JSON for programs, tables for people."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_SECONDS_A_MINUTE, _SECONDS_AN_HOUR, _SECONDS_A_DAY = 60, 3_600, 86_400
# Where output isn't a terminal, lines are not cut to 80 characters.
_WIDE = 200
# So far texts are folded in a table; and what a column takes besides.
_NARROWEST = 6
_FRAME = 3
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def show_progress(read: int, total: int) -> None:
    """Show how many events were read, of how many, where somebody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{read} of {total} events", nl=False, err=True)


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
    cells = [[shown(cell) for cell in row] for row in rows]
    needed = 1
    for number, column in enumerate(columns):
        is_number = column.startswith(">")
        name = column.removeprefix(">")
        # Texts make room for numbers, which would read as others if they were folded.
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
        widest = max(cell_len(text) for text in (name, *(row[number] for row in cells)))
        needed += _FRAME + (widest if is_number else min(widest, _NARROWEST))
    for row in cells:
        table.add_row(*map(escape, row))
    screen = console()
    # On a screen too narrow even so, lines run over its edge, where nothing is lost.
    screen.width = max(screen.width, needed)
    screen.print(table)


def console() -> Console:
    """Return a console on standard output as it is now."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDE)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what to tell (done, of how many) to: a bar on standard error while that is a terminal, else nothing."""
    screen = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
