"""People's acts in an order's story: upon it alone, and upon many orders at once."""

from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from consumer.operations.timeline import load_timeline
from tests.operations.rows import insert, insert_order


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
