"""What the service asks of the server, tried on real ones: a real PgBouncer in each mode, a standby, an old version."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from consumer.database import UnsupportedServerError, check_server, connect, migrate, why_read_only
from consumer.operations.readiness import look_at_database, look_at_server
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.fixtures import postgres_versions
from tests.fixtures.parts import need_maven
from tests.fixtures.pgbouncer import PgBouncer
from tests.fixtures.standby import Standby

Start = Callable[..., PgBouncer]
FOLDER = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def old_server() -> Iterator[EmbeddedPostgres]:
    need_maven()
    with EmbeddedPostgres(installation=postgres_versions.download(postgres_versions.TOO_OLD)) as server:
        yield server


def test_a_server_that_is_supported_is_left_as_it_was(database_url: str) -> None:
    check_server(database_url)
    with psycopg.connect(database_url) as connection:
        locks = connection.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
    assert locks == (0,)


def test_a_server_that_is_too_old_is_refused_before_anything_is_written(old_server: EmbeddedPostgres) -> None:
    url = old_server.create_database("old")
    with pytest.raises(UnsupportedServerError, match=r"PostgreSQL 14; the service needs 15 or newer\. Upgrade"):
        migrate(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('schema_migration')").fetchone() == (None,)
    verdict = look_at_server(url)
    assert (verdict.ready, verdict.hopeless) == (False, True)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"server_round_robin": "1"},
        {"server_reset_query_always": "1"},
        {"default_pool_size": "2", "min_pool_size": "2"},
    ],
    ids=lambda more: ",".join(more) or "plain",
)
def test_a_pool_that_shares_sessions_is_refused(pgbouncer: Start, mode: str, more: dict[str, str]) -> None:
    pool = pgbouncer(pool_mode=mode, **more)
    for _ in range(5):
        with pytest.raises(UnsupportedServerError, match="pool_mode = session"):
            check_server(pool.url)


def test_a_pool_that_shares_sessions_is_refused_while_others_use_it(
    pgbouncer: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their transactions move ours to and fro between the sessions of the pool."""
    monkeypatch.setattr("consumer.database.server._RELEASE_SECONDS", 0.5)
    pool = pgbouncer(pool_mode="transaction", default_pool_size="10")
    stop = threading.Event()

    def use() -> None:
        with psycopg.connect(pool.url, autocommit=True, prepare_threshold=None) as connection:
            while not stop.is_set():
                connection.execute("select pg_sleep(0.001)")

    users = [threading.Thread(target=use) for _ in range(6)]
    for user in users:
        user.start()
    try:
        for _ in range(20):
            with pytest.raises(UnsupportedServerError, match="pool_mode = session"):
                check_server(pool.url)
    finally:
        stop.set()
        for user in users:
            user.join()


def test_a_pool_that_never_cleans_sessions_up_is_refused(pgbouncer: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.database.server._RELEASE_SECONDS", 0.5)
    pool = pgbouncer(pool_mode="session", server_reset_query="")
    with pytest.raises(UnsupportedServerError, match="server_reset_query"):
        check_server(pool.url)


def test_a_pool_of_sessions_drops_no_time_out(pgbouncer: Start, empty_database_url: str) -> None:
    pool = pgbouncer(url=empty_database_url, pool_mode="session")
    check_server(pool.url)
    migrate(pool.url)
    assert look_at_database(pool.url).ready
    with connect(pool.url, name="test", autocommit=False) as connection:
        # Also those of a transaction that is rolled back.
        connection.rollback()
        found = {
            name: connection.execute("select current_setting(%s)", [name]).fetchone()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
        }
    assert found == {
        "statement_timeout": ("1min",),
        "lock_timeout": ("25s",),
        "idle_in_transaction_session_timeout": ("15s",),
        "timezone": ("UTC",),
    }


def test_a_standby_is_waited_for_until_it_is_promoted(primary: EmbeddedPostgres, standby: Standby) -> None:
    migrate(primary.url)
    with psycopg.connect(primary.url) as connection:
        written = connection.execute("select pg_current_wal_lsn()").fetchone()
    assert written is not None
    with psycopg.connect(standby.url, autocommit=True) as connection:
        while connection.execute("select pg_last_wal_replay_lsn() < %s::pg_lsn", written).fetchone() == (True,):
            pass
    check_server(standby.url)
    verdict = look_at_database(standby.url)
    assert (verdict.ready, verdict.hopeless) == (False, False)
    assert "a standby, which can only be read" in verdict.reason
    with pytest.raises(UnsupportedServerError, match="target_session_attrs=read-write"):
        migrate(standby.url)
    standby.promote()
    assert look_at_database(standby.url).ready


def test_of_several_servers_the_one_that_takes_writes_is_chosen(primary: EmbeddedPostgres, standby: Standby) -> None:
    user = primary.url.removeprefix("postgresql://").partition("@")[0]
    shown = re.search(r"DATABASE_URL='(.*)'", (FOLDER / "deploy/poolers.md").read_text(encoding="utf-8"))
    assert shown is not None
    both = shown[1]
    for old, new in {
        "hearlink:…": user,
        "db-1:5432": f"127.0.0.1:{standby.port}",
        "db-2:5432": f"127.0.0.1:{primary.port}",
        "/hearlink?": "/postgres?",
    }.items():
        assert old in both
        both = both.replace(old, new)
    migrate(both)
    assert look_at_database(both).ready


def test_a_database_that_takes_no_writes_is_waited_for(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    verdict = look_at_database(database_url)
    assert (verdict.ready, verdict.hopeless) == (False, False)
    assert "default_transaction_read_only" in verdict.reason
    with connect(database_url, name="test") as connection:
        connection.execute("set default_transaction_read_only = off")
        assert why_read_only(connection) is None
