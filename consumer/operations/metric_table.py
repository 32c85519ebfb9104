"""Every metric of the service, declared once: name, type, labels, unit and meaning.

Nothing else may be counted or shown: mypy rejects a name that isn't here, a test rejects a dashboard or alert that
names another. No label holds an order, a patient or a clinic; tenants and organisations are hundreds, not millions.
"""

from enum import StrEnum
from typing import NamedTuple

PREFIX = "hearlink_xero_"

# From one event to Xero: what people at a desk notice, then what a rate limit, an outage, a weekend does.
_LATENCY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600, 14_400, 86_400)
_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_COMMIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_BATCH_SIZES = (1, 2, 5, 10, 50, 100, 500, 1_000, 2_000)
_CALL_ELEMENTS = (1, 2, 5, 10, 20, 30, 40, 50)


class Kind(StrEnum):
    """The three types that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One declaration; `name` is without the prefix.

    `at_scrape`: not counted but looked up when Prometheus asks. `shared`: of that kind, every process shows the same
    value, so take the max.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    at_scrape: bool = False
    shared: bool = False

    @property
    def full_name(self) -> str:
        """The name as Prometheus has it."""
        return PREFIX + self.name


_table: list[Metric] = []


def _counter(name: str, unit: str, text: str, *labels: str) -> Metric:
    return _declare(Metric(name, Kind.COUNTER, unit, text, labels))


def _histogram(name: str, unit: str, text: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return _declare(Metric(name, Kind.HISTOGRAM, unit, text, labels, buckets))


def _gauge(name: str, unit: str, text: str, *labels: str) -> Metric:
    return _declare(Metric(name, Kind.GAUGE, unit, text, labels))


def _looked_up(name: str, unit: str, text: str, *labels: str) -> Metric:
    return _declare(Metric(name, Kind.GAUGE, unit, text, labels, at_scrape=True))


def _shared(name: str, unit: str, text: str, *labels: str) -> Metric:
    return _declare(Metric(name, Kind.GAUGE, unit, text, labels, at_scrape=True, shared=True))


def _declare(metric: Metric) -> Metric:
    _table.append(metric)
    return metric


# The service

BUILD_INFO = _gauge("build_info", "1", "Version of the service and of Python.", "version", "python")
ROLE_UP = _gauge("role_up", "1 or 0", "Whether it runs here: projection, push, relay, housekeeping, lag.", "role")

# The indicator that counts

SYNC_LATENCY = _histogram(
    "sync_latency_seconds",
    "seconds",
    "From the oldest event that Xero had not followed to the moment when it had followed.",
    _LATENCY_SECONDS,
)

# Projection

EVENTS = _counter(
    "events_total",
    "events",
    "Order events read: applied, jumped (a sequence is missing before), late, repeated; undecodable, impossible, "
    "refused, defect and conflict (another event has its sequence) became dead letters.",
    "outcome",
)
RETRY_REQUESTS = _counter(
    "retry_requests_total",
    "requests",
    "Messages of the retry topic: due, unchanged, unknown (no such order), undecodable.",
    "outcome",
)
EVENT_AGE = _histogram(
    "event_age_seconds", "seconds", "From an event to its commit in Postgres, newest of each batch.", _LATENCY_SECONDS
)
BATCH_MESSAGES = _histogram("batch_messages", "messages", "Messages in one transaction.", _BATCH_SIZES)
BATCH_ORDERS = _histogram("batch_orders", "orders", "Orders written in one transaction.", _BATCH_SIZES)
COMMIT = _histogram("commit_seconds", "seconds", "Duration of one transaction of the projection.", _COMMIT_SECONDS)
PHASES = _counter(
    "loop_seconds_total",
    "seconds",
    "Where the time goes: poll, decode, wait (reading); load, fold, write (writing).",
    "phase",
)
FENCES_LOST = _counter(
    "fences_lost_total",
    "times",
    "Results refused because somebody else is the owner by now: offset (a partition), lease (a tenant).",
    "kind",
)
REBALANCES = _counter("rebalances_total", "times", "Partitions were assigned, revoked or lost.", "kind")
ASSIGNED_PARTITIONS = _gauge("assigned_partitions", "partitions", "Partitions that this process reads.")
LAG = _shared(
    "lag_messages", "messages", "Messages not projected yet; markers of transactions are none.", "topic", "partition"
)
LAG_HELD = _shared(
    "lag_held_messages",
    "messages",
    "Those of them that can't be read yet, because a transaction is open before them.",
    "topic",
    "partition",
)
LAG_SECONDS = _shared(
    "lag_seconds", "seconds", "Age of the oldest message not projected yet; 0 = caught up.", "topic", "partition"
)
LAG_KNOWN = _shared(
    "lag_known",
    "1 or 0",
    "Whether the lag of the partition is known now; where it isn't, the other series keep their last value.",
    "topic",
    "partition",
)
TOPIC_UNREADABLE = _shared(
    "topic_unreadable",
    "1 or 0",
    "1 = its lag is not known, because it is gone, forbidden, away (Kafka doesn't answer), offset_lost (the log lacks "
    "what comes next), no_offsets (Postgres has not said where the projection stands).",
    "topic",
    "reason",
)
PARTITION_READ = _looked_up(
    "partition_read", "1 or 0", "Whether this process reads the partition.", "topic", "partition"
)
LAST_POLL = _looked_up("last_poll_timestamp_seconds", "seconds since 1970", "When the poll loop last went round.")
GROUP_JOINING = _looked_up(
    "group_joining_seconds",
    "seconds",
    "How long the consumer group has been settling who reads what; 0 = it is settled.",
)
BROKERS_CONNECTED = _looked_up(
    "brokers_connected", "brokers", "Brokers that the consumer has a connection to; 0 = Kafka is away."
)
FETCH_QUEUE_MESSAGES = _gauge("fetch_queue_messages", "messages", "Messages fetched from Kafka and not taken yet.")
FETCH_QUEUE_BYTES = _gauge("fetch_queue_bytes", "bytes", "Their size.")
BROKER_ROUND_TRIP = _gauge(
    "broker_round_trip_seconds", "seconds", "How long a broker takes to answer the consumer: mean, p99.", "broker", "of"
)
BROKER_THROTTLE = _gauge("broker_throttle_seconds", "seconds", "How long a broker's quota holds us up.", "broker")
BROKER_FAILURES = _counter(
    "broker_failures_total",
    "times",
    "What went wrong between the consumer and a broker: send, receive, time_out, disconnect.",
    "broker",
    "kind",
)
WAITING = _counter(
    "waiting_seconds_total",
    "seconds",
    "Time that the projection waited for a part that is away: postgres, kafka or registry.",
    "part",
)
WAITS = _gauge("waits", "1 or 0", "1 = this process waits for a part that is away: postgres, kafka, registry.", "part")

# Push

ORDERS_FINISHED = _counter(
    "orders_finished_total",
    "orders",
    "Orders that left a pass: synced, failed, waiting, held, in_doubt.",
    "result",
)
CALL_ELEMENTS = _histogram(
    "call_elements", "elements", "How full one writing call was; Xero takes 50.", _CALL_ELEMENTS, "stage"
)
RETRIES = _counter("retries_total", "orders", "Orders that will be tried again by themselves.", "problem_class")
UNKNOWN_MESSAGES = _counter(
    "unknown_messages_total", "messages", "Messages of Xero that the problem catalogue doesn't know."
)
LAST_ROUND = _looked_up(
    "last_round_timestamp_seconds", "seconds since 1970", "When a pushing thread last looked for work."
)
XERO_CALLS = _counter(
    "calls_total",
    "calls",
    "Calls to Xero by what they were for; outcome is the status, or the error where there was none.",
    "method",
    "endpoint",
    "outcome",
)
XERO_TENANT_CALLS = _counter(
    "tenant_calls_total",
    "calls",
    "Calls to Xero by tenant: ok, limited (429), refused (4xx), failed.",
    "tenant",
    "result",
)
XERO_CALL = _histogram("call_seconds", "seconds", "Duration of a call to Xero.", _CALL_SECONDS, "endpoint")

# Relay

PUBLISHED = _counter("outbox_published_total", "messages", "Messages of the outbox that Kafka has.", "topic")
SET_ASIDE = _counter("outbox_set_aside_total", "messages", "Messages that Kafka refused for good.", "topic")
RELAY_WAITS = _gauge(
    "relay_waits", "1 or 0", "1 = the relay waits: for database, broker, or turn (another is active).", "reason"
)

# Read from Postgres

DATABASE_UP = _looked_up("database_up", "1 or 0", "Whether Postgres answered this process's last look.")
GAUGES_AGE = _looked_up("gauges_age_seconds", "seconds", "How old the values read from Postgres are.")
ORDERS_DUE = _shared("orders_due", "orders", "Orders to push now.", "tenant")
ORDERS_WAITING = _shared(
    "orders_waiting", "orders", "Orders that go on by themselves, or after connecting; by reason.", "tenant", "reason"
)
ORDERS_FAILED = _shared("orders_failed", "orders", "Orders that need someone.", "tenant")
ORDERS_SETTLED = _shared("orders_settled", "orders", "Orders that a person settled: left alone, no failure.", "tenant")
OLDEST_DUE = _shared("oldest_due_seconds", "seconds", "How long the oldest due order has been due.", "tenant")
OLDEST_PENDING = _shared(
    "oldest_pending_seconds",
    "seconds",
    "Age of the oldest change that Xero lacks, by the state of its order: due, waiting, failed.",
    "tenant",
    "state",
)
OPEN_INTENTS = _shared("open_intents", "calls", "Writing calls without a known outcome.", "tenant")
OLDEST_INTENT = _shared(
    "oldest_open_intent_seconds", "seconds", "Age of the oldest call without a known outcome.", "tenant"
)
LEASES = _shared(
    "leases", "leases", "Tenants that somebody serves: held, expired (its owner is gone or stuck).", "state"
)
OUTBOX = _shared("outbox_messages", "messages", "Messages that wait for the relay, or were set aside.", "state")
OLDEST_OUTBOX = _shared("oldest_outbox_seconds", "seconds", "Age of the oldest message that waits for the relay.")
DEAD_LETTERS = _shared("dead_letters_open", "messages", "Dead letters nobody has looked after.", "reason")
PROBLEMS = _shared("problems_open", "problems", "Open problems.", "problem_class", "code")
CONNECTED = _shared("connected", "1 or 0", "Whether Xero lets us in for an organisation.", "organisation")
TENANT_CONNECTED = _shared(
    "tenant_connected", "1 or 0", "Whether Xero lets us into a tenant.", "tenant", "organisation"
)
ACCESS_REFUSED = _shared(
    "access_refused",
    "1 or 0",
    "1 = Xero refuses it: `code` says why, `scope` what (none = everything), `tenant` where (none = everywhere).",
    "organisation",
    "tenant",
    "scope",
    "code",
)
TOKEN_AGE = _shared(
    "token_age_seconds",
    "seconds",
    "Since the refresh token was last renewed; after 60 days without use it ends.",
    "organisation",
)
BUDGET_LEFT = _shared("budget_left_calls", "calls", "Calls left in the minute or the day.", "tenant", "window")
ROLE_FAILURES = _shared(
    "role_failures",
    "times",
    "What ended processes within the last 10 minutes: brake, offset_lost, ownership, defect.",
    "role",
    "code",
)
FROZEN = _shared("frozen_seconds", "seconds", "How long a tenant must still not be called.", "tenant")

# The console

CONSOLE_REQUESTS = _counter(
    "console_requests_total",
    "requests",
    "Requests that the console answered: ok (refusals as well), unavailable (the database), failed (a defect).",
    "result",
)
CONSOLE_REQUEST = _histogram(
    "console_request_seconds", "seconds", "How long the console took to answer.", _CALL_SECONDS
)
CONSOLE_READY = _looked_up(
    "console_ready",
    "1 or 0",
    "0 = tables, roles, grants or policies are missing that the console needs; no value while Postgres is away.",
)

TABLE: tuple[Metric, ...] = tuple(_table)


def markdown_table() -> str:
    """Return the table for the documentation."""
    rows = ["| Metric | Type | Labels | Unit | Meaning |", "|---|---|---|---|---|"]
    for metric in TABLE:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        kind = f"{metric.kind}, shared" if metric.shared else metric.kind
        rows.append(f"| `{metric.full_name}` | {kind} | {labels} | {metric.unit} | {metric.help} |")
    return "\n".join(rows)
