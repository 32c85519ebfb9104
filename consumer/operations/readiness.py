"""What a process needs before it can work: asked at its start, which waits, and by its readiness probe."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import psycopg

from consumer.configuration import Topics
from consumer.database import connect, pending_migrations
from consumer.operations.kafka import ForbiddenTopicError, KafkaUnreachableError, MissingTopicError, see_topics
from consumer.projection import Admin, Lag

_KAFKA_SECONDS = 3.0


class Role(StrEnum):
    """What a process can do."""

    PROJECTION = "projection"
    PUSH = "push"
    RELAY = "relay"


class Verdict(NamedTuple):
    """Whether a part is there; `reason` says what is missing and what to do, "" where all is well."""

    ready: bool
    reason: str = ""
    # Nothing but a person mends it, so that waiting makes no sense.
    hopeless: bool = False


def look_at_database(database_url: str) -> Verdict:
    """Whether Postgres answers and has all tables."""
    try:
        with connect(database_url, name="readiness") as connection:
            missing = pending_migrations(connection)
    except psycopg.OperationalError as error:
        return Verdict(ready=False, reason=f"Postgres can't be reached ({_first_line(error)}).")
    if missing:
        return Verdict(
            ready=False,
            reason=f"The database lacks {', '.join(missing)}. Run: hearlink-xero migrate",
            hopeless=True,
        )
    return Verdict(ready=True)


def look_at_topics(admin: Admin, topics: Topics, roles: Iterable[Role]) -> Verdict:
    """Whether Kafka answers and has the topics that `roles` need."""
    try:
        see_topics(admin, needed_topics(topics, roles), _KAFKA_SECONDS)
    except (KafkaUnreachableError, ForbiddenTopicError, MissingTopicError) as error:
        return Verdict(ready=False, reason=str(error))
    return Verdict(ready=True)


def look_at_lag(lag: Lag) -> Verdict:
    """Whether it is known how far the projection is behind: whose log can't be seen can't be read either."""
    reasons = dict.fromkeys(fault.text for fault in lag.faults.values())
    return Verdict(ready=not reasons, reason=" ".join(reasons))


def needed_topics(topics: Topics, roles: Iterable[Role]) -> list[str]:
    """Return the names of the topics without which `roles` can't work."""
    needed: list[str] = []
    for role in roles:
        if role is Role.PROJECTION:
            needed += [topics.orders, topics.retry]
        elif role is Role.RELAY:
            needed += [topics.sync_log, topics.retry, topics.dead_letter]
    return sorted(set(needed))


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
