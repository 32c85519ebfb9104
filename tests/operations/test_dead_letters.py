from typing import Any

import pytest
from psycopg import Connection

from consumer.database import connect
from consumer.operations.dead_letters import (
    Replayed,
    drop_dead_letters,
    list_dead_letters,
    load_dead_letter,
    replay_dead_letters,
)
from consumer.operations.kafka import NotDeliveredError, OutgoingMessage
from tests.operations.rows import insert, insert_order, insert_organisation


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
    replayed = list(replay_dead_letters(connection, [first, second], sent.append, actor="operator"))
    assert replayed == [Replayed(first, None), Replayed(second, None)]
    assert sent == [
        OutgoingMessage("orders", b"order-1", b"\x00bytes", (("mark", b"\x01"), ("empty", None)), 3),
        OutgoingMessage("orders", b"order-1", b"\x00bytes", (), 3),
    ]
    assert list(replay_dead_letters(connection, [first], sent.append, actor="operator")) == []
    assert len(sent) == 2
    assert list_dead_letters(connection) == []
    (row, _) = list_dead_letters(connection, state="replayed")
    assert row.state_actor == "operator"
    audited = connection.execute("select organisation_id, action, actor, detail from audit order by id").fetchall()
    assert audited == [
        ("org-1", "dead_letters_replayed", "operator", {"ids": [letter_id], "reason": None})
        for letter_id in (first, second)
    ]


def test_a_letter_is_sent_once_more_where_that_is_asked_for(connection: Connection[Any]) -> None:
    letter_id, dropped = bury(connection, 1), bury(connection, 2)
    drop_dead_letters(connection, [dropped], actor="operator", reason="a test")
    sent: list[OutgoingMessage] = []
    for _ in range(2):
        again = replay_dead_letters(connection, [letter_id, dropped], sent.append, actor="operator", again=True)
        assert list(again) == [Replayed(letter_id, None)]
    assert len(sent) == 2


def test_one_that_is_refused_stays_open_and_keeps_no_other_back(connection: Connection[Any]) -> None:
    ids = [bury(connection, number, value=b"x" * number) for number in (1, 2, 3)]
    replayed = replay_dead_letters(
        connection, ids, lambda message: "too large" if message.value == b"xx" else None, actor="operator"
    )
    assert [outcome.refusal for outcome in replayed] == [None, "too large", None]
    assert [row.id for row in list_dead_letters(connection)] == [ids[1]]


def test_each_is_marked_before_the_next_is_sent(connection: Connection[Any], database_url: str) -> None:
    ids = [bury(connection, number) for number in (1, 2, 3)]
    seen: list[list[int]] = []

    def look(_message: OutgoingMessage) -> None:
        with connect(database_url, name="test") as other:
            seen.append([row.id for row in list_dead_letters(other, state="replayed")][::-1])

    assert len(list(replay_dead_letters(connection, ids, look, actor="operator"))) == 3
    assert seen == [[], ids[:1], ids[:2]]


def test_each_organisation_has_what_became_of_its_own_letters_on_record(connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert_order(connection, "order-1")
    of_key = bury(connection, 1, organisation_id=None)
    of_another = bury(connection, 2, organisation_id="org-2")
    of_nobody = bury(connection, 3, organisation_id=None, order_id=None)
    drop_dead_letters(connection, [of_nobody, of_another, of_key], actor="operator", reason="a test")
    rows = connection.execute("select organisation_id, detail -> 'ids' from audit order by 1").fetchall()
    assert rows == [("org-1", [of_key]), ("org-2", [of_another]), (None, [of_nobody])]


def test_what_kafka_does_not_take_stays_open(connection: Connection[Any]) -> None:
    letter_id = bury(connection, 1)

    def fail(_message: OutgoingMessage) -> None:
        raise NotDeliveredError("no")

    with pytest.raises(NotDeliveredError):
        list(replay_dead_letters(connection, [letter_id], fail, actor="operator"))
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
