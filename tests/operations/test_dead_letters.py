from typing import Any

import pytest
from psycopg import Connection

from consumer.operations.dead_letters import (
    drop_dead_letters,
    list_dead_letters,
    load_dead_letter,
    replay_dead_letters,
)
from consumer.operations.kafka import NotDeliveredError, OutgoingMessage
from tests.operations.rows import insert


def bury(connection: Connection[Any], offset: int, **columns: Any) -> int:
    insert(
        connection,
        "dead_letter",
        **{
            "topic": "orders",
            "partition": 3,
            "offset": offset,
            "key": b"order-1",
            "value": b"\x00bytes",
            "headers": '[{"name": "mark", "value": "AQ=="}, {"name": "empty", "value": null}]',
            "order_id": "order-1",
            "organisation_id": "org-1",
            "reason": "undecodable",
            "detail": "why",
            **columns,
        },
    )
    return list_dead_letters(connection)[0].id


def test_a_replay_sends_the_same_bytes_to_the_same_place_once(connection: Connection[Any]) -> None:
    first, second = bury(connection, 1), bury(connection, 2, headers="[]")
    sent: list[OutgoingMessage] = []
    assert replay_dead_letters(connection, [second, first], sent.extend, actor="operator") == [first, second]
    assert sent == [
        OutgoingMessage("orders", b"order-1", b"\x00bytes", (("mark", b"\x01"), ("empty", None)), 3),
        OutgoingMessage("orders", b"order-1", b"\x00bytes", (), 3),
    ]
    assert replay_dead_letters(connection, [first], sent.extend, actor="operator") == []
    assert len(sent) == 2
    assert list_dead_letters(connection) == []
    (row, _) = list_dead_letters(connection, state="replayed")
    assert row.state_actor == "operator"
    audited = connection.execute("select action, actor, detail from audit").fetchall()
    assert audited == [("dead_letters_replayed", "operator", {"ids": [first, second], "reason": None})]


def test_what_kafka_does_not_take_stays_open(connection: Connection[Any]) -> None:
    letter_id = bury(connection, 1)

    def refuse(_messages: list[OutgoingMessage]) -> None:
        raise NotDeliveredError("no")

    with pytest.raises(NotDeliveredError):
        replay_dead_letters(connection, [letter_id], refuse, actor="operator")
    assert [row.id for row in list_dead_letters(connection)] == [letter_id]
    assert connection.execute("select count(*) from audit").fetchone() == (0,)


def test_a_dropped_letter_keeps_its_reason(connection: Connection[Any]) -> None:
    letter_id = bury(connection, 1)
    assert drop_dead_letters(connection, [letter_id, 999], actor="operator", reason="a test order") == [letter_id]
    found = load_dead_letter(connection, letter_id)
    assert found is not None
    assert (found.state, found.state_reason, found.value) == ("dropped", "a test order", b"\x00bytes")
    assert load_dead_letter(connection, 999) is None


def test_the_list_is_filtered(connection: Connection[Any]) -> None:
    letter_id = bury(connection, 1, reason="impossible", order_id="order-2")
    bury(connection, 2)
    assert [row.id for row in list_dead_letters(connection, reason="impossible")] == [letter_id]
    assert [row.id for row in list_dead_letters(connection, order_id="order-2")] == [letter_id]
    assert len(list_dead_letters(connection, limit=1)) == 1
