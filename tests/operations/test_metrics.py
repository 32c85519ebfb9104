import re

import pytest
from prometheus_client import generate_latest

from consumer.operations import metric_table as table
from consumer.operations.metric_table import TABLE, Kind
from consumer.operations.metrics import Metrics
from consumer.projection import NoMetrics
from consumer.results import OutboxTopic
from consumer.sync.services import SilentMetrics
from consumer.xero import CallRecord

# How Prometheus wants a metric of each unit to end.
_ENDINGS = {"seconds": ("_seconds", "_seconds_total"), "seconds since 1970": ("_timestamp_seconds",)}


def values(metrics: Metrics) -> dict[str, float]:
    text = generate_latest(metrics.registry).decode()
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix(table.PREFIX): float(value) for name, _, value in rows}


def test_names_are_unique_well_formed_and_end_with_their_unit() -> None:
    names = [metric.name for metric in TABLE]
    assert len(set(names)) == len(names)
    for metric in TABLE:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name), metric.name
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith(_ENDINGS.get(metric.unit, ("",))), metric.name
        assert metric.help.endswith("."), metric.name
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM), metric.name


def test_no_label_names_an_order_a_patient_or_a_clinic() -> None:
    labels = {label for metric in TABLE for label in metric.labels}
    assert not [label for label in labels if re.search("order|patient|clinic|event|user|actor", label)]


def test_everything_that_the_rooms_tell_is_counted() -> None:
    metrics = Metrics()
    metrics.events("applied", 5)
    metrics.retries("due", 2)
    metrics.batch(7, 5, 0.02)
    metrics.age(1.5)
    metrics.phase("decode", 0.25)
    metrics.fence_lost(2)
    metrics.rebalance("assigned", 6)
    metrics.rebalance("revoked", 2)
    metrics.waiting(reason="postgres", seconds=1.0)
    metrics.order_finished("synced")
    metrics.order_synced(0.2)
    metrics.batch_sent("invoice_create", 40)
    metrics.lease_lost()
    metrics.retry_scheduled("transient")
    metrics.unknown_message()
    for outcome in ("200", "429", "400", "503", "AnswerLostError"):
        metrics.xero_call(CallRecord("tenant-1", "PUT", "Invoices", outcome, 0.3))
    metrics.relay_published(OutboxTopic.SYNC_LOG, 3)
    metrics.relay_set_aside(OutboxTopic.RETRY)
    metrics.relay_waits("broker")
    found = values(metrics)
    expected = {
        'events_total{outcome="applied"}': 5,
        'retry_requests_total{outcome="due"}': 2,
        "batch_messages_sum": 7,
        "batch_orders_sum": 5,
        "commit_seconds_sum": 0.02,
        "event_age_seconds_sum": 1.5,
        'loop_seconds_total{phase="decode"}': 0.25,
        'fences_lost_total{kind="offset"}': 2,
        'fences_lost_total{kind="lease"}': 1,
        'rebalances_total{kind="assigned"}': 1,
        "assigned_partitions": 4,
        'waiting_seconds_total{part="postgres"}': 1,
        'orders_finished_total{result="synced"}': 1,
        'orders_finished_total{result="failed"}': 0,
        "sync_latency_seconds_sum": 0.2,
        'call_elements_sum{stage="invoice_create"}': 40,
        'retries_total{problem_class="transient"}': 1,
        "unknown_messages_total": 1,
        'calls_total{endpoint="Invoices",method="PUT",outcome="429"}': 1,
        'tenant_calls_total{result="ok",tenant="tenant-1"}': 1,
        'tenant_calls_total{result="limited",tenant="tenant-1"}': 1,
        'tenant_calls_total{result="refused",tenant="tenant-1"}': 1,
        'tenant_calls_total{result="failed",tenant="tenant-1"}': 2,
        'call_seconds_count{endpoint="Invoices"}': 5,
        'outbox_published_total{topic="sync_log"}': 3,
        'outbox_set_aside_total{topic="retry"}': 1,
        'relay_waits{reason="broker"}': 1,
        'relay_waits{reason="turn"}': 0,
    }
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("protocol", [NoMetrics, SilentMetrics])
def test_every_hook_of_the_rooms_is_implemented(protocol: type) -> None:
    hooks = [name for name in vars(protocol) if not name.startswith("_")]
    assert hooks
    assert not [name for name in hooks if not callable(getattr(Metrics, name, None))]
