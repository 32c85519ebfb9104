"""A walk: a problem of the catalogue is brought about, its fix is carried out, and it ends.

A new problem needs a walk in the file of what it is about: a line of its table, or a function for each of its two acts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.sync.books import Books

Act = Callable[[Books], object]


class Ends(Enum):
    """How the failure ends once its fix was carried out."""

    # Nobody has to ask: an event, a change of the settings or a new connection is enough, or no more than time.
    ITSELF = "by itself"
    # Somebody asks again.
    RETRY = "by a retry"
    # It holds nothing up: a warning of what went through, something that is not sent on purpose.
    NOTHING = "holds nothing up"
    # No order is ever told so.
    QUIET = "is never told"


@dataclass(frozen=True)
class Walk:
    """`arrange` brings the problem `code` about, `mend` does what its fix says; `by` tells walks of one code apart."""

    code: str
    arrange: Act
    mend: Act
    ends: Ends = Ends.RETRY
    by: str = ""

    @property
    def name(self) -> str:
        return f"{self.code}-{self.by}".strip("-").replace(" ", "-")


def both(*acts: Act) -> Act:
    """One act after the other."""

    def act(books: Books) -> None:
        for one in acts:
            one(books)

    return act


def nothing(_: Books) -> None:
    """What a fix says that has nothing for anybody to do."""


def push(books: Books) -> None:
    books.push()


def invoice(books: Books) -> None:
    books.save_invoice()


def pushed(books: Books) -> None:
    """An invoice of 40 that is in Xero."""
    books.save_invoice()
    books.push()


def payment(books: Books) -> None:
    books.save_payment()


def hand(name: str, *arguments: object, **more: object) -> Act:
    """Someone does this in Xero."""

    def act(books: Books) -> None:
        getattr(books.simulator.control, name)(books.tenant_id, *arguments, **more)

    return act


def settings(**columns: object) -> Act:
    """Someone changes the settings, and what had failed for them goes again."""
    return lambda books: books.settings(wake=True, **columns)  # type: ignore[arg-type]


def xero_says(said: str, *, method: str = "PUT", path: str = "/Invoices$", count: int | None = None) -> Act:
    """Xero refuses what goes there, until it relents: for causes that the simulator's books don't know."""
    return lambda books: books.strike("refuse", detail=said, method=method, path=path, count=count)


def xero_finds_nothing(method: str, path: str) -> Act:
    """Xero answers a bare 404: something that the call names is not there."""
    return lambda books: books.strike(
        "answer", method=method, path=path, status=404, content_type=None, detail="", count=None
    )


def xero_relents(books: Books) -> None:
    """The cause is mended in Xero."""
    books.simulator.control.clear_faults()


def only(books: Books, kind: str) -> str:
    """The id of the only one of its kind that stands in Xero."""
    (row,) = (row for row in books.ledger()[kind] if row.get("Status") != "DELETED")
    return str(row[f"{kind.removesuffix('s')}ID"])
