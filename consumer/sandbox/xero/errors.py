"""Every refusal that the simulator knows, in Xero's own words where a source gives them.

Texts under "not confirmed by any source" are our wording: a client must not match on them.
"""

from datetime import date
from decimal import Decimal

from consumer.sandbox.xero.values import Json, cents, lock_date_text

# Documents
INVOICE_NUMBER_TAKEN = "Invoice # must be unique."
CREDIT_NOTE_NUMBER_TAKEN = "You must specify a different number. This number has already been used."
NOT_VALID_FOR_MODIFICATION = "Invoice not of valid status for modification"
NOT_VALID_FOR_CREATION = "Invoice not of valid status for creation"
CANNOT_EDIT_APPLIED = "This document cannot be edited as it has a payment or credit note allocated to it."
CONTACT_REQUIRED = "A Contact must be specified for this type of transaction"
LINES_REQUIRED = "One or more line items must be specified"
DATE_REQUIRED = "The Date field must be specified."
DUE_DATE_REQUIRED = "The document DueDate field must be specified."
TOTALS_DIFFER = "The invoice total does not equal the sum of the lines."
APPROVAL_LIMIT = "You have reached the limit of invoices you can approve"
SENT_TO_CONTACT_WARNING = "Only AUTHORISED invoices may have SentToContact updated."

# Lines
ACCOUNT_REQUIRED = "Account code or ID must be specified"
TAX_TYPE_REQUIRED = "The TaxType field is mandatory"
QUANTITY_NEGATIVE = "Quantity must not be less than zero"
USE_UNIT_AMOUNT = "The UnitAmount should be used when specifying a discount for a line item."

# Contacts
CONTACT_IDENTITY_REQUIRED = (
    "The Contact must contain at least 1 of the following elements to identify the contact: "
    "Name, ContactID, ContactNumber"
)
CONTACT_NAME_EMPTY = "Contact name cannot be empty"
CONTACT_NUMBER_TAKEN = "Another contact has this contact number. Please enter a different contact number."
ACCOUNT_NUMBER_TAKEN = "The account number already exists, please enter a different account number"
CONTACT_ARCHIVED_EDIT = (
    "The specified contact details matched an archived contact. "
    "Archived contacts cannot currently be edited via the API."
)
CONTACT_ARCHIVED_USE = (
    "The contact with the specified contact details has been archived. "
    "The contact must be un-archived before creating new invoices or credit notes."
)
EMAIL_INVALID = "Email address must be valid."
WEBSITE_INVALID = "Website must be valid"

# Payments and allocations
PAYMENT_NOT_AUTHORISED_DOCUMENT = "Payments can only be made against Authorised documents"
PAYMENT_TOO_LARGE = "Payment amount exceeds the amount outstanding on this document"
PAYMENT_NOT_VALID = "Payment not of valid status for modification"
PAYMENT_ACCOUNT_NOT_FOUND = "Account could not be found"
ALLOCATION_ALREADY_PAID = "The invoice you are trying to allocate to has already been paid off"
ALLOCATION_TOO_LARGE = "Credit Note cannot be allocated as amount is greater than amount outstanding"
ALLOCATION_WRONG_INVOICE = "Credit Note cannot be allocated to an incorrect invoice type"

# Not confirmed by any source
CREDIT_NOTE_NOT_VALID_FOR_MODIFICATION = "Credit note not of valid status for modification"
CREDIT_NOTE_NOT_VALID_FOR_CREATION = "Credit note not of valid status for creation"
TYPE_INVALID = "The document type is missing or not supported"
NUMBER_INVALID = "The document number must be at most 255 printable ASCII characters"
URL_INVALID = "Url must be a link"
TOTAL_NEGATIVE = "The document total must not be less than zero"
REFERENCE_TOO_LONG = "Reference must be at most 255 characters"
DESCRIPTION_REQUIRED = "Description must be specified for each line item"
DESCRIPTION_LENGTH = "Description must be between 1 and 4000 characters"
QUANTITY_TOO_LARGE = "Quantity must have at most 13 digits"
LINE_AMOUNT_TOO_LARGE = "The line amount exceeds 9,999,999,999.99"
DISCOUNT_ON_CREDIT_NOTE = "Discounts are not supported on credit notes"
DISCOUNT_TWICE = "Only one of DiscountRate and DiscountAmount may be specified"
DISCOUNT_BESIDE_NEGATIVE = "Discounts are not supported on a line item with a negative UnitAmount"
TAX_AMOUNT_SIGN = "The TaxAmount must have the sign of the line total"
TAX_AMOUNT_TOO_LARGE = "The TaxAmount must not be greater than the line total"
LINE_NOT_FOUND = "The line item with the specified LineItemID could not be found"
TRACKING_INVALID = "The tracking category or option could not be found"
TRACKING_TOO_MANY = "A line item may have at most 2 tracking categories"
CONTACT_NAME_BRACKETS = "Contact name cannot contain the characters < or >"
COUNTRY_INVALID = "Country must contain letters only"
PERSONS_TOO_MANY = "A contact may have at most 5 contact persons"
PAYMENT_DOCUMENT_REQUIRED = "A payment must name exactly one document that can be found"
PAYMENT_AMOUNT_INVALID = "The payment amount must be greater than zero"
PAYMENT_ACCOUNT_DISABLED = "Payments to this account are not enabled"
ALLOCATION_NOTE_STATUS = "Only AUTHORISED credit notes can be allocated"
ALLOCATION_OTHER_CONTACT = "Credit Note cannot be allocated to an invoice of another contact"
ALLOCATION_AMOUNT_INVALID = "The allocation amount must be greater than zero"
ALLOCATION_INVOICE_NOT_FOUND = "The invoice you are trying to allocate to could not be found"


def contact_name_taken(name: str) -> str:
    """PUT or rename to the name of another active contact."""
    return (
        f"The contact name {name} is already assigned to another contact. "
        "The contact name must be unique across all active contacts."
    )


def account_invalid(code: str) -> str:
    """Unknown account, or one that this document can't use."""
    return f"Account code '{code}' is not a valid code for this document."


def account_archived(code: str) -> str:
    """The account was archived or deleted."""
    return (
        f"Account code '{code}' has been archived, or has been deleted. Each line item must reference a valid account."
    )


def tax_type_invalid(tax_type: str, account_code: str) -> str:
    """The tax rate doesn't exist, or not for this account."""
    return f"The TaxType code '{tax_type}' cannot be used with account code '{account_code}'."


def line_total_differs(given: Decimal, expected: Decimal) -> str:
    """LineAmount was sent and is not quantity times unit amount."""
    return f"The line total {cents(given)} does not match the expected line total {cents(expected)}"


def discount_invalid(rate: Decimal) -> str:
    """A discount larger than the line."""
    return f"The discount rate '{rate}' is invalid. Discount must not be greater than the line total."


def currency_not_subscribed(currency: str) -> str:
    """The organisation does not use this currency."""
    return f"Organisation is not subscribed to currency {currency}"


def period_locked(lock_date: date) -> str:
    """On or before the period lock date."""
    return f"The document date cannot be before the period lock date, currently set at {lock_date_text(lock_date)}"


def year_locked(lock_date: date) -> str:
    """On or before the end of year lock date."""
    return f"The document date cannot be before the end of year lock date, currently set at {lock_date_text(lock_date)}"


def status_not_applicable(status: str, noun: str = "invoice") -> str:
    """A status change while payments or credit stand on the document."""
    return (
        f"The status {status} cannot be applied to the {noun} because it has payments or credit notes allocated to it."
    )


def too_long(field: str, limit: int) -> str:
    """A text over its documented length (wording not confirmed by any source)."""
    return f"{field} must be at most {limit} characters"


def element_not_recognised(name: str) -> str:
    """A field that Xero does not take in a request."""
    return f"The element '{name}' was not recognised. Remove it from the request."


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a fault of the program
    """Xero's validation refuses one element.

    Args:
        messages: The element's own errors.
        nested: Errors of a part of it: ``Contact``, or the index of a line.
    """

    def __init__(self, *messages: str, nested: dict[str | int, list[str]] | None = None) -> None:
        self.messages = list(messages)
        self.nested = nested or {}
        super().__init__("; ".join([*self.messages, *(text for part in self.nested.values() for text in part)]))


class NotFound(Exception):  # noqa: N818 - as Refused
    """The whole request ends in 404: the path or an id names nothing."""


class BadRequest(Exception):  # noqa: N818 - as Refused
    """The whole request ends in 400, before any element was looked at.

    Args:
        number: Xero's ErrorNumber (14: malformed data; 16: malformed query).
        kind: Xero's exception type.
        message: What is wrong.
    """

    def __init__(self, number: int, kind: str, message: str) -> None:
        self.body: Json = {"ErrorNumber": number, "Type": kind, "Message": message}
        super().__init__(message)


def malformed_data(message: str) -> BadRequest:
    """ErrorNumber 14: the data itself can't be read."""
    return BadRequest(14, "PostDataInvalidException", message)


def malformed_query(message: str) -> BadRequest:
    """ErrorNumber 16: `where` or `order` can't be read."""
    return BadRequest(16, "QueryParseException", message)
