"""Asking for orders to be pushed again: written to the outbox with the audit row, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from consumer.console.refusal import Refusal, not_found
from consumer.console.visit import Visit
from consumer.contract import RegistryUnavailableError
from consumer.results import RetrySelection, operator_requests, request_retry, retry_candidates

_PAGE = 1_000


def request_orders(visit: Visit, order_ids: Sequence[str], *, action: str) -> int:
    """Request these orders, whatever their state; return how many there are.

    Raises:
        Refusal: none of them is the organisation's, or the request can't be written.
    """
    selection = RetrySelection(order_ids=tuple(order_ids), organisation_id=visit.organisation_id)
    count = _request(visit, selection, reason=action)
    if count == 0:
        raise not_found("such order")
    detail = {"order_id": order_ids[0]} if len(order_ids) == 1 else {"order_ids": list(order_ids)}
    visit.act(action, **detail)
    return count


def request_problem(visit: Visit, problem_id: int) -> int:
    """Request the orders that an open problem holds; return how many. Raises as `request_orders`."""
    selection = RetrySelection(problem_id=problem_id, organisation_id=visit.organisation_id)
    count = _request(visit, selection, reason="retry_problem")
    visit.act("retry_problem", problem_id=problem_id, orders=count)
    return count


def _request(visit: Visit, selection: RetrySelection, *, reason: str) -> int:
    count, after = 0, ""
    encoder = visit.console.assembly.outbox_encoder
    while page := retry_candidates(visit.connection, selection, after_order_id=after, limit=_PAGE):
        after = page[-1].order_id
        count += len(page)
        requests = operator_requests(page, actor=visit.identity.user, reason=reason, requested_at=datetime.now(UTC))
        try:
            request_retry(visit.connection, encoder, requests)
        except RegistryUnavailableError as error:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The schema registry can't be reached.",
                "Nothing was requested. Try again in a minute.",
            ) from error
    return count
