"""Retry requests: a doorbell that makes orders due. The planner then looks at the newest state; nothing is replayed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import Connection

from consumer.contract import RetryRequest
from consumer.database import load_queries
from consumer.results.encoding import OutboxEncoder
from consumer.results.outbox import OutboxMessage, OutboxTopic, post
from consumer.results.publisher import Publication, Publisher

_QUERIES = load_queries(__file__, "retry.sql")


class Rung(msgspec.Struct, frozen=True):
    """What requests did: the orders that are due by them, and the order ids that no order has."""

    due: tuple[str, ...]
    unknown: tuple[str, ...]


def request_retry(connection: Connection[Any], encoder: OutboxEncoder, requests: Sequence[RetryRequest]) -> None:
    """Write `requests` to the outbox, for the retry topic, in the caller's transaction.

    Raises:
        RegistryUnavailableError: as `OutboxEncoder.encode`; the transaction must be rolled back.
    """
    post(
        connection,
        [OutboxMessage(OutboxTopic.RETRY, request.order_id.encode(), encoder.encode(request)) for request in requests],
    )


def produce_retries(
    publisher: Publisher, encoder: OutboxEncoder, requests: Sequence[RetryRequest], timeout_seconds: float
) -> list[str]:
    """Publish `requests` to the retry topic at once; return the order ids of those that no broker acknowledged.

    Raises:
        RegistryUnavailableError: as `OutboxEncoder.encode`; nothing was published.
    """
    topic = encoder.topic_names[OutboxTopic.RETRY]
    publications = [Publication(topic, request.order_id.encode(), encoder.encode(request)) for request in requests]
    deliveries = publisher.publish(publications, lambda seconds: seconds < timeout_seconds)
    return [
        request.order_id for request, delivery in zip(requests, deliveries, strict=True) if not delivery.acknowledged
    ]


def is_operators(request: RetryRequest) -> bool:
    """Whether a person rang: the service's own requests always tell the attempt that failed."""
    return request.trigger == "manual" or request.attempt is None


def ring(connection: Connection[Any], requests: Sequence[RetryRequest]) -> Rung:
    """Make the orders of `requests` due, in the caller's transaction, in one statement.

    A person's request, or a tool's (any without an attempt), goes before all else, begins the count of attempts anew
    and lifts every hold but one: an order in doubt stays so until Xero was looked up, and remembers the request. A
    planned retry only brings the time forward, and only where it is as new as the order's attempts and its revision.
    Requests commute and may be lost, doubled or late.
    """
    if not requests:
        return Rung((), ())
    rows = connection.execute(
        _QUERIES["ring"],
        {
            "order_ids": [request.order_id for request in requests],
            "manual": [is_operators(request) for request in requests],
            "attempts": [request.attempt for request in requests],
            "revisions": [request.revision for request in requests],
            "not_before": [request.not_before for request in requests],
            "actors": [request.actor for request in requests],
        },
    ).fetchall()
    return Rung(
        due=tuple(order_id for order_id, known, changed in rows if known and changed),
        unknown=tuple(order_id for order_id, known, _ in rows if not known),
    )
