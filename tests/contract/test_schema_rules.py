"""Writers' schemas that were made to be expensive, or are none: a clear and short refusal, in little time."""

import copy
import json
import os
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from consumer.contract import Decoder, Encoder, MessageDecoder, RetryRequest, Schemas, UndecodableError
from consumer.contract.schema_rules import CHARACTERS_MAX, LEVELS_MAX, TYPES_MAX, check_schemas
from consumer.contract.wire import single_object_prefix
from consumer.orders import ImpossibleEventError
from consumer.resources import schemas_folder
from tests.contract.samples import sample_event

_MARK = bytes(8)
_SCHEMAS = Schemas.load(schemas_folder())
_CONTRACT = _SCHEMAS.current("OrderEvent")
_RETRY = _SCHEMAS.current("RetryRequest")
_RECORD = Encoder(_SCHEMAS).encode_event("orders", sample_event())[10:]
_DETAIL_CHARACTERS_MAX = 500
_MUTATIONS = int(os.environ.get("SCHEMA_MUTATIONS", "1000"))
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def decoder(writer: Any) -> Decoder:
    """A decoder of messages by `writer`."""
    return Decoder(Schemas({"OrderEvent": _CONTRACT}, {_MARK: writer}))


def with_field(kind: Any, contract: dict[str, Any] = _CONTRACT) -> dict[str, Any]:
    """The contract with a field more, of the type `kind`, at its end."""
    changed = copy.deepcopy(contract)
    changed["fields"].append({"name": "more", "type": kind})
    return changed


def record(name: str, *kinds: Any, what: str = "record") -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    return {"type": what, "name": name, "fields": fields}


def doubled(levels: int) -> Any:
    """Types of which each has the one before twice: 2^levels values of one byte."""
    kind: Any = "int"
    for level in range(levels):
        kind = record(f"Level{level}", kind, f"Level{level - 1}" if level else "int")
    return kind


def nested(kind: str, levels: int) -> Any:
    found: Any = "int"
    for level in range(levels):
        found = {"type": "array", "items": found} if kind == "array" else record(f"Level{level}", found)
    return found


def test_what_avro_allows_is_stepped_over() -> None:
    for kind, more in (
        (record("Odd", "int", what="error"), b"\x02"),
        (record("Outer", {"type": "map", "values": "null"}), b"\x02\x02a\x00"),
        (nested("record", LEVELS_MAX - 2), b"\x02"),
        (nested("array", 5), b"\x02\x02\x02\x02\x02\x02\x00\x00\x00\x00\x00"),
        ({"type": "fixed", "name": "Two", "size": 2}, b"ab"),
        ([record("A", "string"), record("B")], b"\x02"),
    ):
        assert decoder(with_field(kind)).decode(single_object_prefix(_MARK) + _RECORD + more) == sample_event()


def test_types_that_double_per_level_are_as_small_as_they_are_written() -> None:
    levels = 14
    value = single_object_prefix(_MARK) + _RECORD + b"\x02" * 2**levels
    assert decoder(with_field(doubled(levels))).decode(value) == sample_event()
    # Nobody could send a value of this one; nor does its schema cost anything.
    with pytest.raises(UndecodableError, match="don't fit"):
        decoder(with_field(doubled(LEVELS_MAX - 2))).decode(value)


_REFUSED: dict[str, tuple[Any, str]] = {
    "400 arrays": (nested("array", 400), "nested more than"),
    "400 records": (nested("record", 400), "nested more than"),
    "arrays that Python can't nest": (nested("array", LEVELS_MAX - 2), "nested too deeply"),
    "types by the thousand": (record("Wide", *["int"] * TYPES_MAX), "more than"),
    "no scale": ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": None}, "the scale is None"),
    "a scale beyond reason": (
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 10**9},
        "the scale is 1000000000",
    ),
    "no size": ({"type": "fixed", "name": "F"}, "the size is None"),
    "a size of nothing": ({"type": "fixed", "name": "F", "size": 0}, "the size is 0"),
    "a negative size": ({"type": "fixed", "name": "F", "size": -8}, "the size is -8"),
    "a size that is a text": ({"type": "fixed", "name": "F", "size": "8"}, "the size is '8'"),
    "elements without bytes": ({"type": "array", "items": record("None", what="error")}, "take no bytes"),
    "a name of another kind": ({"type": "record", "name": 7, "fields": []}, "7 is no name"),
    "a name with a blank": ({"type": "enum", "name": "a b", "symbols": ["A"]}, "'a b' is no name"),
    "a name without end": ("x" * 100_000, "is no name"),
    "a type twice": (record("Twice", record("T", "int"), record("T", "int")), "defines the type"),
    "a type of nothing": (None, "None is no type"),
    "an empty union": ([], "no types"),
    "a union in a union": ([["int"]], "right inside a union"),
    "an unknown type": ("Nobody", "nothing defines"),
    "no items": ({"type": "array"}, "items is missing"),
    "fields that are none": ({"type": "record", "name": "R", "fields": "all"}, "no list"),
    "a field twice": ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2}, "of its own"),
    "no symbols": ({"type": "enum", "name": "E", "symbols": []}, "no symbols"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_what_is_no_schema_or_too_much_is_refused_in_few_words(name: str) -> None:
    kind, words = _REFUSED[name]
    with pytest.raises(UndecodableError, match=words) as raised:
        decoder(with_field(kind)).decode(single_object_prefix(_MARK) + _RECORD + b"\x02")
    assert len(str(raised.value)) < _DETAIL_CHARACTERS_MAX


def _numbered(count: int) -> bytes:
    """`count` as Avro writes a number."""
    value, parts = count << 1, []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


@pytest.mark.parametrize("kind", [{"type": "array", "items": "int"}, {"type": "map", "values": "null"}])
def test_a_count_beyond_the_bytes_that_are_left_is_malformed(kind: Any) -> None:
    """A dozen bytes that claim 2^38 items: the process was frozen, with Python's interpreter locked."""
    more = _numbered(2**38)
    with pytest.raises(UndecodableError, match="don't fit"):
        decoder(with_field(kind)).decode(single_object_prefix(_MARK) + _RECORD + more)
    messages = MessageDecoder(Schemas({"RetryRequest": _RETRY}, {_MARK: with_field(kind, _RETRY)}))
    good = Encoder(_SCHEMAS).encode("retry", RetryRequest(order_id="order-1", requested_at=_NOW))[10:]
    with pytest.raises(UndecodableError, match="are no RetryRequest"):
        messages.decode(RetryRequest, single_object_prefix(_MARK) + good + more)
    assert messages.decode(RetryRequest, single_object_prefix(_MARK) + good + b"\x00").order_id == "order-1"


def test_mutated_schemas_raise_nothing_else() -> None:
    """Parts of the contract replaced by others, by numbers, by nothing: read, or refused in few words."""
    random = Random(7)
    text = json.dumps(_CONTRACT)
    values: list[Any] = [None, 0, -1, 2**70, 1.5, True, "", "int", "OrderEvent", "x" * 3000, [], {}, ["null", "int"]]
    refusals = []
    for _ in range(_MUTATIONS):
        schema = json.loads(text)
        for _ in range(random.randint(1, 3)):
            _mutate(schema, random, values)
        try:
            decoder(schema).decode(single_object_prefix(_MARK) + _RECORD)
        except (UndecodableError, ImpossibleEventError) as error:
            refusals.append(str(error))
    assert len(refusals) > _MUTATIONS // 4
    assert max(map(len, refusals)) < _DETAIL_CHARACTERS_MAX


def _mutate(schema: Any, random: Random, values: list[Any]) -> None:
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            places.append((part, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(schema)
    part, key = random.choice(places)
    how = random.randrange(3)
    if how == 0:
        del part[key]
    elif how == 1:
        part[key] = copy.deepcopy(random.choice(values))
    else:
        other, name = random.choice(places)
        part[key] = copy.deepcopy(other[name])


def test_the_contract_is_far_within_the_limits() -> None:
    check_schemas([_CONTRACT])
    assert len(json.dumps(_CONTRACT)) * 10 < CHARACTERS_MAX
