import re
from typing import Any

import msgspec
import pytest

from consumer.contract import check
from consumer.orders import ChangeKind, ImpossibleEventError
from tests.contract.samples import sample_event, with_part


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "has no key"), (b"order-2", "is another one"), (b"\xff\xfe", "no UTF-8"), (b"", "is another one")],
)
def test_the_key_must_be_the_order_id(key: bytes | None, reason: str) -> None:
    with pytest.raises(ImpossibleEventError, match=f"of order order-1: the message key.*{reason}|{reason}"):
        check(sample_event(), key)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"organisation_id": ""}, "organisation_id is empty"),
        ({"clinic_id": "c" * 256}, "clinic_id has 256 characters"),
        ({"event_id": ""}, "event_id is empty"),
        ({"sequence": 0}, "sequence is 0"),
        ({"sequence": -1}, "sequence is -1"),
        ({"sequence": 2**63}, "sequence is 9223372036854775808"),
        ({"occurred_at_us": 2**62}, "occurred_at"),
        ({"occurred_at_us": -(2**62)}, "occurred_at"),
        ({"actor": "a\x00b"}, "actor holds the character NUL"),
        ({"actor": "a\ud800b"}, "actor holds half a surrogate pair"),
    ],
)
def test_impossible_envelopes(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ImpossibleEventError, match=re.escape(reason)):
        check(sample_event(**changes), b"order-1")


@pytest.mark.parametrize(
    ("kind", "path", "value", "reason"),
    [
        (ChangeKind.PAYMENT_SAVED, "change.payment.amount", "-0.0100", "payment.amount is -0.0100, a negative amount"),
        (ChangeKind.CREDIT_NOTE_SAVED, "change.credit_note.total", "-1.0000", "credit_note.total is -1.0000"),
        (ChangeKind.CREDIT_NOTE_SAVED, "change.credit_note.lines.0.discount", "-1.0000", "credit_note.lines.discount"),
        (
            ChangeKind.INVOICE_SAVED,
            "change.invoice.lines.1.discount",
            "-1.0000",
            "invoice.lines.discount (line line-2)",
        ),
        (ChangeKind.INVOICE_SAVED, "change.invoice.invoice_id", "", "invoice.invoice_id is empty"),
        (ChangeKind.INVOICE_SAVED, "change.invoice.number", "9" * 3000, "invoice.number has 3000 characters"),
        (ChangeKind.PAYMENT_DELETED, "change.payment_id", "", "payment_id is empty"),
        (ChangeKind.INVOICE_SAVED, "patient.patient_id", "", "patient.patient_id is empty"),
        (
            ChangeKind.INVOICE_SAVED,
            "patient.address.city",
            "Lon\x00don",
            "patient.address.city holds the character NUL",
        ),
        (ChangeKind.INVOICE_SAVED, "change.invoice.lines.0.description", "\x00", "change.invoice.lines.description"),
    ],
)
def test_impossible_changes_name_the_field(kind: ChangeKind, path: str, value: str, reason: str) -> None:
    with pytest.raises(ImpossibleEventError, match=re.escape(reason)) as raised:
        check(with_part(sample_event(kind), path, value), b"order-1")
    assert "order order-1" in str(raised.value)
    assert "publish the event again" in str(raised.value)
    assert not {"Lon", "Ada", "Example"} & set(str(raised.value).split())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("change.invoice.lines.0.unit_price", "-1.0000"),
        ("change.invoice.lines.0.quantity", "-1.0000"),
        ("change.invoice.total", "-1450.0000"),
        ("change.invoice.number", ""),
        ("change.invoice.lines.0.description", "speaks of \\u0000"),
        ("patient.last_name", "Ω\U0001f9bb"),
    ],
)
def test_what_the_sync_explains_later_passes(path: str, value: str) -> None:
    check(with_part(sample_event(), path, value), b"order-1")


def test_an_id_full_of_control_characters_is_fit_for_a_database() -> None:
    event = msgspec.structs.replace(sample_event(), order_id="order\x00\n1")
    with pytest.raises(ImpossibleEventError, match=r"order\?\?1"):
        check(event, b"order\x00\n1")
