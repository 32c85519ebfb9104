"""The draft of a plan: what it is made from, and what has been put into it so far."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import Invoice, Order, Patient, Payment
from consumer.results import Operation
from consumer.settings import ClinicSettings
from consumer.sync.link import Link, LinkKind, Links, LinkStatus
from consumer.sync.planning import bodies, texts
from consumer.sync.planning.totals import Reading
from consumer.sync.step import Finding, Plan, Remark, Stage, Step


class Circumstances(msgspec.Struct, frozen=True):
    """What the plan needs beside order, links and settings.

    `patient` is the patient as last seen on any order (None: as seen on this one). `tax_rates` are the tenant's, in
    percent by tax type. `left_out` names contact fields that Xero refused. `suffix` is 0 for the plain name, 1 for the
    short suffix, 2 for the whole id, after Xero refused the one before. `leaves_totals`: it refused a tax of ours in
    this pass, so that totals are left to it. `rename_again`: a name that it refused before is worth another try. `kept`
    names payments and credit notes whose change it refused in this pass: what was taken away for it is put back as it
    was, and stays.
    """

    hearlink_url: str
    patient: Patient | None = None
    base_currency: str | None = None
    tax_rates: Mapping[str, Decimal] = {}
    leaves_totals: bool = False
    left_out: frozenset[str] = frozenset()
    suffix: int = 0
    rename_again: bool = False
    kept: frozenset[tuple[LinkKind, str]] = frozenset()


class Draft:
    """A plan in the making, for one order."""

    def __init__(self, order: Order, links: Links, settings: ClinicSettings, circumstances: Circumstances) -> None:
        self.order = order
        self.links = links
        self.settings = settings
        self.circumstances = circumstances
        self.patient = circumstances.patient or order.patient
        # The invoice's total as it is in Xero, or will be; None where that isn't known.
        self.invoice_total: Decimal | None = None
        self._steps: list[Step] = []
        self._failures: list[Finding] = []
        self._skips: list[Finding] = []

    def contact_id(self) -> str | None:
        """Return the id of the patient's contact, None before it is made."""
        link = self.links.get(LinkKind.CONTACT, self.patient.patient_id)
        return None if link is None else link.xero_id

    def payments(self) -> list[Payment]:
        """Return the payments that stand and are of more than nothing: Xero takes no others."""
        return [payment for payment in self.order.payments if bodies.cents(payment.amount) > 0]

    def reading(self, invoice: Invoice, *, takes_discounts: bool = True) -> Reading:
        """Return how Xero reads the lines of `invoice`, or of a credit note on it, which takes no discounts."""
        return Reading(invoice.prices_include_tax, self.circumstances.tax_rates, takes_discounts)

    def takes_more(self) -> bool:
        """Whether the order has an invoice for payments and credit notes to stand on, in Xero too or soon."""
        invoice = self.order.invoice
        link = None if invoice is None else self.links.get(LinkKind.INVOICE, invoice.invoice_id)
        return invoice is not None and (link is None or link.status is not LinkStatus.GONE)

    def invoice_stands(self) -> bool:
        """Whether the order's invoice is in Xero: before that, nothing there may make way for what goes onto it."""
        invoice = self.order.invoice
        return invoice is not None and self.links.standing(LinkKind.INVOICE, invoice.invoice_id) is not None

    def on_another_invoice(self, link: Link) -> bool:
        """Whether a payment or allocation is on an invoice that the order has given up for one that stands by now."""
        if self.order.invoice is None or not self.invoice_stands():
            return False
        invoice = self.links.get(LinkKind.INVOICE, self.order.invoice.invoice_id)
        return invoice is not None and link.detail.get("invoice_id") != invoice.xero_id

    def is_kept(self, kind: LinkKind, local_id: str) -> bool:
        """Whether Xero refused the change of a payment or credit note, so that it stays as it was."""
        return (kind, local_id) in self.circumstances.kept

    def number_is_refused(self, kind: LinkKind, local_id: str, number: str) -> bool:
        """Whether Xero's rules refuse the number that a document is to get; one that it has there it has."""
        known = self.links.get(kind, local_id)
        is_known = known is not None and known.detail.get("number") == number
        return not is_known and not texts.takes_number(bodies.document_number(number))

    def finished(self) -> Plan:
        """Return the plan, its steps in the order of their stages."""
        steps = sorted(self._steps, key=lambda step: step.stage)
        return Plan(tuple(steps), tuple(self._failures), tuple(self._skips))

    def standing(self, kind: LinkKind) -> Iterator[Link]:
        """The links of `kind` whose documents are there."""
        for link in self.links.of_kind(kind):
            if link.status not in {LinkStatus.REMOVED, LinkStatus.GONE}:
                yield link

    def fail(
        self, operation: Operation, local_id: str, code: str, values: dict[str, str], *, blocking: bool = True
    ) -> None:
        """Note what can not be sent, and why."""
        self._failures.append(Finding(operation, local_id, code, self._values(values), blocking))

    def leave_by_hand(self, operation: Operation, local_id: str, kind: str) -> None:
        """Note that something changed in HearLink which people made in Xero: theirs to change there."""
        self.fail(operation, local_id, "made_by_hand", {"kind": kind}, blocking=False)

    def skip(self, operation: Operation, local_id: str, code: str, values: dict[str, str]) -> None:
        """Note what is deliberately not sent, and why."""
        self._skips.append(Finding(operation, local_id, code, self._values(values)))

    def _values(self, values: dict[str, str]) -> dict[str, str]:
        order = self.order
        known = {"order_id": order.order_id, "clinic_id": order.clinic_id, "patient_id": self.patient.patient_id}
        return {**known, **values}

    def add(
        self,
        stage: Stage,
        operation: Operation,
        kind: LinkKind,
        local_id: str,
        *,
        body: dict[str, Any],
        content_hash: str = "",
        target_id: str | None = None,
        reasons: tuple[str, ...] = (),
        warnings: Iterable[Remark] = (),
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Put a step into the plan; a contact belongs to its patient and to no order."""
        order_id = "" if kind is LinkKind.CONTACT else self.order.order_id
        self._steps.append(
            Step(
                stage=stage,
                operation=operation,
                kind=kind,
                order_id=order_id,
                local_id=local_id,
                body=body,
                content_hash=content_hash,
                target_id=target_id,
                reasons=reasons,
                warnings=tuple(Remark(remark.code, self._values(remark.values)) for remark in warnings),
                detail=detail or {},
            )
        )
