from datetime import UTC, datetime

import pytest

from consumer.contract import (
    DeadLetter,
    Encoder,
    Header,
    MessageDecoder,
    RetryRequest,
    Schemas,
    SyncLogResult,
    UndecodableError,
)

_NOW = datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)

_RESULT = SyncLogResult(
    log_id=7,
    occurred_at=_NOW,
    organisation_id="org-1",
    clinic_id="clinic-1",
    order_id="order-1",
    operation="invoice_create",
    outcome="succeeded",
    message="Invoice WH00035 was created.",
    trigger="auto",
    attempt=1,
    revision=3,
    warnings=("The contact kept its old name.",),
)
_REQUEST = RetryRequest(order_id="order-1", requested_at=_NOW, not_before=_NOW, attempt=2, trigger="manual", actor="op")
_DEAD = DeadLetter(
    topic="orders",
    partition=3,
    offset=42,
    reason="undecodable",
    detail="why",
    dead_at=_NOW,
    key=b"\xff",
    value=b"\x00\x01",
    headers=(Header("traceparent", b"x"), Header("empty")),
)


@pytest.mark.parametrize("message", [_RESULT, _REQUEST, _DEAD])
def test_messages_come_back_as_they_were_written(
    message: SyncLogResult | RetryRequest | DeadLetter, encoder: Encoder, schemas: Schemas
) -> None:
    assert MessageDecoder(schemas).decode(type(message), encoder.encode("topic", message)) == message


def test_retry_requests_come_in_three_ways(encoder: Encoder, schemas: Schemas) -> None:
    decoder = MessageDecoder(schemas)
    bare = RetryRequest(order_id="order-1", requested_at=_NOW)
    assert decoder.decode_retry(encoder.encode("retry", _REQUEST), b"order-1", _NOW) == _REQUEST
    assert decoder.decode_retry(b' {"order_id": "order-1"}', None, _NOW) == bare
    assert decoder.decode_retry(None, b"order-1", _NOW) == bare
    assert decoder.decode_retry(b"", b"order-1", _NOW) == bare


def test_what_else_a_tool_writes_into_a_retry_request_means_nothing(schemas: Schemas) -> None:
    value = b'{"order_id": "order-1", "source": "kcat", "nested": {"trigger": "auto"}}'
    assert MessageDecoder(schemas).decode_retry(value, None, _NOW) == RetryRequest(
        order_id="order-1", requested_at=_NOW
    )


@pytest.mark.parametrize("not_before", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_absurd_times_in_avro_are_refused_as_well(not_before: str, encoder: Encoder, schemas: Schemas) -> None:
    request = RetryRequest(order_id="order-1", requested_at=_NOW, not_before=datetime.fromisoformat(not_before))
    with pytest.raises(UndecodableError, match="not_before lies outside"):
        MessageDecoder(schemas).decode_retry(encoder.encode("retry", request), b"order-1", _NOW)


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (None, None, "0 characters"),
        (None, b"\xff", "no UTF-8"),
        (b"{", b"order-1", "no retry request"),
        (b'{"order_id": 5}', b"order-1", "no retry request"),
        (b'{"order_id": "order-1", "trigger": "auto"}', None, "one of manual, retry"),
        (b'{"order_id": "order-1", "attempt": -1}', None, "attempt is -1"),
        (b'{"order_id": "a\\u0000"}', None, "NUL"),
        (b'{"order_id": "order-1", "not_before": "2026-01-01T00:00:00"}', None, "no offset"),
        # In UTC: a year before Christ, and one of five digits.
        (b'{"order_id": "order-1", "not_before": "0001-01-01T00:00:00+14:00"}', None, "not_before lies outside"),
        (b'{"order_id": "order-1", "not_before": "9999-12-31T23:59:59-14:00"}', None, "not_before lies outside"),
        (b'{"order_id": "order-1", "requested_at": "0001-01-01T00:00:00Z"}', None, "requested_at lies outside"),
        (b'{"order_id": "order-1", "revision": 9223372036854775808}', None, "revision is"),
        (b"{" * 100_000, None, "no retry request"),
        (b"hello", b"order-1", "neither Confluent"),
    ],
)
def test_other_retry_requests_are_refused(
    value: bytes | None, key: bytes | None, reason: str, schemas: Schemas
) -> None:
    with pytest.raises(UndecodableError, match=reason):
        MessageDecoder(schemas).decode_retry(value, key, _NOW)


def test_a_truncated_or_padded_message_is_refused(encoder: Encoder, schemas: Schemas) -> None:
    value = encoder.encode("retry", _REQUEST)
    for broken in (value[:-1], value + b"\x00"):
        with pytest.raises(UndecodableError, match="no RetryRequest"):
            MessageDecoder(schemas).decode(RetryRequest, broken)
