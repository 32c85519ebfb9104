"""What the tests of this room share: a connection, an encoder, log entries and rows of orders."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from psycopg import Connection, sql

from consumer.configuration import Topics
from consumer.contract import Encoder, MessageDecoder, Schemas
from consumer.database import connect
from consumer.resources import schemas_folder
from consumer.results import LogEntry, Operation, OutboxEncoder, Outcome, Trigger

TOPICS = Topics(orders="orders", retry="retry", sync_log="sync-log", dead_letter="dead-letter")


class InsertOrder(Protocol):
    """Writes a row of `orders`; what is not given is that of an order in step with Xero."""

    def __call__(self, order_id: str, **columns: object) -> None: ...


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with connect(database_url, name="test") as opened:
        yield opened


@pytest.fixture
def other_connection(database_url: str) -> Iterator[Connection[Any]]:
    with connect(database_url, name="test") as opened:
        yield opened


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    return Schemas.load(schemas_folder())


@pytest.fixture(scope="session")
def decoder(schemas: Schemas) -> MessageDecoder:
    return MessageDecoder(schemas)


@pytest.fixture(scope="session")
def encoder(schemas: Schemas) -> OutboxEncoder:
    return OutboxEncoder(Encoder(schemas), TOPICS)


@pytest.fixture
def insert_order(connection: Connection[Any]) -> InsertOrder:
    def insert(order_id: str, **columns: object) -> None:
        row = {
            "order_id": order_id,
            "organisation_id": "org-1",
            "clinic_id": "clinic-1",
            "patient_id": "patient-1",
            "sequence": 1,
            "revision": 1,
            "synced_revision": 1,
            "event_id": "00000000-0000-0000-0000-000000000001",
            "occurred_at": "2026-01-31T12:00:00Z",
            "state": "{}",
        } | columns
        connection.execute(
            sql.SQL("insert into orders ({}) values ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
            ),
            row,
        )

    return insert


def make_entry(order_id: str = "order-1", **fields: Any) -> LogEntry:
    given: dict[str, Any] = {
        "organisation_id": "org-1",
        "clinic_id": "clinic-1",
        "operation": Operation.INVOICE_CREATE,
        "outcome": Outcome.SUCCEEDED,
        "message": "Invoice created.",
        "trigger": Trigger.AUTO,
        "attempt": 1,
        **fields,
    }
    return LogEntry(order_id=order_id, **given)
