"""Walks of what people settled: told where somebody looks, and no failure."""

from consumer.sync.settlement import SettledAs
from consumer.sync.settling import Wish, settle, unsettle
from tests.sync.books import Books
from tests.sync.walk.walks import Act, Ends, Walk, both, hand, invoice, nothing, payment, push


def leave(books: Books, way: SettledAs) -> None:
    """A person closes the order's failure."""
    wish = Wish(order_id="order-1", settled_as=way, reason="Seen to by hand.", actor="finance")
    settle(books.connection, books.services.encoder, books.services.catalogue, wish)


def take_back(books: Books) -> None:
    services = books.services
    unsettle(books.connection, services.encoder, services.catalogue, "order-1", actor="owner")


def settled(way: SettledAs) -> Act:
    """An order that failed for an archived account is left alone."""
    return both(hand("archive_account", "260"), invoice, push, lambda books: leave(books, way))


MEND = hand("restore_account", "260")

WALKS = (
    Walk("settled", settled(SettledAs.DONE_IN_XERO), both(MEND, take_back), Ends.NOTHING),
    Walk(
        "settled_change_not_sent",
        both(settled(SettledAs.DO_NOT_SEND), payment),
        both(MEND, take_back),
        Ends.NOTHING,
    ),
    Walk("unsettled", both(settled(SettledAs.UNTIL_IT_CHANGES), MEND, take_back), nothing, Ends.NOTHING),
)
