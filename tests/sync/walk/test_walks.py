"""The whole catalogue: each problem is brought about, its fix is carried out as its words say, and it ends."""

import re

import pytest

from consumer.results import Severity, load_catalogue
from consumer.results.catalogue import Entry
from tests.sync.books import Books
from tests.sync.conftest import REMARKS
from tests.sync.walk import accounts, calls, contacts, documents, orders, pennies, settlements
from tests.sync.walk.walks import Ends, Walk

WALKS: tuple[Walk, ...] = (
    *accounts.WALKS,
    *calls.WALKS,
    *contacts.WALKS,
    *documents.WALKS,
    *orders.WALKS,
    *pennies.WALKS,
    *settlements.WALKS,
)
CATALOGUE = load_catalogue()


def test_no_problem_is_without_a_walk() -> None:
    walked = {walk.code for walk in WALKS}
    assert sorted(CATALOGUE.entries.keys() - walked) == [], "these need a walk: see walks.py"
    assert sorted(walked - CATALOGUE.entries.keys()) == [], "these are in no catalogue"
    names = [walk.name for walk in WALKS]
    assert len(names) == len(set(names))
    REMARKS.append(
        f"catalogue walked: {len(walked)} problems on {len(WALKS)} walks, "
        + ", ".join(f"{sum(walk.ends is ends for walk in WALKS)} {ends.value}" for ends in Ends)
    )


@pytest.mark.parametrize("walk", [walk for walk in WALKS if walk.ends is not Ends.QUIET], ids=lambda walk: walk.name)
def test_each_problem_ends_once_its_fix_was_carried_out(books: Books, walk: Walk) -> None:
    walk.arrange(books)
    books.push()
    entry = CATALOGUE.entries[walk.code]
    assert is_told(books, entry)
    holds = walk.ends is not Ends.NOTHING
    assert holds == bool(unfinished(books))
    assert not holds or entry.severity is not Severity.SKIP
    walk.mend(books)
    if walk.ends is Ends.RETRY:
        assert unfinished(books), "mending alone does not end it: else it ends by itself"
        books.retry()
    books.settle()
    assert unfinished(books) == []
    assert books.open_problems() == []


@pytest.mark.parametrize("walk", [walk for walk in WALKS if walk.ends is Ends.QUIET], ids=lambda walk: walk.name)
def test_some_are_words_for_what_no_order_is_told(books: Books, walk: Walk) -> None:
    walk.arrange(books)
    books.push()
    walk.mend(books)
    books.settle()
    assert not is_told(books, CATALOGUE.entries[walk.code])
    assert (unfinished(books), books.failures()) == ([], [])


@pytest.mark.parametrize(
    "walk",
    [walk for walk in WALKS if walk.ends is Ends.RETRY and walk.code in documents.LASTING],
    ids=lambda walk: walk.name,
)
def test_a_retry_ends_nothing_before_the_fix_was_carried_out(books: Books, walk: Walk) -> None:
    walk.arrange(books)
    books.push()
    told = len(books.failures())
    books.retry()
    books.settle()
    assert len(books.failures()) > told
    assert unfinished(books) == ["order-1"]


def is_told(books: Books, entry: Entry) -> bool:
    """Whether the log has the problem's words: as a row's own problem, as a warning, or after another's message."""
    words = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(entry.message)))
    return any(
        row["problem"] == entry.code or any(words.search(text) for text in (row["message"], *(row["warnings"] or ())))
        for row in books.log()
    )


def unfinished(books: Books) -> list[str]:
    """The orders that fail, or wait for something that nobody chose."""
    rows = books.connection.execute(
        "select order_id from orders where problem_id is not null or due_at is not null"
        " or coalesce(hold, 'manual') not in ('manual', 'disabled', 'settled') order by order_id"
    )
    return [row[0] for row in rows]
