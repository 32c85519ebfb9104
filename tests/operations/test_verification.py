from typing import Any

from psycopg import Connection

from consumer.operations.verification import Finding, verify_links
from tests.operations.rows import TENANT, insert, insert_order


def link(connection: Connection[Any], kind: str, order_id: str, local_id: str) -> None:
    insert(
        connection,
        "xero_link",
        tenant_id=TENANT,
        kind=kind,
        order_id=order_id,
        local_id=local_id,
        organisation_id="org-1",
        xero_id=f"xero-{local_id}",
        status="active",
        content_hash="",
    )


def test_what_is_linked_for_an_order_that_is_not_there_is_an_orphan(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1")
    link(connection, "invoice", "order-1", "invoice-1")
    link(connection, "invoice", "order-2", "invoice-2")
    assert verify_links(connection).findings == [Finding("orphan", "order-2", "invoice invoice-2")]


def test_the_contact_of_a_patient_that_was_merged_into_another_is_none(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1", patient_id="merged-into")
    link(connection, "contact", "", "merged-into")
    link(connection, "contact", "", "merged-away")
    assert verify_links(connection).findings == []
