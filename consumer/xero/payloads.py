"""Xero's words and limits: field lengths, statuses, batch sizes, dates, references. Pure.

Source of each figure: Xero's Accounting API documentation and its OpenAPI description.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

# Xero recommends about 50 elements a call and takes 3.5 MB for that many: stay below both.
BATCH_ELEMENTS = 50
BATCH_BYTES = 3_000_000
# Lists of ids or numbers in an address: more make it too long. Xero names no length, but what stands in between refuses
# addresses of more than a few thousand characters; this leaves room for the rest of one of 2,000.
LOOK_UP_ELEMENTS = 40
LOOK_UP_CHARACTERS = 1700
PAGE_ELEMENTS = 100
IDEMPOTENCY_KEY_CHARACTERS = 128
# Xero forgets keys after this; a repeat is then a new request.
IDEMPOTENCY_KEY_SECONDS = 6 * 60

NAME_CHARACTERS = 255
EMAIL_CHARACTERS = 255
CONTACT_NUMBER_CHARACTERS = 50
ADDRESS_LINE_CHARACTERS = 500
CITY_CHARACTERS = 255
REGION_CHARACTERS = 255
POSTAL_CODE_CHARACTERS = 50
COUNTRY_CHARACTERS = 50
PHONE_NUMBER_CHARACTERS = 50
DOCUMENT_NUMBER_CHARACTERS = 255
REFERENCE_CHARACTERS = 255
LINE_DESCRIPTION_CHARACTERS = 4000
UNIT_AMOUNT_PLACES = 4

Item = TypeVar("Item")

ZERO_GUID = "00000000-0000-0000-0000-000000000000"


class DocumentStatus(StrEnum):
    """Statuses of invoices and credit notes. PAID is set by Xero alone."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    AUTHORISED = "AUTHORISED"
    PAID = "PAID"
    VOIDED = "VOIDED"
    DELETED = "DELETED"


class ContactStatus(StrEnum):
    """Statuses of contacts; only ACTIVE ones can be invoiced."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"
    GDPR_REQUEST = "GDPRREQUEST"


class PaymentStatus(StrEnum):
    """Statuses of payments."""

    AUTHORISED = "AUTHORISED"
    DELETED = "DELETED"


class TooLargeError(ValueError):
    """One element alone is larger than a request may be; it can't be sent at all."""


# Amounts leave as the exact decimal that was computed, as a JSON number: a float would change the cents.
_ENCODER = msgspec.json.Encoder(decimal_format="number")

# {"CreditNotes":[]} and some room.
_WRAPPER_BYTES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MICROSOFT_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")


def encode_body(document: Any) -> bytes:
    """Encode a request's body; Decimals become JSON numbers digit by digit."""
    return _ENCODER.encode(document)


def batches(elements: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Cut `elements`, in their order, into lists that one request may carry.

    Raises:
        TooLargeError: an element alone passes the limit of bytes.
    """
    batch: list[Mapping[str, Any]] = []
    batch_bytes = 0
    for position, element in enumerate(elements):
        element_bytes = len(encode_body(element)) + 1
        if element_bytes > BATCH_BYTES - _WRAPPER_BYTES:
            raise TooLargeError(f"Element {position} has {element_bytes} bytes; Xero takes at most {BATCH_BYTES}.")
        if len(batch) == BATCH_ELEMENTS or batch_bytes + element_bytes > BATCH_BYTES - _WRAPPER_BYTES:
            yield batch
            batch, batch_bytes = [], 0
        batch.append(element)
        batch_bytes += element_bytes
    if batch:
        yield batch


def look_up_lists(items: Iterable[Item], text: Callable[[Item], str]) -> Iterator[list[Item]]:
    """Cut `items`, in their order, into lists that one address may carry; `text` is what it says of each.

    An item too long for an address is alone: it is for Xero to say what it makes of it.
    """
    some: list[Item] = []
    characters = 0
    for item in items:
        # Encoded, one character can become twelve. Four for what parts it from the next one.
        more = len(quote(text(item), safe="")) + 4
        if some and (len(some) == LOOK_UP_ELEMENTS or characters + more > LOOK_UP_CHARACTERS):
            yield some
            some, characters = [], 0
        some.append(item)
        characters += more
    if some:
        yield some


def read_date(text: str | None) -> date | None:
    """Read a date as Xero writes it: `/Date(1789344000000+0000)/` or ISO; None stays None.

    Raises:
        ValueError: it is neither.
    """
    instant = read_instant(text)
    return None if instant is None else instant.date()


def read_instant(text: str | None) -> datetime | None:
    """Read a time as Xero writes it, in UTC; the offset in `/Date(…)/` is decoration, the number is UTC already.

    Raises:
        ValueError: it is neither `/Date(…)/` nor ISO.
    """
    if not text:
        return None
    match = _MICROSOFT_DATE.fullmatch(text)
    if match is None:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    # Added to the epoch, not fromtimestamp(), which refuses dates before 1970 on some systems.
    return _EPOCH + timedelta(milliseconds=int(match[1]))


def read_amount(value: Any) -> Decimal:
    """Read a number of an answer (int or Decimal; absent = 0) as a Decimal.

    Raises:
        ValueError: it is no number.
    """
    if value is None:
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{value!r} is no amount.")  # noqa: TRY004 - wrong data of Xero's, not a wrong call
    return Decimal(value)


def is_guid(value: str) -> bool:
    """Whether `value` is written as one of Xero's ids (a UUID with its dashes)."""
    return _GUID.fullmatch(value) is not None


def account_reference(account: str, *, code_key: str = "AccountCode") -> dict[str, str]:
    """Name an account in a request: by AccountID if `account` is a UUID, else by its code.

    `code_key` is `AccountCode` on a line item and `Code` inside a payment's `Account`.
    """
    return {"AccountID" if is_guid(account) else code_key: account}
