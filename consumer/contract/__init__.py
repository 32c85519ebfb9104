"""Avro in and out: HearLink's order events, whichever version wrote them, and the messages of the service's own."""

from consumer.contract.check import check, check_texts
from consumer.contract.decoder import Decoder
from consumer.contract.encoder import Encoder
from consumer.contract.errors import ImpossibleValueError, RegistryUnavailableError, UndecodableError
from consumer.contract.json_lines import JsonEventError, event_from_json, event_to_json
from consumer.contract.message_decoder import MessageDecoder
from consumer.contract.messages import DeadLetter, Header, RetryRequest, SyncLogResult
from consumer.contract.registry import Registry
from consumer.contract.registry_access import RegistryAccess, RegistryAccessError
from consumer.contract.schemas import SchemaFolderError, Schemas, schema_fingerprint
from consumer.contract.wire import MESSAGE_BYTES_MAX, PUBLISHED_BYTES_MAX

__all__ = [
    "MESSAGE_BYTES_MAX",
    "PUBLISHED_BYTES_MAX",
    "DeadLetter",
    "Decoder",
    "Encoder",
    "Header",
    "ImpossibleValueError",
    "JsonEventError",
    "MessageDecoder",
    "Registry",
    "RegistryAccess",
    "RegistryAccessError",
    "RegistryUnavailableError",
    "RetryRequest",
    "SchemaFolderError",
    "Schemas",
    "SyncLogResult",
    "UndecodableError",
    "check",
    "check_texts",
    "event_from_json",
    "event_to_json",
    "schema_fingerprint",
]
