import threading

import psycopg
import pytest

from consumer.operations.connections import ThreadConnections


def backend(connections: ThreadConnections) -> int:
    with connections.borrow() as connection:
        return connection.info.backend_pid


def test_a_thread_keeps_its_connection_and_shares_it_with_nobody(database_url: str) -> None:
    connections = ThreadConnections(database_url, "test")
    mine = backend(connections)
    assert backend(connections) == mine
    others: list[int] = []
    thread = threading.Thread(target=lambda: others.append(backend(connections)))
    thread.start()
    thread.join()
    assert others
    assert mine not in others
    connections.close()
    assert backend(connections) != mine
    connections.close()


def test_a_broken_connection_is_replaced(database_url: str) -> None:
    connections = ThreadConnections(database_url, "test")
    with psycopg.connect(database_url, autocommit=True) as administrator:
        administrator.execute("select pg_terminate_backend(%s)", [backend(connections)])
    with pytest.raises(psycopg.OperationalError), connections.borrow() as connection:
        connection.execute("select 1")
    with connections.borrow() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    connections.close()


def test_nobody_inherits_an_open_transaction(database_url: str) -> None:
    connections = ThreadConnections(database_url, "test")

    def leave_in_the_middle() -> None:
        with connections.borrow() as connection:
            connection.execute("begin")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        leave_in_the_middle()
    with connections.borrow() as connection:
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    connections.close()


def test_a_connection_that_broke_while_nobody_looked_is_replaced_unseen(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.operations.connections._TRUSTED_SECONDS", 0.0)
    connections = ThreadConnections(database_url, "test")
    with psycopg.connect(database_url, autocommit=True) as administrator:
        administrator.execute("select pg_terminate_backend(%s)", [backend(connections)])
    with connections.borrow() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    connections.close()


def test_a_thread_may_borrow_while_it_borrows(database_url: str) -> None:
    connections = ThreadConnections(database_url, "test")
    with connections.borrow() as first, connections.borrow() as second:
        assert second is first
    connections.close()


def test_a_transaction_is_not_disturbed_by_a_second_borrower(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.operations.connections._TRUSTED_SECONDS", 0.0)
    connections = ThreadConnections(database_url, "test")
    with connections.borrow() as first, first.transaction():
        with pytest.raises(psycopg.errors.DivisionByZero), first.transaction():
            first.execute("select 1 / 0")
        with connections.borrow() as second:
            assert second is first
    connections.close()
