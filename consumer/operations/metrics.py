"""What this process counts, for Prometheus: implements what the rooms below want to tell about themselves."""

import platform
import threading
import time
from collections import Counter as Counts
from importlib.metadata import version

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.operations import metric_table as table
from consumer.operations.kafka_statistics import read_statistics
from consumer.operations.metric_table import Kind, Metric
from consumer.results import OutboxTopic
from consumer.xero import CallRecord

_ORDER_RESULTS = ("synced", "failed", "waiting", "held", "in_doubt")
_REASONS = ("database", "broker", "turn")
_OK, _REDIRECT, _REFUSED, _LIMITED, _SERVER, _UNAVAILABLE = 200, 300, 400, 429, 500, 503
_CONSOLE_RESULTS = ("ok", "unavailable", "failed")
_PARTS = ("postgres", "kafka", "registry")


class Metrics:
    """Counters and gauges of one process, in a registry of their own. All methods are quick and thread-safe."""

    def __init__(self) -> None:
        # Prometheus knows when a series began without a second series beside each counter.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._kept = {metric: _create(metric, self.registry) for metric in table.TABLE if not metric.at_scrape}
        self._lock = threading.Lock()
        self._assigned = 0
        # Monotonic times of the newest sign of life of the pushing threads and the relay.
        self.last_push_sign = time.monotonic()
        self.last_relay_sign = time.monotonic()
        self.relay_reason: str | None = None
        self.rebalanced = False
        self.waiting_for: str | None = None
        # Monotonic time since when the group isn't settled.
        self.joining_since: float | None = None
        # None before the client first told of itself, which it does every few seconds as long as it lives.
        self.last_client_sign: float | None = None
        self.brokers_connected: int | None = None
        self._broker_failures: Counts[tuple[str, str]] = Counts()
        # A rise from nothing is no rise to Prometheus: what an alert watches begins at 0.
        for kind in ("offset", "lease"):
            self._add(table.FENCES_LOST, 0, kind)
        for result in _ORDER_RESULTS:
            self._add(table.ORDERS_FINISHED, 0, result)
        self._wait_for(None)
        self._set(table.BUILD_INFO, 1, version("hearlink-xero"), platform.python_version())

    # ProjectionMetrics

    def events(self, outcome: str, count: int) -> None:
        """See `ProjectionMetrics`."""
        self._add(table.EVENTS, count, outcome)

    def retries(self, outcome: str, count: int) -> None:
        """See `ProjectionMetrics`."""
        self._add(table.RETRY_REQUESTS, count, outcome)

    def batch(self, messages: int, orders: int, seconds: float) -> None:
        """See `ProjectionMetrics`."""
        self._wait_for(None)
        self._observe(table.BATCH_MESSAGES, messages)
        self._observe(table.BATCH_ORDERS, orders)
        self._observe(table.COMMIT, seconds)

    def age(self, seconds: float) -> None:
        """See `ProjectionMetrics`."""
        self._observe(table.EVENT_AGE, max(seconds, 0.0))

    def phase(self, name: str, seconds: float) -> None:
        """See `ProjectionMetrics`."""
        self._add(table.PHASES, seconds, name)

    def fence_lost(self, partitions: int) -> None:
        """See `ProjectionMetrics`."""
        self._add(table.FENCES_LOST, partitions, "offset")

    def rebalance(self, kind: str, partitions: int) -> None:
        """See `ProjectionMetrics`."""
        self._add(table.REBALANCES, 1, kind)
        with self._lock:
            self.rebalanced = True
            # Whatever kept partitions from being claimed is over; on a quiet topic no batch says so.
            self.waiting_for = None
            self._assigned = max(self._assigned + (partitions if kind == "assigned" else -partitions), 0)
            self._set(table.ASSIGNED_PARTITIONS, self._assigned)

    def waiting(self, *, reason: str, seconds: float) -> None:
        """See `ProjectionMetrics`."""
        self._wait_for(reason)
        self._add(table.WAITING, seconds, reason)

    def resumed(self) -> None:
        """See `ProjectionMetrics`."""
        self._wait_for(None)

    def statistics(self, text: str) -> None:
        """See `ProjectionMetrics`."""
        found = read_statistics(text)
        self.last_client_sign = time.monotonic()
        self.joining_since = (self.joining_since or time.monotonic()) if found.is_joining else None
        self.brokers_connected = found.brokers_connected
        self._set(table.FETCH_QUEUE_MESSAGES, found.queue_messages)
        self._set(table.FETCH_QUEUE_BYTES, found.queue_bytes)
        for name, broker in found.brokers.items():
            self._set(table.BROKER_ROUND_TRIP, broker.round_trip_seconds, name, "mean")
            self._set(table.BROKER_ROUND_TRIP, broker.round_trip_p99_seconds, name, "p99")
            self._set(table.BROKER_THROTTLE, broker.throttle_seconds, name)
            for kind, count in broker.failures.items():
                self._add(table.BROKER_FAILURES, max(count - self._broker_failures[name, kind], 0), name, kind)
                self._broker_failures[name, kind] = count

    @property
    def assigned_partitions(self) -> int:
        """How many partitions this process reads."""
        return self._assigned

    # SyncMetrics

    def order_finished(self, result: str) -> None:
        """See `SyncMetrics`."""
        self.last_push_sign = time.monotonic()
        self._add(table.ORDERS_FINISHED, 1, result)

    def order_synced(self, seconds: float) -> None:
        """See `SyncMetrics`."""
        self._observe(table.SYNC_LATENCY, seconds)

    def batch_sent(self, stage: str, elements: int) -> None:
        """See `SyncMetrics`."""
        self.last_push_sign = time.monotonic()
        self._observe(table.CALL_ELEMENTS, elements, stage)

    def lease_lost(self) -> None:
        """See `SyncMetrics`."""
        self._add(table.FENCES_LOST, 1, "lease")

    def retry_scheduled(self, problem_class: str) -> None:
        """See `SyncMetrics`."""
        self._add(table.RETRIES, 1, problem_class)

    def unknown_message(self) -> None:
        """See `SyncMetrics`."""
        self._add(table.UNKNOWN_MESSAGES, 1)

    def xero_call(self, call: CallRecord) -> None:
        """Count one call; for `XeroClient`."""
        self.last_push_sign = time.monotonic()
        self._add(table.XERO_CALLS, 1, call.method, call.resource, call.outcome)
        self._add(table.XERO_TENANT_CALLS, 1, call.tenant_id, _result(call.outcome))
        self._observe(table.XERO_CALL, call.seconds, call.resource)

    # RelayMetrics

    def relay_published(self, topic: OutboxTopic, count: int) -> None:
        """See `RelayMetrics`."""
        self.last_relay_sign = time.monotonic()
        self._add(table.PUBLISHED, count, topic.value)

    def relay_set_aside(self, topic: OutboxTopic) -> None:
        """See `RelayMetrics`."""
        self._add(table.SET_ASIDE, 1, topic.value)

    def relay_waits(self, reason: str | None) -> None:
        """See `RelayMetrics`."""
        self.last_relay_sign = time.monotonic()
        if reason != self.relay_reason or reason is None:
            self.relay_reason = reason
            for known in _REASONS:
                self._set(table.RELAY_WAITS, int(known == reason), known)

    # The console

    def console_begins(self) -> None:
        """Begin the console's counts, which only its own process has."""
        for result in _CONSOLE_RESULTS:
            self._add(table.CONSOLE_REQUESTS, 0, result)

    def console_answered(self, status: int, seconds: float) -> None:
        """Count one request, by the status of its answer."""
        result = "ok" if status < _SERVER else "unavailable" if status == _UNAVAILABLE else "failed"
        self._add(table.CONSOLE_REQUESTS, 1, result)
        self._observe(table.CONSOLE_REQUEST, seconds)

    # The process

    def part_awaited(self, part: str | None) -> None:
        """Tell which part the process waits for before its roles can start; None = no longer."""
        self._wait_for(part)

    def role(self, name: str, *, up: bool) -> None:
        """Tell whether a role runs."""
        self._set(table.ROLE_UP, int(up), name)

    def _wait_for(self, part: str | None) -> None:
        self.waiting_for = part
        for known in _PARTS:
            self._set(table.WAITS, int(known == part), known)

    def _add(self, metric: Metric, amount: float, *labels: str) -> None:
        kept = self._kept[metric]
        assert isinstance(kept, Counter)  # noqa: S101 -- the table says so
        (kept.labels(*labels) if labels else kept).inc(amount)

    def _set(self, metric: Metric, value: float, *labels: str) -> None:
        kept = self._kept[metric]
        assert isinstance(kept, Gauge)  # noqa: S101 -- the table says so
        (kept.labels(*labels) if labels else kept).set(value)

    def _observe(self, metric: Metric, value: float, *labels: str) -> None:
        kept = self._kept[metric]
        assert isinstance(kept, Histogram)  # noqa: S101 -- the table says so
        (kept.labels(*labels) if labels else kept).observe(value)


def _create(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind is Kind.COUNTER:
        return Counter(metric.full_name, metric.help, metric.labels, registry=registry)
    if metric.kind is Kind.GAUGE:
        return Gauge(metric.full_name, metric.help, metric.labels, registry=registry)
    return Histogram(metric.full_name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)


def _result(outcome: str) -> str:
    if not outcome.isdigit():
        return "failed"
    status = int(outcome)
    if _OK <= status < _REDIRECT:
        return "ok"
    if status == _LIMITED:
        return "limited"
    return "refused" if _REFUSED <= status < _SERVER else "failed"
