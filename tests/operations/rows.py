"""Rows for the tests of what is read from the tables."""

from typing import Any

from psycopg import Connection, sql

TENANT = "tenant-1"


def insert(connection: Connection[Any], table: str, **columns: Any) -> None:
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Placeholder, columns)),
        ),
        columns,
    )


def insert_order(connection: Connection[Any], order_id: str, due: str | None = None, **columns: Any) -> None:
    """Write an order; `due` is an interval from now ("-1 minute"), None = not by itself."""
    insert(
        connection,
        "orders",
        **{
            "order_id": order_id,
            "organisation_id": "org-1",
            "clinic_id": "clinic-1",
            "patient_id": "patient-1",
            "sequence": 1,
            "revision": 1,
            "event_id": f"event-{order_id}",
            "occurred_at": "2026-10-01T00:00:00Z",
            "state": "{}",
            **columns,
        },
    )
    if due is not None:
        connection.execute("update orders set due_at = now() + %s::interval where order_id = %s", [due, order_id])


def insert_organisation(connection: Connection[Any], **columns: Any) -> None:
    """Write settings, a connection and a tenant, all in order."""
    insert(connection, "clinic", organisation_id="org-1", clinic_id="clinic-1")
    insert(
        connection,
        "organisation",
        **{"organisation_id": "org-1", "synchronisation_enabled": True, "mode": "auto", "tenant_id": TENANT, **columns},
    )
    insert(connection, "xero_connection", organisation_id="org-1", state="connected")
    insert(
        connection,
        "xero_tenant",
        organisation_id="org-1",
        tenant_id=TENANT,
        connection_id="connection-1",
        name="Harbour Hearing",
        tenant_type="ORGANISATION",
    )


def insert_intent(connection: Connection[Any], order_id: str, *, settled: bool = False) -> None:
    """Write a call whose outcome is not known, with one element."""
    row = connection.execute(
        "insert into xero_intent (tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key,"
        " body_hash, sent_at) values (%s, 'org-1', 1, 'invoice_create', 'PUT', 'Invoices', %s, '', now()) returning id",
        [TENANT, f"key-{order_id}"],
    ).fetchone()
    assert row is not None
    insert(
        connection,
        "xero_intent_element",
        intent_id=row[0],
        position=0,
        operation="invoice_create",
        kind="invoice",
        order_id=order_id,
        local_id="invoice-1",
        settled=settled,
    )
