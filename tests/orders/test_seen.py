"""Which event had which sequence: a repeat is never taken for a conflict, and a conflict is known as one."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.orders import SeenEvents

RECENT = 256


def filled(events: int) -> SeenEvents:
    seen = SeenEvents()
    for sequence in range(1, events + 1):
        seen.append(sequence, f"event-{sequence}")
        seen = SeenEvents(seen.stored())
    return seen


def test_an_ordinary_order_keeps_four_bytes_an_event_and_a_long_one_has_a_bound() -> None:
    assert [len(filled(events).stored()) for events in (0, 1, 10, RECENT)] == [0, 4, 40, 4 * RECENT]
    assert len(filled(RECENT + 1).stored()) == len(filled(3_000).stored()) == 512 + 4 * RECENT


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1_500), st.data())
def test_a_repeat_is_no_conflict_however_old_it_is(events: int, data: st.DataObject) -> None:
    seen = filled(events)
    for sequence in data.draw(st.lists(st.integers(1, events), min_size=1, max_size=30)):
        assert not seen.contradicts(events, sequence, f"event-{sequence}")


def test_another_id_is_a_conflict_for_certain_among_the_newest_and_nearly_always_before() -> None:
    events = RECENT * 2
    seen = filled(events)
    found = [seen.contradicts(events, sequence, f"other-{sequence}") for sequence in range(1, events + 1)]
    assert all(found[RECENT:])
    assert sum(found[:RECENT]) >= RECENT * 0.97


def test_the_case_of_an_id_says_nothing() -> None:
    seen = SeenEvents()
    seen.append(1, "7F0C8F0A-2D1B-4C9E-9A5E-1B2C3D4E5F60")
    assert not seen.contradicts(1, 1, "7f0c8f0a-2d1b-4c9e-9a5e-1b2c3d4e5f60")


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 900), st.integers(0, 2**32))
def test_the_same_events_leave_the_same_marks_in_whatever_order_they_come(events: int, seed: int) -> None:
    """As the fold gives them: the highest is appended with its gap, what comes below it fills a gap."""
    order = list(range(1, events + 1))
    random.Random(seed).shuffle(order)
    seen, highest = SeenEvents(), 0
    for sequence in order:
        if sequence > highest:
            seen.append(sequence, f"event-{sequence}", skipped=sequence - highest - 1)
            highest = sequence
        else:
            seen.fill(highest, sequence, f"event-{sequence}")
        seen = SeenEvents(seen.stored())
    assert seen.stored() == filled(events).stored()


def test_what_a_former_version_wrote_is_unknown_and_no_conflict_also_once_it_is_old() -> None:
    seen = SeenEvents()
    seen.append(40, "event-40")
    for sequence in range(41, 41 + 2 * RECENT):
        assert not seen.contradicts(sequence - 1, 7, "whichever")
        seen.append(sequence, f"event-{sequence}")
    highest = 40 + 2 * RECENT
    assert not seen.contradicts(highest, 7, "whichever")
    assert seen.contradicts(highest, highest - 1, "whichever")


def test_gaps_that_grew_old_take_their_event_at_last() -> None:
    seen = SeenEvents()
    seen.append(5, "event-5", skipped=4)
    for sequence in range(6, 600):
        seen.append(sequence, f"event-{sequence}")
    seen.fill(599, 3, "event-3")
    assert not seen.contradicts(599, 3, "event-3")
    assert seen.contradicts(599, 3, "other")
