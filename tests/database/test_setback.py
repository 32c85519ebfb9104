"""Which server and which database it is, as each new connection takes it down."""

from collections.abc import Callable, Iterator
from typing import LiteralString

import pytest

from consumer.database import connect, note_server
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.operations.rows import insert_order


@pytest.fixture
def copied_url(postgres_server: EmbeddedPostgres, database_url: str) -> Iterator[str]:
    """Where `_copy` puts a copy of the test's database."""
    yield f"{database_url}_copy"
    postgres_server.drop_database(f"{_name(database_url)}_copy")


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _copy(server: EmbeddedPostgres, url: str) -> None:
    server.create_database(f"{_name(url)}_copy", template=_name(url))


def _project(url: str) -> None:
    with connect(url, name="test") as connection:
        insert_order(connection, "order-1")


def _note(url: str, statement: LiteralString = "select 1") -> list[str]:
    """Connect as a worker does, after this statement; return the reasons that are down then."""
    with connect(url, name="test") as connection:
        connection.execute(statement)
        note_server(connection)
        return [reason for (reason,) in connection.execute("select reason from setback order by id")]


def test_the_database_that_we_wrote_is_known_again(database_url: str) -> None:
    assert _note(database_url) == ["first"]
    _project(database_url)
    assert _note(database_url, "vacuum full orders") == ["first"]


def test_a_copy_with_orders_is_another_database(
    postgres_server: EmbeddedPostgres, database_url: str, copied_url: str
) -> None:
    _note(database_url)
    _project(database_url)
    _copy(postgres_server, database_url)
    assert _note(copied_url) == ["first", "database"]
    assert _note(copied_url) == ["first", "database"]
    assert _note(database_url) == ["first"]


@pytest.mark.parametrize("begin", [_project, _note], ids=["orders that nobody pushed", "no orders"])
def test_a_copy_from_which_nothing_was_ever_pushed_has_lost_nothing(
    postgres_server: EmbeddedPostgres, database_url: str, copied_url: str, begin: Callable[[str], object]
) -> None:
    begin(database_url)
    _copy(postgres_server, database_url)
    assert set(_note(copied_url)) == {"first"}


def test_what_a_former_version_wrote_is_filled_in(
    postgres_server: EmbeddedPostgres, database_url: str, copied_url: str
) -> None:
    _project(database_url)
    former: LiteralString = """
    insert into setback (timeline, reason)
    select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), 'first'
    """
    assert _note(database_url, former) == ["first", "first"]
    assert _note(database_url) == ["first", "first"]
    _copy(postgres_server, database_url)
    assert _note(copied_url)[-1] == "database"


def test_another_timeline_is_a_setback_of_the_same_database(database_url: str) -> None:
    _note(database_url)
    assert _note(database_url, "update setback set timeline = '000000FF'") == ["first", "timeline"]


def test_a_server_that_does_not_tell_is_known_by_its_tables(database_url: str) -> None:
    with connect(database_url, name="test") as connection:
        insert_order(connection, "order-1")
        connection.execute("create role silent")
        try:
            connection.execute("grant select, insert on setback to silent; grant select on orders to silent")
            connection.execute("revoke execute on function pg_control_system() from public")
            connection.execute("set role silent")
            note_server(connection)
            note_server(connection)
            assert connection.execute("select reason, fingerprint like '/%%' from setback").fetchall() == [
                ("first", True)
            ]
        finally:
            connection.execute("reset role")
            connection.execute("grant execute on function pg_control_system() to public")
            connection.execute("drop owned by silent; drop role silent")
