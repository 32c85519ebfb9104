"""Contacts: who may be called what, and what of a contact may change."""

import re
from dataclasses import replace

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Contact
from consumer.sandbox.xero.values import Json, fold, normalise_spaces

# Documented lengths, in characters.
TEXT_LIMITS = {
    "FirstName": 255,
    "LastName": 255,
    "EmailAddress": 255,
    "CompanyNumber": 50,
    "TaxNumber": 50,
    "BankAccountDetails": 500,
    "AccountsReceivableTaxType": 50,
    "AccountsPayableTaxType": 50,
    "DefaultCurrency": 3,
    "XeroNetworkKey": 255,
    "SalesDefaultAccountCode": 10,
    "PurchasesDefaultAccountCode": 10,
}
IDENTITY_LIMITS = {"Name": 255, "ContactNumber": 50, "AccountNumber": 50}
ADDRESS_LIMITS = {
    **dict.fromkeys(("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4"), 500),
    **dict.fromkeys(("City", "Region", "AttentionTo"), 255),
    **dict.fromkeys(("PostalCode", "Country"), 50),
}
PHONE_LIMITS = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
ADDRESS_TYPES = ("STREET", "POBOX")
PHONE_TYPES = ("DDI", "DEFAULT", "FAX", "MOBILE")
STATUSES = ("ACTIVE", "ARCHIVED")
_MAX_PERSONS = 5
_EMAIL = re.compile(r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
_COUNTRY = re.compile(r"^[^\W\d_]([^\W\d_]| )*$")


def find_contact(ledger: Ledger, element: Json) -> Contact | None:
    """The contact that a request means: by ContactID, else ContactNumber, else the name of an active one.

    Raises:
        NotFound: The ContactID names nothing.
    """
    if "ContactID" in element:
        contact = ledger.contacts.get(element["ContactID"])
        if contact is None:
            raise errors.NotFound
        return contact
    by_number = ledger.contact_by_number.get(fold(element.get("ContactNumber", "")))
    if by_number:
        return ledger.contacts[by_number]
    by_name = ledger.contact_by_name.get(fold(element.get("Name", "")))
    return ledger.contacts[by_name] if by_name else None


def create_contact(ledger: Ledger, element: Json, actor: str) -> Contact:
    """PUT: a new contact; refused when its name or number is another's.

    Raises:
        Refused: Xero's validation messages.
    """
    if not any(element.get(name) for name in ("Name", "ContactNumber", "ContactID")):
        raise Refused(errors.CONTACT_IDENTITY_REQUIRED)
    blank = Contact(contact_id=ledger.new_id(), name="", created_by=actor, updated_at=ledger.clock.now())
    return _save(ledger, blank, element, actor, "created")


def update_contact(ledger: Ledger, contact: Contact, element: Json, actor: str) -> Contact:
    """POST on an existing contact: what is absent keeps its value.

    Raises:
        Refused: Xero's validation messages.
    """
    if contact.status != "ACTIVE":
        raise Refused(errors.CONTACT_ARCHIVED_EDIT)
    return _save(ledger, contact, element, actor, "updated")


def post_contact(ledger: Ledger, element: Json, actor: str) -> Contact:
    """POST: update the contact that matches by id, number or name, else create one.

    Raises:
        Refused: Xero's validation messages.
        NotFound: The ContactID names nothing.
    """
    existing = find_contact(ledger, element)
    if existing:
        return update_contact(ledger, existing, element, actor)
    return create_contact(ledger, element, actor)


def contact_for_document(ledger: Ledger, element: Json, actor: str) -> Contact:
    """The contact of an invoice or credit note. More than its id updates it; an unknown name creates it.

    Raises:
        Refused: No such contact, an archived one, or the contact's own errors nested under ``Contact``.
    """
    if not any(element.get(name) for name in ("ContactID", "ContactNumber", "Name")):
        raise Refused(errors.CONTACT_IDENTITY_REQUIRED if element else errors.CONTACT_REQUIRED)
    try:
        contact = find_contact(ledger, element)
    except errors.NotFound:
        raise Refused(errors.CONTACT_REQUIRED) from None
    if contact is not None and contact.status != "ACTIVE":
        raise Refused(errors.CONTACT_ARCHIVED_USE)
    try:
        if contact is None:
            contact = create_contact(ledger, element, actor)
        elif _says_more(contact, element):
            contact = update_contact(ledger, contact, element, actor)
    except Refused as refusal:
        raise Refused(nested={"Contact": refusal.messages}) from None
    if not contact.is_customer:
        contact = replace(contact, is_customer=True)
        ledger.save(contact, actor, "became customer")
    return contact


def _says_more(contact: Contact, element: Json) -> bool:
    known = {
        "ContactID": contact.contact_id,
        "ContactNumber": contact.contact_number,
        "Name": contact.name,
    }
    return any(known.get(name) != value for name, value in element.items())


def _save(ledger: Ledger, contact: Contact, element: Json, actor: str, action: str) -> Contact:
    problems = [*_identity_problems(ledger, contact, element), *_detail_problems(contact, element)]
    if problems:
        raise Refused(*problems)
    changed = replace(
        contact,
        name=normalise_spaces(element.get("Name", contact.name)),
        contact_number=element.get("ContactNumber", contact.contact_number).strip(),
        account_number=element.get("AccountNumber", contact.account_number).strip(),
        status=element.get("ContactStatus", contact.status),
        texts={**contact.texts, **{name: element[name] for name in TEXT_LIMITS if name in element}},
        addresses=_merge(contact.addresses, element.get("Addresses", []), "AddressType"),
        phones=_merge(contact.phones, element.get("Phones", []), "PhoneType"),
        persons=tuple(element["ContactPersons"]) if "ContactPersons" in element else contact.persons,
        updated_at=ledger.clock.now(),
    )
    ledger.save(changed, actor, "archived" if changed.status == "ARCHIVED" else action)
    return changed


def _merge(kept: dict[str, dict[str, str]], sent: list[dict[str, str]], kind: str) -> dict[str, dict[str, str]]:
    """Replace the slots that were sent; the others stay."""
    return {
        **kept,
        **{item[kind]: {name: value for name, value in item.items() if name != kind} for item in sent},
    }


def _identity_problems(ledger: Ledger, contact: Contact, element: Json) -> list[str]:
    name = normalise_spaces(element.get("Name", contact.name))
    problems = []
    if not name:
        problems.append(errors.CONTACT_NAME_EMPTY)
    if "<" in name or ">" in name:
        problems.append(errors.CONTACT_NAME_BRACKETS)
    if ledger.contact_by_name.get(fold(name), contact.contact_id) != contact.contact_id:
        problems.append(errors.contact_name_taken(name))
    number = fold(element.get("ContactNumber", ""))
    if ledger.contact_by_number.get(number, contact.contact_id) != contact.contact_id:
        problems.append(errors.CONTACT_NUMBER_TAKEN)
    account_number = fold(element.get("AccountNumber", ""))
    if ledger.contact_by_account_number.get(account_number, contact.contact_id) != contact.contact_id:
        problems.append(errors.ACCOUNT_NUMBER_TAKEN)
    return problems + _too_long(element, IDENTITY_LIMITS)


def _detail_problems(contact: Contact, element: Json) -> list[str]:
    problems = _too_long(element, TEXT_LIMITS)
    if element.get("EmailAddress") and not _EMAIL.match(element["EmailAddress"]):
        problems.append(errors.EMAIL_INVALID)
    if contact.website and not contact.website.startswith(("http://", "https://")):
        problems.append(errors.WEBSITE_INVALID)
    if element.get("ContactStatus", "ACTIVE") not in STATUSES:
        raise errors.malformed_data(f"'{element['ContactStatus']}' is not a valid ContactStatus.")
    for address in element.get("Addresses", []):
        _require_type(address, "AddressType", ADDRESS_TYPES)
        problems += _too_long(address, ADDRESS_LIMITS)
        if address.get("Country") and not _COUNTRY.match(address["Country"]):
            problems.append(errors.COUNTRY_INVALID)
    for phone in element.get("Phones", []):
        _require_type(phone, "PhoneType", PHONE_TYPES)
        problems += _too_long(phone, PHONE_LIMITS)
    persons = element.get("ContactPersons", [])
    if len(persons) > _MAX_PERSONS:
        problems.append(errors.PERSONS_TOO_MANY)
    if any(person.get("EmailAddress") and not _EMAIL.match(person["EmailAddress"]) for person in persons):
        problems.append(errors.EMAIL_INVALID)
    return problems


def _require_type(item: Json, kind: str, known: tuple[str, ...]) -> None:
    if item.get(kind) not in known:
        raise errors.malformed_data(f"'{item.get(kind)}' is not a valid {kind}.")


def _too_long(element: Json, limits: dict[str, int]) -> list[str]:
    return [errors.too_long(name, limit) for name, limit in limits.items() if len(element.get(name, "")) > limit]
