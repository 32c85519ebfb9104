"""One order as its page shows it: HearLink's side, and what Xero was last seen to hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, dict_row

from consumer.database import load_queries
from consumer.orders import Order, read_order
from consumer.sync.link import LinkKind

_QUERIES = load_queries(__file__, "order_store.sql")


class OrderRow(msgspec.Struct, frozen=True):
    """The row of one order, without what only the sync needs."""

    order_id: str
    organisation_id: str
    clinic_id: str
    invoice_number: str | None
    revision: int
    synced_revision: int
    sequence: int
    missing: str
    state: str
    hold: str | None
    due_at: datetime | None
    attempts: int
    occurred_at: datetime
    pushed_at: datetime | None
    requested: bool
    problem_id: int | None
    problem_code: str | None
    problem_message: str | None
    problem_fix: str | None

    def read(self) -> Order:
        """Return the order as HearLink has it."""
        return read_order(
            order_id=self.order_id,
            organisation_id=self.organisation_id,
            clinic_id=self.clinic_id,
            revision=self.revision,
            state=self.state,
        )


class XeroDocument(msgspec.Struct, frozen=True):
    """One document of the order in Xero, as it was last seen there. `detail` is the link's."""

    tenant_id: str
    tenant_name: str | None
    short_code: str | None
    kind: str
    local_id: str
    xero_id: str | None
    status: str
    detail: Mapping[str, Any]
    updated_at: datetime


def load_order(connection: Connection[Any], organisation_id: str, order_id: str) -> OrderRow | None:
    """Return the order, or None where the organisation has none of that id."""
    with connection.cursor(row_factory=class_row(OrderRow)) as cursor:
        return cursor.execute(_QUERIES["order"], {"organisation_id": organisation_id, "order_id": order_id}).fetchone()


def load_documents(connection: Connection[Any], order: Order) -> list[XeroDocument]:
    """Return what Xero holds of `order`, in any tenant, and its patient's contact."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            _QUERIES["documents"],
            {
                "organisation_id": order.organisation_id,
                "order_id": order.order_id,
                "patient_id": order.patient.patient_id,
            },
        ).fetchall()
    return sorted((XeroDocument(**row) for row in rows), key=lambda document: (_RANK[document.kind], document.local_id))


_RANK = {kind.value: rank for rank, kind in enumerate(LinkKind)}
