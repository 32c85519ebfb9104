"""Writers whose schema differs from the contract: what they add, drop, widen and invent."""

import copy
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from consumer.contract import Decoder, SchemaFolderError, Schemas, UndecodableError, schema_fingerprint
from consumer.contract.wire import single_object_prefix
from consumer.orders import ChangeKind, ImpossibleEventError, OrderEvent
from consumer.resources import schemas_folder
from tests.contract.samples import CHANGES, PATIENT, sample_event

Alter = Callable[[dict[str, Any]], None]


class Writer:
    """A producer with a schema of its own, made from the contract by altering it."""

    def __init__(self, alter: Alter) -> None:
        self.schema: dict[str, Any] = json.loads((schemas_folder() / "order-event.avsc").read_text(encoding="utf-8"))
        alter(self.schema)
        known = {schema_fingerprint(self.schema): self.schema}
        contract = Schemas.load(schemas_folder()).current("OrderEvent")
        self.decoder = Decoder(Schemas({"OrderEvent": contract}, known))

    def write(self, kind: str, change: dict[str, Any], **fields: Any) -> bytes:
        record = {
            "event_id": "7f0c8f0a-2d1b-4c9e-9a5e-1b2c3d4e5f60",
            "organisation_id": "org-1",
            "clinic_id": "clinic-1",
            "order_id": "order-1",
            "sequence": 1,
            "occurred_at": 1_769_852_400_123_456,
            "actor": "user-1",
            "patient": PATIENT,
            "change": (f"com.hearlink.orders.v1.{kind}", change),
            **fields,
        }
        target = BytesIO()
        schemaless_writer(target, parse_schema(copy.deepcopy(self.schema)), record)
        return single_object_prefix(schema_fingerprint(self.schema)) + target.getvalue()

    def round_trip(self, kind: ChangeKind, change: dict[str, Any] | None = None, **fields: Any) -> OrderEvent:
        return self.decoder.decode(self.write(kind, CHANGES[kind] if change is None else change, **fields))


def _field(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(field for field in record["fields"] if field["name"] == name)


def _branch(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return next(branch for branch in _field(schema, "change")["type"] if branch["name"] == name)


def _payment(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _field(_branch(schema, "PaymentSaved"), "payment")["type"]
    return found


def _decimal(scale: int, **more: Any) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": scale, **more}


def test_added_fields_are_dropped() -> None:
    def alter(schema: dict[str, Any]) -> None:
        schema["fields"].insert(0, {"name": "source", "type": "string", "default": "app"})
        _payment(schema)["fields"].append({"name": "till", "type": ["null", "int"], "default": None})

    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40), "till": 3}
    event = Writer(alter).round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment}, source="tablet")
    assert event == sample_event(ChangeKind.PAYMENT_SAVED)


def test_a_dropped_field_gets_the_contracts_default() -> None:
    def alter(schema: dict[str, Any]) -> None:
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "actor"]
        _payment(schema)["fields"] = [field for field in _payment(schema)["fields"] if field["name"] != "reference"]

    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40)}
    event = Writer(alter).round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
    assert event == sample_event(ChangeKind.PAYMENT_SAVED, actor=None)


def test_a_dropped_field_without_default_stops_its_kind_only() -> None:
    def alter(schema: dict[str, Any]) -> None:
        _payment(schema)["fields"] = [field for field in _payment(schema)["fields"] if field["name"] != "method"]

    writer = Writer(alter)
    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40)}
    with pytest.raises(
        UndecodableError, match=r"order order-1: the field change\.PaymentSaved\.payment\.method is mis"
    ):
        writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
    assert writer.round_trip(ChangeKind.SYNC_REQUESTED) == sample_event(ChangeKind.SYNC_REQUESTED)


def test_a_dropped_field_of_the_envelope_names_itself() -> None:
    def alter(schema: dict[str, Any]) -> None:
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "sequence"]

    with pytest.raises(UndecodableError, match=r"field sequence is missing"):
        Writer(alter).round_trip(ChangeKind.SYNC_REQUESTED)


def test_a_new_kind_of_change_says_what_is_known() -> None:
    def alter(schema: dict[str, Any]) -> None:
        merged = {"type": "record", "name": "PatientMerged", "fields": [{"name": "into", "type": "string"}]}
        _field(schema, "change")["type"].insert(0, merged)

    writer = Writer(alter)
    with pytest.raises(
        UndecodableError, match="order order-1: unknown change kind PatientMerged: this service knows InvoiceSaved"
    ) as raised:
        writer.decoder.decode(writer.write("PatientMerged", {"into": "patient-2"}))
    assert raised.value.order_id == "order-1"
    assert raised.value.organisation_id == "org-1"
    assert writer.round_trip(ChangeKind.INVOICE_DELETED) == sample_event(ChangeKind.INVOICE_DELETED)


def test_a_new_category_is_refused_by_name_and_the_known_ones_pass() -> None:
    def alter(schema: dict[str, Any]) -> None:
        text = json.dumps(schema).replace('"ACCESSORIES",', '"ACCESSORIES", "RENTALS",')
        schema.update(json.loads(text))

    writer = Writer(alter)
    note = _amounts_as_numbers(CHANGES[ChangeKind.CREDIT_NOTE_SAVED])
    assert writer.round_trip(ChangeKind.CREDIT_NOTE_SAVED, note) == sample_event(ChangeKind.CREDIT_NOTE_SAVED)
    note["credit_note"]["lines"][0]["category"] = "RENTALS"
    with pytest.raises(UndecodableError, match=r"credit_note\.lines\.category is RENTALS, which this service"):
        writer.round_trip(ChangeKind.CREDIT_NOTE_SAVED, note)


def test_widened_types_and_other_logical_types_are_read_right() -> None:
    def alter(schema: dict[str, Any]) -> None:
        _field(schema, "sequence")["type"] = "int"
        _field(schema, "occurred_at")["type"] = {"type": "long", "logicalType": "timestamp-millis"}
        _field(_payment(schema), "amount")["type"] = _decimal(2, type="fixed", size=20, name="Amount")

    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40)}
    event = Writer(alter).round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment}, occurred_at=1_769_852_400_123)
    assert event == sample_event(ChangeKind.PAYMENT_SAVED, occurred_at_us=1_769_852_400_123_000)


def _big_decimal(unscaled: int, scale: int) -> bytes:
    """An amount as Avro's Java library writes a BigDecimal: the digits' bytes behind their length, then the scale."""
    target = BytesIO()
    digits = unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)
    schemaless_writer(
        target,
        {
            "type": "record",
            "name": "N",
            "fields": [{"name": "digits", "type": "bytes"}, {"name": "scale", "type": "int"}],
        },
        {"digits": digits, "scale": scale},
    )
    return target.getvalue()


@pytest.mark.parametrize(
    ("field", "written", "logical", "value"),
    [
        ("amount", "bytes", "big-decimal", _big_decimal(145_000, 2)),
        ("amount", "bytes", "decimal-of-the-future", b"\x01"),
        ("amount", "bytes", "uuid", b"\x01"),
        ("paid_on", "int", "time-millis", 20_000),
        ("paid_on", "int", "days-of-the-future", 20_000),
        ("payment_id", "string", "uuid", "7f0c8f0a-2d1b-4c9e-9a5e-1b2c3d4e5f60"),
    ],
)
def test_another_logical_type_is_refused_by_name_unless_it_is_a_text(
    field: str, written: str, logical: str, value: Any
) -> None:
    """An amount of 1,450.00 went to the books as one of millions, since the same bytes were read otherwise."""
    meant = {"type": written, "logicalType": logical}
    for kind in (meant, ["null", meant]):
        writer = Writer(lambda schema, kind=kind: _field(_payment(schema), field).update(type=kind))  # type: ignore[misc]
        payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40), field: value}
        if written == "string":
            writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
            continue
        where = (
            rf"order order-1: the field change\.PaymentSaved\.payment\.{field} is {written} of the logical .*{logical}"
        )
        with pytest.raises(UndecodableError, match=where):
            writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
        assert writer.round_trip(ChangeKind.SYNC_REQUESTED) == sample_event(ChangeKind.SYNC_REQUESTED)


@pytest.mark.parametrize("logical", ["local-timestamp-micros", "local-timestamp-millis", "time-micros", "unheard-of"])
@pytest.mark.parametrize("field", ["occurred_at", "sequence"])
def test_another_kind_of_time_or_number_is_refused_by_name(field: str, logical: str) -> None:
    writer = Writer(lambda schema: _field(schema, field).update(type={"type": "long", "logicalType": logical}))
    contract = {"occurred_at": "timestamp-micros", "sequence": "a plain long"}[field]
    with pytest.raises(UndecodableError, match=f"the field {field} is long of the logical type {logical}.*{contract}"):
        writer.decoder.decode(writer.write(ChangeKind.SYNC_REQUESTED, {}, **{field: 7}))


def test_a_schema_whose_types_are_nested_without_need_is_refused_and_stops_nobody() -> None:
    schema = json.loads((schemas_folder() / "order-event.avsc").read_text(encoding="utf-8"))
    mark = schema_fingerprint(schema)
    _field(schema, "occurred_at")["type"] = {"type": {"type": "long"}, "logicalType": "timestamp-micros"}
    contract = Schemas.load(schemas_folder()).current("OrderEvent")
    with pytest.raises(UndecodableError, match="The writer's schema is no Avro schema"):
        Decoder(Schemas({"OrderEvent": contract}, {mark: schema})).decode(single_object_prefix(mark) + b"\x00")


def test_a_type_that_says_nothing_more_means_what_the_contract_does() -> None:
    def alter(schema: dict[str, Any]) -> None:
        _field(schema, "event_id")["type"] = "string"
        _field(schema, "occurred_at")["type"] = "long"
        _field(_payment(schema), "amount")["type"] = "bytes"
        _field(_payment(schema), "paid_on")["type"] = "int"

    sample = CHANGES[ChangeKind.PAYMENT_SAVED]["payment"]
    days = (date.fromisoformat(sample["paid_on"]) - date(1970, 1, 1)).days
    payment = {**sample, "amount": (400_000).to_bytes(3, "big"), "paid_on": days}
    event = Writer(alter).round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
    assert event == sample_event(ChangeKind.PAYMENT_SAVED)


@pytest.mark.parametrize(
    ("scale", "amount", "expected"),
    [(0, 40, "40.0000"), (2, 40, "40.0000"), (6, 40, "40.0000"), (4, 0, "0.0000"), (2, -1, "-1.0000")],
)
def test_the_scale_is_the_writers(scale: int, amount: int, expected: str) -> None:
    writer = Writer(lambda schema: _field(_payment(schema), "amount").update(type=_decimal(scale)))
    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(amount)}
    event = writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})
    assert event.change["payment"]["amount"] == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ((10**18).to_bytes(9, "big"), "14 digits"),
        ((-(10**18)).to_bytes(9, "big", signed=True), "14 digits"),
        (b"\x7f" * 100_000, "100000 bytes"),
    ],
)
def test_amounts_that_fit_nowhere_are_impossible(raw: bytes, reason: str) -> None:
    writer = Writer(lambda schema: _field(_payment(schema), "amount").update(type="bytes"))
    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": raw}
    with pytest.raises(
        ImpossibleEventError, match=f"order order-1: field change.PaymentSaved.payment.amount is an amount .*{reason}"
    ):
        writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})


def test_more_than_four_places_are_impossible() -> None:
    writer = Writer(lambda schema: _field(_payment(schema), "amount").update(type=_decimal(6)))
    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal("0.000001")}
    with pytest.raises(ImpossibleEventError, match="more than 4 decimal places"):
        writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})


def test_an_amount_without_bytes_is_refused() -> None:
    writer = Writer(lambda schema: _field(_payment(schema), "amount").update(type="bytes"))
    with pytest.raises(UndecodableError, match="without a single byte"):
        writer.round_trip(
            ChangeKind.PAYMENT_SAVED, {"payment": {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": b""}}
        )


def test_a_date_beyond_the_calendar_is_impossible() -> None:
    writer = Writer(lambda schema: _field(_payment(schema), "paid_on").update(type="int"))
    payment = {**CHANGES[ChangeKind.PAYMENT_SAVED]["payment"], "amount": Decimal(40), "paid_on": 2**31 - 1}
    with pytest.raises(ImpossibleEventError, match="outside of the years 1900 to 2999"):
        writer.round_trip(ChangeKind.PAYMENT_SAVED, {"payment": payment})


def test_a_field_made_nullable_is_read_until_it_is_null() -> None:
    writer = Writer(lambda schema: _field(schema, "clinic_id").update(type=["null", "string"]))
    assert writer.round_trip(ChangeKind.SYNC_REQUESTED) == sample_event(ChangeKind.SYNC_REQUESTED)
    with pytest.raises(UndecodableError, match="field clinic_id is null, where the contract wants a value"):
        writer.round_trip(ChangeKind.SYNC_REQUESTED, clinic_id=None)


def test_an_unreadable_type_names_the_field() -> None:
    writer = Writer(lambda schema: _field(schema, "sequence").update(type="string"))
    with pytest.raises(UndecodableError, match=r"field sequence is string in the writer's schema"):
        writer.round_trip(ChangeKind.SYNC_REQUESTED, sequence="1")


def test_schemas_that_could_fill_the_memory_are_refused() -> None:
    def weightless(schema: dict[str, Any]) -> None:
        schema["fields"].append({"name": "nothing", "type": {"type": "array", "items": "null"}})

    def recursive(schema: dict[str, Any]) -> None:
        fields = [{"name": "next", "type": ["null", "Node"]}]
        schema["fields"].append({"name": "node", "type": {"type": "record", "name": "Node", "fields": fields}})

    with pytest.raises(UndecodableError, match="elements that take no bytes"):
        Writer(weightless).round_trip(ChangeKind.SYNC_REQUESTED, nothing=[None])
    with pytest.raises(UndecodableError, match="inside itself"):
        Writer(recursive).round_trip(ChangeKind.SYNC_REQUESTED, node={"next": None})


def test_older_versions_lie_in_folders_below(tmp_path: Path, schemas: Schemas) -> None:
    older = copy.deepcopy(schemas.current("OrderEvent"))
    older["fields"] = [field for field in older["fields"] if field["name"] != "actor"]
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "older.avsc").write_text(json.dumps(older))
    (tmp_path / "order-event.avsc").write_text(json.dumps(schemas.current("OrderEvent")))
    loaded = Schemas.load(tmp_path)
    assert loaded.by_fingerprint(schema_fingerprint(older)) == older
    assert loaded.current("OrderEvent") == schemas.current("OrderEvent")


def test_two_files_that_only_logical_types_tell_apart_are_refused(tmp_path: Path, schemas: Schemas) -> None:
    text = json.dumps(schemas.current("OrderEvent"))
    (tmp_path / "a.avsc").write_text(text)
    (tmp_path / "b.avsc").write_text(text.replace('"scale": 4', '"scale": 2'))
    with pytest.raises(SchemaFolderError, match=r"b\.avsc has the fingerprint of \S+a\.avsc but other"):
        Schemas.load(tmp_path)


def test_a_further_folder_adds_what_writers_use_and_replaces_nothing(tmp_path: Path, schemas: Schemas) -> None:
    newer = copy.deepcopy(schemas.current("OrderEvent"))
    newer["fields"].append({"name": "branch", "type": "string", "default": ""})
    (tmp_path / "order-event.avsc").write_text(json.dumps(newer))
    (tmp_path / "again.avsc").write_text(json.dumps(schemas.current("OrderEvent")))
    loaded = Schemas.load(schemas_folder(), tmp_path)
    assert loaded.by_fingerprint(schema_fingerprint(newer)) == newer
    assert loaded.current("OrderEvent") == schemas.current("OrderEvent")
    text = json.dumps(schemas.current("OrderEvent")).replace('"scale": 4', '"scale": 2')
    (tmp_path / "twin.avsc").write_text(text)
    with pytest.raises(SchemaFolderError, match=r"twin\.avsc has the fingerprint of \S+order-event\.avsc"):
        Schemas.load(schemas_folder(), tmp_path)


def test_a_file_that_is_no_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.avsc").write_text('{"type": "record"')
    with pytest.raises(SchemaFolderError, match=r"broken\.avsc is no Avro schema"):
        Schemas.load(tmp_path)


def _amounts_as_numbers(change: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = copy.deepcopy(change)
    note = copied["credit_note"]
    note["total"] = Decimal(1500)
    note["lines"][0].update(quantity=Decimal(1), unit_price=Decimal(1500))
    return copied
