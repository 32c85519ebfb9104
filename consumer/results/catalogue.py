"""The problem catalogue: what Xero's messages and our own refusals mean to a clinic, and what to do. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec


class ProblemClass(StrEnum):
    """Who can mend it. Only TRANSIENT is retried by itself; WAITING costs no attempt and is no failure."""

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
    # Where the look-up shows that, it is no failure: the operation is done.
    TREAT_AS_DONE = "treat_as_done"
    # Holds for everything that goes to this tenant, whatever the order: no more calls of this kind for now.
    PAUSES_TENANT = "pauses_tenant"
    # The organisation's access is gone: no more calls until someone connects again.
    DISCONNECTS = "disconnects"
    # The access token is old: refresh it once and send again.
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a behaviour, not a token.
    # Send again with a name that is surely free (suffix), or keep the old one at a rename.
    USE_ANOTHER_NAME = "use_another_name"
    # Send again without what Xero refuses (e-mail, phone): the rest is worth having.
    LEAVE_OUT = "leave_out"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the sync knows of the element that Xero refused; `number` is the number of its invoice or credit note."""

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


class Catalogue(Protocol):
    """The entries of `problems.toml`; load once with `load_catalogue`."""

    def match(self, xero_messages: Sequence[str], facts: Facts) -> Problem:
        """Return the problem that Xero's messages of one element tell: the most telling of them wins."""

    def local(self, code: str, **values: object) -> Problem:
        """Return the problem `code` that the service found itself; `values` fill its words."""


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Load `problems.toml`.

    Raises:
        CatalogueError: the file breaks one of its own rules.
    """
    raise FileNotFoundError(path)
