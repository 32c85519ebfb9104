"""Lag from what was seen: no clock but the one that is handed in."""

from consumer.projection.lag.log_reader import TopicTail
from consumer.projection.lag.measure import EndHistory, Fault, PartitionLag, Reason, Tail, measure
from consumer.projection.lag.watch import LagLedger

WALL = 1_800_000_000.0
PLACE = ("orders", 0)
GONE = Fault(Reason.GONE, "Kafka has no topic orders.")


def lag(history: EndHistory, now: float, tail: Tail) -> PartitionLag:
    return measure(tail, history, now=now, wall_now=WALL + now)


def test_who_has_caught_up_has_no_lag_whatever_lies_behind() -> None:
    assert lag(EndHistory(), 0.0, Tail(readable=0, held=0, end=17)) == (0, 0, 0.0, True)


def test_the_first_look_believes_the_message() -> None:
    assert lag(EndHistory(), 0.0, Tail(3, 0, 20, oldest=10, written_at=WALL - 90)) == (3, 0, 90.0, True)


def test_messages_behind_an_open_transaction_count_and_grow_old() -> None:
    history = EndHistory()
    tail = Tail(0, 2, 12, oldest=10, written_at=WALL)
    assert lag(history, 5.0, tail) == (2, 2, 5.0, True)
    assert lag(history, 65.0, tail) == (2, 2, 65.0, True)


def test_old_times_of_messages_that_came_just_now_are_not_believed() -> None:
    history = EndHistory()
    lag(history, 0.0, Tail(0, 0, 10))
    # Published again a year later, with the time of its first writing.
    assert lag(history, 5.0, Tail(1, 0, 11, oldest=10, written_at=WALL - 30_000_000)).seconds == 5.0
    assert lag(history, 25.0, Tail(1, 0, 11, oldest=10, written_at=WALL - 30_000_000)).seconds == 25.0


def test_a_clock_that_is_ahead_hides_no_lag() -> None:
    history = EndHistory()
    for now in (0.0, 5.0, 600.0):
        found = lag(history, now, Tail(1, 0, 11, oldest=10, written_at=WALL + 7_200))
    assert found.seconds == 600.0


def test_messages_without_a_time_count_from_the_first_look_at_them() -> None:
    history = EndHistory()
    assert lag(history, 100.0, Tail(9, 0, 10, oldest=0)).seconds == 0.0
    assert lag(history, 130.0, Tail(9, 0, 10, oldest=0)).seconds == 30.0


def test_a_log_that_was_cut_off_is_judged_anew() -> None:
    history = EndHistory()
    lag(history, 0.0, Tail(0, 0, 100))
    assert lag(history, 10.0, Tail(1, 0, 51, oldest=50, written_at=WALL - 40)).seconds == 50.0


def test_a_history_of_many_looks_keeps_its_bound_and_its_beginning() -> None:
    history = EndHistory()
    for now in range(10_000):
        found = lag(history, float(now), Tail(now + 1, 0, now + 1, oldest=0))
    assert found.seconds == 9_999.0


def test_series_stay_with_their_last_value_while_nothing_is_known() -> None:
    ledger = LagLedger()
    tail = Tail(3, 0, 20, oldest=10, written_at=WALL)
    known = ledger.note({"orders": TopicTail({0: tail, 1: Tail(0, 0, 5)})}, now=7.0, wall_now=WALL + 7)
    assert known.partitions[PLACE] == (3, 0, 7.0, True)
    assert known.of("orders") == (3, 0, 7.0, True)
    lost = ledger.note({"orders": TopicTail({}, GONE)}, now=12.0, wall_now=WALL + 12)
    assert lost.partitions[PLACE] == (3, 0, 7.0, False)
    assert (lost.of("orders").is_known, lost.faults) == (False, {"orders": GONE})
    half = ledger.note({"orders": TopicTail({0: GONE, 1: Tail(0, 0, 5)})}, now=17.0, wall_now=WALL + 17)
    assert [half.partitions["orders", number].is_known for number in (0, 1)] == [False, True]
    assert not half.of("orders").is_known
    back = ledger.note({"orders": TopicTail({0: tail, 1: Tail(0, 0, 5)})}, now=22.0, wall_now=WALL + 22)
    assert (back.of("orders"), back.faults) == ((3, 0, 22.0, True), {})


def test_a_topic_that_was_never_seen_is_unknown_and_not_zero() -> None:
    found = LagLedger().note({"orders": TopicTail({}, GONE)}, now=0.0, wall_now=WALL)
    assert (found.partitions, found.of("orders").is_known) == ({}, False)
