"""A row for what a person does by a command: who, when, what and why. `timeline` and the console show it."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "audit.sql")
# A row stays small enough to be read by people.
_ORDERS_A_ROW = 1_000


def record_act(
    connection: Connection[Any], action: str, *, actor: str, organisation_id: str | None = None, **detail: Any
) -> None:
    """Write down what `actor` did; what is None in `detail` is left out. It holds ids, no patient's data."""
    connection.execute(
        _QUERIES["record"],
        {
            "organisation_id": organisation_id,
            "actor": actor,
            "action": action,
            "detail": msgspec.json.encode(
                {name: value for name, value in detail.items() if value is not None}
            ).decode(),
        },
    )


def record_orders(
    connection: Connection[Any], action: str, orders: Iterable[tuple[str, str]], *, actor: str, **detail: Any
) -> None:
    """Write down what `actor` did to `orders`, (organisation id, order id) each, so that each order's story has it."""
    for organisation_id, of_organisation in groupby(sorted(orders), key=itemgetter(0)):
        order_ids = [order_id for _, order_id in of_organisation]
        for start in range(0, len(order_ids), _ORDERS_A_ROW):
            some = order_ids[start : start + _ORDERS_A_ROW]
            named = {"order_id": some[0]} if len(some) == 1 else {"order_ids": some}
            record_act(connection, action, actor=actor, organisation_id=organisation_id, **named, **detail)


def with_organisations(connection: Connection[Any], order_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return those of `order_ids` that are there, each as (organisation id, order id)."""
    rows = connection.execute(_QUERIES["organisations"], {"order_ids": list(order_ids)}).fetchall()
    return [(organisation_id, order_id) for order_id, organisation_id in rows]
