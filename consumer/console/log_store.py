"""What the log pages read besides the log itself: clinics, calls, links into Xero, the orders of a filter."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import load_queries
from consumer.results import LogFilter

_QUERIES = load_queries(__file__, "log_store.sql")


class Call(msgspec.Struct, frozen=True):
    """The call that a row of the log tells of, and the element of it that was this row's.

    `request` is what was sent, as JSON; None where it would show a patient's data, or has been forgotten with age.
    """

    intent_id: int
    method: str
    path: str
    stage: str
    state: str
    outcome: str | None
    sent_at: datetime | None
    settled_at: datetime | None
    elements: int
    target_id: str | None
    request: str | None


class TenantName(msgspec.Struct, frozen=True):
    """What is known of a tenant for people: its name, and the code that deep links into Xero need."""

    tenant_id: str
    name: str
    short_code: str | None


def load_clinic_ids(connection: Connection[Any], organisation_id: str) -> list[str]:
    """Return the clinics of the organisation, for a filter."""
    rows = connection.execute(_QUERIES["clinics"], {"organisation_id": organisation_id})
    return [clinic_id for (clinic_id,) in rows]


def load_tenant_names(connection: Connection[Any], organisation_id: str) -> dict[str, TenantName]:
    """Return the organisation's tenants by id."""
    with connection.cursor(row_factory=class_row(TenantName)) as cursor:
        rows = cursor.execute(_QUERIES["tenants"], {"organisation_id": organisation_id}).fetchall()
    return {row.tenant_id: row for row in rows}


def load_call(connection: Connection[Any], intent_id: int, order_id: str, local_id: str | None) -> Call | None:
    """Return the call of a log row; None where it is older than calls are kept."""
    with connection.cursor(row_factory=class_row(Call)) as cursor:
        return cursor.execute(
            _QUERIES["call"], {"intent_id": intent_id, "order_id": order_id, "local_id": local_id}
        ).fetchone()


def still_failing(connection: Connection[Any], order_ids: Sequence[str]) -> set[str]:
    """Return those of `order_ids` that are not through yet: what failed of the others has been made good since."""
    rows = connection.execute(_QUERIES["still_failing"], {"order_ids": list(order_ids)})
    return {order_id for (order_id,) in rows}


def settled_since(connection: Connection[Any], order_ids: Sequence[str]) -> set[str]:
    """Return those of `order_ids` that somebody settled."""
    rows = connection.execute(_QUERIES["settled"], {"order_ids": list(order_ids)})
    return {order_id for (order_id,) in rows}


def failed_order_ids(connection: Connection[Any], wanted: LogFilter, limit: int) -> list[str]:
    """Return the orders of `wanted` that failed and still are not through: what its retry means."""
    parameters = {
        name: str(value) if isinstance(value, str) else value for name, value in msgspec.structs.asdict(wanted).items()
    }
    rows = connection.execute(_QUERIES["failed_orders"], {**parameters, "limit": limit}, prepare=False)
    return [order_id for (order_id,) in rows]


def find_orders(connection: Connection[Any], organisation_id: str, text: str) -> Sequence[tuple[str, str | None, str]]:
    """Return orders whose id or invoice number is `text`: id, number, clinic."""
    return connection.execute(_QUERIES["find"], {"organisation_id": organisation_id, "text": text}).fetchall()
