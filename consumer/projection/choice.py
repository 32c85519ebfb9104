"""A person's choice among events that had one sequence: what a rebuild of the orders concerned goes by."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from psycopg import Connection

# Told within the transaction that puts the orders in place: which events were overruled for the chosen ones.
Conclude = Callable[[Connection[Any], "set[EventIdentity]"], None]


class EventIdentity(msgspec.Struct, frozen=True):
    """Which event, of which sequence of an order."""

    order_id: str
    sequence: int
    event_id: str


class Choice:
    """`events` count, whichever others had their sequences; only their orders are built anew."""

    def __init__(self, events: Iterable[EventIdentity], conclude: Conclude) -> None:
        self._chosen = {(event.order_id, event.sequence): event for event in events}
        self.conclude = conclude
        self.order_ids = sorted({order_id for order_id, _ in self._chosen})
        self.keys = {order_id.encode() for order_id in self.order_ids}
        self.overruled: set[EventIdentity] = set()
        self._found: set[EventIdentity] = set()

    def counts(self, event: EventIdentity) -> bool | None:
        """Whether `event` counts by this choice; None = the choice says nothing of its sequence."""
        chosen = self._chosen.get((event.order_id, event.sequence))
        if chosen is None:
            return None
        (self._found if event == chosen else self.overruled).add(event)
        return event == chosen

    def missing(self) -> list[EventIdentity]:
        """Return the chosen events that did not come."""
        return [event for event in self._chosen.values() if event not in self._found]
