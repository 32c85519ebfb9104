"""What is looked up when Prometheus asks: the tables' numbers, the loops' signs of life, the lag."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector as BaseCollector

from consumer.database import is_limit
from consumer.operations import metric_table as table
from consumer.operations.assembly import Assembly
from consumer.operations.metric_table import Metric
from consumer.operations.running import Running
from consumer.operations.status import Gauges, OrderGroup, read_gauges
from consumer.projection import Lag, Reason
from consumer.xero import BudgetUsage

# Two Prometheus servers, or an impatient one, cost the database no more than one.
CACHE_SECONDS = 5.0

_LOG = structlog.get_logger()


class Collector(BaseCollector):
    """Looks things up, at most once in CACHE_SECONDS; an absent database leaves its series out. How long, it says."""

    def __init__(self, assembly: Assembly, running: Running) -> None:
        self._assembly = assembly
        self._running = running
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        # When it last answered; None before it ever did.
        self._read_at: float | None = None
        self._gauges: Gauges | None = None
        self._usage: dict[str, BudgetUsage] = {}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name what `collect` yields; asked once, when nothing can be looked up yet."""
        for metric in table.TABLE:
            # Whether the console is ready only its own process tells.
            if metric.at_scrape and metric is not table.CONSOLE_READY:
                yield _family(metric)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all series."""
        with self._lock:
            self._refresh()
            gauges, usage, read_at = self._gauges, self._usage, self._read_at
            yield from self._own()
        yield _single(table.DATABASE_UP, 0.0 if gauges is None else 1.0)
        if read_at is not None:
            # Also while Postgres is away: a series that vanishes tells nobody how long.
            yield _single(table.GAUGES_AGE, time.monotonic() - read_at)
        if gauges is not None:
            yield from _families(gauges, usage)

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._asked_at < CACHE_SECONDS:
            return
        self._asked_at = now
        assembly = self._assembly
        try:
            with assembly.connect("metrics") as connection:
                self._gauges = read_gauges(connection)
                connected = [tenant.tenant_id for tenant in self._gauges.tenants if tenant.connected]
                self._usage = assembly.budget.usages(connection, connected)
            self._read_at = now
        except psycopg.Error as error:
            self._gauges, self._usage = None, {}
            reason = str(error) if is_limit(error) else type(error).__name__
            _LOG.warning("metrics_without_database", error=reason, sqlstate=error.sqlstate)

    def _own(self) -> Iterator[GaugeMetricFamily]:
        projection, pusher, lag_watch = self._running.projection, self._running.pusher, self._running.lag_watch
        # From monotonic to wall clock.
        offset = time.time() - time.monotonic()
        if projection is not None:
            yield _single(table.LAST_POLL, projection.last_poll + offset)
            joining_since = self._assembly.metrics.joining_since
            yield _single(table.GROUP_JOINING, 0.0 if joining_since is None else time.monotonic() - joining_since)
            if self._assembly.metrics.brokers_connected is not None:
                yield _single(table.BROKERS_CONNECTED, self._assembly.metrics.brokers_connected)
        if lag_watch is not None:
            lag = lag_watch.newest()
            yield from _lag_families(lag, lag_watch.topics)
            if projection is not None:
                reads = projection.reads
                yield _filled(table.PARTITION_READ, ((_labels(place), place in reads) for place in lag.partitions))
        if pusher is not None:
            # A round may serve one tenant for long: each of its calls is a sign of life.
            yield _single(table.LAST_ROUND, max(pusher.last_round, self._assembly.metrics.last_push_sign) + offset)


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.full_name, metric.help, labels=metric.labels)


def _single(metric: Metric, value: float) -> GaugeMetricFamily:
    return _filled(metric, [((), value)])


def _filled(metric: Metric, values: Iterable[tuple[tuple[str, ...], float | None]]) -> GaugeMetricFamily:
    family = _family(metric)
    for labels, value in values:
        if value is not None:
            family.add_metric(labels, value)
    return family


def _lag_families(lag: Lag, topics: Iterable[str]) -> Iterator[GaugeMetricFamily]:
    partitions = [(_labels(place), found) for place, found in sorted(lag.partitions.items())]
    yield _filled(table.LAG, ((labels, found.messages) for labels, found in partitions))
    yield _filled(table.LAG_HELD, ((labels, found.held) for labels, found in partitions))
    yield _filled(table.LAG_SECONDS, ((labels, found.seconds) for labels, found in partitions))
    yield _filled(table.LAG_KNOWN, ((labels, found.is_known) for labels, found in partitions))
    faults = {(topic, fault.reason) for topic, fault in lag.faults.items()}
    yield _filled(
        table.TOPIC_UNREADABLE,
        (((topic, reason), (topic, reason) in faults) for topic in topics for reason in Reason),
    )


def _labels(place: tuple[str, int]) -> tuple[str, str]:
    return place[0], str(place[1])


def _families(gauges: Gauges, usage: Mapping[str, BudgetUsage]) -> Iterator[GaugeMetricFamily]:
    yield from _order_families(gauges.orders)
    yield _filled(table.OPEN_INTENTS, (((entry.tenant,), entry.intents) for entry in gauges.intents))
    yield _filled(table.OLDEST_INTENT, (((entry.tenant,), entry.oldest_seconds) for entry in gauges.intents))
    yield _filled(table.LEASES, zip((("held",), ("expired",)), gauges.leases, strict=True))
    outbox = gauges.outbox
    yield _filled(table.OUTBOX, ((("waiting",), outbox.waiting), (("set_aside",), outbox.set_aside)))
    yield _single(table.OLDEST_OUTBOX, outbox.oldest_seconds or 0.0)
    yield _filled(table.DEAD_LETTERS, (((reason,), count) for reason, count in gauges.dead_letters.items()))
    yield _filled(
        table.PROBLEMS, (((problem.problem_class, problem.code), problem.problems) for problem in gauges.problems)
    )
    yield _filled(table.ROLE_FAILURES, (((entry.role, entry.code), entry.failures) for entry in gauges.role_failures))
    connections = gauges.connections
    access = gauges.access
    locked_out = {entry.organisation_id for entry in access if not entry.tenant_id and not entry.scope}
    yield _filled(table.CONNECTED, (((c.organisation_id,), c.organisation_id not in locked_out) for c in connections))
    yield _filled(
        table.ACCESS_REFUSED,
        (((entry.organisation_id, entry.tenant_id, entry.scope, entry.code.value), 1) for entry in access),
    )
    yield _filled(table.TOKEN_AGE, (((c.organisation_id,), c.token_age_seconds) for c in connections))
    yield _filled(table.TENANT_CONNECTED, (((t.tenant_id, t.organisation_id), t.connected) for t in gauges.tenants))
    # One tenant may be connected to two organisations of HearLink; it has one budget.
    frozen = {tenant.tenant_id: tenant.frozen_seconds or 0.0 for tenant in gauges.tenants}
    yield _filled(table.FROZEN, (((tenant,), seconds) for tenant, seconds in frozen.items()))
    yield _filled(
        table.BUDGET_LEFT,
        (
            ((tenant, window), max(limit - used, 0))
            for tenant, used_up in usage.items()
            for window, limit, used in (
                ("minute", used_up.minute_limit, used_up.minute_used),
                ("day", used_up.day_limit, used_up.day_used),
            )
        ),
    )


def _order_families(groups: Iterable[OrderGroup]) -> Iterator[GaugeMetricFamily]:
    due: Counter[tuple[str, ...]] = Counter()
    failed: Counter[tuple[str, ...]] = Counter()
    settled: Counter[tuple[str, ...]] = Counter()
    waiting: Counter[tuple[str, ...]] = Counter()
    oldest_due: dict[tuple[str, ...], float] = {}
    oldest_pending: dict[tuple[str, ...], float] = {}
    for group in groups:
        tenant = (group.tenant,)
        if group.state == "due":
            due[tenant] += group.orders
            oldest_due[tenant] = max(oldest_due.get(tenant, 0.0), group.due_seconds or 0.0)
        elif group.state == "failed":
            failed[tenant] += group.orders
        elif group.state == "settled":
            # Xero lacks nothing that anybody waits for.
            settled[tenant] += group.orders
            continue
        else:
            waiting[group.tenant, group.reason] += group.orders
        place = (group.tenant, group.state)
        oldest_pending[place] = max(oldest_pending.get(place, 0.0), group.pending_seconds or 0.0)
    yield _filled(table.ORDERS_DUE, due.items())
    yield _filled(table.ORDERS_FAILED, failed.items())
    yield _filled(table.ORDERS_SETTLED, settled.items())
    yield _filled(table.ORDERS_WAITING, waiting.items())
    yield _filled(table.OLDEST_DUE, oldest_due.items())
    yield _filled(table.OLDEST_PENDING, oldest_pending.items())
