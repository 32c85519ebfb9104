"""The sync log: one row for each operation towards Xero, and one for each thing that was deliberately not sent."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries
from consumer.results.outbox import OutboxMessage, OutboxTopic, post

_QUERIES = load_queries(__file__, "sync_log.sql")


class Operation(StrEnum):
    """What was done, or should have been; ORDER_SYNC is what fails before any call."""

    CONTACT_CREATE = "contact_create"
    CONTACT_RENAME = "contact_rename"
    INVOICE_CREATE = "invoice_create"
    INVOICE_UPDATE = "invoice_update"
    INVOICE_AUTHORISE = "invoice_authorise"
    CREDIT_NOTE_CREATE = "credit_note_create"
    CREDIT_NOTE_ALLOCATE = "credit_note_allocate"
    CREDIT_NOTE_VOID = "credit_note_void"
    PAYMENT_CREATE = "payment_create"
    PAYMENT_DELETE = "payment_delete"
    ORDER_SYNC = "order_sync"


class Outcome(StrEnum):
    """How it ended; SKIPPED is what is deliberately not sent."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class Trigger(StrEnum):
    """What set the sync in motion: a change, a person's request, or the repetition of something that had failed."""

    AUTO = "auto"
    MANUAL = "manual"
    RETRY = "retry"


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `sync_log`, without the id and time that the database gives it.

    `problem`, `problem_class`, `message`, `fix` and `xero_message` come from a `Problem` where there is one; `message`
    is for people in every case. `local_id` is HearLink's id of the invoice, payment, credit note or patient.
    `warnings` are sentences for people about what went through, but not quite as wished.
    """

    organisation_id: str
    clinic_id: str
    order_id: str
    operation: Operation
    outcome: Outcome
    message: str
    trigger: Trigger
    attempt: int
    tenant_id: str | None = None
    problem: str | None = None
    problem_class: str | None = None
    fix: str | None = None
    xero_message: str | None = None
    xero_id: str | None = None
    local_id: str | None = None
    invoice_number: str | None = None
    actor: str | None = None
    revision: int | None = None
    event_id: str | None = None
    intent_id: int | None = None
    problem_id: int | None = None
    warnings: tuple[str, ...] = ()


# Turns a row (id, time, entry) into the value of its message: `OutboxEncoder.log_entry`.
EncodeLogEntry = Callable[[int, datetime, LogEntry], bytes]


def record(connection: Connection[Any], entries: Sequence[LogEntry], encode: EncodeLogEntry) -> list[int]:
    """Write `entries` and their messages for the sync-log topic in the caller's transaction; return their ids.

    What `encode` raises comes through; the transaction must be rolled back then.
    """
    if not entries:
        return []
    rows = connection.execute(_QUERIES["insert"], {"entries": msgspec.json.encode(entries).decode()}).fetchall()
    post(
        connection,
        [
            OutboxMessage(OutboxTopic.SYNC_LOG, entry.order_id.encode(), encode(entry_id, occurred_at, entry))
            for (entry_id, occurred_at), entry in zip(rows, entries, strict=True)
        ],
    )
    return [entry_id for entry_id, _ in rows]


def record_skips(connection: Connection[Any], entries: Sequence[LogEntry], encode: EncodeLogEntry) -> list[int]:
    """Write those of the skipped `entries` that the log does not tell already; return their ids.

    A skip is told already when the log has one of the same order, operation, problem and `local_id`, and nothing about
    that `local_id` succeeded since (a contact's new name aside): what is not sent is said once, not at each pass.
    """
    if not entries:
        return []
    told = connection.execute(
        _QUERIES["told_skips"],
        {
            "order_ids": [entry.order_id for entry in entries],
            "operations": [entry.operation.value for entry in entries],
            "problems": [entry.problem for entry in entries],
            "local_ids": [entry.local_id for entry in entries],
        },
    ).fetchall()
    known = {position - 1 for (position,) in told}
    new = {
        (entry.order_id, entry.operation, entry.problem, entry.local_id): entry
        for position, entry in enumerate(entries)
        if position not in known
    }
    return record(connection, list(new.values()), encode)
