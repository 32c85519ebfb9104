"""A statement or a lock that takes too long is told as that, with its name, and as no outage."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from consumer.database import (
    LockTimeoutError,
    StatementTimeoutError,
    connect,
    is_limit,
    is_outage,
    load_queries,
)

_QUERIES = load_queries(__file__, "slow.sql")


@pytest.fixture
def impatient(database_url: str) -> Connection[Any]:
    connection = connect(database_url, name="test")
    connection.execute("set statement_timeout = '200ms'; set lock_timeout = '100ms'")
    return connection


def test_a_statement_that_takes_too_long_is_named(impatient: Connection[Any]) -> None:
    with impatient, pytest.raises(StatementTimeoutError, match=r"slow\.sql: sleep.*statement_timeout") as told:
        impatient.execute(_QUERIES["sleep"])
    assert is_limit(told.value)
    # Loops wait and try again.
    assert is_outage(told.value)
    assert told.value.sqlstate == "57014"


def test_another_statement_is_told_by_its_beginning(impatient: Connection[Any]) -> None:
    with impatient, pytest.raises(StatementTimeoutError, match="select pg_sleep"):
        impatient.execute("select  pg_sleep(%s)", [5])


def test_a_cursor_of_the_server_tells_as_well(impatient: Connection[Any]) -> None:
    with impatient, impatient.transaction(), impatient.cursor(name="rows") as cursor:
        cursor.execute(_QUERIES["slow_rows"])
        with pytest.raises(StatementTimeoutError, match=r"slow\.sql: slow_rows"):
            list(cursor)


def test_a_lock_that_is_not_had_in_time_is_told(impatient: Connection[Any], database_url: str) -> None:
    with impatient, connect(database_url, name="test") as holder, holder.transaction():
        holder.execute("lock table orders in access exclusive mode")
        with pytest.raises(LockTimeoutError, match=r"slow\.sql: count"):
            impatient.execute(_QUERIES["count"])


def test_a_server_that_goes_away_is_an_outage_and_no_limit(impatient: Connection[Any], database_url: str) -> None:
    with connect(database_url, name="test") as other:
        other.execute("select pg_terminate_backend(%s)", [impatient.info.backend_pid])
    with pytest.raises(psycopg.OperationalError) as told:
        impatient.execute(_QUERIES["count"])
    assert is_outage(told.value)
    assert not is_limit(told.value)
