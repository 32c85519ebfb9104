"""A message's headers, which may hold anything: their names are bytes on the wire, and the client wants UTF-8."""

from operator import methodcaller
from typing import Any

from confluent_kafka import Message

Headers = list[tuple[str, bytes | None]]

_TRACE_PARENT = "traceparent"
_TRACE_PARENT_CHARACTERS = 55
# By this way, each answer is held against its error. A plain call, once it was made often, takes a short cut of the
# interpreter that leaves this out, and gives the half-made list at the first look as well.
_LOOK = methodcaller("headers")
_HEX = frozenset(b"0123456789abcdef-")


def read_headers(message: Message) -> Headers | None:
    """Return the headers of `message` as (name, value); None where a name is not UTF-8, so that none can be read.

    confluent-kafka raises SystemError at the first look, and gives a half-made list at every further one, which ends
    the interpreter when it is used: such headers are therefore taken off the message.
    """
    try:
        headers: Any = _LOOK(message)
    except (SystemError, UnicodeDecodeError):
        message.set_headers([])
        return None
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return [(name, _as_bytes(value)) for name, value in pairs]


def trace_parent(headers: Headers) -> str | None:
    """Return W3C's `traceparent` among `headers`, where there is a well-formed one."""
    for name, value in headers:
        if name == _TRACE_PARENT and value is not None and len(value) == _TRACE_PARENT_CHARACTERS:
            parts = value.split(b"-")
            if _HEX.issuperset(value) and [len(part) for part in parts] == [2, 32, 16, 2] and parts[0] != b"ff":
                return value.decode()
    return None


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
