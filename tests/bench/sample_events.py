"""A realistic stream of order events, the same each time: clinics at work, thousands of orders at a time."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

from consumer.orders import ChangeKind, OrderEvent

# Orders that still get events: an order's events lie days or weeks apart, with others' in between.
_OPEN_ORDERS = 10_000
_FIRST_US = 1_767_225_600_000_000
_STEP_US = 500_000
_PRODUCTS = (
    ("HEARING_AIDS", "Hearing aid, receiver in canal, left", 1450),
    ("HEARING_AIDS", "Hearing aid, receiver in canal, right", 1450),
    ("HEARING_AIDS", "Hearing aid, behind the ear", 980),
    ("ACCESSORIES", "Batteries, size 312, pack of 60", 24),
    ("ACCESSORIES", "Charger with drying function", 149),
    ("SERVICES", "Fitting and fine tuning, 60 minutes", 85),
    ("SERVICES", "Hearing test", 45),
    ("CUSTOM_ITEMS", "Ear mould, made to measure", 65),
)
_METHODS = ("CARD", "CASH", "BANK_TRANSFER", "FINANCE", "INSURER")


def sample_events(count: int) -> Iterator[OrderEvent]:
    """Yield `count` events; those of one order in sequence, mixed with those of thousands of others."""
    chance = random.Random(7)
    orders = [_Order(chance, number) for number in range(_OPEN_ORDERS)]
    made = _OPEN_ORDERS
    for step in range(count):
        place = chance.randrange(_OPEN_ORDERS)
        order = orders[place]
        yield order.next_event(_FIRST_US + step * _STEP_US)
        if not order.plan:
            orders[place] = _Order(chance, made)
            made += 1


class _Order:
    def __init__(self, chance: random.Random, number: int) -> None:
        self._chance = chance
        self._number = number
        self._sequence = 0
        self._clinic = number % 40
        self._patient = _patient(chance, number)
        self._lines = [_line(chance, index) for index in range(chance.randint(1, 5))]
        self.plan = [ChangeKind.INVOICE_SAVED]
        if chance.random() < 0.4:
            self.plan.append(ChangeKind.INVOICE_SAVED)
        self.plan += [ChangeKind.PAYMENT_SAVED] * chance.choice((1, 1, 1, 2, 2, 3))
        if chance.random() < 0.08:
            self.plan.append(ChangeKind.CREDIT_NOTE_SAVED)
        if chance.random() < 0.05:
            self.plan.append(ChangeKind.SYNC_REQUESTED)
        self.plan.reverse()

    def next_event(self, occurred_at_us: int) -> OrderEvent:
        kind = self.plan.pop()
        self._sequence += 1
        return OrderEvent(
            event_id=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            organisation_id=f"org-{self._clinic // 8}",
            clinic_id=f"clinic-{self._clinic}",
            order_id=f"order-{self._number:08d}",
            sequence=self._sequence,
            occurred_at_us=occurred_at_us,
            actor=f"user-{self._clinic}",
            patient=self._patient,
            kind=kind,
            change=self._change(kind),
        )

    def _change(self, kind: ChangeKind) -> dict[str, Any]:
        day = f"2026-01-{1 + self._number % 28:02d}"
        if kind is ChangeKind.INVOICE_SAVED:
            return {"invoice": {**self._document(day), "invoice_id": f"invoice-{self._number}", **_INVOICE}}
        if kind is ChangeKind.CREDIT_NOTE_SAVED:
            note = {"credit_note_id": f"note-{self._number}", "reason": "Returned", **self._document(day)}
            return {"credit_note": {**note, "lines": self._lines[:1]}}
        if kind is ChangeKind.PAYMENT_SAVED:
            return {
                "payment": {
                    "payment_id": f"payment-{self._number}-{self._sequence}",
                    "amount": f"{self._chance.randint(10, 1500)}.0000",
                    "paid_on": day,
                    "method": self._chance.choice(_METHODS),
                    "reference": None,
                }
            }
        return {}

    def _document(self, day: str) -> dict[str, Any]:
        total = sum(int(float(line["unit_price"])) for line in self._lines)
        return {"number": f"WH{self._number:06d}", "issued_on": day, "total": f"{total}.0000", "lines": self._lines}


_INVOICE = {"due_on": None, "currency": "GBP", "prices_include_tax": True, "reference": None}


def _line(chance: random.Random, index: int) -> dict[str, Any]:
    category, description, price = chance.choice(_PRODUCTS)
    return {
        "line_id": f"line-{index}",
        "category": category,
        "description": description,
        "sku": f"SKU-{price}",
        "quantity": "1.0000",
        "unit_price": f"{price}.0000",
        "discount": "10.0000" if chance.random() < 0.2 else None,
    }


def _patient(chance: random.Random, number: int) -> dict[str, Any]:
    address = {
        "line1": f"{chance.randint(1, 200)} High Street",
        "line2": None,
        "city": "Sampletown",
        "region": None,
        "postal_code": "AB1 2CD",
        "country": "GB",
    }
    return {
        "patient_id": f"patient-{number // 2}",
        "first_name": "Sample",
        "last_name": f"Person {number // 2}",
        "email": f"person{number // 2}@example.org" if chance.random() < 0.8 else None,
        "phone": "+44 20 7946 0000" if chance.random() < 0.7 else None,
        "address": address if chance.random() < 0.9 else None,
    }
