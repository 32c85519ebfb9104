"""Idempotency keys: the first answer is kept for six minutes and given again to the same request."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

AnswerType = TypeVar("AnswerType")

KEPT_SECONDS = 360.0
LONGEST_KEY = 128


@dataclass(slots=True)
class Entry(Generic[AnswerType]):
    """What is known of a key. `answer` is `None` while the first request is still at work."""

    fingerprint: str
    first_at_seconds: float
    answer: AnswerType | None = None


class IdempotencyStore(Generic[AnswerType]):
    """Keys of all apps. Pure memory; the clock comes with each question."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry[AnswerType]] = {}

    def find(self, client_id: str, key: str, now_seconds: float) -> Entry[AnswerType] | None:
        """The key's entry, unless its six minutes have passed."""
        entry = self._entries.get((client_id, key))
        if entry is not None and entry.first_at_seconds + KEPT_SECONDS <= now_seconds:
            del self._entries[client_id, key]
            return None
        return entry

    def open(self, client_id: str, key: str, fingerprint: str, now_seconds: float) -> Entry[AnswerType]:
        """Take down a key's first request; keys of more than six minutes ago are dropped."""
        while self._entries:
            oldest = next(iter(self._entries))
            if self._entries[oldest].first_at_seconds + KEPT_SECONDS > now_seconds:
                break
            del self._entries[oldest]
        entry: Entry[AnswerType] = Entry(fingerprint, now_seconds)
        self._entries[client_id, key] = entry
        return entry

    def forget(self, client_id: str, key: str) -> None:
        """Drop a key whose request never came to an answer."""
        self._entries.pop((client_id, key), None)


def fingerprint(method: str, address: str, tenant_id: str, body: bytes) -> str:
    """What makes two requests the same: method, address with query, tenant, body.

    Xero names address, body and method only; another tenant is taken for another request as well, because
    answering with the first tenant's documents would be worse.
    """
    return sha256(b"\0".join((method.encode(), address.encode(), tenant_id.encode(), body))).hexdigest()


def different_request(key: str) -> str:
    """Xero's words for a key that comes again with another request."""
    return f"Idempotency Key: {key} is used with a different request."


def key_too_long(key: str) -> str:
    """A key over 128 characters (Xero names the key and its length; its exact words are not documented)."""
    return f"Idempotency Key: {key} has {len(key)} characters. At most {LONGEST_KEY} are allowed."
