"""The state of the whole service in numbers, read from the tables and from Kafka: what `status` and the metrics show.

Whoever waits until all is quiet waits for lag = due = waiting = unpublished = 0. For that no order may ever be in none
of them: what is unread is counted before what is due, and all tables are read in one snapshot.
"""

from contextlib import closing
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection, IsolationLevel
from psycopg.rows import class_row, dict_row

from consumer.configuration import Configuration
from consumer.database import load_queries, missing_rights
from consumer.operations.access import AccessReport, explain_access
from consumer.operations.kafka import log_reader
from consumer.projection import PartitionLag, look_once, standing_stops, stored_offsets
from consumer.results import load_catalogue
from consumer.xero import Budget, BudgetUsage, Obstacle, load_access

_QUERIES = load_queries(__file__, "status.sql")


class OrderGroup(msgspec.Struct, frozen=True):
    """Orders of one tenant in one state: due, waiting (see `reason`), failed, or settled by a person.

    `tenant` is `-:organisation` where no call can be made for them, nor ever was. `due_seconds`: since when the oldest
    is due; `pending_seconds`: the age of the oldest change that Xero lacks. `reason` says what waiting ones wait for:
    connection, limit, retry, in_doubt, settings, or pause (an order that is edited again and again).
    """

    organisation_id: str
    tenant: str
    state: str
    reason: str
    orders: int
    due_seconds: float | None = None
    pending_seconds: float | None = None


class TenantIntents(msgspec.Struct, frozen=True):
    """Writing calls into one tenant whose outcome is not known."""

    tenant: str
    intents: int
    oldest_seconds: float


class OutboxState(msgspec.Struct, frozen=True):
    """What waits for the relay, and what Kafka refused for good."""

    waiting: int
    set_aside: int
    oldest_seconds: float | None


class ProblemCount(msgspec.Struct, frozen=True):
    """Open problems of one kind."""

    problem_class: str
    code: str
    problems: int


class ConnectionState(msgspec.Struct, frozen=True):
    """One organisation's connection to Xero: connected or disconnected; what it may not do is in `access`."""

    organisation_id: str
    state: str
    reason: str | None
    connected_at: datetime | None
    disconnected_at: datetime | None
    token_age_seconds: float | None


class TenantState(msgspec.Struct, frozen=True):
    """One tenant as Xero last listed it, whether it lets us in, and whether it must not be called now."""

    organisation_id: str
    tenant_id: str
    name: str
    connected: bool
    frozen_seconds: float | None
    frozen_reason: str | None


class RoleFailures(msgspec.Struct, frozen=True):
    """How often one cause ended a role, and with it its process, lately."""

    role: str
    code: str
    failures: int


class Gauges(msgspec.Struct, frozen=True):
    """Everything that the tables say, of one moment."""

    orders: list[OrderGroup]
    intents: list[TenantIntents]
    outbox: OutboxState
    problems: list[ProblemCount]
    # Open ones, by reason.
    dead_letters: dict[str, int]
    # Leases held, and those whose time is over.
    leases: tuple[int, int]
    connections: list[ConnectionState]
    tenants: list[TenantState]
    # All that Xero refuses us.
    access: list[Obstacle]
    role_failures: list[RoleFailures]

    def count(self, state: str) -> int:
        """Return how many orders are in `state`: due, waiting, failed, settled."""
        return sum(group.orders for group in self.orders if group.state == state)


class TenantStatus(msgspec.Struct, frozen=True):
    """One tenant in `status`, or what no tenant of an organisation has: `tenant_id` is then `-:organisation`.

    `organisation_id` is whose it is; where several have it, or had, `organisations` names them all.
    """

    organisation_id: str
    organisations: list[str]
    tenant_id: str
    name: str
    connected: bool
    due: int
    waiting: int
    failed: int
    settled: int
    oldest_due_seconds: float | None
    open_intents: int
    minute_used: int
    minute_limit: int
    day_used: int
    day_limit: int
    frozen_seconds: float
    frozen_reason: str | None


class BrakeStop(msgspec.Struct, frozen=True):
    """Bad events that stopped the service, both offsets included; `detail` says why, and how to go on."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    stopped_at: datetime
    detail: str


class Status(msgspec.Struct, frozen=True):
    """What `status --json` prints; `lag` and `unread_requests` are None where they can't be known: see `lag_reason`.

    `lag_held` counts those of the lag that an open transaction keeps from being read, `lag_seconds` is the age of the
    oldest. `waiting` counts the unread retry requests as well: each stands for an order that will be looked at.
    """

    lag: int | None
    due: int
    waiting: int
    failed: int
    unpublished: int
    lag_reason: str | None
    lag_seconds: float | None
    lag_held: int | None
    unread_requests: int | None
    waiting_for: dict[str, int]
    # Orders that a person settled: left alone, and neither failed nor waiting.
    settled: int
    # Orders that wait for a person, as their clinic wishes: manual, disabled.
    held: dict[str, int]
    # Orders saved while synchronisation was off, in clinics where it is on now: nothing sends them by itself.
    left_behind: int
    oldest_due_seconds: float | None
    open_intents: int
    set_aside: int
    open_problems: int
    dead_letters: int
    connections: list[ConnectionState]
    tenants: list[TenantStatus]
    # All that Xero refuses us, in words; empty = access is as it should be.
    access: list[AccessReport]
    # Where too many bad events stopped the service, and it stands still.
    stops: list[BrakeStop]
    # Roles, grants and policies of the console's that are not there, as a dump leaves them behind.
    missing_rights: list[str]


def read_gauges(connection: Connection[Any]) -> Gauges:
    """Read the tables in one snapshot. `connection` is outside of a transaction."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            return _read_gauges(connection)
    finally:
        connection.isolation_level = None


def read_status(connection: Connection[Any], configuration: Configuration, budget: Budget) -> Status:
    """Return the status; Kafka's absence is part of it, Postgres' is an error.

    Raises:
        psycopg.Error: the database.
        KafkaException: KAFKA_CONFIG can't be used.
    """
    lag, unread, reason = _lag(connection, configuration)
    gauges = read_gauges(connection)
    held: dict[str, int] = dict(connection.execute(_QUERIES["held"]).fetchall())
    left_behind = held.pop("left_behind", 0)
    usages = budget.usages(connection, [tenant.tenant_id for tenant in gauges.tenants])
    requests = None if unread is None else unread.messages
    waiting_for: dict[str, int] = {}
    for group in gauges.orders:
        if group.state == "waiting":
            waiting_for[group.reason] = waiting_for.get(group.reason, 0) + group.orders
    return Status(
        lag=None if lag is None else lag.messages,
        due=gauges.count("due"),
        waiting=gauges.count("waiting") + (requests or 0),
        failed=gauges.count("failed"),
        unpublished=gauges.outbox.waiting,
        lag_reason=reason,
        lag_seconds=None if lag is None else round(lag.seconds, 1),
        lag_held=None if lag is None else lag.held,
        unread_requests=requests,
        waiting_for=waiting_for,
        settled=gauges.count("settled"),
        held=held,
        left_behind=left_behind,
        oldest_due_seconds=_longest(gauges.orders, "due"),
        open_intents=sum(tenant.intents for tenant in gauges.intents),
        set_aside=gauges.outbox.set_aside,
        open_problems=sum(problem.problems for problem in gauges.problems),
        dead_letters=sum(gauges.dead_letters.values()),
        connections=gauges.connections,
        access=explain_access(gauges.access, load_catalogue()),
        tenants=[
            _tenant_status(usages.get(tenants[0].tenant_id), gauges, tenants)
            for tenants in _by_tenant([*gauges.tenants, *_without_tenant(gauges)])
        ],
        stops=[
            BrakeStop(*stop.span, stop.stopped_at, stop.detail)
            for stop in standing_stops(connection, configuration.topics.orders)
        ],
        missing_rights=[right.what for right in missing_rights(connection)],
    )


def _read_gauges(connection: Connection[Any]) -> Gauges:
    with connection.cursor(row_factory=class_row(OrderGroup)) as order_cursor:
        orders = order_cursor.execute(_QUERIES["orders"]).fetchall()
    orders += [
        OrderGroup(organisation_id, tenant, "waiting", "in_doubt", count)
        for organisation_id, tenant, count in connection.execute(_QUERIES["orders_in_doubt"])
    ]
    with connection.cursor(row_factory=dict_row) as cursor:

        def rows(name: str) -> list[dict[str, Any]]:
            return cursor.execute(_QUERIES[name]).fetchall()

        leases = rows("leases")[0]
        return Gauges(
            orders=orders,
            intents=msgspec.convert(rows("intents"), list[TenantIntents]),
            outbox=msgspec.convert(rows("outbox")[0], OutboxState),
            problems=msgspec.convert(rows("problems"), list[ProblemCount]),
            dead_letters={row["reason"]: row["letters"] for row in rows("dead_letters")},
            leases=(leases["held"], leases["expired"]),
            connections=msgspec.convert(rows("connections"), list[ConnectionState]),
            tenants=msgspec.convert(rows("tenants"), list[TenantState]),
            access=load_access(connection),
            role_failures=msgspec.convert(rows("role_failures"), list[RoleFailures]),
        )


def _lag(
    connection: Connection[Any], configuration: Configuration
) -> tuple[PartitionLag | None, PartitionLag | None, str | None]:
    """Return the lag of the orders topic and of the retry topic, each None where it isn't known, and why not."""
    orders, retry = configuration.topics.orders, configuration.topics.retry
    if configuration.kafka_bootstrap_servers is None:
        return None, None, "KAFKA_BOOTSTRAP_SERVERS is not set"
    # Read before the end of the log: an event between the two looks unread, never invisible.
    stored = stored_offsets(connection, [orders, retry])
    with closing(log_reader(configuration)) as reader:
        lag = look_once(reader, [orders, retry], stored)
    known = [found if (found := lag.of(topic)).is_known else None for topic in (orders, retry)]
    reasons = [lag.faults[topic].text for topic in (orders, retry) if topic in lag.faults]
    return known[0], known[1], " ".join(dict.fromkeys(reasons)) or None


def _longest(groups: list[OrderGroup], state: str) -> float | None:
    seconds = [group.due_seconds for group in groups if group.state == state and group.due_seconds is not None]
    return max(seconds, default=None)


def _without_tenant(gauges: Gauges) -> list[TenantState]:
    """Return a stand-in for each place that has orders and is no known tenant: no order is in the totals alone."""
    known = {(tenant.organisation_id, tenant.tenant_id) for tenant in gauges.tenants}
    places = sorted({(group.organisation_id, group.tenant) for group in gauges.orders} - known)
    return [
        TenantState(
            organisation_id=organisation_id,
            tenant_id=tenant_id,
            name="no tenant" if tenant_id.startswith("-:") else "no longer listed by Xero",
            connected=False,
            frozen_seconds=None,
            frozen_reason=None,
        )
        for organisation_id, tenant_id in places
    ]


def _by_tenant(tenants: list[TenantState]) -> list[list[TenantState]]:
    """Return `tenants` by tenant, in their order: what several organisations have is one tenant, with one budget.

    Those that are connected come first in each: theirs is the name that Xero knows.
    """
    found: dict[str, list[TenantState]] = {}
    for tenant in tenants:
        found.setdefault(tenant.tenant_id, []).append(tenant)
    return [sorted(same, key=lambda tenant: not tenant.connected) for same in found.values()]


def _tenant_status(usage: BudgetUsage | None, gauges: Gauges, tenants: list[TenantState]) -> TenantStatus:
    tenant = tenants[0]
    groups = [group for group in gauges.orders if group.tenant == tenant.tenant_id]
    return TenantStatus(
        organisation_id=tenant.organisation_id,
        organisations=[one.organisation_id for one in tenants],
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        connected=tenant.connected,
        due=sum(group.orders for group in groups if group.state == "due"),
        waiting=sum(group.orders for group in groups if group.state == "waiting"),
        failed=sum(group.orders for group in groups if group.state == "failed"),
        settled=sum(group.orders for group in groups if group.state == "settled"),
        oldest_due_seconds=_longest(groups, "due"),
        open_intents=sum(entry.intents for entry in gauges.intents if entry.tenant == tenant.tenant_id),
        minute_used=usage.minute_used if usage else 0,
        minute_limit=usage.minute_limit if usage else 0,
        day_used=usage.day_used if usage else 0,
        day_limit=usage.day_limit if usage else 0,
        frozen_seconds=tenant.frozen_seconds or 0.0,
        frozen_reason=tenant.frozen_reason if tenant.frozen_seconds else None,
    )
