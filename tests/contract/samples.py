"""Events of each kind, complete, for the tests to alter."""

from typing import Any

import msgspec

from consumer.orders import ChangeKind, OrderEvent

PATIENT: dict[str, Any] = {
    "patient_id": "patient-1",
    "first_name": "Ada",
    "last_name": "Example",
    "email": "ada@example.org",
    "phone": None,
    "address": {
        "line1": "1 High Street",
        "line2": None,
        "city": "London",
        "region": None,
        "postal_code": "N1 1AA",
        "country": "GB",
    },
}
LINE: dict[str, Any] = {
    "line_id": "line-1",
    "category": "HEARING_AIDS",
    "description": "Hearing aid, left",
    "sku": "HA-1",
    "quantity": "1.0000",
    "unit_price": "1500.0000",
    "discount": "50.0000",
}
CHANGES: dict[ChangeKind, dict[str, Any]] = {
    ChangeKind.INVOICE_SAVED: {
        "invoice": {
            "invoice_id": "invoice-1",
            "number": "WH00035",
            "issued_on": "2026-01-30",
            "due_on": "2026-02-28",
            "currency": "GBP",
            "prices_include_tax": True,
            "reference": None,
            "total": "1450.0000",
            "lines": [LINE, {**LINE, "line_id": "line-2", "category": "SERVICES", "discount": None, "sku": None}],
        }
    },
    ChangeKind.INVOICE_DELETED: {"invoice_id": "invoice-1"},
    ChangeKind.PAYMENT_SAVED: {
        "payment": {
            "payment_id": "payment-1",
            "amount": "40.0000",
            "paid_on": "2026-01-31",
            "method": "CARD",
            "reference": None,
        }
    },
    ChangeKind.PAYMENT_DELETED: {"payment_id": "payment-1"},
    ChangeKind.CREDIT_NOTE_SAVED: {
        "credit_note": {
            "credit_note_id": "note-1",
            "number": "CN1",
            "issued_on": "2026-02-01",
            "reason": "Returned in the trial period",
            "total": "1500.0000",
            "lines": [{**LINE, "discount": None}],
        }
    },
    ChangeKind.CREDIT_NOTE_DELETED: {"credit_note_id": "note-1"},
    ChangeKind.ORDER_CLOSED: {"outcome": "CANCELLED"},
    ChangeKind.SYNC_REQUESTED: {},
}


def sample_event(kind: ChangeKind = ChangeKind.INVOICE_SAVED, **changes: Any) -> OrderEvent:
    event = OrderEvent(
        event_id="7f0c8f0a-2d1b-4c9e-9a5e-1b2c3d4e5f60",
        organisation_id="org-1",
        clinic_id="clinic-1",
        order_id="order-1",
        sequence=1,
        occurred_at_us=1_769_852_400_123_456,
        actor="user-1",
        patient=msgspec.json.decode(msgspec.json.encode(PATIENT)),
        kind=kind,
        change=msgspec.json.decode(msgspec.json.encode(CHANGES[kind])),
    )
    return msgspec.structs.replace(event, **changes)


def with_part(event: OrderEvent, path: str, value: Any) -> OrderEvent:
    """Return a copy of `event` with the value at `path` ("change.invoice.lines.0.discount") replaced."""
    names = path.split(".")
    document = {"patient": event.patient, "change": event.change}
    copied = msgspec.json.decode(msgspec.json.encode(document))
    part: Any = copied
    for name in names[:-1]:
        part = part[int(name)] if isinstance(part, list) else part[name]
    part[names[-1]] = value
    return msgspec.structs.replace(event, **copied)
