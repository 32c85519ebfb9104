"""Random histories in which people settle orders and take that back: what stands settled stays in Xero as it is."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from consumer.sync import settling
from consumer.sync.settlement import SettledAs
from consumer.sync.settling import NotSettledError, Wish
from tests.sync.conftest import COUNTED, OpenBooks
from tests.sync.model import Order
from tests.sync.test_histories import FAULTS, Histories, orders, run


class SettledHistories(Histories):
    """`settled` says how; `touched` are those of them that HearLink changed since."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: dict[str, SettledAs] = {}
        self.touched: set[str] = set()

    def stands(self, order_id: str) -> bool:
        way = self.settled.get(order_id)
        return way is SettledAs.DO_NOT_SEND or (way is not None and order_id not in self.touched)

    @rule(order_id=orders, way=st.sampled_from(SettledAs))
    def settle(self, order_id: str, way: SettledAs) -> None:
        order, services = self.orders[order_id], self.books.services
        if not self.books.sequences[order_id]:
            return
        wish = Wish(order_id=order_id, settled_as=way, reason="as drawn", actor="finance")
        row = self.books.order(order_id)
        nothing_to_settle = row["hold"] is None and row["due_at"] is None
        if nothing_to_settle and way is not SettledAs.DO_NOT_SEND:
            assert order.standing == "in_step"
            with pytest.raises(NotSettledError):
                settling.settle(self.books.connection, services.encoder, services.catalogue, wish)
            return
        settling.settle(self.books.connection, services.encoder, services.catalogue, wish)
        self.settled[order_id] = way
        self.touched.discard(order_id)
        self.leave_alone(order)
        COUNTED["settled"] += 1

    @rule(order_id=orders)
    def unsettle(self, order_id: str) -> None:
        if not self.stands(order_id):
            return
        services = self.books.services
        settling.unsettle(self.books.connection, services.encoder, services.catalogue, order_id, actor="owner")
        del self.settled[order_id]
        self.mark(order_id)
        order = self.orders[order_id]
        order.standing, order.changed, order.requested = "in_step", True, False
        COUNTED["unsettled"] += 1

    def speak(self, order_id: str) -> Order:
        self.touched.add(order_id)
        return super().speak(order_id)

    @rule(order_id=orders)
    def request_sync(self, order_id: str) -> None:
        # Asked for, and not changed.
        touched = order_id in self.touched
        super().request_sync(order_id)
        if not touched:
            self.touched.discard(order_id)

    @rule(kinds=st.lists(st.sampled_from(FAULTS), max_size=4), first=st.integers(1, 6))
    def push(self, kinds: list[str], first: int) -> None:
        for order_id in list(self.settled):
            if self.stands(order_id):
                self.leave_alone(self.orders[order_id])
            else:
                del self.settled[order_id]
        super().push(kinds, first)

    def leave_alone(self, order: Order) -> None:
        order.standing, order.changed, order.requested, order.settings_problem = "settled", False, False, False


def test_histories_with_settlements(open_books: OpenBooks) -> None:
    run(SettledHistories, open_books, examples=40)
