"""The answers that public sources report of Xero, with what each of them must be told as. Where from: sources.md."""

import json
from dataclasses import dataclass

from consumer.results import Attempt
from consumer.results.problem import ProblemClass

CONTACT_CREATE, CONTACT_RENAME = Attempt.CONTACT_CREATE, Attempt.CONTACT_RENAME
INVOICE_CREATE, INVOICE_UPDATE = Attempt.INVOICE_CREATE, Attempt.INVOICE_UPDATE
NOTE_CREATE, NOTE_UPDATE, NOTE_VOID = (
    Attempt.CREDIT_NOTE_CREATE,
    Attempt.CREDIT_NOTE_UPDATE,
    Attempt.CREDIT_NOTE_VOID,
)
ALLOCATE, DEALLOCATE = Attempt.ALLOCATE, Attempt.DEALLOCATE
PAYMENT_CREATE, PAYMENT_DELETE = Attempt.PAYMENT_CREATE, Attempt.PAYMENT_DELETE

SETTINGS, XERO, HEARLINK = ProblemClass.SETTINGS, ProblemClass.XERO, ProblemClass.HEARLINK
DEFECT, TRANSIENT = ProblemClass.DEFECT, ProblemClass.TRANSIENT


@dataclass(frozen=True)
class Told:
    """What a clinic is to be told: `words` is part of the sentence about what happened."""

    code: str
    problem_class: ProblemClass
    words: str


@dataclass(frozen=True)
class Case:
    """One answer. Without a `body` it is a batch's 200 whose element has the sentences of `said` as its errors.

    `told` None: nobody is bothered, and the order waits as `hold` says.
    """

    attempt: Attempt
    said: str | None
    told: Told | None
    status: int = 200
    content_type: str | None = "application/json"
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    hold: str = "problem"

    @property
    def name(self) -> str:
        shape = "" if self.body is None else f"-{self.status}-{self.content_type}"
        return f"{self.attempt}{shape}-{(self.said or self.body or 'nothing')[:50]}"


def _told(code: str, problem_class: ProblemClass, words: str) -> Told:
    return Told(code, problem_class, words)


PERIOD = _told("period_locked", XERO, "locked up to")
YEAR = _told("year_locked", XERO, "financial year in Xero is closed")
ARCHIVED_ACCOUNT = _told("account_archived", SETTINGS, "has been archived or deleted")
UNUSABLE_ACCOUNT = _told("account_not_usable", SETTINGS, "can't be used for sales")
NO_ACCOUNT = _told("account_missing", SETTINGS, "A line has no revenue account")
PAYMENT_ACCOUNT = _told("payment_account_missing", SETTINGS, "The payment account 090")
NO_TAX_RATE = _told("tax_rate_missing", SETTINGS, "A tax rate has been deleted or renamed")
TAX_RATE_FOR_ACCOUNT = _told("tax_rate_not_for_account", SETTINGS, "does not allow the tax rate")
TAX_RATE_UNSET = _told("tax_rate_not_chosen", SETTINGS, "A line has no tax rate")
CURRENCY = _told("currency_not_enabled", XERO, "switched on")
INVOICE_SETTLED = _told("invoice_has_payments", XERO, "The invoice has payments or credit notes allocated")
NOTE_SETTLED = _told("credit_note_has_allocations", XERO, "The credit note CN-note-1 is used on an invoice")
STATUS_SETTLED = _told("status_has_payments", XERO, "can't change the state of")
NUMBER_TAKEN = _told("number_taken", XERO, "is already in use in Xero")
CLOSED = _told("document_closed", XERO, "was paid, voided or deleted there")
NO_INVOICE = _told("invoice_not_found", XERO, "The invoice is not in this Xero organisation")
NO_CONTACT = _told("contact_not_found", XERO, "The patient's contact is not in this Xero organisation")
NO_NOTE = _told("credit_note_not_found", XERO, "The credit note CN-note-1 is not in this Xero organisation")
NO_PAYMENT = _told("payment_not_found", XERO, "The payment is not in this Xero organisation")
NO_ADDRESS = _told("address_not_found", SETTINGS, "does not know the address")
PLAN_LIMIT = _told("plan_limit", XERO, "does not allow more approved invoices")
NOT_AUTHORISED = _told("invoice_not_authorised", XERO, "only for an authorised invoice")
TOO_MUCH = _told("payment_exceeds_outstanding", XERO, "more than what is still to pay")
RECONCILED = _told("payment_closed", XERO, "reconciled with the bank")
IN_BATCH = _told("payment_in_batch", XERO, "part of a batch payment")
PAID_OFF = _told("invoice_already_paid", XERO, "its invoice is already paid off")
TOO_MUCH_CREDIT = _told("credit_exceeds_outstanding", XERO, "more than what is still to pay on its invoice")
WRONG_INVOICE = _told("credit_wrong_invoice", XERO, "does not allow the credit note CN-note-1")
NAME_TAKEN = _told("contact_name_taken", HEARLINK, "already has this patient's name")
NAME_IN_THE_WAY = _told("contact_name_in_the_way", XERO, "another contact there has the same name")
NUMBER_OF_OTHER = _told("contact_number_taken", XERO, "contact number belongs to another contact")
ACCOUNT_NUMBER = _told("contact_account_number_taken", XERO, "The account number of the patient's contact")
ARCHIVED = _told("contact_archived", XERO, "contact is archived in Xero")
EMAIL = _told("contact_email_in_the_way", XERO, "the e-mail address of the patient's contact there")
WEBSITE_OF_NAME = _told("website_refused", XERO, "does not rename the contact because the website")
WEBSITE = _told("contact_website_in_the_way", XERO, "the website of the patient's contact there")
PERSONS = _told("contact_persons_in_the_way", XERO, "the further people of the patient's contact")
NAMELESS = _told("contact_name_empty", HEARLINK, "has no name that Xero could take")
NOT_SENT = _told("contact_not_sent", DEFECT, "which contact it is of")
NEGATIVE = _told("quantity_negative", HEARLINK, "a quantity below zero")
BELOW_ZERO = _told("total_negative", HEARLINK, "is below zero")
NO_LINES = _told("lines_missing", HEARLINK, "has no lines")
NO_DESCRIPTION = _told("description_missing", HEARLINK, "has no description")
DISCOUNT = _told("discount_too_large", HEARLINK, "larger than its line")
ADDRESS = _told("hearlink_address_refused", SETTINGS, "does not take the link to the order")
DUE_DATE = _told("due_date_missing", DEFECT, "wants a due date")
FAULTY = _told("request_faulty", DEFECT, "could not read what HearLink sent")
BROKE_DOWN = _told("xero_broke_down", TRANSIENT, "Xero broke down over this")
KEY = _told("idempotency_key_reused", TRANSIENT, "a repetition of something else")
SILENT = _told("refused_without_reason", XERO, "gave no reason")
UNKNOWN = _told("not_in_catalogue", XERO, "Xero refused this: “")

STATUS_PAGE = (
    "An error occurred in Xero. Check the API Status page http://status.developer.xero.com for current service status. "
    "Contact the API support team at api@xero.com for more assistance."
)
APPLIED = "This document cannot be edited as it has a payment or credit note allocated to it."
NO_STATUS = (
    "The status {status} cannot be applied to the invoice because it has payments or credit notes allocated to it."
)
NO_IDENTITY = (
    "The Contact must contain at least 1 of the following elements to identify the contact: "
    "Name, ContactID, ContactNumber"
)
SAME_NAME = (
    "The contact name Example Person is already assigned to another contact. "
    "The contact name must be unique across all active contacts."
)
NAME_EXISTS = "The contact name already exists. Please enter a different contact name."
NO_NEW_NAME = (
    "The existing contact with name 'Example Person' cannot be updated to use new name 'Example Other'. "
    "There is an existing contact with that name."
)
OLD_CONTACT = (
    "The contact with the specified contact details has been archived. "
    "The contact must be un-archived before creating new invoices or credit notes."
)
OLD_MATCH = (
    "The specified contact details matched an archived contact. "
    "Archived contacts cannot currently be edited via the API."
)

# Sentences about one element: said of these attempts, told as this.
_SENTENCES: list[tuple[str, tuple[Attempt, ...], Told]] = [
    (
        "The document date cannot be before the period lock date, currently set at 30-Nov-2018",
        (INVOICE_CREATE, NOTE_CREATE, PAYMENT_CREATE, ALLOCATE),
        PERIOD,
    ),
    (
        "This document cannot be edited as it is dated before the period lock date, currently set at 30-Nov-2018",
        (INVOICE_UPDATE,),
        PERIOD,
    ),
    (
        "The document date cannot be before the end of year lock date, currently set at 30-Jun-2025",
        (INVOICE_CREATE, PAYMENT_DELETE),
        YEAR,
    ),
    ("The document cannot be edited as it is dated before the end of year lock date", (INVOICE_UPDATE,), YEAR),
    (
        "Account code '200' has been archived, or has been deleted. Each line item must reference a valid account.",
        (INVOICE_CREATE, NOTE_CREATE),
        ARCHIVED_ACCOUNT,
    ),
    ("Account code ‘200’ has been archived or has been deleted.", (INVOICE_UPDATE,), ARCHIVED_ACCOUNT),  # noqa: RUF001
    ("Account code has been archived or has been deleted", (INVOICE_CREATE,), ARCHIVED_ACCOUNT),
    ("Account code has been archived or deleted", (INVOICE_CREATE,), ARCHIVED_ACCOUNT),
    ("Account code '999' is not a valid code for this document.", (INVOICE_CREATE, NOTE_CREATE), UNUSABLE_ACCOUNT),
    ("Account code 999 is not a valid code for this document.", (INVOICE_CREATE,), UNUSABLE_ACCOUNT),
    ("Account code 'XYZ' does not exist or cannot be applied to items.", (INVOICE_CREATE,), UNUSABLE_ACCOUNT),
    ("Account must be valid.", (INVOICE_CREATE,), UNUSABLE_ACCOUNT),
    ("Account code or ID must be specified", (INVOICE_CREATE,), NO_ACCOUNT),
    ("Account code must be specified", (NOTE_CREATE,), NO_ACCOUNT),
    ("Account could not be found", (PAYMENT_CREATE,), PAYMENT_ACCOUNT),
    ("Account type is invalid for making a payment to/from", (PAYMENT_CREATE,), PAYMENT_ACCOUNT),
    ("You must specify an Account code or Account ID for the payment", (PAYMENT_CREATE,), PAYMENT_ACCOUNT),
    ("Account code '090' is not a valid code for this document.", (PAYMENT_CREATE,), PAYMENT_ACCOUNT),
    ("The TaxType code 'OUTPUT2' cannot be used with account code '200'.", (INVOICE_CREATE,), TAX_RATE_FOR_ACCOUNT),
    (
        "The TaxType code 'OUTPUT9' does not exist or cannot be used for this type of transaction.",
        (INVOICE_CREATE,),
        NO_TAX_RATE,
    ),
    ("The TaxType code 'OUTPUT9' is not valid", (INVOICE_CREATE, NOTE_CREATE), NO_TAX_RATE),
    ("Tax rate must be valid.", (INVOICE_CREATE,), NO_TAX_RATE),
    ("The TaxType field is mandatory", (INVOICE_CREATE,), TAX_RATE_UNSET),
    ("Organisation is not subscribed to currency EUR", (INVOICE_CREATE,), CURRENCY),
    ("The current organisation is not subscribed to currency 'EUR'.", (INVOICE_CREATE,), CURRENCY),
    ("organization is not subscribed to currency", (INVOICE_CREATE,), CURRENCY),
    (APPLIED, (INVOICE_UPDATE,), INVOICE_SETTLED),
    (APPLIED, (NOTE_UPDATE, NOTE_VOID), NOTE_SETTLED),
    (
        "To update fields on a paid invoice line item, you must supply a LineItemID",
        (INVOICE_UPDATE,),
        INVOICE_SETTLED,
    ),
    (
        "Date cannot be changed on an invoice that has payment or credit notes allocated to it.",
        (INVOICE_UPDATE,),
        INVOICE_SETTLED,
    ),
    (
        NO_STATUS.format(status="AUTHORISED"),
        (INVOICE_UPDATE,),
        STATUS_SETTLED,
    ),
    (
        NO_STATUS.format(status="VOIDED"),
        (NOTE_VOID,),
        STATUS_SETTLED,
    ),
    ("Invoice # must be unique.", (INVOICE_CREATE, INVOICE_UPDATE), NUMBER_TAKEN),
    ("This invoice number must be unique.", (INVOICE_CREATE,), NUMBER_TAKEN),
    ("You must specify a different number. This number has already been used.", (NOTE_CREATE,), NUMBER_TAKEN),
    ("Invoice not of valid status for modification", (INVOICE_UPDATE,), CLOSED),
    ("Credit Note not of valid status for modification", (NOTE_UPDATE,), CLOSED),
    ("Document not of valid status for modification", (INVOICE_UPDATE,), CLOSED),
    ("An existing invoice with the specified ID could not be found", (INVOICE_UPDATE,), NO_INVOICE),
    ("Invoice could not be found", (PAYMENT_CREATE,), NO_INVOICE),
    ("Document could not be found", (PAYMENT_CREATE,), NO_INVOICE),
    ("You have reached the limit of invoices you can approve", (INVOICE_CREATE, INVOICE_UPDATE), PLAN_LIMIT),
    ("Payments can only be made against Authorised documents", (PAYMENT_CREATE,), NOT_AUTHORISED),
    ("Payments can only be made against Authorized documents", (PAYMENT_CREATE,), NOT_AUTHORISED),
    ("Payments can only be made against Authorised invoices.", (PAYMENT_CREATE,), NOT_AUTHORISED),
    ("Payment amount exceeds the amount outstanding on this document", (PAYMENT_CREATE,), TOO_MUCH),
    ("Payment not of valid status for modification", (PAYMENT_DELETE,), RECONCILED),
    ("This payment has been reconciled and cannot be deleted", (PAYMENT_DELETE,), RECONCILED),
    ("Payments within a batch cannot be deleted.", (PAYMENT_DELETE,), IN_BATCH),
    ("The invoice you are trying to allocate to has already been paid off", (ALLOCATE,), PAID_OFF),
    ("Credit Note cannot be allocated as amount is greater than amount outstanding", (ALLOCATE,), TOO_MUCH_CREDIT),
    ("Credit Note cannot be allocated to an incorrect invoice type", (ALLOCATE,), WRONG_INVOICE),
    (SAME_NAME, (CONTACT_CREATE, CONTACT_RENAME), NAME_TAKEN),
    (NAME_EXISTS, (CONTACT_CREATE, CONTACT_RENAME), NAME_TAKEN),
    (NO_NEW_NAME, (CONTACT_RENAME,), NAME_TAKEN),
    (NAME_EXISTS, (INVOICE_CREATE, NOTE_CREATE), NAME_IN_THE_WAY),
    (
        "Another contact has this contact number. Please enter a different contact number.",
        (CONTACT_CREATE, CONTACT_RENAME),
        NUMBER_OF_OTHER,
    ),
    (
        "The account number already exists, please enter a different account number",
        (CONTACT_RENAME,),
        ACCOUNT_NUMBER,
    ),
    (OLD_CONTACT, (INVOICE_CREATE, NOTE_CREATE), ARCHIVED),
    (OLD_MATCH, (CONTACT_CREATE, CONTACT_RENAME, INVOICE_UPDATE), ARCHIVED),
    ("The status 'ARCHIVED' is not valid for contacts", (CONTACT_RENAME, INVOICE_CREATE), ARCHIVED),
    ("Email address must be valid.", (CONTACT_RENAME, INVOICE_CREATE, INVOICE_UPDATE, NOTE_CREATE), EMAIL),
    ("Website must be valid", (CONTACT_RENAME,), WEBSITE_OF_NAME),
    ("Website must be valid", (INVOICE_CREATE, NOTE_CREATE), WEBSITE),
    ("You can only have a maximum of 5 contact persons.", (CONTACT_RENAME, INVOICE_CREATE), PERSONS),
    (
        "Additional people cannot be added when the primary person has no email address set.",
        (CONTACT_RENAME, INVOICE_CREATE),
        PERSONS,
    ),
    ("Contact name cannot be empty", (CONTACT_CREATE,), NAMELESS),
    ("Contact Name must be specified.", (CONTACT_CREATE,), NAMELESS),
    ("Contact Name must be specified.", (INVOICE_CREATE,), NOT_SENT),
    ("Contact cannot be empty.", (INVOICE_CREATE,), NOT_SENT),
    ("Quantity must not be less than zero", (INVOICE_CREATE,), NEGATIVE),
    ("The quantity value '-1.0000' is invalid. Quantity must not be less than zero.", (INVOICE_CREATE,), NEGATIVE),
    ("The quantity value '-1.0000' is invalid.", (INVOICE_CREATE,), NEGATIVE),
    ("The Total for this document must be greater than or equal to zero.", (INVOICE_CREATE,), BELOW_ZERO),
    ("One or more line items must be specified", (INVOICE_CREATE, NOTE_CREATE), NO_LINES),
    ("The description field is mandatory for each line item.", (INVOICE_CREATE,), NO_DESCRIPTION),
    (
        "The discount rate '127.83' is invalid. Discount must not be greater than the line total.",
        (INVOICE_CREATE,),
        DISCOUNT,
    ),
    ("Url must be a valid absolute url", (INVOICE_CREATE, INVOICE_UPDATE), ADDRESS),
    ("The document DueDate field must be specified.", (INVOICE_CREATE,), DUE_DATE),
    ("Due date cannot be empty.", (INVOICE_CREATE,), DUE_DATE),
    ("Invoice not of valid type for creation", (INVOICE_CREATE,), FAULTY),
    ("Invoice not of valid status for creation", (INVOICE_CREATE,), FAULTY),
    ("The Date field must be specified.", (INVOICE_CREATE,), FAULTY),
    ("A Contact must be specified for this type of transaction", (INVOICE_CREATE,), FAULTY),
    (
        NO_IDENTITY,
        (INVOICE_CREATE,),
        FAULTY,
    ),
    ("The invoice total does not equal the sum of the lines.", (INVOICE_CREATE,), FAULTY),
    ("The line total 10.00 does not match the expected line total 20.00", (INVOICE_CREATE,), FAULTY),
    ("The tax amount cannot be greater than the line amount!", (INVOICE_CREATE,), FAULTY),
    (STATUS_PAGE, (CONTACT_CREATE, INVOICE_CREATE, NOTE_CREATE, PAYMENT_CREATE), BROKE_DOWN),
    ("Object reference not set to an instance of an object.", (INVOICE_CREATE, PAYMENT_CREATE), BROKE_DOWN),
    ("Idempotency Key: 17-abc is used with a different request.", (INVOICE_CREATE,), KEY),
    ("A validation exception occurred", (INVOICE_CREATE,), SILENT),
    ("Item code 'HA-1' is not valid", (INVOICE_CREATE,), UNKNOWN),
    ("The widget '17' is upside down.", (PAYMENT_CREATE, CONTACT_CREATE, ALLOCATE), UNKNOWN),
]

_VALIDATION = {"ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred"}
_XML = """<ApiException xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><ErrorNumber>10</ErrorNumber>
<Type>ValidationException</Type><Message>A validation exception occurred</Message><Elements>
<DataContractBase xsi:type="{kind}"><ValidationErrors><ValidationError><Message>{said}</Message></ValidationError>
</ValidationErrors><Warnings /></DataContractBase></Elements></ApiException>"""
_MATCH = "Payments can only be made against Authorised documents"
_KEY = "Idempotency Key: 17-abc is used with a different request."


def _whole(
    attempt: Attempt,
    body: object,
    said: str | None,
    told: Told | None,
    *,
    status: int = 400,
    content_type: str | None = "application/json",
    hold: str = "problem",
    headers: tuple[tuple[str, str], ...] = (),
) -> Case:
    text = body if isinstance(body, str) else json.dumps(body)
    return Case(attempt, said, told, status, content_type, text, headers, hold)


def _post_data(said: str) -> dict[str, object]:
    return {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": said}


_JSON_INVALID = "JSON for post data was invalid,Could not convert string to DateTime"
_UNREADABLE = "JSON request body could not be read, Error reading JObject from JsonReader."
_ELEMENT = (
    "The element 'HasAccount' was not recognised. Ensure the element name has the correct case and that there are no "
    "duplicate elements of the same name."
)
_NULL = "Object reference not set to an instance of an object."
_LOST = "The resource you're looking for cannot be found"

# Answers to the whole call, in every form.
_WHOLE: list[Case] = [
    _whole(
        PAYMENT_CREATE,
        {**_VALIDATION, "Elements": [{"ValidationErrors": [{"Message": _MATCH}]}]},
        _MATCH,
        NOT_AUTHORISED,
    ),
    _whole(PAYMENT_CREATE, {"elements": [{"validationErrors": [{"description": _MATCH}]}]}, _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, {"ValidationErrors": [_MATCH]}, _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, {"errors": {"Invoice": [_MATCH]}}, _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, [{"Message": _MATCH}], _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, json.dumps(_MATCH), _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, _MATCH, _MATCH, NOT_AUTHORISED),
    _whole(PAYMENT_CREATE, _MATCH, _MATCH, NOT_AUTHORISED, content_type="text/plain"),
    _whole(PAYMENT_CREATE, _MATCH, _MATCH, NOT_AUTHORISED, content_type="text/html"),
    _whole(PAYMENT_CREATE, _MATCH, _MATCH, NOT_AUTHORISED, content_type=None),
    _whole(PAYMENT_CREATE, _XML.format(kind="Payment", said=_MATCH), _MATCH, NOT_AUTHORISED, content_type="text/xml"),
    _whole(PAYMENT_CREATE, _XML.format(kind="Payment", said=_MATCH), _MATCH, NOT_AUTHORISED),
    _whole(INVOICE_CREATE, _VALIDATION, "A validation exception occurred", SILENT),
    _whole(INVOICE_CREATE, "", None, SILENT),
    _whole(INVOICE_CREATE, "{}", None, SILENT),
    _whole(INVOICE_CREATE, "null", None, SILENT),
    _whole(INVOICE_CREATE, "<html><body>Bad Request</body></html>", None, SILENT, content_type="text/html"),
    _whole(INVOICE_CREATE, _post_data(_JSON_INVALID), _JSON_INVALID, FAULTY),
    _whole(INVOICE_CREATE, _post_data(_UNREADABLE), _UNREADABLE, FAULTY),
    _whole(CONTACT_CREATE, _post_data(_JSON_INVALID), _JSON_INVALID, FAULTY),
    _whole(PAYMENT_CREATE, _post_data(_ELEMENT), _ELEMENT, FAULTY),
    _whole(
        INVOICE_CREATE,
        _post_data("Input string was not in a correct format."),
        "Input string was not in a correct format.",
        FAULTY,
    ),
    _whole(NOTE_CREATE, _post_data("Something new about the data."), "Something new about the data.", FAULTY),
    _whole(INVOICE_CREATE, _JSON_INVALID, _JSON_INVALID, FAULTY),
    _whole(INVOICE_CREATE, {"Message": _NULL}, _NULL, BROKE_DOWN, hold="retry"),
    _whole(INVOICE_CREATE, _NULL, _NULL, BROKE_DOWN, hold="retry"),
    _whole(
        INVOICE_CREATE,
        {"Title": "An error occurred", "Detail": STATUS_PAGE, "Status": 400},
        STATUS_PAGE,
        BROKE_DOWN,
        hold="retry",
    ),
    # What is not there.
    _whole(CONTACT_RENAME, "", None, NO_CONTACT, status=404, content_type="text/html"),
    _whole(INVOICE_CREATE, "", None, NO_CONTACT, status=404, content_type="text/html"),
    _whole(NOTE_CREATE, "", None, NO_CONTACT, status=404, content_type="text/html"),
    _whole(INVOICE_UPDATE, "", None, NO_CONTACT, status=404, content_type="text/html"),
    _whole(PAYMENT_CREATE, "", None, NO_INVOICE, status=404, content_type="text/html"),
    _whole(ALLOCATE, "", None, NO_INVOICE, status=404, content_type="text/html"),
    _whole(NOTE_VOID, "", None, NO_NOTE, status=404, content_type="text/html"),
    _whole(DEALLOCATE, "", None, NO_NOTE, status=404, content_type="text/html"),
    _whole(PAYMENT_DELETE, "", None, NO_PAYMENT, status=404, content_type="text/html"),
    _whole(PAYMENT_CREATE, _LOST, _LOST, NO_INVOICE, status=404, content_type="text/plain"),
    _whole(CONTACT_CREATE, "", None, NO_ADDRESS, status=404, content_type="text/html"),
    # A key that Xero knows from another request: looked up, in every form.
    _whole(INVOICE_CREATE, {"Message": _KEY}, _KEY, None, hold="in_doubt"),
    _whole(INVOICE_CREATE, _KEY, _KEY, None, hold="in_doubt"),
    _whole(PAYMENT_CREATE, _KEY, _KEY, None, content_type="text/plain", hold="in_doubt"),
    _whole(
        PAYMENT_CREATE,
        f"<Error><Message>{_KEY}</Message></Error>",
        _KEY,
        None,
        content_type="text/xml",
        hold="in_doubt",
    ),
    # Outages: a doubt after anything that may have been carried out.
    *(
        _whole(PAYMENT_CREATE, body, None, None, status=status, hold="in_doubt")
        for status, body in (
            (500, json.dumps({"Title": "An error occurred", "Detail": STATUS_PAGE, "Status": 500})),
            (500, ""),
            (502, "<html><body>Bad gateway</body></html>"),
            (504, "GatewayTimeout"),
            (408, ""),
            (409, ""),
        )
    ),
    _whole(
        PAYMENT_CREATE,
        "The Organisation is offline",
        None,
        None,
        status=503,
        content_type="text/plain",
        hold="in_doubt",
    ),
    # Limits: a wait, and no attempt.
    *(
        _whole(INVOICE_CREATE, "", None, None, status=429, content_type=None, headers=headers, hold="limit")
        for headers in (
            (("X-Rate-Limit-Problem", "minute"), ("Retry-After", "26")),
            (("X-Rate-Limit-Problem", "day"), ("Retry-After", "3600")),
            (("X-Rate-Limit-Problem", "concurrent"),),
            (("X-Rate-Limit-Problem", "appminute"),),
            (("X-DayLimit-Remaining", "0"), ("X-MinLimit-Remaining", "57")),
            (),
        )
    ),
]

CASES: list[Case] = [
    Case(attempt, said, told, hold="retry" if told.problem_class is TRANSIENT else "problem")
    for said, attempts, told in _SENTENCES
    for attempt in attempts
] + _WHOLE
