"""Events by the million, for benchmarks: a few are encoded once, and only what tells them apart is put in anew."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from consumer.contract import Encoder
from consumer.orders import ProductCategory
from consumer.sandbox.clinics.clinic import CLINICS
from consumer.sandbox.clinics.patient import PatientRegister
from consumer.sandbox.clinics.product import PRODUCTS
from consumer.sandbox.clinics.script import OrderScript, SampleLine

# Of the same length as what takes their places, since Avro writes a text's length before it.
_ORDER = b"order-00000000"
_PATIENT = b"patient-00000000"
_NUMBER = b"WH00000000"
EVENTS_PER_ORDER = 4


def bulk_messages(encoder: Encoder, topic: str, *, orders: int, first_order: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of `EVENTS_PER_ORDER` events for each of `orders` orders, each of a patient of their own.

    An order is saved, gets a deposit, is edited, and is paid. One after another, so that a benchmark may choose how
    much of an order stands together.
    """
    templates = _templates(encoder, topic)
    for number in range(first_order, first_order + orders):
        order_id, patient_id, invoice_number = b"order-%08d" % number, b"patient-%08d" % number, b"WH%08d" % number
        for position, (event_id, template) in enumerate(templates):
            value = (
                template.replace(event_id, b"%08x-0000-4000-8000-%012x" % (position, number), 1)
                .replace(_ORDER, order_id)
                .replace(_PATIENT, patient_id)
                .replace(_NUMBER, invoice_number)
            )
            yield order_id, value


def _templates(encoder: Encoder, topic: str) -> list[tuple[bytes, bytes]]:
    """Return the event id and the encoded event of each of an order's events."""
    rng = Random(1)
    # With all that a patient may have, so that events are as large as they get in a clinic.
    address = {
        **dict.fromkeys(("line2", "region")),
        "line1": "12 Sample Street",
        "city": "Sampleham",
        "postal_code": "ZZ1 1ZZ",
        "country": "GB",
    }
    patient = PatientRegister(rng).add(
        patient_id=_PATIENT.decode(), email="patient@example.com", phone="020 7946 0000", address=address
    )
    order = OrderScript(
        _ORDER.decode(), CLINICS[0], patient, _NUMBER.decode(), now=datetime(2026, 10, 1, 9, tzinfo=UTC), rng=rng
    )
    lines = [SampleLine(PRODUCTS[ProductCategory.HEARING_AIDS][1]), SampleLine(PRODUCTS[ProductCategory.SERVICES][3])]
    order.save_invoice(lines)
    order.wait(minutes=1)
    payment_id = order.pay(order.total / 5, "CARD", reference="Deposit")
    order.wait(days=1)
    order.save_invoice([*lines, SampleLine(PRODUCTS[ProductCategory.ACCESSORIES][3])])
    order.wait(days=7)
    order.change_payment(payment_id, order.total, "CARD")
    return [(event.event_id.encode(), encoder.encode_event(topic, event)) for event in order.events]
