"""Sample traffic: what it consists of, and how fast it goes."""

from itertools import islice

import pytest

from consumer.cli.sandbox import paced
from consumer.contract import check
from consumer.orders import ChangeKind, OrderEvent
from consumer.sandbox.clinics import TENANT_IDS, sample_traffic, settings_text
from consumer.settings import read_settings


def taken(started_at_seconds: int, count: int) -> list[OrderEvent]:
    return list(islice(sample_traffic(started_at_seconds), count))


def numbers(events: list[OrderEvent]) -> set[str]:
    return {event.change["invoice"]["number"] for event in events if event.kind is ChangeKind.INVOICE_SAVED}


def names(events: list[OrderEvent]) -> set[str]:
    return {f"{event.patient['first_name']} {event.patient['last_name']}" for event in events}


def test_traffic_goes_on_beyond_a_month_and_all_of_it_fits_the_contract() -> None:
    events = taken(1_790_000_000, 2_500)
    assert len({event.order_id for event in events}) > 300
    for event in events:
        check(event, event.order_id.encode())


def test_two_starts_have_no_order_event_number_or_patient_in_common() -> None:
    first, second = taken(1_790_000_000, 400), taken(1_790_000_001, 400)
    assert {event.order_id for event in first}.isdisjoint(event.order_id for event in second)
    assert {event.event_id for event in first}.isdisjoint(event.event_id for event in second)
    assert numbers(first).isdisjoint(numbers(second))
    assert names(first).isdisjoint(names(second))


def test_what_comes_twice_is_the_same_to_the_last_field() -> None:
    by_id: dict[str, OrderEvent] = {}
    repeated = [event for event in taken(1_790_000_000, 1_000) if by_id.setdefault(event.event_id, event) is not event]
    assert repeated
    assert all(by_id[event.event_id] == event for event in repeated)


def test_the_settings_fit_the_simulator_of_the_sandbox() -> None:
    settings = read_settings(settings_text(TENANT_IDS, mended=True), "settings.toml")
    assert settings.organisation_id == "org-1"
    assert settings.clinics["clinic-3"]["tenant_id"] == TENANT_IDS[1]


class Time:
    """A clock that only waiting moves; `held_up` seconds go by before the wait with that number."""

    def __init__(self, held_up: dict[int, float] | None = None, ends_after: int = 10**9) -> None:
        self.now = 50.0
        self.waits = 0
        self._held_up = held_up or {}
        self._ends_after = ends_after

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.waits += 1
        self.now += seconds + self._held_up.get(self.waits, 0.0)
        return self.waits >= self._ends_after


@pytest.mark.parametrize("rate", [0.5, 2.0, 20.0, 3_000.0, 10_000.0])
def test_events_go_at_the_rate_that_was_asked_and_no_more_than_were_asked(rate: float) -> None:
    time = Time()
    sizes = []
    for batch in paced(sample_traffic(1), rate, 137, time.clock, time.wait):
        sizes.append(len(batch))
        # Never ahead of the rate, and never further behind than a tick.
        assert sum(sizes) <= (time.now - 50.0) * rate + 1.001
        assert sum(sizes) >= min(137, (time.now - 50.0 - 0.051) * rate)
    assert sum(sizes) == 137


def test_one_event_is_enough_and_needs_no_wait() -> None:
    time = Time()
    assert [len(batch) for batch in paced(sample_traffic(1), 0.01, 1, time.clock, time.wait)] == [1]
    assert time.waits == 0


def test_who_was_held_up_catches_up_in_batches_of_a_bounded_size() -> None:
    time = Time(held_up={3: 2.0})
    sizes = [len(batch) for batch in paced(sample_traffic(1), 4_000, 12_000, time.clock, time.wait)]
    assert sum(sizes) == 12_000
    assert max(sizes) == 5_000


def test_without_a_count_it_goes_on_until_it_is_stopped() -> None:
    time = Time(ends_after=40)
    assert sum(len(batch) for batch in paced(sample_traffic(1), 10, None, time.clock, time.wait)) == 40
