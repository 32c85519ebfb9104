"""Messages of the four topics for people's eyes, as JSON documents: where each lies, what it is, and why it is no use.

Without data: ids, sizes and reasons, and nothing that could be a patient's.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from consumer.configuration import Topics
from consumer.contract import DeadLetter, MessageDecoder, SyncLogResult, UndecodableError, event_to_json
from consumer.orders import OrderEvent
from consumer.projection import Reader

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a dead letter holds of the message that it was.
_PRIVATE = ("key", "value", "headers")


class MessageView:
    """Shows messages. For one thread. `reader` judges events and requests as the projection does."""

    def __init__(self, topics: Topics, reader: Reader, messages: MessageDecoder, *, with_data: bool) -> None:
        self._topics = topics
        self._reader = reader
        self._messages = messages
        self._with_data = with_data

    def show(self, message: Message) -> dict[str, Any]:
        """Return `message` as a document; a readable event, with data, in the form that `events send` takes.

        Raises:
            RegistryUnavailableError: a schema can't be had at present.
        """
        topic = message.topic()
        if topic in {self._topics.orders, self._topics.retry}:
            found = self._reader.examine(message)
            if isinstance(found, DeadLetter):
                return self._unusable(message, found)
            if isinstance(found, OrderEvent):
                return self._event(message, found)
            return {**_place(message), **_builtins(found)}
        kind = SyncLogResult if topic == self._topics.sync_log else DeadLetter
        try:
            document = _builtins(self._messages.decode(kind, message.value()))
        except UndecodableError as error:
            return {**_place(message), "reason": "undecodable", "detail": str(error)}
        if kind is DeadLetter and not self._with_data:
            value = document["value"]
            document |= {"size_bytes": None if value is None else len(base64.b64decode(value))}
            document = {name: part for name, part in document.items() if name not in _PRIVATE}
        return document

    def _event(self, message: Message, event: OrderEvent) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(event_to_json(event))
        if self._with_data:
            return document
        return {
            **_place(message),
            **{name: document[name] for name in ("order_id", "organisation_id", "clinic_id", "sequence", "event_id")},
            "occurred_at": document["occurred_at"],
            "kind": event.kind.value,
        }

    def _unusable(self, message: Message, letter: DeadLetter) -> dict[str, Any]:
        document = {
            **_place(message),
            "order_id": letter.order_id,
            "organisation_id": letter.organisation_id,
            "reason": letter.reason,
            "detail": letter.detail,
        }
        if self._with_data:
            document |= {name: part for name, part in _builtins(letter).items() if name in _PRIVATE}
        return document


def _place(message: Message) -> dict[str, Any]:
    value = message.value()
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": _time(message),
        "size_bytes": None if value is None else len(value),
    }


def _time(message: Message) -> str | None:
    kind, milliseconds = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return None
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        # A producer may write any number.
        return None


def _builtins(struct: msgspec.Struct) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(struct)
    return document
