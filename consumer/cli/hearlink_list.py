"""HearLink's own list of orders: the last sequence that it gave to each, as CSV or as JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain

from consumer.cli.failure import MISUSED, Failure

_COLUMNS = ("order_id", "sequence")
_SEQUENCE_MAX = 2**63 - 1
_ID_CHARACTERS_MAX = 1_000


def read_list(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (order_id, last sequence) of each line: `order_id,sequence`, or `{"order_id": …, "sequence": …}`.

    The first line says which: one that begins with a brace is JSON, one of the two names is a heading, and other
    columns may stand beside them. Empty lines are passed over.

    Raises:
        Failure: a line can't be read; it names the line and quotes nothing of it.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    if first[1].lstrip("\ufeff \t").startswith("{"):
        yield from _json_lines(first, numbered)
    else:
        yield from _csv_lines(first, numbered)


def _json_lines(first: tuple[int, str], rest: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    for number, line in chain([first], rest):
        try:
            document = json.loads(line.lstrip("\ufeff"))
        except ValueError:
            raise _unusable(number, "is no JSON") from None
        if not isinstance(document, dict):
            raise _unusable(number, "is no JSON object")
        yield _pair(number, document.get("order_id"), document.get("sequence"))


def _csv_lines(first: tuple[int, str], rest: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    order_at, sequence_at = 0, 1
    for number, line in chain([first], rest):
        try:
            (row,) = csv.reader([line.lstrip("\ufeff")], strict=True)
        except (csv.Error, ValueError):
            raise _unusable(number, "is no line of CSV") from None
        cells = [cell.strip() for cell in row]
        if number == first[0] and set(_COLUMNS) <= set(cells):
            order_at, sequence_at = (cells.index(name) for name in _COLUMNS)
            continue
        if len(cells) <= max(order_at, sequence_at):
            raise _unusable(number, "has too few columns")
        yield _pair(number, cells[order_at], cells[sequence_at])


def _pair(number: int, order_id: object, sequence: object) -> tuple[str, int]:
    if not isinstance(order_id, str) or not order_id or len(order_id) > _ID_CHARACTERS_MAX or "\0" in order_id:
        raise _unusable(number, "has no order_id")
    text = str(sequence)
    if isinstance(sequence, bool) or not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _SEQUENCE_MAX:
        raise _unusable(number, "has no sequence, which is a whole number of at least 1")
    return order_id, int(text)


def _unusable(number: int, what: str) -> Failure:
    return Failure(
        f"Line {number} of the list {what}. Write order_id,sequence on each line, or "
        '{"order_id": "…", "sequence": 7}; nothing was compared.',
        MISUSED,
    )
