"""What a process needs before it can work: asked at its start, which waits, and by its readiness probe."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import psycopg

from consumer.configuration import Topics
from consumer.database import (
    UnsupportedServerError,
    check_server,
    connect,
    describe_rights,
    foreign_owners,
    is_limit,
    missing_rights,
    pending_migrations,
    why_read_only,
)
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


def look_at_server(database_url: str) -> Verdict:
    """Whether the service can work on this Postgres at all, by this address; asked at the start, then it stays so."""
    try:
        check_server(database_url)
    except UnsupportedServerError as error:
        return Verdict(ready=False, reason=str(error), hopeless=True)
    except psycopg.OperationalError as error:
        return _away(error)
    return Verdict(ready=True)


def look_at_database(database_url: str, *, for_console: bool = False) -> Verdict:
    """Whether Postgres answers, takes writes and has all tables, as our own.

    For the console also whether its role, grants and policies are there.
    """
    try:
        with connect(database_url, name="readiness") as connection:
            read_only = why_read_only(connection)
            # First: of tables of somebody else's nothing more can be read.
            lacking = foreign_owners(connection)
            missing = [] if lacking else pending_migrations(connection)
            if for_console and not missing:
                lacking = missing_rights(connection)
    except psycopg.OperationalError as error:
        return _away(error)
    if read_only is not None:
        return Verdict(ready=False, reason=read_only)
    if missing:
        return Verdict(
            ready=False,
            reason=f"The database lacks {', '.join(missing)}. Run: hearlink-xero migrate",
            hopeless=True,
        )
    if lacking:
        return Verdict(ready=False, reason=describe_rights(lacking), hopeless=True)
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


def _away(error: psycopg.Error) -> Verdict:
    first_line = str(error).strip().partition("\n")[0]
    return Verdict(ready=False, reason=first_line if is_limit(error) else f"Postgres can't be reached ({first_line}).")
