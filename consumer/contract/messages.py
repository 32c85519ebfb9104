"""The messages of the service's own topics, field by field as in `schemas/`. Times are aware datetimes, in UTC."""

from datetime import datetime

import msgspec


class SyncLogResult(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the sync log, for the topic of results."""

    log_id: int
    occurred_at: datetime
    organisation_id: str
    clinic_id: str
    order_id: str
    operation: str
    outcome: str
    message: str
    trigger: str
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
    warnings: tuple[str, ...] = ()


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A ring of the doorbell: `trigger` is "retry" (the service's own) or "manual" (a person waits for it)."""

    order_id: str
    requested_at: datetime
    organisation_id: str | None = None
    not_before: datetime | None = None
    attempt: int | None = None
    revision: int | None = None
    trigger: str = "retry"
    actor: str | None = None
    reason: str | None = None


class Header(msgspec.Struct, frozen=True):
    """One header of a Kafka message."""

    name: str
    value: bytes | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was set aside.

    `reason` is "undecodable", "impossible", "refused" (by the database), "defect" (of the service) or "conflict"
    (another event has its sequence).
    """

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    dead_at: datetime
    message_timestamp: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[Header, ...] = ()
    order_id: str | None = None
    organisation_id: str | None = None


Message = SyncLogResult | RetryRequest | DeadLetter
