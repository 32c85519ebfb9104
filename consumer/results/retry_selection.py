"""Which orders an operator's `retry` means: named ones, those that failed, or those that wait for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.contract import RetryRequest
from consumer.database import load_queries

_QUERIES = load_queries(__file__, "retry_selection.sql")


class RetrySelection(msgspec.Struct, frozen=True, kw_only=True):
    """What to retry; conditions add up, None = any.

    Without `order_ids` only orders that failed, or are held because something failed, are meant; with them, these
    orders whatever their state; with `held`, which excludes them, those that wait for a person with one of these holds
    where synchronisation is on. What somebody settled is never meant, see `settled_candidates`. `problem` is a
    problem's code, `problem_id` one of the open problems. `since` = failed at this time or later; of held ones: changed
    at this time or later.
    """

    order_ids: tuple[str, ...] | None = None
    held: tuple[str, ...] | None = None
    organisation_id: str | None = None
    clinic_id: str | None = None
    problem: str | None = None
    problem_id: int | None = None
    since: datetime | None = None


class RetryCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """An order that would be retried, and why it stands as it does."""

    order_id: str
    organisation_id: str
    clinic_id: str
    invoice_number: str | None
    revision: int
    attempts: int
    hold: str | None
    problem_id: int | None
    problem: str | None
    message: str | None


def retry_candidates(
    connection: Connection[Any], selection: RetrySelection, *, after_order_id: str = "", limit: int = 1000
) -> list[RetryCandidate]:
    """Return at most `limit` orders of `selection` by order id; the next page begins after the last one's."""
    parameters = {**_parameters(selection), "after_order_id": after_order_id, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        # Planned for these very values, as few orders of many are held.
        cursor.execute(_QUERIES["candidates"], parameters, prepare=False)
        return msgspec.convert(cursor.fetchall(), list[RetryCandidate])


def settled_candidates(connection: Connection[Any], selection: RetrySelection) -> list[str]:
    """Return the ids of the orders that `selection` would mean as well, had nobody settled them."""
    return [order_id for (order_id,) in connection.execute(_QUERIES["settled"], _parameters(selection))]


def still_off_count(connection: Connection[Any], selection: RetrySelection) -> int:
    """Return how many orders `selection` would mean beside its candidates, were synchronisation on in their clinics."""
    if selection.held is None:
        return 0
    row = connection.execute(_QUERIES["still_off"], _parameters(selection)).fetchone()
    return int(row[0]) if row is not None else 0


def left_behind_count(connection: Connection[Any], organisation_id: str) -> int:
    """Return how many orders were saved while synchronisation was off, in clinics where it is on now.

    Switching it on sends nothing that was saved before: they wait for their next change, or for a person.
    """
    row = connection.execute(_QUERIES["left_behind"], {"organisation_id": organisation_id}).fetchone()
    return int(row[0]) if row is not None else 0


def _parameters(selection: RetrySelection) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(selection),
        "order_ids": None if selection.order_ids is None else list(selection.order_ids),
        "held": None if selection.held is None else list(selection.held),
    }


def operator_requests(
    candidates: Sequence[RetryCandidate], *, actor: str, reason: str | None, requested_at: datetime
) -> list[RetryRequest]:
    """Return an operator's request for each of `candidates`: due at once, before all else."""
    return [
        RetryRequest(
            order_id=candidate.order_id,
            organisation_id=candidate.organisation_id,
            requested_at=requested_at,
            revision=candidate.revision,
            trigger="manual",
            actor=actor,
            reason=reason,
        )
        for candidate in candidates
    ]
