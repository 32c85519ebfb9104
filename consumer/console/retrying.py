"""Asking for orders to be pushed again: written to the outbox with the audit row, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from consumer.console.refusal import Refusal, not_found
from consumer.console.visit import Visit
from consumer.contract import RegistryUnavailableError
from consumer.database import load_queries
from consumer.results import RetrySelection, operator_requests, request_retry, retry_candidates, settled_candidates

_QUERIES = load_queries(__file__, "retrying.sql")
# So many orders at once, and in one row of the audit: whoever looks for an order's acts reads them all.
_PAGE = 1_000


def request_orders(visit: Visit, order_ids: Sequence[str], *, action: str) -> list[str]:
    """Request these orders, whatever their state; return those that there are.

    Raises:
        Refusal: none of them is the organisation's, or they are settled, or the request can't be written.
    """
    selection = RetrySelection(order_ids=tuple(order_ids), organisation_id=visit.organisation_id)
    detail = {"order_id": order_ids[0]} if len(order_ids) == 1 else {}
    requested = _request(visit, selection, action=action, detail=detail)
    if not requested and settled_among(visit, order_ids=tuple(order_ids)):
        raise Refusal(
            HTTPStatus.CONFLICT,
            "Somebody settled this, so that nothing of it is sent to Xero.",
            "The order's page says who, when and why. Take that back first: Unsettle.",
        )
    if not requested:
        raise not_found("such order")
    return requested


def settled_among(visit: Visit, **conditions: Any) -> list[str]:
    """Return the ids of the orders under these conditions of a RetrySelection that are settled, and not requested."""
    selection = RetrySelection(organisation_id=visit.organisation_id, **conditions)
    return settled_candidates(visit.connection, selection)


def request_problem(visit: Visit, problem_id: int) -> list[str]:
    """Request the orders that a problem still holds; return them.

    Raises:
        Refusal: the organisation never had such a problem, or the request can't be written.
    """
    selection = RetrySelection(problem_id=problem_id, organisation_id=visit.organisation_id)
    requested = _request(visit, selection, action="retry_problem", detail={"problem_id": problem_id})
    if not requested and not _is_known(visit, problem_id):
        raise not_found("such problem")
    return requested


def note_requested(visit: Visit, requested: Sequence[str]) -> None:
    """Have the next page say what was requested."""
    if not requested:
        visit.note("Nothing is left to retry: no order fails for this any more.")
        return
    orders = "1 order was" if len(requested) == 1 else f"{len(requested)} orders were"
    visit.note(f"{orders} requested. The sync log shows what comes of it in a moment.")


def _request(visit: Visit, selection: RetrySelection, *, action: str, detail: dict[str, Any]) -> list[str]:
    requested: list[str] = []
    encoder = visit.console.assembly.outbox_encoder
    after = ""
    while page := retry_candidates(visit.connection, selection, after_order_id=after, limit=_PAGE):
        after = page[-1].order_id
        requests = operator_requests(page, actor=visit.identity.user, reason=action, requested_at=datetime.now(UTC))
        try:
            request_retry(visit.connection, encoder, requests)
        except RegistryUnavailableError as error:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The schema registry can't be reached.",
                "Nothing was requested. Try again in a minute.",
            ) from error
        order_ids = [candidate.order_id for candidate in page]
        # By their ids, or the orders' timelines could not tell who asked.
        visit.act(action, **detail, order_ids=order_ids)
        requested += order_ids
    return requested


def _is_known(visit: Visit, problem_id: int) -> bool:
    row = visit.connection.execute(
        _QUERIES["problem"], {"organisation_id": visit.organisation_id, "problem_id": problem_id}
    ).fetchone()
    return row is not None and bool(row[0])
