"""A month of the sample clinics, in the order in which HearLink would publish it."""

from random import Random

from consumer.orders import OrderEvent
from consumer.sandbox.clinics.book import Book
from consumer.sandbox.clinics.script import OrderScript
from consumer.sandbox.clinics.stories import DAILY_WORK, TRAPS, Story

_REQUESTED_BY_HAND = 0.6
_REDELIVERED = 0.03
_REDELIVERED_WITHIN = 40


def sample_month(seed: int = 1, orders: int = 300, mark: str = "") -> list[OrderEvent]:
    """Return the events of about a month (October 2026), by the time at which they happened.

    At most one order more than `orders` comes about. About three in a hundred events are there twice, as redeliveries
    are: the same event, published again a little later. The same arguments give the same events. Months with different
    marks have no order, patient or number in common.
    """
    book = Book(seed, mark)
    stories = _stories(book.rng, orders)
    while len(book.orders) < orders:
        stories.pop()(book)
    for order in book.orders:
        _request_by_hand(order, book.rng)
    # Stable: what happens to one order at one time stays in its sequence.
    events = sorted((event for order in book.orders for event in order.events), key=lambda event: event.occurred_at_us)
    return _with_redeliveries(events, book.rng)


def _stories(rng: Random, orders: int) -> list[Story]:
    """Return more stories than `orders` need, the last first; every trap is among the needed ones if they suffice."""
    # Three traps take two orders each.
    daily = rng.choices(list(DAILY_WORK), list(DAILY_WORK.values()), k=orders)
    needed = [*TRAPS, *daily[: max(0, orders - len(TRAPS) - 3)]]
    rng.shuffle(needed)
    return [*daily, *needed]


def _request_by_hand(order: OrderScript, rng: Random) -> None:
    if order.clinic.manual and rng.random() < _REQUESTED_BY_HAND:
        order.wait(minutes=rng.randint(1, 600))
        order.request_sync()


def _with_redeliveries(events: list[OrderEvent], rng: Random) -> list[OrderEvent]:
    placed = [(position * 2, event) for position, event in enumerate(events)]
    for position, event in enumerate(events):
        if rng.random() < _REDELIVERED:
            placed.append(((position + rng.randint(1, _REDELIVERED_WITHIN)) * 2 + 1, event))
    return [event for _, event in sorted(placed, key=lambda entry: entry[0])]
