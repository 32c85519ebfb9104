"""Which fields a request may carry, and of what type. Anything else is refused as Xero refuses it (ErrorNumber 14)."""

from collections.abc import Callable, Mapping
from typing import Any

from consumer.sandbox.xero.errors import element_not_recognised, malformed_data
from consumer.sandbox.xero.values import Json, parse_date, parse_guid, parse_number

Reader = Callable[[str, object], Any]
Shape = Mapping[str, Reader]


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    number = parse_number(value)
    if number is None:
        raise malformed_data(f"The value of '{name}' is not a string.")
    return str(number)


def _number(name: str, value: object) -> Any:
    number = parse_number(value)
    if number is None:
        raise malformed_data(f"The value of '{name}' is not a number.")
    return number


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise malformed_data(f"The value of '{name}' is not a boolean.")


def _date(name: str, value: object) -> Any:
    day = parse_date(value)
    if day is None:
        raise malformed_data(f"The value of '{name}' is not a date.")
    return day


def _guid(name: str, value: object) -> str:
    guid = parse_guid(value)
    if guid is None:
        raise malformed_data(f"The value of '{name}' is not a GUID.")
    return guid


def _flag_of_the_sdk(name: str, value: object) -> None:
    """Xero's own SDKs send these response flags as false with every object; true is an echoed answer."""
    if value is not False:
        raise malformed_data(element_not_recognised(name))


def _ignored(_name: str, _value: object) -> None:
    """Taken and not looked at: HasAccount, which Xero's description lists for requests as well."""


def _object(shape: Callable[[], Shape]) -> Reader:
    def read(name: str, value: object) -> Json:
        if not isinstance(value, dict):
            raise malformed_data(f"The value of '{name}' is not an object.")
        return read_element(value, shape())

    return read


def _list(shape: Callable[[], Shape]) -> Reader:
    def read(name: str, value: object) -> list[Json]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise malformed_data(f"The value of '{name}' is not a list of objects.")
        return [read_element(item, shape()) for item in value]

    return read


def read_element(body: Mapping[str, object], shape: Shape) -> Json:
    """The body's fields as Decimal, date, bool, lower-case GUID or text. A field that is null counts as absent.

    Raises:
        BadRequest: An unknown field, or a value of the wrong type.
    """
    element: Json = {}
    for name, value in body.items():
        reader = shape.get(name)
        if reader is None:
            raise malformed_data(element_not_recognised(name))
        if value is None:
            continue
        read = reader(name, value)
        if reader not in {_flag_of_the_sdk, _ignored}:
            element[name] = read
    return element


ADDRESS: Shape = dict.fromkeys(
    (
        "AddressType",
        "AddressLine1",
        "AddressLine2",
        "AddressLine3",
        "AddressLine4",
        "City",
        "Region",
        "PostalCode",
        "Country",
        "AttentionTo",
    ),
    _text,
)
PHONE: Shape = dict.fromkeys(("PhoneType", "PhoneNumber", "PhoneAreaCode", "PhoneCountryCode"), _text)
PERSON: Shape = {"FirstName": _text, "LastName": _text, "EmailAddress": _text, "IncludeInEmails": _flag}
CONTACT: Shape = {
    "ContactID": _guid,
    "HasAttachments": _flag_of_the_sdk,
    "HasValidationErrors": _flag_of_the_sdk,
    "Addresses": _list(lambda: ADDRESS),
    "Phones": _list(lambda: PHONE),
    "ContactPersons": _list(lambda: PERSON),
    "IsSupplier": _flag,
    "IsCustomer": _flag,
    **dict.fromkeys(
        (
            "ContactNumber",
            "AccountNumber",
            "ContactStatus",
            "Name",
            "FirstName",
            "LastName",
            "CompanyNumber",
            "EmailAddress",
            "BankAccountDetails",
            "TaxNumber",
            "AccountsReceivableTaxType",
            "AccountsPayableTaxType",
            "DefaultCurrency",
            "XeroNetworkKey",
            "SalesDefaultAccountCode",
            "PurchasesDefaultAccountCode",
        ),
        _text,
    ),
}
TRACKING: Shape = {
    "TrackingCategoryID": _guid,
    "TrackingOptionID": _guid,
    "Name": _text,
    "Option": _text,
}
LINE: Shape = {
    "LineItemID": _guid,
    "AccountID": _guid,
    "Tracking": _list(lambda: TRACKING),
    **dict.fromkeys(("Description", "ItemCode", "AccountCode", "TaxType"), _text),
    **dict.fromkeys(("Quantity", "UnitAmount", "TaxAmount", "LineAmount", "DiscountRate", "DiscountAmount"), _number),
}
_DOCUMENT: Shape = {
    "HasAttachments": _flag_of_the_sdk,
    "HasErrors": _flag_of_the_sdk,
    "Contact": _object(lambda: CONTACT),
    "LineItems": _list(lambda: LINE),
    "BrandingThemeID": _guid,
    "SentToContact": _flag,
    **dict.fromkeys(("Date", "DueDate"), _date),
    **dict.fromkeys(("Type", "LineAmountTypes", "Reference", "CurrencyCode", "Status"), _text),
    **dict.fromkeys(("CurrencyRate", "SubTotal", "TotalTax", "Total"), _number),
}
INVOICE: Shape = {
    **_DOCUMENT,
    "InvoiceID": _guid,
    "InvoiceNumber": _text,
    "Url": _text,
    "ExpectedPaymentDate": _date,
    "PlannedPaymentDate": _date,
}
CREDIT_NOTE: Shape = {**_DOCUMENT, "CreditNoteID": _guid, "CreditNoteNumber": _text}
ACCOUNT: Shape = {"AccountID": _guid, "Code": _text, "HasAttachments": _flag_of_the_sdk}
PAYMENT: Shape = {
    "HasAccount": _ignored,
    "HasValidationErrors": _flag_of_the_sdk,
    "PaymentID": _guid,
    "Invoice": _object(lambda: INVOICE),
    "CreditNote": _object(lambda: CREDIT_NOTE),
    "Account": _object(lambda: ACCOUNT),
    "Date": _date,
    "IsReconciled": _flag,
    **dict.fromkeys(("InvoiceNumber", "CreditNoteNumber", "Code", "Reference", "Status"), _text),
    **dict.fromkeys(("CurrencyRate", "Amount", "BankAmount"), _number),
}
ALLOCATION: Shape = {"Amount": _number, "Date": _date, "Invoice": _object(lambda: INVOICE)}
