"""Rows of the sync log as a table."""

from collections.abc import Sequence

from consumer.cli.output import print_table
from consumer.results import LoggedEntry

COLUMNS = ("time (UTC)", "clinic", "order", "invoice", "operation", "outcome", "message")


def print_entries(title: str, entries: Sequence[LoggedEntry]) -> None:
    """Print `entries` in their order."""
    print_table(title, COLUMNS, [row(entry) for entry in entries])


def row(entry: LoggedEntry) -> tuple[object, ...]:
    """Return one row's cells."""
    message = entry.message
    if entry.fix:
        message = f"{message}\n→ {entry.fix}"
    for warning in entry.warnings:
        message = f"{message}\n! {warning}"
    return (
        entry.occurred_at,
        entry.clinic_id,
        entry.order_id,
        entry.invoice_number,
        entry.operation,
        entry.outcome,
        message,
    )
