import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from consumer.database import connect, migrate
from consumer.database.migrations import _all
from consumer.results.retention import KeptMonths, keep_months
from consumer.sandbox.postgres import EmbeddedPostgres

NOW = datetime.now(UTC)


def partitions(connection: Connection[Any]) -> list[str]:
    return [row[0] for row in connection.execute("select partition from sync_log_partition order by 1")]


def write(connection: Connection[Any], occurred_at: datetime) -> int:
    row = connection.execute(
        """
        insert into sync_log (
            occurred_at, organisation_id, clinic_id, order_id, operation, outcome, message, trigger, attempt
        )
        values (%s, 'org-1', 'clinic-1', 'order-1', 'invoice_create', 'succeeded', 'Done.', 'auto', 1)
        returning id
        """,
        [occurred_at],
    ).fetchone()
    assert row is not None
    return int(row[0])


def place(connection: Connection[Any], log_id: int) -> str:
    row = connection.execute("select tableoid::regclass::text from sync_log where id = %s", [log_id]).fetchone()
    assert row is not None
    return str(row[0])


def month_name(moment: datetime) -> str:
    return f"sync_log_{moment:%Y_%m}"


def test_a_fresh_log_has_this_month_and_the_next_ones(connection: Connection[Any]) -> None:
    found = partitions(connection)
    assert found[0] == month_name(NOW)
    assert len(found) == 4
    assert keep_months(connection, now=NOW, retention_months=84) == KeptMonths([], [])
    assert place(connection, write(connection, NOW)) == month_name(NOW)


def test_a_month_that_is_over_for_long_enough_is_dropped_with_its_rows(connection: Connection[Any]) -> None:
    old, new = write(connection, NOW), write(connection, NOW.replace(day=1) + timedelta(days=33))
    first, second = partitions(connection)[:2]
    kept = keep_months(connection, now=datetime(NOW.year + 1, NOW.month, 28, tzinfo=UTC), retention_months=11)
    assert kept.dropped == [first]
    assert len(kept.added) == 4
    assert [row[0] for row in connection.execute("select id from sync_log")] == [new]
    assert old != new
    assert partitions(connection)[0] == second


def test_rows_that_came_before_their_month_was_made_move_into_it(connection: Connection[Any]) -> None:
    later = NOW + timedelta(days=365)
    log_id = write(connection, later)
    assert place(connection, log_id) == "sync_log_default"
    keep_months(connection, now=later, retention_months=84)
    assert place(connection, log_id) == month_name(later)
    assert connection.execute("select count(*) from sync_log_default").fetchone() == (0,)


def test_a_long_reader_is_not_driven_away_and_holds_nobody_up(database_url: str, connection: Connection[Any]) -> None:
    later = NOW + timedelta(days=365)
    with connect(database_url, name="reader", autocommit=False) as reader:
        reader.execute("select count(*) from sync_log")
        with pytest.raises(LockNotAvailable):
            keep_months(connection, now=later, retention_months=84)
        assert write(connection, NOW)
    assert keep_months(connection, now=later, retention_months=84).added


def test_two_processes_at_once_make_each_month_once(database_url: str) -> None:
    later = NOW + timedelta(days=365)
    faults: list[BaseException] = []

    def keep() -> None:
        try:
            with connect(database_url, name="keeper") as own:
                keep_months(own, now=later, retention_months=84)
        except psycopg.Error as error:
            faults.append(error)

    threads = [threading.Thread(target=keep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_rows_from_before_the_months_stay_and_are_dropped_in_their_time(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database("log_before_months")
    migrations = _all()
    monkeypatch.setattr("consumer.database.migrations._all", lambda: migrations[:5])
    # Rights are those of all tables, of which some are not there yet.
    monkeypatch.setattr("consumer.database.migrations.mend_rights", lambda _: [])
    migrate(url)
    with connect(url, name="test") as connection:
        old = [write(connection, NOW - timedelta(days=days)) for days in (800, 40, 0)]
        monkeypatch.undo()
        migrate(url)
        # As the service before this migration wrote it: the columns are the same.
        new = write(connection, NOW)
        assert new == max(old) + 1
        assert [place(connection, log_id) for log_id in (*old, new)] == ["sync_log_before"] * 4
        following = NOW.replace(day=1) + timedelta(days=33)
        assert place(connection, write(connection, following)) == month_name(following)
        indexes = connection.execute("select count(*) from pg_indexes where tablename = 'sync_log_before'").fetchone()
        assert indexes == connection.execute("select count(*) from pg_indexes where tablename = 'sync_log'").fetchone()
        assert keep_months(connection, now=following, retention_months=1).dropped == []
        dropped = keep_months(connection, now=following + timedelta(days=40), retention_months=1).dropped
        assert dropped == ["sync_log_before"]
    postgres_server.drop_database("log_before_months")
