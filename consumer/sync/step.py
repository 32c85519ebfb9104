"""The steps of a plan, and the stages in which a tenant's steps are sent."""

from enum import IntEnum
from typing import Any

import msgspec

from consumer.results import Operation
from consumer.sync.link import LinkKind


class Stage(IntEnum):
    """The order in which calls of one pass go out: what makes room goes before what needs it."""

    CONTACT_CREATE = 1
    CONTACT_RENAME = 2
    PAYMENT_DELETE = 3
    DEALLOCATE = 4
    CREDIT_NOTE_VOID = 5
    INVOICE_CREATE = 6
    INVOICE_UPDATE = 7
    CREDIT_NOTE_CREATE = 8
    CREDIT_NOTE_UPDATE = 9
    ALLOCATE = 10
    PAYMENT_CREATE = 11


class Remark(msgspec.Struct, frozen=True):
    """Something that goes through, but not quite as wished: a code of the problem catalogue and what fills its words.

    It is known before the call, and told with the plan as well as in the log.
    """

    code: str
    values: dict[str, str] = {}


class Step(msgspec.Struct, frozen=True):
    """One element of one call.

    `body` is the element as Xero takes it. Its ids of things that an earlier step of the same plan makes are None:
    the plan is made again after each stage, and only the steps of the stage at hand are sent.
    `content_hash` is what the link will carry once Xero accepted the step, `detail` likewise.
    `target_id` is the Xero id in the call's path or the element, None for what is created.
    `reasons` say what differs, in words, without a patient's data; `warnings` what Xero will not have as it is.
    """

    stage: Stage
    operation: Operation
    kind: LinkKind
    order_id: str
    local_id: str
    body: dict[str, Any]
    content_hash: str
    target_id: str | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[Remark, ...] = ()
    detail: dict[str, Any] = {}


class Finding(msgspec.Struct, frozen=True):
    """Something that is not sent, and why: a code of the problem catalogue and what fills its words.

    A blocking finding keeps the order's later steps back.
    """

    operation: Operation
    local_id: str
    code: str
    values: dict[str, str] = {}
    blocking: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What one order needs in Xero now: steps in stage order, failures known without a call, and what is skipped."""

    steps: tuple[Step, ...] = ()
    failures: tuple[Finding, ...] = ()
    skips: tuple[Finding, ...] = ()

    @property
    def next_stage(self) -> Stage | None:
        """The first stage that has a step, or None where nothing is to be sent."""
        return min((step.stage for step in self.steps), default=None)
