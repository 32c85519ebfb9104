"""`logs`: the sync log."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from msgspec.structs import replace
from psycopg import Connection

from consumer.cli.context import Moment, as_json, assembly
from consumer.cli.log_table import print_entries, row
from consumer.cli.output import print_json_lines, print_table, shown
from consumer.operations.assembly import Assembly
from consumer.results import LogCount, LogFilter, LoggedEntry, Operation, Outcome, log_counts, log_entries

_FOLLOW_SECONDS = 0.5
# Rows become visible when their transaction ends, so later than their time says and not by their ids' order.
_LOOK_BACK = timedelta(seconds=90)
_PAGE = 500


@click.command()
@click.option("--organisation", "organisation_id")
@click.option("--clinic", "clinic_id")
@click.option("--order", "order_id")
@click.option("--invoice", "invoice_number", help="Its number.")
@click.option("--operation", type=click.Choice([operation.value for operation in Operation]))
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]))
@click.option("--problem", help="A problem's code.")
@click.option("--since", type=Moment(), help="2026-01-31T09:30 (UTC), 2026-01-31, or 15m, 2h, 3d ago.")
@click.option("--until", type=Moment())
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with new rows until Ctrl-C, the oldest first.")
@click.option("--summary", is_flag=True, help="Only count, by operation, outcome and problem.")
@as_json
def logs(*, limit: int, follow: bool, summary: bool, as_json: bool, **filters: Any) -> None:
    """Show what was done in Xero and what failed, the newest first.

    --json prints one JSON document a line, complete with Xero's own message.
    """
    wanted = LogFilter(
        **{
            **filters,
            "operation": None if filters["operation"] is None else Operation(filters["operation"]),
            "outcome": None if filters["outcome"] is None else Outcome(filters["outcome"]),
        }
    )
    with assembly() as parts, parts.connect("logs") as connection:
        if summary:
            counts = log_counts(connection, wanted)
            _print_summary(counts, as_json=as_json)
            _tell_if_empty(parts, wanted, counts, as_json=as_json)
            return
        entries = _newest(connection, wanted, limit)
        if not follow:
            _print(entries, as_json=as_json)
            _tell_if_empty(parts, wanted, entries, as_json=as_json)
            return
        for batch in _follow(connection, wanted, entries[::-1]):
            _print_lines(batch, as_json=as_json)


def _newest(connection: Connection[Any], wanted: LogFilter, limit: int) -> list[LoggedEntry]:
    entries: list[LoggedEntry] = []
    while len(entries) < limit:
        before_id = entries[-1].log_id if entries else None
        page = log_entries(connection, wanted, before_id=before_id, limit=min(_PAGE, limit - len(entries)))
        if not page:
            break
        entries += page
    return entries


def _follow(connection: Connection[Any], wanted: LogFilter, entries: list[LoggedEntry]) -> Iterator[list[LoggedEntry]]:
    shown_ids = {entry.log_id: entry.occurred_at for entry in entries}
    yield entries
    started_at = datetime.now(UTC)
    while True:
        time.sleep(_FOLLOW_SECONDS)
        since = max(datetime.now(UTC) - _LOOK_BACK, wanted.since or started_at - _LOOK_BACK)
        recent = _newest(connection, replace(wanted, since=since), 10 * _PAGE)
        # What was there before the first look and was not shown, for the limit's sake, isn't new.
        fresh = [entry for entry in recent[::-1] if entry.log_id not in shown_ids and entry.occurred_at >= started_at]
        shown_ids = {log_id: at for log_id, at in shown_ids.items() if at >= since}
        shown_ids |= {entry.log_id: entry.occurred_at for entry in fresh}
        yield fresh


def _print(entries: list[LoggedEntry], *, as_json: bool) -> None:
    if as_json:
        print_json_lines(entries)
    elif entries:
        print_entries("", entries)


def _tell_if_empty(parts: Assembly, wanted: LogFilter, found: Sequence[object], *, as_json: bool) -> None:
    if found or as_json:
        return
    if wanted.problem is not None and wanted.problem not in parts.catalogue.entries:
        click.echo(f"There is no problem {wanted.problem!r}; the log has none of that name.")
    elif wanted == LogFilter():
        click.echo("The log is empty: nothing was sent to Xero yet, and nothing failed.")
    else:
        click.echo("The log has no rows that fit.")


def _print_lines(entries: list[LoggedEntry], *, as_json: bool) -> None:
    if as_json:
        print_json_lines(entries)
        return
    for entry in entries:
        # A row a line: a table has no end while it grows.
        click.echo("  ".join(shown(cell).replace("\n", " ") for cell in row(entry)))


def _print_summary(counts: Sequence[LogCount], *, as_json: bool) -> None:
    if as_json:
        print_json_lines(counts)
    elif counts:
        print_table(
            "",
            ["operation", "outcome", "problem", ">rows"],
            [[count.operation, count.outcome, count.problem, count.count] for count in counts],
        )
