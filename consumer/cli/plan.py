"""`plan`: what would be sent for one order."""

from typing import Any

import click
import msgspec

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table
from consumer.results import Catalogue
from consumer.sync.gate import Hold
from consumer.sync.link import LinkKind
from consumer.sync.preview import READ_FIRST, Preview, preview_order, what_is_refused
from consumer.sync.step import Finding, Step
from consumer.xero import AccessCode

_HIDDEN = "(the patient's; --with-data shows it)"
# What of a contact's body is no data of the patient.
_OPEN_CONTACT_FIELDS = frozenset({"ContactNumber", "ContactID", "ContactStatus"})


@click.command()
@click.argument("order_id")
@click.option("--with-data", is_flag=True, help="Show the patient's name, address, e-mail and phone as well.")
@as_json
def plan(*, order_id: str, with_data: bool, as_json: bool) -> None:
    """Show what the next push of ORDER_ID would send to Xero, field by field. Sends and changes nothing.

    What an earlier call of the same push brings (ids of Xero) is still empty. --json prints one document.
    """
    with assembly() as parts, parts.connect("plan") as connection:
        preview = preview_order(connection, order_id, parts.configuration.hearlink_url)
        if preview is None:
            raise Failure(f"There is no order {order_id}: no event of it has come, or none that could be used.")
        remarks = _remarks(preview, parts.catalogue)
        findings = _findings(preview, parts.catalogue)
        steps = () if preview.plan is None else preview.plan.steps
        warnings = [_warnings(step, parts.catalogue) for step in steps]
    if as_json:
        document = msgspec.to_builtins(preview)
        document["remarks"] = remarks
        documents = [_step_document(step, told, with_data) for step, told in zip(steps, warnings, strict=True)]
        document["plan"] = None if preview.plan is None else documents
        document["not_sent"] = findings
        print_json(document)
        return
    for remark in remarks:
        click.echo(remark)
    for finding in findings:
        click.echo(f"{finding['operation']} would {finding['outcome']}: {finding['message']} {finding['fix']}")
    for number, (step, told) in enumerate(zip(steps, warnings, strict=True), start=1):
        print_table(
            f"{number}. {step.operation} ({step.stage.name.lower()}): {'; '.join(step.reasons) or 'new'}",
            ["field", "value"],
            [*_target(step), *_fields(_body(step, with_data))],
        )
        for warning in told:
            click.echo(f"Warning: {warning['message']} {warning['fix']}")
    if not steps and preview.plan is not None and not findings:
        click.echo("Xero holds this order as it is in HearLink already; nothing would be sent.")


def _remarks(preview: Preview, catalogue: Catalogue) -> list[str]:
    """Say in sentences what stands in the way of the plan."""
    refused = what_is_refused(preview, catalogue)
    remarks = [f"Order {preview.order_id}, clinic {preview.clinic_id}, revision {preview.revision}."]
    gate = preview.gate
    if gate.hold is Hold.MANUAL:
        remarks.append(
            f"The clinic syncs by hand: it is sent when someone asks for it (hearlink-xero sync {preview.order_id})."
        )
    elif gate.code is not None:
        problem = catalogue.local(gate.code, **gate.values)
        remarks.append(f"Not sent: {problem.message}. {problem.fix}".replace("..", "."))
    if any(problem.code == AccessCode.DISCONNECTED for problem in refused):
        remarks.append(
            f"Xero is disconnected: nothing is sent before hearlink-xero connect --organisation "
            f"{preview.organisation_id} has been run."
        )
    elif refused:
        remarks.extend(f"Held: {problem.message} {problem.fix}" for problem in refused)
    elif preview.tenant_name is not None:
        remarks.append(f"It goes to {preview.tenant_name} ({preview.tenant_id}).")
    if preview.in_doubt:
        remarks.append(
            "The answer to an earlier call was lost: Xero is looked up first, which may change what follows."
        )
    if preview.looks_again:
        remarks.append(READ_FIRST)
    return remarks


def _findings(preview: Preview, catalogue: Catalogue) -> list[dict[str, str]]:
    if preview.plan is None:
        return []
    return [
        *(_finding(catalogue, finding, "fail") for finding in preview.plan.failures),
        *(_finding(catalogue, finding, "be skipped") for finding in preview.plan.skips),
    ]


def _finding(catalogue: Catalogue, finding: Finding, outcome: str) -> dict[str, str]:
    problem = catalogue.local(finding.code, **finding.values)
    return {
        "operation": finding.operation.value,
        "outcome": outcome,
        "local_id": finding.local_id,
        "problem": problem.code,
        "message": problem.message,
        "fix": problem.fix,
    }


def _warnings(step: Step, catalogue: Catalogue) -> list[dict[str, str]]:
    """Say what of the step will not be in Xero as it is in HearLink."""
    problems = [catalogue.local(remark.code, **remark.values) for remark in step.warnings]
    return [{"problem": problem.code, "message": problem.message, "fix": problem.fix} for problem in problems]


def _step_document(step: Step, warnings: list[dict[str, str]], with_data: bool) -> dict[str, Any]:  # noqa: FBT001 -- passed on from the option
    return {
        "stage": step.stage.name.lower(),
        "operation": step.operation.value,
        "kind": step.kind.value,
        "local_id": step.local_id,
        "target_id": step.target_id,
        "reasons": list(step.reasons),
        "warnings": warnings,
        "body": _body(step, with_data),
    }


def _body(step: Step, with_data: bool) -> dict[str, Any]:  # noqa: FBT001 -- as above
    body: dict[str, Any] = msgspec.to_builtins(step.body)
    if with_data or step.kind is not LinkKind.CONTACT:
        return body
    return {name: value if name in _OPEN_CONTACT_FIELDS else _HIDDEN for name, value in body.items()}


def _target(step: Step) -> list[list[object]]:
    return [] if step.target_id is None else [["(changes)", step.target_id]]


def _fields(value: Any, path: str = "") -> list[list[object]]:
    """Return the leaves of a document, each with its path."""
    if isinstance(value, dict):
        return [row for name, part in value.items() for row in _fields(part, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [row for number, part in enumerate(value, start=1) for row in _fields(part, f"{path}[{number}]")]
    return [[path, "" if value is None else value]]
