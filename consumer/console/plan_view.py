"""A preview in words: what stands in its way, what would be sent field by field, and what would not."""

import hashlib
from typing import Any

import msgspec

from consumer.results import Catalogue
from consumer.sync.gate import Hold
from consumer.sync.link import LinkKind
from consumer.sync.preview import READ_FIRST, Preview, what_is_refused
from consumer.sync.step import Finding, Step

HIDDEN = "(the patient's)"
# What of a contact's body is no data of the patient.
_OPEN_CONTACT_FIELDS = frozenset({"ContactNumber", "ContactID", "ContactStatus"})


class Remark(msgspec.Struct, frozen=True):
    """A sentence about the whole plan; `stops` means that nothing would be sent, `code` says for programs what it is.

    What only `waits` is sent once that is over, if somebody asks for it now.
    """

    text: str
    fix: str = ""
    stops: bool = False
    code: str | None = None
    waits: bool = False


class PlannedCall(msgspec.Struct, frozen=True):
    """One thing that would be sent. `fields` are its body's leaves by their paths; None comes with an earlier call.

    `warnings` say what of it will not be in Xero as it is in HearLink.
    """

    operation: str
    stage: str
    kind: str
    local_id: str
    target_id: str | None
    reasons: tuple[str, ...]
    fields: tuple[tuple[str, str | None], ...]
    body: dict[str, Any]
    warnings: tuple[str, ...] = ()


class NotSent(msgspec.Struct, frozen=True):
    """One thing that would not be sent, and why; `fails` tells a failure from what is deliberately left out."""

    operation: str
    local_id: str
    problem: str
    message: str
    fix: str
    fails: bool


class PlanView(msgspec.Struct, frozen=True):
    """All of it. No remark that stops, no call and nothing left out: Xero holds the order as it is."""

    order_id: str
    revision: int
    tenant_id: str | None
    tenant_name: str | None
    remarks: tuple[Remark, ...]
    calls: tuple[PlannedCall, ...]
    not_sent: tuple[NotSent, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether nothing would be sent, whatever the calls."""
        return any(remark.stops for remark in self.remarks)

    @property
    def only_waits(self) -> bool:
        """Whether what is asked for now would be sent later."""
        return self.is_stopped and all(remark.waits for remark in self.remarks if remark.stops)

    @property
    def is_in_doubt(self) -> bool:
        """Whether Xero is looked up before anything is sent."""
        return any(remark.code == "in_doubt" for remark in self.remarks)

    @property
    def mark(self) -> str:
        """What tells this plan from any other: its order's revision, and all that would be sent or not."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]


def view_plan(preview: Preview, catalogue: Catalogue, *, with_patient: bool) -> PlanView:
    """Return `preview` in words; the patient's name and address only `with_patient`."""
    plan = preview.plan
    return PlanView(
        order_id=preview.order_id,
        revision=preview.revision,
        tenant_id=preview.tenant_id,
        tenant_name=preview.tenant_name,
        remarks=tuple(_remarks(preview, catalogue)),
        calls=() if plan is None else tuple(_call(step, catalogue, with_patient=with_patient) for step in plan.steps),
        not_sent=()
        if plan is None
        else (
            *(_not_sent(finding, catalogue, fails=True) for finding in plan.failures),
            *(_not_sent(finding, catalogue, fails=False) for finding in plan.skips),
        ),
    )


def _remarks(preview: Preview, catalogue: Catalogue) -> list[Remark]:
    remarks = []
    gate = preview.gate
    if gate.hold is not Hold.MANUAL and gate.code is not None:
        problem = catalogue.local(gate.code, **gate.values)
        remarks.append(Remark(problem.message, problem.fix, stops=True, code=gate.code))
    remarks.extend(
        Remark(problem.message, problem.fix, stops=True, code=problem.code, waits=True)
        for problem in what_is_refused(preview, catalogue)
    )
    if preview.in_doubt:
        remarks.append(
            Remark(
                "The answer to an earlier call was lost: Xero is looked up first, which may change what follows.",
                code="in_doubt",
            )
        )
    if preview.looks_again:
        remarks.append(Remark(READ_FIRST, code="looks_again"))
    return remarks


def _call(step: Step, catalogue: Catalogue, *, with_patient: bool) -> PlannedCall:
    body: dict[str, Any] = msgspec.to_builtins(step.body)
    if step.kind is LinkKind.CONTACT and not with_patient:
        body = {name: value if name in _OPEN_CONTACT_FIELDS else _hide(value) for name, value in body.items()}
    return PlannedCall(
        operation=step.operation.value,
        stage=step.stage.name.lower(),
        kind=step.kind.value,
        local_id=step.local_id,
        target_id=step.target_id,
        reasons=step.reasons,
        fields=tuple(_fields(body)),
        body=body,
        warnings=tuple(catalogue.local(remark.code, **remark.values).message for remark in step.warnings),
    )


def _hide(value: Any) -> Any:
    """Return the shape of `value` without what is in it."""
    if isinstance(value, dict):
        return {name: _hide(part) for name, part in value.items()}
    return [_hide(part) for part in value] if isinstance(value, list) else HIDDEN


def _fields(value: Any, path: str = "") -> list[tuple[str, str | None]]:
    if isinstance(value, dict):
        return [row for name, part in value.items() for row in _fields(part, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [row for number, part in enumerate(value, start=1) for row in _fields(part, f"{path} {number}")]
    return [(path, None if value is None else str(value))]


def _not_sent(finding: Finding, catalogue: Catalogue, *, fails: bool) -> NotSent:
    problem = catalogue.local(finding.code, **finding.values)
    return NotSent(finding.operation.value, finding.local_id, problem.code, problem.message, problem.fix, fails)
