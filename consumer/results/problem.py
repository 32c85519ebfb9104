"""A problem as everyone sees it: what happened in a clinic's words, what to do, and what it has to do with others."""

from enum import StrEnum

import msgspec


class ProblemClass(StrEnum):
    """Who can mend it. Only TRANSIENT is tried again by itself; WAITING costs no attempt and is no failure."""

    TRANSIENT = "transient"
    WAITING = "waiting"
    CONNECTION = "connection"
    SETTINGS = "settings"
    XERO = "xero"
    HEARLINK = "hearlink"
    DEFECT = "defect"


class Severity(StrEnum):
    """FAILURE stops an operation; WARNING is noted on one that went through; SKIP is deliberately not sent."""

    FAILURE = "failure"
    WARNING = "warning"
    SKIP = "skip"


class Behaviour(StrEnum):
    """What the sync does about a problem besides logging it."""

    # Xero may hold already what was wanted (a lost answer, someone's hand): look there before deciding.
    LOOK_UP = "look_up"
    # At a creation: send again under a name that is surely free. At a rename: keep the old name and warn.
    USE_ANOTHER_NAME = "use_another_name"
    # Send again without the part that Xero refuses (an e-mail address): the rest is worth having.
    LEAVE_OUT = "leave_out"


class Attempt(StrEnum):
    """What was attempted at Xero: the same sentence means something else of a payment than of a contact."""

    CONTACT_CREATE = "contact_create"
    CONTACT_RENAME = "contact_rename"
    INVOICE_CREATE = "invoice_create"
    INVOICE_UPDATE = "invoice_update"
    CREDIT_NOTE_CREATE = "credit_note_create"
    CREDIT_NOTE_UPDATE = "credit_note_update"
    CREDIT_NOTE_VOID = "credit_note_void"
    ALLOCATE = "allocate"
    DEALLOCATE = "deallocate"
    PAYMENT_CREATE = "payment_create"
    PAYMENT_DELETE = "payment_delete"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the sync knows of the element that Xero refused.

    `number` is the number of its invoice or credit note, `payment_account` the account code or id of its payment.
    """

    order_id: str
    patient_id: str
    number: str
    payment_account: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem in words that a clinic understands.

    `subject` is what groups failures into one problem within an organisation and tenant: an account code, a lock date,
    a patient id, an order id; "" where the code alone does. `xero_message` is what Xero said, verbatim.
    """

    code: str
    problem_class: ProblemClass
    message: str
    fix: str
    subject: str = ""
    xero_message: str | None = None
    severity: Severity = Severity.FAILURE
    behaviours: frozenset[Behaviour] = frozenset()

    @property
    def retries_by_itself(self) -> bool:
        """Whether the service tries again without anyone asking."""
        return self.problem_class in {ProblemClass.TRANSIENT, ProblemClass.WAITING}
