"""The elements that Xero takes, made from HearLink's order. Pure; amounts stay Decimal to the last.

Facts about fields, lengths and rounding: Xero's Accounting API documentation, pages Contacts, Invoices, CreditNotes
and Payments.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from consumer.orders import Address, CreditNote, Invoice, Line, Patient, Payment
from consumer.settings import ClinicSettings
from consumer.xero import account_reference

CENT = Decimal("0.01")
# Xero keeps unit prices to four places when asked to (unitdp=4).
UNIT = Decimal("0.0001")
NAME_LENGTH = 255
DESCRIPTION_LENGTH = 4000
REFERENCE_LENGTH = 255

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_EMAIL_LENGTH = 255
_PHONE_LENGTH = 50
# Field of the address at Xero, and how much it takes.
_ADDRESS_FIELDS = (
    ("line1", "AddressLine1", 500),
    ("line2", "AddressLine2", 500),
    ("city", "City", 255),
    ("region", "Region", 255),
    ("postal_code", "PostalCode", 50),
    ("country", "Country", 50),
)
_CATEGORY_WORDS = {
    "HEARING_AIDS": "Hearing aids",
    "ACCESSORIES": "Accessories",
    "SERVICES": "Services",
    "CUSTOM_ITEMS": "Custom items",
}


def content_hash(body: dict[str, Any]) -> str:
    """Return a hash of `body` that is the same whenever its content is the same."""
    encoded = msgspec.json.encode(_canonical(body), order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:32]


def contact_name(patient: Patient) -> str:
    """Return the patient's name as Xero takes it: single spaces, no angle brackets, at most 255 characters."""
    text = re.sub(r"[<>]", " ", f"{patient.first_name} {patient.last_name}")
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text[:NAME_LENGTH].strip() or f"Patient {patient.patient_id}"[:NAME_LENGTH]


def suffixed_name(name: str, patient_id: str, *, whole_id: bool) -> str:
    """Return `name` made unique by the patient's id, always the same for one patient."""
    short = patient_id if whole_id or len(patient_id) <= 12 else patient_id[:8]  # noqa: PLR2004 -- a short id is shown whole
    suffix = f" (HL-{short})"
    return f"{name[: NAME_LENGTH - len(suffix)].strip()}{suffix}"


def contact_body(patient: Patient, name: str, left_out: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a new contact, and codes of warnings about what Xero would refuse of it.

    `left_out` may name `email` and `phone`.
    """
    warnings = []
    body: dict[str, Any] = {"Name": name, "ContactNumber": patient.patient_id, **_person(patient)}
    if patient.email:
        email = patient.email.strip()
        if "email" not in left_out and _EMAIL.fullmatch(email) and len(email) <= _EMAIL_LENGTH:
            body["EmailAddress"] = email
        else:
            warnings.append("email_refused")
    if patient.phone:
        phone = patient.phone.strip()
        if "phone" not in left_out and 0 < len(phone) <= _PHONE_LENGTH:
            body["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": phone}]
        else:
            warnings.append("phone_left_out")
    if patient.address is not None:
        body["Addresses"] = [_address(patient.address)]
    return body, tuple(warnings)


def contact_details_hash(patient: Patient) -> str:
    """Return a hash of what a contact is created with and never changed: e-mail, phone and address together."""
    body, _ = contact_body(patient, "", frozenset())
    return content_hash({key: body.get(key) for key in ("EmailAddress", "Phones", "Addresses")})


def rename_body(patient: Patient, name: str, contact_id: str) -> dict[str, Any]:
    """Return the change of a contact's name and nothing else of it."""
    return {"ContactID": contact_id, "Name": name, **_person(patient)}


def invoice_body(
    invoice: Invoice,
    settings: ClinicSettings,
    *,
    order_url: str,
    contact_id: str | None,
    line_item_ids: Mapping[str, str],
    discounted: Collection[str] = (),
) -> dict[str, Any]:
    """Return the invoice without its status.

    Lines that Xero knows carry their LineItemID, so that what people set on them there (tracking) stays; those of
    `discounted` have, or may have, a discount there.
    """
    lines = []
    for line in invoice.lines:
        item = _line(line, settings)
        known = line_item_ids.get(line.line_id)
        if line.discount or (known is not None and line.line_id in discounted):
            # Of a line that Xero knows, what is left out keeps its value: a discount that is gone must be said.
            item["DiscountAmount"] = cents(line.discount or Decimal(0))
        if known is not None:
            item["LineItemID"] = known
        lines.append(item)
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact_id},
        "InvoiceNumber": document_number(invoice.number),
        "Url": order_url,
        "Date": invoice.issued_on.isoformat(),
        "DueDate": (invoice.due_on or invoice.issued_on).isoformat(),
        "CurrencyCode": invoice.currency,
        "LineAmountTypes": "Inclusive" if invoice.prices_include_tax else "Exclusive",
        "Reference": (invoice.reference or "")[:REFERENCE_LENGTH],
        "LineItems": lines,
    }


def credit_note_body(
    note: CreditNote, invoice: Invoice, settings: ClinicSettings, *, contact_id: str | None
) -> dict[str, Any]:
    """Return the credit note, authorised; its reference is HearLink's id of it, by which it is found again."""
    return {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact_id},
        "CreditNoteNumber": document_number(note.number),
        "Reference": note.credit_note_id,
        "Date": note.issued_on.isoformat(),
        "CurrencyCode": invoice.currency,
        "LineAmountTypes": "Inclusive" if invoice.prices_include_tax else "Exclusive",
        "Status": "AUTHORISED",
        "LineItems": [_line(without_discount(line), settings) for line in note.lines],
    }


def document_number(number: str) -> str:
    """Return the number of an invoice or credit note as Xero keeps it, which trims it; "" where there is none.

    Signs that show nothing are no number either: Xero would give the document one of its own.
    """
    trimmed = number.strip()
    return trimmed if any(char.isprintable() and not char.isspace() for char in trimmed) else ""


def payment_body(payment: Payment, account: str, *, invoice_id: str | None) -> dict[str, Any]:
    """Return the payment; its reference is the method and HearLink's id, by which it is found again."""
    return {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": account_reference(account, code_key="Code"),
        "Date": payment.paid_on.isoformat(),
        "Amount": cents(payment.amount),
        "Reference": payment_reference(payment),
    }


def payment_reference(payment: Payment) -> str:
    """Return what stands in the payment's reference: its method, then HearLink's id of it."""
    return f"{payment.method} {payment.payment_id}".strip()


def order_url(hearlink_url: str, order_id: str) -> str:
    """Return the address of the order in HearLink: a link back, and the mark that the invoice is ours."""
    return f"{hearlink_url}/orders/{quote(order_id, safe='')}"


def cents(amount: Decimal) -> Decimal:
    """Return `amount` to the cent, as Xero keeps totals and payments."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def line_amount(line: Line) -> Decimal:
    """Return what Xero makes of `line`: it takes the discount to the cent, and off the amount that it rounded."""
    return cents(line.quantity * line.unit_price) - cents(line.discount or Decimal(0))


def without_discount(line: Line) -> Line:
    """Fold a discount into the price: Xero's credit notes take none, its CSV import only percentages.

    The line comes to the cents that it comes to on the invoice.
    """
    if not line.discount:
        return line
    amount = line_amount(line)
    if line.quantity:
        unit_price = (amount / line.quantity).quantize(UNIT, ROUND_HALF_UP)
        if cents(unit_price * line.quantity) == amount:
            return msgspec.structs.replace(line, unit_price=unit_price, discount=None)
    # No price of four places gives the amount to the cent, so the line is credited as one piece.
    return msgspec.structs.replace(line, quantity=Decimal(1), unit_price=amount, discount=None)


def line_description(line: Line) -> str:
    """Return what stands on the line: Xero wants some text in every one."""
    return line.description.strip()[:DESCRIPTION_LENGTH] or line.sku or _CATEGORY_WORDS[line.category]


def _line(line: Line, settings: ClinicSettings) -> dict[str, Any]:
    category = settings.categories[line.category.value.lower()]
    return {
        "Description": line_description(line),
        "Quantity": line.quantity,
        "UnitAmount": line.unit_price,
        **account_reference(category.revenue_account or ""),
        "TaxType": category.tax_type,
    }


def _person(patient: Patient) -> dict[str, str]:
    names = {"FirstName": patient.first_name, "LastName": patient.last_name}
    cleaned = {key: " ".join(re.sub(r"[<>]", " ", name).split())[:NAME_LENGTH].strip() for key, name in names.items()}
    return {key: name for key, name in cleaned.items() if name}


def _address(address: Address) -> dict[str, str]:
    body = {"AddressType": "POBOX"}
    for source, target, length in _ADDRESS_FIELDS:
        value = (getattr(address, source) or "").strip()[:length]
        # Xero takes words there and nothing else; the address is worth having without.
        if target == "Country" and not value.replace(" ", "").isalpha():
            continue
        if value:
            body[target] = value
    return body


def _canonical(value: Any) -> Any:
    """Return `value` with equal numbers written alike (1, 1.0, 1.0000), so that equal content hashes alike."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, Decimal):
        return format(value.normalize() + 0, "f")
    return value
