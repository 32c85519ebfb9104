from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from consumer.contract import Decoder, Encoder, Schemas, check, event_from_json, event_to_json
from consumer.orders import ChangeKind, FoldOutcome, Order, OrderEvent, ProjectedOrder, apply_event, read_order
from consumer.resources import schemas_folder
from consumer.sandbox.clinics import (
    CLINICS,
    FIRST_DAY,
    LOCKED_UNTIL,
    ORGANISATION_ID,
    bulk_messages,
    sample_month,
    settings_text,
)
from consumer.sandbox.clinics.bulk import EVENTS_PER_ORDER
from consumer.settings import read_settings

SCHEMAS = Schemas.load(schemas_folder())
ORDERS = 300


@pytest.fixture(scope="module")
def month() -> list[OrderEvent]:
    return sample_month(seed=7, orders=ORDERS)


def fold(events: list[OrderEvent]) -> tuple[dict[str, ProjectedOrder], Counter[FoldOutcome]]:
    orders: dict[str, ProjectedOrder] = {}
    outcomes: Counter[FoldOutcome] = Counter()
    for event in events:
        order = orders.setdefault(event.order_id, ProjectedOrder(event.order_id, event.organisation_id))
        outcomes[apply_event(order, event)] += 1
    return orders, outcomes


def test_the_same_arguments_give_the_same_month_and_another_seed_another_one(month: list[OrderEvent]) -> None:
    assert sample_month(seed=7, orders=ORDERS) == month
    assert sample_month(seed=8, orders=ORDERS) != month


@pytest.mark.parametrize("orders", [1, 5, 26, 40, 300])
def test_a_month_has_as_many_orders_as_asked(orders: int) -> None:
    ids = {event.order_id for event in sample_month(seed=3, orders=orders)}
    assert orders <= len(ids) <= orders + 1


def test_each_order_counts_its_events_from_one_and_some_come_twice(month: list[OrderEvent]) -> None:
    sequences: defaultdict[str, list[int]] = defaultdict(list)
    for event in month:
        if event.sequence not in sequences[event.order_id]:
            sequences[event.order_id].append(event.sequence)
    assert all(seen == list(range(1, len(seen) + 1)) for seen in sequences.values())

    _, outcomes = fold(month)
    assert outcomes.keys() == {FoldOutcome.APPLIED, FoldOutcome.REPEATED}
    assert outcomes[FoldOutcome.REPEATED] > 10
    by_id = defaultdict(set)
    for event in month:
        by_id[event.event_id].add((event.order_id, event.sequence, event.occurred_at_us))
    assert len(by_id) == outcomes[FoldOutcome.APPLIED]
    assert all(len(same) == 1 for same in by_id.values())


@pytest.mark.parametrize("orders", [40, 300])
def test_every_kind_of_change_happens_in_every_clinic(orders: int) -> None:
    events = sample_month(seed=1, orders=orders)
    assert {event.kind for event in events} == set(ChangeKind)
    assert {event.clinic_id for event in events} == {clinic.clinic_id for clinic in CLINICS}
    assert {event.organisation_id for event in events} == {ORGANISATION_ID}


def test_every_event_keeps_the_contract_in_avro_and_in_json(month: list[OrderEvent]) -> None:
    encoder, decoder = Encoder(SCHEMAS), Decoder(SCHEMAS)
    for event in month:
        key = event.order_id.encode()
        check(event, key)
        assert decoder.decode(encoder.encode_event("orders", event)) == event
        assert event_from_json(event_to_json(event), SCHEMAS) == event


def test_the_month_holds_the_cases_that_go_wrong_elsewhere(month: list[OrderEvent]) -> None:
    orders, _ = fold(month)
    events = defaultdict(list)
    for event in month:
        events[event.order_id].append(event)
    invoices = [event.change["invoice"] for event in month if event.kind is ChangeKind.INVOICE_SAVED]
    lines = [line for invoice in invoices for line in invoice["lines"]]
    patients = {event.patient["patient_id"]: event.patient for event in month}
    names = Counter((patient["first_name"], patient["last_name"]) for patient in patients.values())

    assert any(invoice["due_on"] is None for invoice in invoices)
    assert any(invoice["issued_on"] == LOCKED_UNTIL.isoformat() for invoice in invoices)
    assert {invoice["prices_include_tax"] for invoice in invoices} == {True, False}
    assert any(line["discount"] for line in lines)
    assert any(not line["unit_price"].endswith("00") for line in lines)
    assert {line["category"] for line in lines} == {"HEARING_AIDS", "ACCESSORIES", "SERVICES", "CUSTOM_ITEMS"}
    assert names.most_common(1)[0][1] == 2, "two patients with one name"
    assert any("<" in patient["first_name"] for patient in patients.values())
    assert any(patient["email"] and "@" not in patient["email"] for patient in patients.values())
    assert any(len({event.patient["last_name"] for event in of_one}) == 2 for of_one in events.values()), "a rename"
    assert any(_paid_in_its_second(of_one) for of_one in events.values())
    assert {order.state["closed"]["outcome"] for order in orders.values() if order.state["closed"]} == {
        "CANCELLED",
        "WRITTEN_OFF",
    }
    standing = [_typed(order) for order in orders.values()]
    assert any(len(order.payments) > 2 for order in standing)
    assert any(order.invoice and order.credit_notes and not order.payments for order in standing)
    assert any(order.invoice and order.credit_notes and order.payments for order in standing)
    first_books = [order.invoice.number for order in standing if order.invoice and order.clinic_id != "clinic-3"]
    assert max(Counter(first_books).values()) == 2, "two clinics of one tenant use one number"


def test_nobody_pays_or_is_credited_more_than_is_owed_but_in_the_case_that_shows_it(month: list[OrderEvent]) -> None:
    orders, _ = fold(month)
    over = []
    for order in map(_typed, orders.values()):
        if order.invoice is not None:
            paid = sum((payment.amount for payment in order.payments), Decimal(0))
            credited = sum((note.total for note in order.credit_notes), Decimal(0))
            assert paid > 0 or credited > 0 or not (order.payments or order.credit_notes)
            if paid + credited > order.invoice.total:
                over.append(order)
    # Credited after it was paid; and made cheaper after it was paid.
    assert sorted(bool(order.credit_notes) for order in over) == [False, True]


def test_events_come_in_the_order_of_their_time_but_for_redeliveries(month: list[OrderEvent]) -> None:
    fresh = list({event.event_id: event for event in month}.values())
    assert all(before.occurred_at_us <= after.occurred_at_us for before, after in pairwise(fresh))
    days = {datetime.fromtimestamp(event.occurred_at_us / 10**6, UTC).date() for event in fresh}
    assert min(days) >= FIRST_DAY
    assert len(days) > 20


def test_the_settings_fit_the_clinics() -> None:
    settings = read_settings(settings_text(("tenant-a", "tenant-b")), "sample")
    assert settings.organisation_id == ORGANISATION_ID
    assert set(settings.clinics) == {clinic.clinic_id for clinic in CLINICS}
    assert settings.clinics["clinic-2"]["custom_items_revenue_account"] == "260"
    mended = read_settings(settings_text(("tenant-a", "tenant-b"), mended=True), "sample")
    assert "custom_items_revenue_account" not in mended.clinics["clinic-2"]
    for clinic in CLINICS:
        resolved = mended.defaults | mended.clinics[clinic.clinic_id]
        for category, percent in clinic.tax_percent.items():
            is_standard = resolved[f"{category.value.lower()}_tax_type"] == "OUTPUT2"
            assert is_standard == (percent == 20)
        assert (resolved["mode"] == "manual") == clinic.manual


def test_bulk_messages_are_events_of_the_contract_each_order_with_a_patient_of_its_own() -> None:
    decoder = Decoder(SCHEMAS)
    messages = list(bulk_messages(Encoder(SCHEMAS), "orders", orders=50, first_order=101))
    events = [decoder.decode(value) for _, value in messages]
    for event, (key, _) in zip(events, messages, strict=True):
        check(event, key)
    assert len(events) == 50 * EVENTS_PER_ORDER
    assert len({event.event_id for event in events}) == len(events)
    orders, outcomes = fold(events)
    assert outcomes == {FoldOutcome.APPLIED: len(events)}
    typed = [_typed(order) for order in orders.values()]
    assert typed[0].order_id == "order-00000101"
    assert len({order.patient.patient_id for order in typed}) == 50
    assert len({order.invoice.number for order in typed if order.invoice}) == 50


def _paid_in_its_second(events: list[OrderEvent]) -> bool:
    invoice, *rest = events
    return any(
        event.kind is ChangeKind.PAYMENT_SAVED and event.occurred_at_us // 10**6 == invoice.occurred_at_us // 10**6
        for event in rest
    )


def _typed(order: ProjectedOrder) -> Order:
    return read_order(
        order_id=order.order_id,
        organisation_id=order.organisation_id,
        clinic_id=order.clinic_id,
        revision=order.revision,
        state=msgspec.json.encode(order.state),
    )
