"""HearLink uses a sequence twice, as after a restore of its database: nothing is dropped, and a person decides."""

from typing import Any

import msgspec
import pytest

from consumer.contract import Decoder, MessageDecoder
from consumer.database import connect
from consumer.operations.conflicts import UnclearChoiceError, keep_first, take_later
from consumer.orders import ChangeKind, OrderEvent
from consumer.projection import BrakeLimits
from consumer.projection.rebuild import Comparison, Rebuild
from tests.projection.world import World, event, wait_until


def again(order_id: str, sequence: int, kind: ChangeKind = ChangeKind.PAYMENT_SAVED, **part: Any) -> OrderEvent:
    """Another event of the sequence, with another payment."""
    change: dict[str, Any] | None = None
    if kind is ChangeKind.PAYMENT_SAVED:
        payment = event(order_id, sequence, kind).change["payment"]
        change = {"payment": {**payment, "payment_id": "payment-again", "amount": "99.0000", **part}}
    changes = {} if change is None else {"change": change}
    return event(order_id, sequence, kind, event_id=f"{order_id}-{sequence}-again", **changes)


def payment(order_id: str, sequence: int) -> OrderEvent:
    return event(order_id, sequence, ChangeKind.PAYMENT_SAVED)


def amounts(world: World, order_id: str = "order-1") -> dict[str, str]:
    state = world.order(order_id)["state"]
    return {key: part["value"]["amount"] for key, part in state["payments"].items()}


def letters(world: World) -> list[tuple[Any, ...]]:
    return world.rows("select id, order_id, sequence, event_id, state from dead_letter order by id")


def rebuild(world: World, *, swap: bool = False) -> Comparison:
    return Rebuild(world.settings(), Decoder(world.schemas), MessageDecoder(world.schemas)).run(swap=swap)


def take(world: World, *letter_ids: int) -> list[int]:
    with connect(world.database_url, name="take") as connection:
        decoder, messages = Decoder(world.schemas), MessageDecoder(world.schemas)
        return take_later(connection, letter_ids or None, world.settings(), decoder, messages, actor="operator")


def keep(world: World, *letter_ids: int) -> list[int]:
    with connect(world.database_url, name="keep") as connection:
        return keep_first(connection, letter_ids, actor="operator", reason="the till says so")


def test_another_event_of_a_sequence_is_set_aside_and_its_order_is_looked_at(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1), payment("order-1", 2), payment("order-1", 3), event("order-2", 1))
        world.wait_for_events(4)
        world.execute("update orders set due_at = null, hold = 'manual'")
        # In a later batch, and once more; the next number is used once.
        world.publish(again("order-1", 2), again("order-1", 3), again("order-1", 2), payment("order-1", 2))
        world.wait_for_events(8)
        wait_until(lambda: running.metrics.counts["messages"] == 8)
    found = letters(world)
    assert [row[1:] for row in found] == [
        ("order-1", 2, "order-1-2-again", "open"),
        ("order-1", 3, "order-1-3-again", "open"),
    ]
    ((reason, detail),) = world.rows(
        "select distinct reason, substring(detail from 'HearLink has .* twice') from dead_letter"
    )
    assert (reason, detail) == ("conflict", "HearLink has used this number twice")
    assert running.metrics.counts["events conflict"] == running.metrics.counts["events repeated"] == 2
    assert amounts(world) == {"payment-1": "40.0000"}
    assert world.order()["revision"] == 3
    assert world.rows("select order_id, hold from orders where due_at is not null") == [("order-1", None)]
    assert rebuild(world).differences == []


@pytest.mark.parametrize("is_first", [True, False])
def test_the_first_counts_within_a_batch_and_over_restarts(world: World, is_first: bool) -> None:  # noqa: FBT001 -- a parameter
    one, other = payment("order-1", 2), again("order-1", 2)
    if not is_first:
        one, other = other, one
    world.publish(event("order-1", 1), one, other)
    with world.running():
        world.wait_for_events(3)
    kept = amounts(world)
    assert kept == ({"payment-1": "40.0000"} if is_first else {"payment-again": "99.0000"})
    with world.running():
        world.publish(one, other, one)
        world.wait_for_events(6)
    assert amounts(world) == kept
    assert [row[3] for row in letters(world)] == [other.event_id]
    assert rebuild(world).differences == []


def test_the_one_that_is_taken_counts_as_if_the_first_had_never_been(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1), payment("order-1", 2), again("order-1", 2), event("order-2", 1))
        world.publish(event("order-1", 3))
        world.wait_for_events(5)
        ((letter_id, *_),) = letters(world)
        world.execute("update orders set synced_revision = revision, due_at = null, hold = 'problem'")
        assert take(world, letter_id) == [letter_id]
        assert take(world, letter_id) == []
        assert amounts(world) == {"payment-again": "99.0000"}
        order = world.order()
        assert (order["hold"], order["due_at"] is None, order["revision"] > order["synced_revision"]) == (
            None,
            False,
            True,
        )
        assert world.order("order-2")["hold"] == "problem"
        # Whatever comes once more changes nothing, and asks nobody again.
        world.publish(payment("order-1", 2), again("order-1", 2), event("order-1", 4))
        world.wait_for_events(8)
        wait_until(lambda: running.metrics.counts["messages"] == 8)
        assert running.metrics.counts["events repeated"] == 2
    assert running.failure is None
    assert amounts(world) == {"payment-again": "99.0000"}
    assert [row[4] for row in letters(world)] == ["taken"]
    compared = rebuild(world)
    assert (compared.differences, compared.orders) == ([], 2)
    audit = world.rows("select actor, action, detail ->> 'order_id', detail -> 'sequences' from audit")
    assert audit == [("operator", "dead_letters_taken", "order-1", [2])]


def test_the_one_that_is_kept_out_never_counts_unless_it_is_taken_after_all(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), payment("order-1", 2), again("order-1", 2))
        world.wait_for_events(3)
        world.execute("update orders set due_at = null, hold = 'problem'")
        ((letter_id, *_),) = letters(world)
        assert keep(world, letter_id) == [letter_id]
        assert keep(world, letter_id) == []
        assert world.order()["hold"] is None
        world.publish(again("order-1", 2), payment("order-1", 2))
        world.wait_for_events(5)
    assert amounts(world) == {"payment-1": "40.0000"}
    assert [row[4] for row in letters(world)] == ["kept"]
    assert rebuild(world).differences == []
    assert take(world, letter_id) == [letter_id]
    assert amounts(world) == {"payment-again": "99.0000"}
    assert rebuild(world).differences == []
    assert world.rows("select event_id from overruled_event") == [("order-1-2",)]


def test_a_rebuild_from_nothing_honours_what_was_decided(world: World) -> None:
    with world.running():
        world.publish(
            *[made for number in (1, 2) for made in (event(f"order-{number}", 1), payment(f"order-{number}", 2))]
        )
        world.publish(again("order-1", 2), again("order-2", 2))
        world.wait_for_events(6)
    by_order = {row[1]: row[0] for row in letters(world)}
    take(world, by_order["order-1"])
    keep(world, by_order["order-2"])
    states = world.rows("select order_id, state, seen from orders order by 1")
    world.execute("delete from orders")
    rebuild(world, swap=True)
    assert world.rows("select order_id, state, seen from orders order by 1") == states
    assert (amounts(world), amounts(world, "order-2")) == ({"payment-again": "99.0000"}, {"payment-1": "40.0000"})


def test_of_three_events_of_one_sequence_one_is_taken_and_the_others_do_not_count(world: World) -> None:
    third = msgspec.structs.replace(again("order-1", 2, amount="7.0000"), event_id="the-third")
    with world.running():
        world.publish(event("order-1", 1), payment("order-1", 2), again("order-1", 2), third)
        world.wait_for_events(4)
        second_letter, third_letter = (row[0] for row in letters(world))
        with pytest.raises(UnclearChoiceError, match=f"{second_letter}, {third_letter} hold several"):
            take(world)
        assert take(world, third_letter) == [third_letter]
        assert amounts(world) == {"payment-again": "7.0000"}
        assert keep(world, second_letter) == [second_letter]
        world.publish(payment("order-1", 2), again("order-1", 2), third)
        world.wait_for_events(7)
    assert amounts(world) == {"payment-again": "7.0000"}
    assert len(letters(world)) == 2
    assert rebuild(world).differences == []


def test_a_restored_hearlink_stops_nobody(world: World) -> None:
    """Many conflicts are no broken schema: the brake lets them pass, and other orders go on."""
    world.brake = BrakeLimits(run_max=5, window_messages=50)
    with world.running() as running:
        world.publish(*[event(f"order-{number}", 1) for number in range(20)])
        world.publish(*[again(f"order-{number}", 1, ChangeKind.INVOICE_SAVED) for number in range(20)])
        world.publish(event("order-new", 1))
        world.wait_for_events(41)
        wait_until(lambda: running.metrics.counts["messages"] == 41)
    assert running.failure is None
    assert len(letters(world)) == 20


def test_rows_from_before_there_were_marks_know_their_newest_event_alone(world: World) -> None:
    with world.running() as running:
        world.publish(*[payment("order-1", sequence) for sequence in range(1, 4)])
        world.wait_for_events(3)
        world.execute("update orders set seen = ''")
        world.publish(payment("order-1", 1), again("order-1", 2), payment("order-1", 3), again("order-1", 3))
        world.wait_for_events(7)
        wait_until(lambda: running.metrics.counts["messages"] == 7)
    # Unknown is no conflict.
    assert running.metrics.counts["events repeated"] == 3
    assert [row[2] for row in letters(world)] == [3]
    assert rebuild(world).differences == []
    rebuild(world, swap=True)
    with world.running():
        world.publish(again("order-1", 2))
        world.wait_for_events(8)
    assert [row[2] for row in letters(world)] == [3, 2]


def test_a_sequence_absurdly_far_ahead_is_a_dead_letter_and_the_order_goes_on(world: World) -> None:
    absurd = event("order-1", 1_770_000_000_000_000, event_id="absurd")
    with world.running() as running:
        world.publish(event("order-1", 1), absurd, payment("order-1", 2), event("order-2", 99_999))
        world.wait_for_events(4)
        wait_until(lambda: running.metrics.counts["messages"] == 4)
    assert world.rows("select order_id, reason from dead_letter order by 1") == [
        ("order-1", "impossible"),
        ("order-2", "impossible"),
    ]
    order = world.order()
    assert (order["sequence"], order["revision"], amounts(world)) == (2, 2, {"payment-1": "40.0000"})
    assert world.rows("select count(*) from orders") == [(1,)]
    compared = rebuild(world)
    assert (compared.differences, compared.unusable) == ([], 2)
