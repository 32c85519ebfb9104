import threading
from collections.abc import Callable

import pytest
from psycopg import Connection
from psycopg.errors import UndefinedFunction
from psycopg.rows import TupleRow

from consumer.database import connect
from consumer.operations.housekeeping import Housekeeping


@pytest.fixture
def opens(database_url: str) -> Callable[[str], Connection[TupleRow]]:
    return lambda name: connect(database_url, name=name)


def test_the_months_are_made_and_dropped(database_url: str, opens: Callable[[str], Connection[TupleRow]]) -> None:
    with connect(database_url, name="test") as connection:
        connection.execute("select sync_log_add_month(now() - make_interval(months => 12))")
        assert Housekeeping(opens, 84).go_round()
        assert connection.execute("select count(*) from sync_log_partition").fetchone() == (5,)
        assert Housekeeping(opens, 6).go_round()
        assert connection.execute("select count(*) from sync_log_partition").fetchone() == (4,)


def test_a_database_that_is_away_is_tried_again(opens: Callable[[str], Connection[TupleRow]]) -> None:
    away = Housekeeping(lambda name: connect("postgresql://127.0.0.1:1/none", name=name), 84)
    assert not away.go_round()
    stop = threading.Event()
    thread = threading.Thread(target=Housekeeping(opens, 84).run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_defect_is_not_taken_for_an_outage(database_url: str, opens: Callable[[str], Connection[TupleRow]]) -> None:
    with connect(database_url, name="test") as connection:
        connection.execute("drop function sync_log_drop_before")
    with pytest.raises(UndefinedFunction):
        Housekeeping(opens, 84).go_round()
