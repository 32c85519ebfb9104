"""What Xero's fields take of HearLink's texts and numbers, and what is told of the rest before it is sent. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consumer.orders import Address, CreditNote, Invoice, Patient
from consumer.sync.step import Remark
from consumer.xero.payloads import (
    ADDRESS_LINE_CHARACTERS,
    CITY_CHARACTERS,
    CONTACT_NUMBER_CHARACTERS,
    COUNTRY_CHARACTERS,
    DOCUMENT_NUMBER_CHARACTERS,
    LINE_DESCRIPTION_CHARACTERS,
    NAME_CHARACTERS,
    POSTAL_CODE_CHARACTERS,
    REFERENCE_CHARACTERS,
    REGION_CHARACTERS,
)

# A part of the address, its field at Xero, what people call it, and how much the field takes.
ADDRESS_PARTS = (
    ("line1", "AddressLine1", "first line", ADDRESS_LINE_CHARACTERS),
    ("line2", "AddressLine2", "second line", ADDRESS_LINE_CHARACTERS),
    ("city", "City", "town", CITY_CHARACTERS),
    ("region", "Region", "region", REGION_CHARACTERS),
    ("postal_code", "PostalCode", "postcode", POSTAL_CODE_CHARACTERS),
    ("country", "Country", "country", COUNTRY_CHARACTERS),
)
_PRINTABLE = re.compile(r"[ -~]+")


def fit(text: str | None, limit: int) -> str:
    """Return as much of `text` as Xero takes."""
    return (text or "").strip()[:limit].strip()


def clean_name(*parts: str) -> str:
    """Return a person's name as Xero takes it: single spaces, no angle brackets, nothing that shows nothing."""
    text = re.sub(r"[<>]", " ", " ".join(parts))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def takes_number(number: str) -> bool:
    """Whether Xero takes `number` for a document: printable ASCII, 255 characters at most."""
    return len(number) <= DOCUMENT_NUMBER_CHARACTERS and _PRINTABLE.fullmatch(number) is not None


def takes_contact_number(patient_id: str) -> bool:
    """Whether Xero takes `patient_id` as the number of a contact."""
    return len(patient_id) <= CONTACT_NUMBER_CHARACTERS


def is_country(text: str) -> bool:
    """Whether Xero takes `text` as a country: words and nothing else."""
    return text.replace(" ", "").isalpha()


def name_remarks(patient: Patient, *, room: int = NAME_CHARACTERS) -> Iterator[Remark]:
    """Tell what Xero will not have of the patient's name, of which `room` characters are left."""
    clean = clean_name(patient.first_name, patient.last_name)
    if not clean or clean != " ".join(f"{patient.first_name} {patient.last_name}".split()):
        yield Remark("name_mended")
    yield from _cuts([("The patient's name", clean, room)])


def address_remarks(address: Address | None) -> Iterator[Remark]:
    """Tell what Xero will not have of the address."""
    if address is None:
        return
    if address.country and address.country.strip() and not is_country(fit(address.country, COUNTRY_CHARACTERS)):
        yield Remark("country_left_out")
    parts = {part: getattr(address, part) for part, *_ in ADDRESS_PARTS}
    yield from _cuts(
        (f"The {words} of the patient's address", parts[part], limit)
        for part, _, words, limit in ADDRESS_PARTS
        if part != "country" or is_country(fit(parts[part], limit))
    )


def document_remarks(document: Invoice | CreditNote, element: Mapping[str, Any]) -> tuple[Remark, ...]:
    """Tell what is cut of `document` in `element`, which is what goes to Xero of it."""
    name = f"invoice {document.number}" if isinstance(document, Invoice) else f"credit note {document.number}"
    texts = []
    if isinstance(document, Invoice) and "Reference" in element:
        texts.append((f"The reference of the {name}", document.reference, REFERENCE_CHARACTERS))
    if "LineItems" in element:
        kind = f"The description of a line of the {name}"
        texts += [(kind, line.description or line.sku, LINE_DESCRIPTION_CHARACTERS) for line in document.lines]
    return tuple(_cuts(texts))


def _cuts(texts: Iterable[tuple[str, str | None, int]]) -> Iterator[Remark]:
    """Tell each kind of text that is longer than its limit, once."""
    kinds = {kind: limit for kind, text, limit in texts if len((text or "").strip()) > limit}
    for kind, limit in kinds.items():
        yield Remark("text_cut", {"kind": kind, "limit": str(limit)})
