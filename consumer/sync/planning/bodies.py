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
from consumer.sync.planning import texts
from consumer.sync.step import Remark
from consumer.xero import account_reference
from consumer.xero.payloads import (
    EMAIL_CHARACTERS,
    LINE_DESCRIPTION_CHARACTERS,
    NAME_CHARACTERS,
    PHONE_NUMBER_CHARACTERS,
    REFERENCE_CHARACTERS,
)

CENT = Decimal("0.01")
# Xero keeps unit prices to four places when asked to (unitdp=4).
UNIT = Decimal("0.0001")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
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
    """Return the patient's name as Xero takes it; who has none that it takes is called by the id."""
    clean = texts.fit(texts.clean_name(patient.first_name, patient.last_name), NAME_CHARACTERS)
    return clean or f"Patient {patient.patient_id}"[:NAME_CHARACTERS]


def suffixed_name(name: str, patient_id: str, *, whole_id: bool) -> str:
    """Return `name` made unique by the patient's id, always the same for one patient."""
    return numbered_name(name, patient_id, 2 if whole_id else 1)


def numbered_name(name: str, patient_id: str, suffix: int) -> str:
    """Return `name`, with nothing behind it (`suffix` 0), a short form of the patient's id (1), or all of it (2)."""
    return f"{name[: room_for_name(patient_id, suffix)].strip()}{_behind_name(patient_id, suffix)}"


def room_for_name(patient_id: str, suffix: int) -> int:
    """Return how many characters of the name there is room for before what stands behind it."""
    return NAME_CHARACTERS - len(_behind_name(patient_id, suffix))


def _behind_name(patient_id: str, suffix: int) -> str:
    short = patient_id if suffix > 1 or len(patient_id) <= 12 else patient_id[:8]  # noqa: PLR2004 -- a short id is shown whole
    return f" (HL-{short})" if suffix else ""


def contact_body(patient: Patient, name: str, left_out: frozenset[str]) -> tuple[dict[str, Any], list[Remark]]:
    """Return a new contact, and what is to be told of what Xero would refuse of it.

    `left_out` may name `email` and `phone`.
    """
    warnings = []
    body: dict[str, Any] = {"Name": name, "ContactNumber": patient.patient_id, **_person(patient)}
    if patient.email:
        email = patient.email.strip()
        if "email" not in left_out and _EMAIL.fullmatch(email) and len(email) <= EMAIL_CHARACTERS:
            body["EmailAddress"] = email
        else:
            warnings.append(Remark("email_refused"))
    if patient.phone:
        phone = patient.phone.strip()
        if "phone" not in left_out and 0 < len(phone) <= PHONE_NUMBER_CHARACTERS:
            body["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": phone}]
        else:
            warnings.append(Remark("phone_left_out"))
    if patient.address is not None:
        body["Addresses"] = [_address(patient.address)]
    return body, [*warnings, *texts.address_remarks(patient.address)]


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
        known = line_item_ids.get(line.line_id)
        was_discounted = known is not None and line.line_id in discounted
        if line.unit_price < 0:
            # Beside a negative price Xero takes no discount, not even one of nothing: a line that had one is made anew.
            item = _line(without_discount(line), settings)
            known = None if was_discounted else known
        else:
            item = _line(line, settings)
            if line.discount or was_discounted:
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
        "Reference": texts.fit(invoice.reference, REFERENCE_CHARACTERS),
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


def payment_body(payment: Payment, account: str, *, amount: Decimal, invoice_id: str | None) -> dict[str, Any]:
    """Return the payment, of which `amount` is posted.

    Its reference is the method and HearLink's id, by which it is found again.
    """
    return {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": account_reference(account, code_key="Code"),
        "Date": payment.paid_on.isoformat(),
        "Amount": amount,
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
    words = line.description.strip() or line.sku
    return texts.fit(words, LINE_DESCRIPTION_CHARACTERS) or _CATEGORY_WORDS[line.category]


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
    cleaned = {key: texts.fit(texts.clean_name(name), NAME_CHARACTERS) for key, name in names.items()}
    return {key: name for key, name in cleaned.items() if name}


def _address(address: Address) -> dict[str, str]:
    body = {"AddressType": "POBOX"}
    for part, field, _, limit in texts.ADDRESS_PARTS:
        value = texts.fit(getattr(address, part), limit)
        # The address is worth having without a country that Xero would not take.
        if value and (field != "Country" or texts.is_country(value)):
            body[field] = value
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
