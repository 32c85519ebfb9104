"""The two framings: Confluent's wire format (0x00, schema id) and Avro's single-object encoding (0xC3 0x01, mark)."""

from typing import NamedTuple

from consumer.contract.errors import UndecodableError

CONFLUENT = 0x00
SINGLE_OBJECT = b"\xc3\x01"
# The bytes that stand before the record.
CONFLUENT_BYTES = 5
SINGLE_OBJECT_BYTES = 10
# Kafka's own default for the largest message: what is larger was never meant to come this way.
MESSAGE_BYTES_MAX = 1024 * 1024
# As large as the largest of the service's own messages is: a dead letter has an event of any allowed size, and the
# reason beside it. Its topic takes as much (deploy/topics/topics.toml); of other topics, the brokers refuse more.
PUBLISHED_BYTES_MAX = 2 * MESSAGE_BYTES_MAX


class Frame(NamedTuple):
    """A message, which schema wrote it (a registry's id, or a fingerprint of 8 bytes), and where its record starts."""

    schema: int | bytes
    start: int
    value: bytes

    @property
    def prefix(self) -> bytes:
        """The bytes before the record."""
        return self.value[: self.start]


def read_frame(value: bytes | None, bytes_max: int = MESSAGE_BYTES_MAX) -> Frame:
    """Tell the framing of `value` by its first byte.

    Raises:
        UndecodableError: it has none of the two, is empty, cut off or too large.
    """
    if not value:
        raise UndecodableError("The message has no value. Events are never deleted: publish a change instead.")
    if len(value) > bytes_max:
        raise UndecodableError(
            f"The message has {len(value)} bytes; at most {bytes_max} are allowed. Shorten its texts."
        )
    if value[0] == CONFLUENT:
        if len(value) < CONFLUENT_BYTES:
            raise UndecodableError(f"The message ends inside the schema id ({len(value)} bytes). Publish it again.")
        return Frame(int.from_bytes(value[1:CONFLUENT_BYTES], "big"), CONFLUENT_BYTES, value)
    if value[:2] == SINGLE_OBJECT:
        if len(value) < SINGLE_OBJECT_BYTES:
            raise UndecodableError(f"The message ends inside the fingerprint ({len(value)} bytes). Publish it again.")
        return Frame(value[2:SINGLE_OBJECT_BYTES], SINGLE_OBJECT_BYTES, value)
    raise UndecodableError(
        f"The message starts with 0x{value[:2].hex()}, neither Confluent's wire format (0x00) nor Avro's single-object "
        "encoding (0xc301). Publish it in one of them."
    )


def confluent_prefix(schema_id: int) -> bytes:
    """Return what stands before a record in Confluent's wire format."""
    return bytes([CONFLUENT]) + schema_id.to_bytes(4, "big")


def single_object_prefix(mark: bytes) -> bytes:
    """Return what stands before a record in single-object encoding."""
    return SINGLE_OBJECT + mark
