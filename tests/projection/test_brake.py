"""The brake's words, and how what it stopped at is let through."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from consumer.contract import DeadLetter
from consumer.database import connect
from consumer.projection import BrakeError, BrakeLimits, Span, read_position, release, standing_stops
from consumer.projection.brake import Brake
from consumer.projection.causes import _KINDS_MAX, Causes
from tests.projection.world import World, event

LETTER = DeadLetter(
    topic="orders",
    partition=3,
    offset=120,
    reason="undecodable",
    detail="Written with schema id 77, which the registry doesn't have.",
    dead_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def letter(offset: int, **changes: Any) -> DeadLetter:
    return msgspec.structs.replace(LETTER, offset=offset, **changes)


def impossible(offset: int, order_id: str) -> DeadLetter:
    detail = f"Event e-{offset} (PaymentSaved) of order {order_id}: payment.amount is -{offset}.00, a negative amount."
    return letter(offset, reason="impossible", detail=detail, order_id=order_id)


def test_causes_are_told_together_whoever_and_how_much_it_was() -> None:
    letters = [impossible(offset, f"order-{offset}") for offset in range(5)]
    letters += [letter(5), letter(6), letter(7, detail=LETTER.detail.replace("77", "78"))]
    found = Causes(letters).by_count()
    assert [(cause.count, cause.reason, cause.first_offset) for cause in found] == [
        (5, "impossible", 0),
        (2, "undecodable", 5),
        (1, "undecodable", 7),
    ]


def test_mere_noise_fills_no_memory_and_no_line() -> None:
    letters = [letter(offset, detail=f"starts with 0x{offset:04x}f " + "x" * 999) for offset in range(_KINDS_MAX + 50)]
    found = Causes(letters).by_count()
    assert len(found) == _KINDS_MAX + 1
    assert (found[0].count, found[0].reason) == (50, "various")
    assert max(len(cause.detail) for cause in found) < 310


def test_the_words_say_where_why_and_how_to_go_on() -> None:
    letters = [letter(offset) for offset in range(120, 220)]
    letters += [impossible(7, "order-7")]
    letters[-1] = msgspec.structs.replace(letters[-1], partition=11)
    with pytest.raises(BrakeError) as stopped:
        Brake("orders", BrakeLimits()).judge([False] * 101, letters)
    assert stopped.value.spans == [Span("orders", 3, 120, 219), Span("orders", 11, 7, 7)]
    lines = str(stopped.value).splitlines()
    assert lines[0].startswith("101 messages in a row can't be used (topic orders)")
    assert "Partition 3, offsets 120 to 219: 100 bad messages in this batch." in lines
    assert "Partition 11, offsets 7 to 7: 1 bad messages in this batch." in lines
    assert f"100 undecodable, the first in partition 3 at 120: {LETTER.detail}" in lines
    assert any(line.startswith("1 impossible, the first in partition 11 at 7: Event e-7") for line in lines)
    assert "hearlink-xero events tail --partition 3 --offset 120 --count 100" in lines
    assert 'hearlink-xero dead-letters skip --partition 3 --from 120 --to 219 --reason "..."' in lines
    assert 'hearlink-xero dead-letters skip --partition 11 --from 7 --to 7 --reason "..."' in lines


def test_the_words_stay_short_however_much_is_bad() -> None:
    letters = [
        letter(number, partition=number % 60, detail=f"the field {chr(97 + number % 20)} is odd " + "x" * 9_999)
        for number in range(600)
    ]
    with pytest.raises(BrakeError) as stopped:
        Brake("orders", BrakeLimits()).judge([False] * 600, letters)
    assert len(str(stopped.value)) < 5_000
    assert "The same in 52 other partitions." in str(stopped.value)
    assert "450 for other reasons." in str(stopped.value)


@pytest.mark.parametrize(
    ("limits", "bad", "good", "stops"),
    [
        (BrakeLimits(), 99, 0, False),
        (BrakeLimits(), 100, 0, True),
        (BrakeLimits(run_max=5), 5, 100, True),
        (BrakeLimits(run_max=1_000), 100, 900, False),
        (BrakeLimits(run_max=1_000), 101, 899, True),
        (BrakeLimits(run_max=1_000, share_max=0.5), 499, 300, False),
        (BrakeLimits(run_max=1_000, window_messages=100), 5, 10, True),
        (BrakeLimits(run_max=1_000, share_max=1.0), 900, 0, False),
    ],
)
def test_the_limits_are_what_is_set(*, limits: BrakeLimits, bad: int, good: int, stops: bool) -> None:
    brake = Brake("orders", limits)
    verdicts = [True] * good + [False] * bad
    letters = [letter(offset) for offset in range(bad)]
    if stops:
        with pytest.raises(BrakeError):
            brake.judge(verdicts, letters)
    else:
        brake.judge(verdicts, letters)


def stopped_world(world: World) -> BrakeError:
    """Thirty bad messages, with good ones before, among and after them, and a service that stopped."""
    world.brake = BrakeLimits(run_max=20)
    world.publish(event("order-1", 1), partition=0)
    for number in range(30):
        world.send(b"nonsense", partition=0)
        if number in {9, 29}:
            world.publish(event("order-1", 2 + number // 10), partition=0)
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, BrakeError)
    return failure


def test_what_is_let_through_goes_to_the_dead_letters_and_what_is_good_is_kept(world: World) -> None:
    failure = stopped_world(world)
    (span,) = failure.spans
    topic = world.orders_topic
    with connect(world.database_url, name="test") as connection:
        (stop,) = standing_stops(connection, topic)
        assert (stop.span, stop.detail) == (span, str(failure))
        position = read_position(connection, topic, 0)
        assert position is not None
        assert position.next_offset <= span.first_offset
        assert release(connection, span, position.topic_id, reason="a test", actor="ann")
        assert standing_stops(connection, topic) == []
    with world.running() as running:
        world.wait_for_events(33)
        # What comes later counts anew: fewer than the limit stop nobody, although so many were let through.
        for _ in range(15):
            world.send(b"nonsense", partition=0)
        world.publish(event("order-1", 5), partition=0)
        world.wait_for_events(49)
        world.wait_until_caught_up()
    assert running.failure is None
    assert world.rows("select count(*) from dead_letter") == [(45,)]
    assert world.rows("select count(*) from outbox where topic = 'dead_letter'") == [(45,)]
    order = world.order()
    assert (order["sequence"], order["revision"]) == (5, 4)


def test_a_part_that_was_not_let_through_stops_again(world: World) -> None:
    (span,) = stopped_world(world).spans
    # All but the last one, however many those are: what was bad in a batch before is written.
    part = span._replace(first_offset=0, last_offset=span.last_offset - 1)
    with connect(world.database_url, name="test") as connection:
        position = read_position(connection, world.orders_topic, 0)
        assert position is not None
        release(connection, part, position.topic_id, reason="a test", actor="ann")
        assert [stop.span for stop in standing_stops(connection, world.orders_topic)] == [span]
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, BrakeError)
    assert failure.spans == [span]


def test_once_they_can_be_read_they_stop_nobody(world: World) -> None:
    world.brake = BrakeLimits(run_max=2)
    good = [world.encode(event("order-1", number)) for number in (1, 2, 3)]
    unknown = [value[:2] + b"\x00" * 8 + value[10:] for value in good]
    for value in unknown:
        world.send(value, partition=0)
    world.flush()
    with world.running() as running:
        assert isinstance(running.wait_for_end(), BrakeError)
    mark = world.schemas._by_fingerprint
    known = type(world.schemas)(world.schemas._current, {**mark, b"\x00" * 8: mark[good[0][2:10]]})
    world.schemas = known
    with world.running() as running:
        world.wait_for_events(3)
    assert running.failure is None
    assert world.order()["revision"] == 3
    with connect(world.database_url, name="test") as connection:
        assert standing_stops(connection, world.orders_topic) == []


def test_a_release_is_for_what_lies_ahead_in_the_topic_that_was_looked_at(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), event("order-1", 2), partition=0)
        world.wait_for_events(2)
    with connect(world.database_url, name="test") as connection:
        position = read_position(connection, world.orders_topic, 0)
        assert position is not None
        behind, ahead = Span(world.orders_topic, 0, 0, 1), Span(world.orders_topic, 0, 0, 2)
        assert not release(connection, behind, position.topic_id, reason="a test", actor="ann")
        assert not release(connection, ahead, "another", reason="a test", actor="ann")
        assert release(connection, ahead, position.topic_id, reason="a test", actor="ann")
    # Of a topic that was created anew, nothing was let through.
    world.brake = BrakeLimits(run_max=1)
    world.execute("update brake_release set topic_id = 'of before'")
    world.send(b"nonsense", partition=0)
    world.flush()
    with world.running() as running:
        assert isinstance(running.wait_for_end(), BrakeError)
