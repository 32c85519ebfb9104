"""The rebuild beside the living projection: that both read the topic alike. What it puts in place: tests/chaos."""

from typing import Any

import msgspec
import psycopg
import pytest

from consumer.contract import Decoder, MessageDecoder
from consumer.database import connect
from consumer.orders import ChangeKind, OrderEvent
from consumer.projection.rebuild import Comparison, Rebuild, RebuildError, _take_turn
from tests.projection.world import World, event


def rebuild(world: World, *, swap: bool = False) -> Comparison:
    return Rebuild(world.settings(), Decoder(world.schemas), MessageDecoder(world.schemas)).run(swap=swap)


def of_another_invoice(order_id: str, sequence: int, kind: ChangeKind, invoice_id: str) -> OrderEvent:
    change: dict[str, Any] = {"invoice_id": invoice_id}
    if kind is ChangeKind.INVOICE_SAVED:
        change = {"invoice": {**event(order_id, sequence).change["invoice"], "invoice_id": invoice_id}}
    return event(order_id, sequence, kind, change=change)


def test_rows_without_the_folds_notes_are_given_them_and_no_order_is_due_by_it(world: World) -> None:
    """Former versions wrote rows without them."""
    with world.running():
        world.publish(
            event("order-1", 1),
            event("order-1", 2, ChangeKind.PAYMENT_SAVED),
            event("order-1", 3, ChangeKind.PAYMENT_DELETED),
            of_another_invoice("order-1", 4, ChangeKind.INVOICE_SAVED, "invoice-2"),
            event("order-1", 5, ChangeKind.INVOICE_DELETED),
        )
        world.wait_for_events(5)
    state = world.order()["state"]
    world.execute(
        "update orders set due_at = null, state = state #- '{invoice,deletions}' #- '{payments,payment-1,saved}'"
    )
    assert world.order()["state"] != state
    assert [difference.kind for difference in rebuild(world).differences] == ["sequence"]
    swapped = rebuild(world, swap=True)
    assert (swapped.replaced, swapped.made_due) == (1, 0)
    order = world.order()
    assert (order["state"], order["revision"], order["due_at"]) == (state, 5, None)


@pytest.mark.parametrize("damage", ["null", "[]", "5", '{"payments": null, "invoice": 5}', '{"payments": {"a": 1}}'])
def test_a_damaged_row_is_replaced(world: World, damage: str) -> None:
    with world.running():
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
    state = world.order()["state"]
    world.execute("update orders set state = %s", [damage])
    assert rebuild(world, swap=True).made_due == 1
    assert world.order()["state"] == state


def test_events_that_postgres_refuses_are_left_out_as_the_living_projection_does(world: World) -> None:
    refused = event("order-2", 1)
    refused = msgspec.structs.replace(refused, patient={**refused.patient, "last_name": "Ex\x00ample"})
    with world.running():
        world.publish(event("order-1", 1), refused, event("order-3", 1), event("order-1", 2))
        world.wait_for_events(4)
    found = rebuild(world)
    assert (found.differences, found.events, found.unusable, found.orders) == ([], 4, 1, 2)


def test_a_second_rebuild_waits_for_nothing_and_touches_nothing(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
    with connect(world.settings().database_url, name="first") as first:
        _take_turn(first)
        with pytest.raises(RebuildError, match="Another rebuild is under way"):
            rebuild(world, swap=True)
        # A connection that ends gives its locks back a moment later; this waits for it.
        first.execute("select pg_advisory_unlock_all()")
    assert rebuild(world).differences == []


def test_a_rebuild_whose_tables_are_gone_writes_no_living_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody drops the schema that it builds in, while it reads."""
    with world.running():
        world.publish(event("order-1", 1), event("order-2", 1))
        world.wait_for_events(2)
    before = world.order()
    world.execute("update orders set sequence = 0, revision = 0 where order_id = 'order-1'")
    damaged = world.order()

    def load(*arguments: Any, **more: Any) -> Any:
        world.execute("drop schema rebuild cascade")
        monkeypatch.undo()
        return Rebuild._next(*arguments, **more)

    monkeypatch.setattr(Rebuild, "_next", load)
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        rebuild(world, swap=True)
    assert damaged != before
    assert world.order() == damaged


@pytest.mark.usefixtures("real_kafka")
def test_orders_whose_events_are_gone_stay_as_they_are_and_others_are_replaced(world: World) -> None:
    """Events before an offset were deleted: of one order all, of one the first, of one none."""
    with world.running():
        world.publish(
            event("gone", 1),
            event("half", 1),
            event("half", 2, ChangeKind.PAYMENT_SAVED),
            event("whole", 1),
            event("lost", 1),
            partition=0,
        )
        world.wait_for_events(5)
    world.delete_before(0, 2)
    world.execute("update orders set state = '{}' where order_id in ('half', 'whole')")
    world.execute("delete from orders where order_id = 'lost'")
    found = rebuild(world)
    kinds = {difference.order_id: difference.kind for difference in found.differences}
    assert kinds == {"gone": "extra", "half": "incomplete", "whole": "state", "lost": "missing"}
    assert (found.begins_at, found.kept) == ({0: 2}, 2)
    swapped = rebuild(world, swap=True)
    assert (swapped.replaced, swapped.made_due) == (2, 2)
    assert {order_id: world.order(order_id)["state"] == {} for order_id in ("half", "whole", "lost")} == {
        "half": True,
        "whole": False,
        "lost": False,
    }
    assert world.order("gone")["state"] != {}
