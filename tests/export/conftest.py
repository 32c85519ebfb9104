from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import connect
from consumer.orders import ChangeKind, OrderEvent, ProjectedOrder, apply_event
from tests.sync import books

ORGANISATION = "org-1"
TENANT, SECOND_TENANT = "11111111-aaaa", "22222222-bbbb"

_ACCOUNTS = [
    {"AccountID": "0d3f0000-0000-4000-8000-000000000200", "Code": "200", "Name": "Sales", "Status": "ACTIVE"},
    {"AccountID": "0d3f0000-0000-4000-8000-000000000210", "Code": "210", "Name": "Aids", "Status": "ACTIVE"},
]
_TAX_RATES = [
    {"TaxType": "OUTPUT2", "Name": "20% (VAT on Income)"},
    {"TaxType": "ZERORATEDOUTPUT", "Name": "Zero Rated Income"},
]


@dataclass
class Shop:
    """Orders in the database, as the projection leaves them."""

    connection: Connection[TupleRow]
    orders: dict[str, ProjectedOrder] = field(default_factory=dict)

    def tenant(self, tenant_id: str, name: str, *, country: str = "GB") -> None:
        self.connection.execute(
            "insert into xero_tenant (organisation_id, tenant_id, connection_id, name, tenant_type, country_code,"
            " accounts, tax_rates) values (%s, %s, 'c', %s, 'ORGANISATION', %s, %s::jsonb, %s::jsonb)",
            [
                ORGANISATION,
                tenant_id,
                name,
                country,
                msgspec.json.encode(_ACCOUNTS).decode(),
                msgspec.json.encode(_TAX_RATES).decode(),
            ],
        )

    def override(self, clinic_id: str, **columns: str) -> None:
        self.connection.execute(
            "insert into clinic_override (organisation_id, clinic_id) values (%s, %s)", [ORGANISATION, clinic_id]
        )
        for column, value in columns.items():
            self.connection.execute(
                f"update clinic_override set {column} = %s where clinic_id = %s",
                [value, clinic_id],
            )

    def invoice(self, order_id: str, *, clinic: str = "clinic-1", patient: Any = None, **changes: Any) -> None:
        number = changes.pop("number", f"WH-{order_id}")
        self.event(order_id, ChangeKind.INVOICE_SAVED, {"invoice": books.invoice(number, **changes)}, clinic, patient)

    def credit_note(self, order_id: str, credit_note_id: str, **changes: Any) -> None:
        self.event(
            order_id, ChangeKind.CREDIT_NOTE_SAVED, {"credit_note": books.credit_note(credit_note_id, **changes)}
        )

    def event(
        self, order_id: str, kind: ChangeKind, change: Any, clinic: str = "clinic-1", patient: Any = None
    ) -> None:
        order = self.orders.setdefault(order_id, ProjectedOrder(order_id, ORGANISATION))
        apply_event(
            order,
            OrderEvent(
                event_id=f"{order_id}-{order.sequence + 1}",
                organisation_id=ORGANISATION,
                clinic_id=order.clinic_id or clinic,
                order_id=order_id,
                sequence=order.sequence + 1,
                occurred_at_us=order.sequence + 1,
                actor=None,
                patient=patient or (order.state or {}).get("patient") or books.patient(f"patient-{order_id}"),
                kind=kind,
                change=change,
            ),
        )
        self._store(order)

    def _store(self, order: ProjectedOrder) -> None:
        value = (order.state["invoice"] or {}).get("value") or {}
        self.connection.execute(
            "insert into clinic (organisation_id, clinic_id) values (%s, %s) on conflict do nothing",
            [ORGANISATION, order.clinic_id],
        )
        self.connection.execute(
            "insert into orders (order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number,"
            " issued_on, sequence, revision, event_id, occurred_at, state)"
            " values (%(order_id)s, %(organisation_id)s, %(clinic_id)s, %(patient_id)s, %(invoice_id)s, %(number)s,"
            " %(issued_on)s, %(sequence)s, %(sequence)s, 'e', now(), %(state)s::jsonb)"
            " on conflict (order_id) do update set state = excluded.state, sequence = excluded.sequence",
            {
                "order_id": order.order_id,
                "organisation_id": ORGANISATION,
                "clinic_id": order.clinic_id,
                "patient_id": order.state["patient"]["patient_id"],
                "invoice_id": value.get("invoice_id"),
                "number": value.get("number"),
                "issued_on": value.get("issued_on"),
                "sequence": order.sequence,
                "state": msgspec.json.encode(order.state).decode(),
            },
        )


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    with connect(database_url, name="test") as connection:
        connection.execute(
            "insert into organisation (organisation_id, tenant_id, hearing_aids_revenue_account, hearing_aids_tax_type,"
            " accessories_revenue_account, accessories_tax_type, services_revenue_account, services_tax_type)"
            " values (%s, %s, %s, 'ZERORATEDOUTPUT', '200', 'OUTPUT2', '200', 'OUTPUT2')",
            [ORGANISATION, TENANT, _ACCOUNTS[1]["AccountID"]],
        )
        connection.execute(
            "insert into xero_connection (organisation_id, state) values (%s, 'connected')", [ORGANISATION]
        )
        made = Shop(connection)
        made.tenant(TENANT, "Harbour Hearing")
        yield made
