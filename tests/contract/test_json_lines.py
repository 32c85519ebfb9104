import json
import re
from typing import Any

import pytest

from consumer.contract import JsonEventError, Schemas, event_from_json, event_to_json
from consumer.orders import ChangeKind
from tests.contract.samples import sample_event


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_line_comes_back_as_the_event(kind: ChangeKind, schemas: Schemas) -> None:
    line = event_to_json(sample_event(kind))
    assert "\n" not in line
    assert event_from_json(line, schemas) == sample_event(kind)


@pytest.mark.parametrize("amount", ["40", 40, 40.0, "40.00", "40.0000", "40.00000"])
def test_amounts_may_be_texts_or_numbers(amount: Any, schemas: Schemas) -> None:
    document = json.loads(event_to_json(sample_event(ChangeKind.PAYMENT_SAVED)))
    document["change"]["PaymentSaved"]["payment"]["amount"] = amount
    assert event_from_json(json.dumps(document), schemas) == sample_event(ChangeKind.PAYMENT_SAVED)


def test_fields_with_a_default_may_be_left_out(schemas: Schemas) -> None:
    document = json.loads(event_to_json(sample_event(ChangeKind.SYNC_REQUESTED, actor=None)))
    del document["actor"]
    assert event_from_json(json.dumps(document), schemas) == sample_event(ChangeKind.SYNC_REQUESTED, actor=None)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("sequence", "1", "sequence is a text, where a long belongs"),
        ("sequence", True, "sequence is true or false, where a long belongs"),
        ("patient", None, "patient is null, where an object belongs"),
        ("colour", "red", "colour is no field of the contract (in OrderEvent)"),
        ("occurred_at", "2026-01-31T09:30:00", "occurred_at is a time without its offset"),
        ("occurred_at", "soon", "occurred_at is a text, where a time like"),
        ("change", {"Merged": {}}, "change is an unknown kind of change, 'Merged'; there are InvoiceSaved"),
        ("change", {}, "change is not an object with one member"),
        (
            "change",
            {"OrderClosed": {"outcome": "LOST"}},
            "change.OrderClosed.outcome is a text; it must be one of CANC",
        ),
        ("change", {"InvoiceDeleted": {}}, "change.InvoiceDeleted.invoice_id is missing"),
    ],
)
def test_what_breaks_the_contract_is_named(path: str, value: Any, reason: str, schemas: Schemas) -> None:
    document = {**json.loads(event_to_json(sample_event())), path: value}
    with pytest.raises(JsonEventError, match=re.escape(reason)):
        event_from_json(json.dumps(document), schemas)


@pytest.mark.parametrize("amount", ["4O.00", "", "1e5", "NaN", None, "0.00001", "100000000000000.00"])
def test_impossible_amounts_are_refused(amount: str | None, schemas: Schemas) -> None:
    document = json.loads(event_to_json(sample_event(ChangeKind.PAYMENT_SAVED)))
    document["change"]["PaymentSaved"]["payment"]["amount"] = amount
    with pytest.raises(JsonEventError, match=r"^change\.PaymentSaved\.payment\.amount is "):
        event_from_json(json.dumps(document), schemas)


def test_what_is_no_json_is_refused(schemas: Schemas) -> None:
    with pytest.raises(JsonEventError, match="no JSON"):
        event_from_json("{", schemas)
