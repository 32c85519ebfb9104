"""A clinic's books for tests: events go in, passes run by hand, the simulator's ledger comes out."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.orders import ChangeKind, OrderEvent, ProjectedOrder, apply_event
from consumer.sandbox.xero import XeroSimulator
from consumer.sync import queue
from consumer.sync.lease import Presence, acquire
from consumer.sync.services import Services
from consumer.sync.tenant_pass import TenantPass

ORGANISATION = "org-1"
CLINIC = "clinic-1"

Json = dict[str, Any]


def line(line_id: str = "line-1", **changes: Any) -> Json:
    return {
        "line_id": line_id,
        "category": "SERVICES",
        "description": "Hearing test",
        "sku": None,
        "quantity": "1.0000",
        "unit_price": "40.0000",
        "discount": None,
        **changes,
    }


def invoice(number: str = "WH1", **changes: Any) -> Json:
    return {
        "invoice_id": f"invoice-{number}",
        "number": number,
        "issued_on": "2026-10-01",
        "due_on": None,
        "currency": "GBP",
        "prices_include_tax": True,
        "reference": None,
        "total": "40.0000",
        "lines": [line()],
        **changes,
    }


def payment(payment_id: str = "pay-1", **changes: Any) -> Json:
    return {
        "payment_id": payment_id,
        "amount": "40.0000",
        "paid_on": "2026-10-02",
        "method": "CARD",
        "reference": None,
        **changes,
    }


def credit_note(credit_note_id: str = "note-1", **changes: Any) -> Json:
    return {
        "credit_note_id": credit_note_id,
        "number": f"CN-{credit_note_id}",
        "issued_on": "2026-10-03",
        "reason": None,
        "total": "40.0000",
        "lines": [line()],
        **changes,
    }


def patient(patient_id: str = "patient-1", **changes: Any) -> Json:
    return {
        "patient_id": patient_id,
        "first_name": "Test",
        "last_name": f"Person {patient_id}",
        "email": f"{patient_id}@example.com",
        "phone": "01632 960001",
        "address": {
            "line1": "1 High Street",
            "line2": None,
            "city": "Leeds",
            "region": None,
            "postal_code": "LS1 1AA",
            "country": "GB",
        },
        **changes,
    }


_UPSERT = """
insert into orders (
    order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, sequence, revision, event_id,
    occurred_at, state, due_at, trigger, priority, requested_revision, actor, pending_since
)
values (
    %(order_id)s, %(organisation_id)s, %(clinic_id)s, %(patient_id)s, %(invoice_id)s, %(invoice_number)s,
    %(sequence)s, %(revision)s, %(event_id)s, now(), %(state)s::jsonb, now(), %(trigger)s, %(priority)s,
    %(requested_revision)s, %(actor)s, now()
)
on conflict (order_id) do update
set clinic_id = excluded.clinic_id, patient_id = excluded.patient_id, invoice_id = excluded.invoice_id,
    invoice_number = excluded.invoice_number, sequence = excluded.sequence, revision = excluded.revision,
    event_id = excluded.event_id, occurred_at = excluded.occurred_at, state = excluded.state, due_at = now(), hold = null,
    trigger = excluded.trigger, priority = excluded.priority,
    requested_revision = coalesce(excluded.requested_revision, orders.requested_revision), actor = excluded.actor,
    attempts = 0, pending_since = coalesce(orders.pending_since, now())
"""


@dataclass
class Books:
    connection: Connection[Any]
    database_url: str
    simulator: XeroSimulator
    services: Services
    tenant_id: str
    orders: dict[str, ProjectedOrder] = field(default_factory=dict)
    patients: dict[str, Json] = field(default_factory=dict)
    clinics: dict[str, str] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    # What HearLink says.

    def save_invoice(self, order_id: str = "order-1", **changes: Any) -> None:
        number = changes.pop("number", f"WH-{order_id}")
        self.event(order_id, ChangeKind.INVOICE_SAVED, {"invoice": invoice(number, **changes)})

    def delete_invoice(self, order_id: str = "order-1") -> None:
        self.event(order_id, ChangeKind.INVOICE_DELETED, {"invoice_id": f"invoice-WH-{order_id}"})

    def save_payment(self, order_id: str = "order-1", payment_id: str = "pay-1", **changes: Any) -> None:
        self.event(order_id, ChangeKind.PAYMENT_SAVED, {"payment": payment(payment_id, **changes)})

    def delete_payment(self, order_id: str = "order-1", payment_id: str = "pay-1") -> None:
        self.event(order_id, ChangeKind.PAYMENT_DELETED, {"payment_id": payment_id})

    def save_credit_note(self, order_id: str = "order-1", credit_note_id: str = "note-1", **changes: Any) -> None:
        self.event(order_id, ChangeKind.CREDIT_NOTE_SAVED, {"credit_note": credit_note(credit_note_id, **changes)})

    def delete_credit_note(self, order_id: str = "order-1", credit_note_id: str = "note-1") -> None:
        self.event(order_id, ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": credit_note_id})

    def close(self, order_id: str = "order-1", outcome: str = "CANCELLED") -> None:
        self.event(order_id, ChangeKind.ORDER_CLOSED, {"outcome": outcome})

    def request_sync(self, order_id: str = "order-1") -> None:
        self.event(order_id, ChangeKind.SYNC_REQUESTED, {})

    def event(self, order_id: str, kind: ChangeKind, change: Json) -> None:
        order = self.orders.setdefault(order_id, ProjectedOrder(order_id, ORGANISATION))
        number = next(self._numbers)
        order.requested_revision = None
        apply_event(
            order,
            OrderEvent(
                event_id=f"event-{number}",
                organisation_id=ORGANISATION,
                clinic_id=self.clinics.get(order_id, CLINIC),
                order_id=order_id,
                sequence=order.sequence + 1,
                occurred_at_us=number,
                actor="user-1",
                patient=self.patients.get(order_id, patient(f"patient-of-{order_id}")),
                kind=kind,
                change=change,
            ),
        )
        self._store(order)

    def _store(self, order: ProjectedOrder) -> None:
        value = (order.state["invoice"] or {}).get("value") or {}
        requested = order.requested_revision is not None
        self.connection.execute(
            "insert into clinic (organisation_id, clinic_id) values (%s, %s) on conflict do nothing",
            [ORGANISATION, order.clinic_id],
        )
        self.connection.execute(
            _UPSERT,
            {
                "order_id": order.order_id,
                "organisation_id": ORGANISATION,
                "clinic_id": order.clinic_id,
                "patient_id": order.state["patient"]["patient_id"],
                "invoice_id": value.get("invoice_id"),
                "invoice_number": value.get("number"),
                "sequence": order.sequence,
                "revision": order.revision,
                "event_id": order.event_id,
                "state": msgspec.json.encode(order.state).decode(),
                "trigger": "manual" if requested else "auto",
                "priority": 0 if requested else 1,
                "requested_revision": order.requested_revision,
                "actor": order.actor,
            },
        )

    # What the service does.

    def push(self, *, passes: int = 20) -> int:
        """Run passes until nothing is ready; return how many ran."""
        with Presence(self.database_url, "test") as presence:
            for count in range(passes):
                ready = [book for book in queue.next_books(self.connection) if book.wait_seconds <= 0]
                if not ready:
                    return count
                book = ready[0]
                lease = acquire(self.connection, book.book, presence, "test")
                assert lease is not None
                TenantPass(
                    self.connection, lease, book.organisation_id, book.clinic_ids, self.services, lambda: False
                ).run()
                lease.release(self.connection)
        raise AssertionError(f"After {passes} passes there is still something ready.")

    def settings(self, *, clinic_id: str | None = None, **columns: Any) -> None:
        """Change settings of the organisation, or of one clinic, by their columns."""
        if clinic_id is not None:
            self.connection.execute(
                "insert into clinic_override (organisation_id, clinic_id) values (%s, %s) on conflict do nothing",
                [ORGANISATION, clinic_id],
            )
        for column, value in columns.items():
            table = "organisation" if clinic_id is None else "clinic_override"
            self.connection.execute(
                f"update {table} set {column} = %s where organisation_id = %s and coalesce(%s, '') in ('', {'clinic_id' if clinic_id else chr(39) * 2})",  # type: ignore[arg-type]
                [value, ORGANISATION, clinic_id],
            )

    # What is there.

    def ledger(self) -> Json:
        return self.simulator.control.ledger(self.tenant_id)

    def log(self, order_id: str | None = None) -> list[Json]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "select * from sync_log where %s::text is null or order_id = %s order by id", [order_id, order_id]
            ).fetchall()

    def told(self, order_id: str | None = None) -> list[tuple[str, str, str | None]]:
        return [(row["operation"], row["outcome"], row["problem"]) for row in self.log(order_id)]

    def order(self, order_id: str = "order-1") -> Json:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("select * from orders where order_id = %s", [order_id]).fetchone()
        assert row is not None
        return row

    def writes(self) -> list[Json]:
        return [
            call for call in self.simulator.control.calls() if call["method"] != "GET" and "/api.xro/" in call["path"]
        ]
