import threading
from collections.abc import Callable

import pytest
from psycopg import Connection
from psycopg.errors import UndefinedFunction
from psycopg.rows import TupleRow

from consumer.database import connect
from consumer.operations.housekeeping import Housekeeping
from tests.operations.rows import insert_intent


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


def test_calls_whose_outcome_is_long_known_are_forgotten(
    database_url: str, opens: Callable[[str], Connection[TupleRow]]
) -> None:
    with connect(database_url, name="test") as connection:
        for order_id in ("old", "young", "open"):
            insert_intent(connection, order_id, settled=order_id != "open")
        connection.execute(
            """
            update xero_intent
            set opened_at = now() - interval '40 days',
                state = case idempotency_key when 'key-open' then 'open' else 'settled' end,
                settled_at = now()
                    - case idempotency_key when 'key-old' then interval '31 days' when 'key-young' then '29 days' end
            """
        )
        # Many times what goes at once, as after a long time without a round.
        connection.execute(
            """
            insert into xero_intent (
                tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key, body_hash, state,
                settled_at
            )
            select 'tenant-1', 'org-1', 1, 'x', 'PUT', '/', 'many-' || n, '', 'settled', now() - interval '1 year'
            from generate_series(1, 12500) n
            """
        )
        assert Housekeeping(opens, 84).go_round()
        left = connection.execute("select order_id from xero_intent_element order by order_id").fetchall()
        assert left == [("open",), ("young",)]
        assert connection.execute("select count(*) from xero_intent").fetchone() == (2,)


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
