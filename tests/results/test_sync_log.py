"""The sync log: rows and messages in one transaction, skips told once, searching by page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from consumer.contract import MessageDecoder, SyncLogResult
from consumer.results import (
    LogEntry,
    LogFilter,
    Operation,
    OutboxEncoder,
    Outcome,
    Trigger,
    log_counts,
    log_entries,
    record,
    record_skips,
    unpublished_count,
)
from tests.results.conftest import make_entry

FULL = make_entry(
    "order-1",
    tenant_id="tenant-1",
    operation=Operation.PAYMENT_CREATE,
    outcome=Outcome.FAILED,
    problem="payment_exceeds_outstanding",
    problem_class="xero",
    message="The payment is more than what is still to pay.",
    fix="Compare.",
    xero_message="Payment amount exceeds the amount outstanding on this document",
    xero_id="3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    local_id="payment-1",
    invoice_number="WH00035",
    trigger=Trigger.RETRY,
    actor="user-1",
    attempt=3,
    revision=7,
    event_id="00000000-0000-0000-0000-000000000001",
    intent_id=11,
    problem_id=12,
    warnings=("One.", "Two “quoted”."),
)


def test_an_entry_comes_back_as_it_was_written(connection: Connection[Any], encoder: OutboxEncoder) -> None:
    (log_id,) = record(connection, [FULL], encoder.log_entry)
    (logged,) = log_entries(connection, LogFilter())
    assert log_id == logged.log_id
    for field in LogEntry.__struct_fields__:
        assert getattr(FULL, field) == getattr(logged, field)
    assert isinstance(logged.operation, Operation)


def test_its_message_carries_the_same(
    connection: Connection[Any], encoder: OutboxEncoder, decoder: MessageDecoder
) -> None:
    (log_id,) = record(connection, [FULL], encoder.log_entry)
    row = connection.execute("select topic, key, value from outbox").fetchone()
    assert row is not None
    topic, key, value = row
    result = decoder.decode(SyncLogResult, value)
    assert topic == "sync_log"
    assert key == b"order-1"
    assert result.log_id == log_id
    for field in set(LogEntry.__struct_fields__) - {"intent_id", "problem_id"}:
        assert getattr(FULL, field) == getattr(result, field)
    assert abs(result.occurred_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_many_entries_keep_their_order_in_the_log_and_in_the_outbox(
    connection: Connection[Any], encoder: OutboxEncoder, decoder: MessageDecoder
) -> None:
    entries = [make_entry(f"order-{number % 7}", message=f"No. {number}") for number in range(500)]
    ids = record(connection, entries, encoder.log_entry)
    assert sorted(ids) == ids
    rows = connection.execute("select key, value from outbox order by id").fetchall()
    results = [decoder.decode(SyncLogResult, value) for _, value in rows]
    assert [entry.message for entry in entries] == [result.message for result in results]
    assert ids == [result.log_id for result in results]
    assert [entry.order_id.encode() for entry in entries] == [key for key, _ in rows]


def test_nothing_is_written_when_the_transaction_fails(connection: Connection[Any], encoder: OutboxEncoder) -> None:
    def refuse(_log_id: int, _occurred_at: datetime, _entry: LogEntry) -> bytes:
        raise RuntimeError("no encoding today")

    with pytest.raises(RuntimeError, match="no encoding"), connection.transaction():
        record(connection, [FULL], refuse)
    assert log_entries(connection, LogFilter()) == []
    assert unpublished_count(connection) == 0
    assert record(connection, [], encoder.log_entry) == []


def _skip(order_id: str = "order-1", problem: str = "order_closed", local_id: str | None = None) -> LogEntry:
    return make_entry(
        order_id, operation=Operation.ORDER_SYNC, outcome=Outcome.SKIPPED, problem=problem, local_id=local_id
    )


def test_a_skip_is_told_once(connection: Connection[Any], encoder: OutboxEncoder) -> None:
    assert len(record_skips(connection, [_skip(), _skip()], encoder.log_entry)) == 1
    assert record_skips(connection, [_skip()], encoder.log_entry) == []
    # A failure in between, for example a lost connection, is no change of what the skip is about.
    record(connection, [make_entry(operation=Operation.ORDER_SYNC, outcome=Outcome.FAILED)], encoder.log_entry)
    assert record_skips(connection, [_skip()], encoder.log_entry) == []


def test_skips_of_other_orders_reasons_and_parts_are_told_too(
    connection: Connection[Any], encoder: OutboxEncoder
) -> None:
    record_skips(connection, [_skip()], encoder.log_entry)
    others = [_skip("order-2"), _skip(problem="no_invoice"), _skip(local_id="payment-1"), _skip(local_id="payment-2")]
    assert len(record_skips(connection, [_skip(), *others], encoder.log_entry)) == 4
    assert record_skips(connection, [_skip(), *others], encoder.log_entry) == []


def test_a_skip_is_told_again_after_its_subject_went_through(
    connection: Connection[Any], encoder: OutboxEncoder
) -> None:
    deleted = _skip(problem="invoice_deleted_in_hearlink", local_id="invoice-1")
    assert record_skips(connection, [deleted], encoder.log_entry)
    record(connection, [make_entry(local_id="payment-1")], encoder.log_entry)
    assert record_skips(connection, [deleted], encoder.log_entry) == []
    record(connection, [make_entry(local_id="invoice-1")], encoder.log_entry)
    assert record_skips(connection, [deleted], encoder.log_entry)
    assert record_skips(connection, [deleted], encoder.log_entry) == []


def test_pages_go_from_new_to_old_without_gap_or_overlap(connection: Connection[Any], encoder: OutboxEncoder) -> None:
    ids = record(connection, [make_entry() for _ in range(25)], encoder.log_entry)
    seen: list[int] = []
    before_id = None
    while page := log_entries(connection, LogFilter(organisation_id="org-1"), before_id=before_id, limit=10):
        seen += [entry.log_id for entry in page]
        before_id = page[-1].log_id
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (LogFilter(), 4),
        (LogFilter(organisation_id="org-2"), 1),
        (LogFilter(organisation_id="org-1", clinic_id="clinic-2"), 1),
        (LogFilter(order_id="order-1"), 1),
        (LogFilter(invoice_number="WH00035"), 1),
        (LogFilter(operation=Operation.PAYMENT_CREATE), 1),
        (LogFilter(outcome=Outcome.FAILED), 2),
        (LogFilter(problem="no_tenant"), 1),
        (LogFilter(problem_id=12), 1),
        (LogFilter(since=datetime(2020, 1, 1, tzinfo=UTC)), 4),
        (LogFilter(since=datetime(2120, 1, 1, tzinfo=UTC)), 0),
        (LogFilter(until=datetime(2020, 1, 1, tzinfo=UTC)), 0),
    ],
)
def test_filters(connection: Connection[Any], encoder: OutboxEncoder, wanted: LogFilter, count: int) -> None:
    entries = [
        FULL,
        make_entry("order-2", organisation_id="org-2"),
        make_entry("order-3", clinic_id="clinic-2"),
        make_entry("order-4", operation=Operation.ORDER_SYNC, outcome=Outcome.FAILED, problem="no_tenant"),
    ]
    record(connection, entries, encoder.log_entry)
    assert count == len(log_entries(connection, wanted))
    assert count == sum(row.count for row in log_counts(connection, wanted))


def test_counts_tell_what_happened_how_often(connection: Connection[Any], encoder: OutboxEncoder) -> None:
    failed = make_entry(outcome=Outcome.FAILED, problem="no_tenant", problem_class="settings")
    record(connection, [make_entry(), make_entry(), failed], encoder.log_entry)
    most, least = log_counts(connection, LogFilter())
    assert (most.operation, most.outcome, most.problem, most.count) == ("invoice_create", "succeeded", None, 2)
    assert (least.outcome, least.problem, least.problem_class, least.count) == ("failed", "no_tenant", "settings", 1)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (LogFilter(organisation_id="org-7"), "sync_log_newest"),
        (LogFilter(order_id="order-77"), "sync_log_order"),
        (LogFilter(organisation_id="org-231", invoice_number="WH77"), "sync_log_invoice"),
        (LogFilter(organisation_id="org-7", clinic_id="clinic-7"), "sync_log_clinic"),
        (LogFilter(organisation_id="org-50", outcome=Outcome.FAILED), "sync_log_failed"),
    ],
)
def test_pages_of_a_large_log_come_from_an_index(connection: Connection[Any], wanted: LogFilter, index: str) -> None:
    connection.execute(
        """
        insert into sync_log (
            organisation_id, clinic_id, order_id, invoice_number, operation, outcome, message, trigger, attempt
        )
        select 'org-' || n %% 250, 'clinic-' || n %% 500, 'order-' || n / 3, 'WH' || n / 3, 'invoice_create',
            case when n %% 50 = 0 then 'failed' else 'succeeded' end, 'Done.', 'auto', 1
        from generate_series(1, %s) n
        """,
        [20_000],
    )
    connection.execute("analyze sync_log")
    [(filled,)] = connection.execute("select distinct tableoid::regclass::text from sync_log").fetchall()
    of_months = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass"
    parts = [part for (part,) in connection.execute(of_months, [index])]
    connection.execute("load 'auto_explain'")
    plans: list[str] = []
    connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    connection.execute("set auto_explain.log_min_duration = 0")
    connection.execute("set auto_explain.log_level = 'notice'")
    assert log_entries(connection, wanted, limit=20)
    assert any(part in plans[-1] for part in parts)
    # The months without a row may be read as they please.
    assert f"Seq Scan on {filled}" not in plans[-1]
