"""People's acts in an order's story: upon it alone, and upon many orders at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from consumer.operations.timeline import load_timeline
from consumer.sync.intents import leave_in_doubt
from tests.operations.rows import insert, insert_intent, insert_order


def test_acts_upon_one_order_and_upon_many_are_found(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1")
    insert_order(connection, "order-2")
    acts = (
        ("sync", {"order_id": "order-1", "reason": "asked by phone"}),
        ("retry_orders", {"order_ids": ["order-1", "order-2", "order-3"]}),
        ("retry", {"order_ids": ["order-1"]}),
        ("retry", {"order_ids": ["order-2"], "order_id": "order-2"}),
    )
    for action, detail in acts:
        insert(connection, "audit", organisation_id="org-1", actor="ann", action=action, detail=Jsonb(detail))
    found = load_timeline(connection, "order-1")
    assert found is not None
    told = [(moment.text, moment.detail) for moment in found.moments if moment.kind == "act"]
    assert told == [
        ("ann: sync (asked by phone)", {"order_id": "order-1", "reason": "asked by phone"}),
        ("ann: retry orders, with 2 other orders", {"orders": 3}),
        ("ann: retry", {"orders": 1}),
    ]
    other = load_timeline(connection, "order-2")
    assert other is not None
    # A row that names the order in both ways is told once.
    assert [moment.text for moment in other.moments if moment.kind == "act"] == [
        "ann: retry orders, with 2 other orders",
        "ann: retry",
    ]


def test_a_look_up_is_told_at_the_time_that_it_was_noted(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1")
    insert_intent(connection, "order-1")
    rows = connection.execute("select id from xero_intent").fetchall()
    leave_in_doubt(connection, rows[0][0], "answer_lost", 3_600)
    before = story(connection)
    assert [kind for _, kind, _ in before][-2:] == ["call", "answer"]
    noted_at, _, text = before[-1]
    # In an hour it is looked up; it was noted now.
    assert abs(noted_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert "no answer (answer_lost); to be looked up in Xero from" in text
    connection.execute("update xero_intent set state = 'settled', outcome = 'found', settled_at = now()")
    after = story(connection)
    assert [kind for _, kind, _ in after][-3:] == ["call", "answer", "answer"]
    assert after[-2][0] == noted_at
    assert after[-1][2].endswith(": found")
    # A row from before it was written down is told at the time of its call.
    connection.execute("update xero_intent set look_up_noted_at = null, sent_at = now() - interval '1 day'")
    assert datetime.now(UTC) - timedelta(hours=23) > min(at for at, kind, _ in story(connection) if kind == "answer")


def story(connection: Connection[Any]) -> list[tuple[datetime, str, str]]:
    found = load_timeline(connection, "order-1")
    assert found is not None
    return [(moment.at, moment.kind, moment.text) for moment in found.moments if moment.kind in {"call", "answer"}]
