import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.contract import Decoder, Encoder, Schemas, UndecodableError, check, event_from_json, schema_fingerprint
from consumer.contract.wire import MESSAGE_BYTES_MAX
from consumer.orders import ChangeKind, ImpossibleEventError
from consumer.resources import schemas_folder
from tests.contract.samples import sample_event

_SCHEMAS = Schemas.load(schemas_folder())
_DECODER = Decoder(_SCHEMAS)
_GOOD = Encoder(_SCHEMAS).encode_event("orders", sample_event())


@pytest.mark.parametrize("kind", ChangeKind)
def test_every_kind_of_change_comes_back_as_it_was_written(
    kind: ChangeKind, decoder: Decoder, encoder: Encoder
) -> None:
    event = sample_event(kind)
    decoded = decoder.decode(encoder.encode_event("orders", event))
    assert decoded == event
    check(decoded, b"order-1")


def test_the_trace_parent_is_passed_on(decoder: Decoder) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert decoder.decode(_GOOD, parent).trace_parent == parent


def test_the_fingerprint_is_the_one_of_avros_specification() -> None:
    # The specification's CRC-64-AVRO of the schema "null", as a long: 7195948357588979594.
    assert int.from_bytes(schema_fingerprint("null"), "little") == 7195948357588979594


def test_the_worked_example_of_the_readme_is_true(encoder: Encoder, schemas: Schemas) -> None:
    text = (schemas_folder() / "README.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith('{"event_id"'))
    (shown,) = re.findall(r"```\n((?:[0-9a-f]+\n)+)```", text)
    event = event_from_json(line, schemas)
    assert encoder.encode_event("orders", event).hex() == shown.replace("\n", "")
    assert schema_fingerprint(schemas.current("OrderEvent")).hex() in text


_MALFORMED = {
    "no value": (None, "no value"),
    "empty": (b"", "no value"),
    "JSON": (b'{"order_id": "order-1"}', "neither Confluent"),
    "half a marker": (b"\xc3", "neither Confluent"),
    "wrong second byte": (b"\xc3\x02" + _GOOD[2:], "neither Confluent"),
    "ends in the fingerprint": (_GOOD[:9], "inside the fingerprint"),
    "ends in the schema id": (b"\x00\x00\x00", "inside the schema id"),
    "unknown fingerprint": (b"\xc3\x01" + bytes(8) + _GOOD[10:], "0000000000000000"),
    "no registry": (b"\x00\x00\x00\x00\x07" + _GOOD[10:], "SCHEMA_REGISTRY_URL"),
    "no record": (_GOOD[:10], "don't fit"),
    "trailing bytes": (_GOOD + b"\x00", "1 bytes follow"),
    "too large": (_GOOD + bytes(MESSAGE_BYTES_MAX), "at most 1048576"),
    # 2^62 characters are claimed for the first text.
    "huge text": (_GOOD[:10] + b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" + _GOOD[11:], "don't fit"),
    "negative length": (_GOOD[:10] + b"\x01" + _GOOD[11:], "don't fit"),
    "not UTF-8": (_GOOD.replace(b"order-1", b"\xff\xff\xff\xff\xff\xff\xff"), "don't fit"),
    "unknown branch": (_GOOD.replace(b"N1 1AA\x02", b"N1 1AA\x7e"), "don't fit"),
}


@pytest.mark.parametrize("name", _MALFORMED)
def test_malformed_messages_are_refused_with_a_reason(name: str, decoder: Decoder) -> None:
    value, reason = _MALFORMED[name]
    with pytest.raises(UndecodableError, match=re.escape(reason)) as raised:
        decoder.decode(value)
    assert "Example" not in str(raised.value)


def test_every_truncation_is_refused(decoder: Decoder) -> None:
    for length in range(len(_GOOD)):
        with pytest.raises(UndecodableError):
            decoder.decode(_GOOD[:length])


def _decode_and_check(value: bytes) -> None:
    refusal = ""
    try:
        event = _DECODER.decode(value)
        check(event, event.order_id.encode())
    except (UndecodableError, ImpossibleEventError) as error:
        refusal = str(error)
    # Such texts are stored in the database, which takes no NUL.
    assert "\x00" not in refusal


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(value: bytes) -> None:
    _decode_and_check(value)
    _decode_and_check(_GOOD[:10] + value)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.integers(10, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_no_flipped_bytes_raise_anything_else(changes: list[tuple[int, int]]) -> None:
    value = bytearray(_GOOD)
    for position, byte in changes:
        value[position] = byte
    _decode_and_check(bytes(value))
