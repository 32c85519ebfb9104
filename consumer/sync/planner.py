"""The planner: what Xero is missing of one order. Pure: the same order, links and settings give the same plan.

It knows no events and no history, only how things are (the order), how Xero was last seen (the links) and how they
should be there (the settings). Ten edits, a retry, a redelivery and a resync all come out as the difference that is
left, which for an order with nothing to change is nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import CreditNote, Invoice, Line, Order, Patient, Payment
from consumer.results import Operation
from consumer.settings import ClinicSettings, InvoiceStatus
from consumer.sync import bodies, content
from consumer.sync.link import Link, LinkKind, Links, LinkStatus
from consumer.sync.step import Finding, Plan, Stage, Step


class Circumstances(msgspec.Struct, frozen=True):
    """What the plan needs beside order, links and settings.

    `patient` is the patient as last seen on any order (None: as seen on this one). `left_out` names contact fields that
    Xero refused. `suffix` is 0 for the plain name, 1 for the short suffix, 2 for the whole id, after Xero refused the
    one before.
    """

    hearlink_url: str
    patient: Patient | None = None
    base_currency: str | None = None
    left_out: frozenset[str] = frozenset()
    suffix: int = 0


def make_plan(order: Order, links: Links, settings: ClinicSettings, circumstances: Circumstances) -> Plan:
    """Return all steps that bring Xero from what `links` say to what `order` says, with what can't or won't be sent.

    Steps that need an id which an earlier step will bring carry None there.
    """
    return _Planner(order, links, settings, circumstances).plan()


class _Planner:
    def __init__(self, order: Order, links: Links, settings: ClinicSettings, circumstances: Circumstances) -> None:
        self._order = order
        self._links = links
        self._settings = settings
        self._circumstances = circumstances
        self._steps: list[Step] = []
        self._failures: list[Finding] = []
        self._skips: list[Finding] = []
        self._patient = circumstances.patient or order.patient

    def plan(self) -> Plan:
        order = self._order
        self._take_away()
        invoice = order.invoice
        if invoice is None:
            self._explain_missing_invoice()
        elif self._can_bill(invoice):
            self._contact()
            if self._invoice(invoice):
                for note in order.credit_notes:
                    self._credit_note(note, invoice)
                for payment in order.payments:
                    self._payment(payment, invoice)
        steps = sorted(self._steps, key=lambda step: step.stage)
        return Plan(tuple(steps), tuple(self._failures), tuple(self._skips))

    # What goes away, before what needs its room.

    def _take_away(self) -> None:
        order = self._order
        payments = {payment.payment_id: payment for payment in order.payments}
        for link in self._standing(LinkKind.PAYMENT):
            payment = payments.get(link.local_id)
            if payment is None:
                self._delete_payment(link, ("deleted in HearLink",))
            elif link.content_hash != content.payment_hash(payment):
                self._delete_payment(link, content.payment_differences(payment, link))
        notes = {note.credit_note_id: note for note in order.credit_notes}
        for link in self._standing(LinkKind.CREDIT_NOTE):
            note = notes.get(link.local_id)
            if note is None:
                self._deallocate(link.local_id, Operation.CREDIT_NOTE_VOID, "deleted in HearLink")
                self._void(link)
            elif self._note_differs(note, link):
                self._deallocate(link.local_id, Operation.CREDIT_NOTE_CREATE, "edited in HearLink")

    def _delete_payment(self, link: Link, reasons: tuple[str, ...]) -> None:
        self._add(
            Stage.PAYMENT_DELETE,
            Operation.PAYMENT_DELETE,
            LinkKind.PAYMENT,
            link.local_id,
            body={"Status": "DELETED"},
            target_id=link.xero_id,
            reasons=reasons,
            detail=link.detail,
        )

    def _deallocate(self, note_id: str, operation: Operation, reason: str) -> None:
        link = self._links.standing(LinkKind.ALLOCATION, note_id)
        if link is not None:
            self._add(
                Stage.DEALLOCATE,
                operation,
                LinkKind.ALLOCATION,
                note_id,
                body={},
                target_id=link.xero_id,
                reasons=(f"allocation removed first: {reason}",),
                detail=link.detail,
            )

    def _void(self, link: Link) -> None:
        self._add(
            Stage.CREDIT_NOTE_VOID,
            Operation.CREDIT_NOTE_VOID,
            LinkKind.CREDIT_NOTE,
            link.local_id,
            body={"CreditNoteID": link.xero_id, "Status": "VOIDED"},
            target_id=link.xero_id,
            reasons=("deleted in HearLink",),
            detail=link.detail,
        )

    # What can't be billed, and why.

    def _explain_missing_invoice(self) -> None:
        item = self._order.state.invoice
        if item is not None and item.deleted:
            local_id = item.value.invoice_id if item.value is not None else ""
            self._skip(Operation.ORDER_SYNC, local_id, "invoice_deleted_in_hearlink", {})
        else:
            self._skip(Operation.ORDER_SYNC, "", "no_invoice", {})

    def _can_bill(self, invoice: Invoice) -> bool:
        """Check what needs no call to be known; every failure keeps all later steps back."""
        operation = self._invoice_operation(invoice)
        base = self._circumstances.base_currency
        if base is not None and invoice.currency != base:
            values = {"currency": invoice.currency, "base_currency": base}
            self._fail(operation, invoice.invoice_id, "currency_mismatch", values)
            return False
        lines = [*invoice.lines, *(line for note in self._order.credit_notes for line in note.lines)]
        missing = sorted({words for line in lines for words in self._unmapped(line)})
        for words in missing:
            self._fail(operation, invoice.invoice_id, "mapping_incomplete", {"missing": words})
        return not missing

    def _unmapped(self, line: Line) -> Iterator[str]:
        category = self._settings.categories[line.category.value.lower()]
        name = line.category.value.lower().replace("_", " ")
        if not category.revenue_account:
            yield f"the revenue account for {name}"
        if not category.tax_type:
            yield f"the tax rate for {name}"

    def _invoice_operation(self, invoice: Invoice) -> Operation:
        link = self._links.get(LinkKind.INVOICE, invoice.invoice_id)
        return Operation.INVOICE_CREATE if link is None else Operation.INVOICE_UPDATE

    # The contact.

    def _contact(self) -> None:
        patient = self._patient
        name = bodies.contact_name(patient)
        link = self._links.get(LinkKind.CONTACT, patient.patient_id)
        if link is None:
            self._create_contact(name)
        elif link.detail.get("name") != name and link.detail.get("refused_name") != name:
            body = bodies.rename_body(patient, name, link.xero_id or "")
            self._add(
                Stage.CONTACT_RENAME,
                Operation.CONTACT_RENAME,
                LinkKind.CONTACT,
                patient.patient_id,
                body=body,
                target_id=link.xero_id,
                reasons=("the patient's name changed",),
                detail={**link.detail, "name": name},
            )

    def _create_contact(self, name: str) -> None:
        patient = self._patient
        suffix = self._circumstances.suffix
        full_name = bodies.suffixed_name(name, patient.patient_id, whole_id=suffix > 1) if suffix else name
        body, warnings = bodies.contact_body(patient, full_name, self._circumstances.left_out)
        if suffix:
            warnings = (*warnings, "name_with_number")
        self._add(
            Stage.CONTACT_CREATE,
            Operation.CONTACT_CREATE,
            LinkKind.CONTACT,
            patient.patient_id,
            body=body,
            reasons=("the patient has no contact in this Xero organisation yet",),
            warnings=warnings,
            detail={"name": name},
        )

    def _contact_id(self) -> str | None:
        link = self._links.get(LinkKind.CONTACT, self._patient.patient_id)
        return None if link is None else link.xero_id

    # The invoice.

    def _invoice(self, invoice: Invoice) -> bool:
        """Plan the invoice; return whether credit notes and payments may follow it."""
        order = self._order
        link = self._links.get(LinkKind.INVOICE, invoice.invoice_id)
        body = bodies.invoice_body(
            invoice,
            self._settings,
            order_url=bodies.order_url(self._circumstances.hearlink_url, order.order_id),
            contact_id=self._contact_id(),
            line_item_ids={} if link is None else link.detail.get("line_item_ids", {}),
        )
        hashes = content.document_hashes(body)
        needs_authorised = bool(order.payments or order.credit_notes)
        detail = {**hashes, "number": invoice.number, "line_ids": [line.line_id for line in invoice.lines]}
        if link is None:
            authorised = needs_authorised or self._settings.invoice_status is InvoiceStatus.AUTHORISED
            self._add(
                Stage.INVOICE_CREATE,
                Operation.INVOICE_CREATE,
                LinkKind.INVOICE,
                invoice.invoice_id,
                body={**body, "Status": "AUTHORISED" if authorised else "DRAFT"},
                content_hash=hashes["content"],
                reasons=("not in Xero yet",),
                detail=detail,
            )
            return True
        if link.status is LinkStatus.GONE:
            return self._explain_gone_invoice(link, hashes)
        authorise = needs_authorised and link.status is LinkStatus.DRAFT
        differs = link.content_hash != hashes["content"] and not self._only_mapping_of_settled(link, hashes)
        if differs or authorise:
            self._update_invoice(link, body if differs else None, hashes, detail, authorise=authorise)
        return True

    def _update_invoice(
        self,
        link: Link,
        body: dict[str, Any] | None,
        hashes: dict[str, str],
        detail: dict[str, Any],
        *,
        authorise: bool,
    ) -> None:
        element = {"InvoiceID": link.xero_id, **(body or {})}
        reasons = []
        if body is not None:
            reasons.extend(content.document_differences(link, hashes))
        if authorise:
            # Left out otherwise: what people did to the status in Xero is theirs.
            element["Status"] = "AUTHORISED"
            reasons.append("a payment or credit note needs it authorised")
        self._add(
            Stage.INVOICE_UPDATE,
            Operation.INVOICE_AUTHORISE if authorise else Operation.INVOICE_UPDATE,
            LinkKind.INVOICE,
            link.local_id,
            body=element,
            content_hash=hashes["content"] if body is not None else link.content_hash,
            target_id=link.xero_id,
            reasons=tuple(reasons),
            detail={**link.detail, **(detail if body is not None else {})},
        )

    def _only_mapping_of_settled(self, link: Link, hashes: dict[str, str]) -> bool:
        """Whether just accounts or tax rates were re-mapped, of an invoice that has something applied to it.

        Xero would refuse that, and with it every later payment of the order, for a change that nobody made to it.
        """
        if link.detail.get("order") != hashes["order"] or link.content_hash == "":
            return False
        return any(self._standing(LinkKind.PAYMENT)) or any(self._standing(LinkKind.ALLOCATION))

    def _explain_gone_invoice(self, link: Link, hashes: dict[str, str]) -> bool:
        wants = link.content_hash != hashes["content"]
        wants |= any(self._links.get(LinkKind.PAYMENT, p.payment_id) is None for p in self._order.payments)
        wants |= any(self._links.get(LinkKind.CREDIT_NOTE, n.credit_note_id) is None for n in self._order.credit_notes)
        if wants:
            number = link.detail.get("number", "")
            self._fail(Operation.INVOICE_UPDATE, link.local_id, "deleted_in_xero", {"kind": f"The invoice {number}"})
        return False

    # Credit notes and their allocation.

    def _credit_note(self, note: CreditNote, invoice: Invoice) -> None:
        link = self._links.get(LinkKind.CREDIT_NOTE, note.credit_note_id)
        body = self._note_body(note, invoice)
        hashes = content.document_hashes(body)
        hashed = hashes["content"]
        detail = {"order": hashes["order"], "number": note.number}
        if link is None or link.status is LinkStatus.REMOVED:
            self._add(
                Stage.CREDIT_NOTE_CREATE,
                Operation.CREDIT_NOTE_CREATE,
                LinkKind.CREDIT_NOTE,
                note.credit_note_id,
                body=body,
                content_hash=hashed,
                reasons=("not in Xero yet",),
                detail=detail,
            )
        elif link.status is LinkStatus.GONE:
            if link.content_hash != hashed:
                values = {"kind": f"The credit note {note.number}"}
                self._fail(Operation.CREDIT_NOTE_CREATE, note.credit_note_id, "deleted_in_xero", values, blocking=False)
            return
        elif self._note_differs(note, link):
            self._add(
                Stage.CREDIT_NOTE_UPDATE,
                Operation.CREDIT_NOTE_CREATE,
                LinkKind.CREDIT_NOTE,
                note.credit_note_id,
                body={"CreditNoteID": link.xero_id, **body},
                content_hash=hashed,
                target_id=link.xero_id,
                reasons=("edited in HearLink",),
                detail=detail,
            )
        self._allocation(note, link, invoice)

    def _allocation(self, note: CreditNote, link: Link | None, invoice: Invoice) -> None:
        allocation = self._links.get(LinkKind.ALLOCATION, note.credit_note_id)
        replaced = link is not None and self._note_differs(note, link)
        if allocation is not None and not replaced and allocation.status is not LinkStatus.REMOVED:
            return
        invoice_link = self._links.standing(LinkKind.INVOICE, invoice.invoice_id)
        total = note.total if link is None or replaced else Decimal(str(link.detail.get("total", note.total)))
        amount = bodies.cents(total)
        if amount <= 0:
            self._skip(Operation.CREDIT_NOTE_ALLOCATE, note.credit_note_id, "zero_amount", {"kind": "The credit note"})
            return
        self._add(
            Stage.ALLOCATE,
            Operation.CREDIT_NOTE_ALLOCATE,
            LinkKind.ALLOCATION,
            note.credit_note_id,
            body={
                "Amount": amount,
                "Date": max(note.issued_on, invoice.issued_on).isoformat(),
                "Invoice": {"InvoiceID": None if invoice_link is None else invoice_link.xero_id},
            },
            target_id=None if link is None else link.xero_id,
            reasons=("not allocated to the order's invoice yet",),
            detail={"credit_note_xero_id": None if link is None else link.xero_id, "amount": str(amount)},
        )

    def _note_body(self, note: CreditNote, invoice: Invoice) -> dict[str, Any]:
        return bodies.credit_note_body(note, invoice, self._settings, contact_id=self._contact_id())

    def _note_differs(self, note: CreditNote, link: Link) -> bool:
        invoice = self._order.invoice
        if invoice is None:
            return False
        body = self._note_body(note, invoice)
        # Accounts and tax rates that were re-mapped since are no reason to take an allocated note apart.
        return link.content_hash == "" or link.detail.get("order") != content.document_hashes(body)["order"]

    # Payments.

    def _payment(self, payment: Payment, invoice: Invoice) -> None:
        if bodies.cents(payment.amount) <= 0:
            self._skip(Operation.PAYMENT_CREATE, payment.payment_id, "zero_amount", {"kind": "The payment"})
            return
        link = self._links.get(LinkKind.PAYMENT, payment.payment_id)
        hashed = content.payment_hash(payment)
        if link is not None and link.status is LinkStatus.GONE:
            if link.content_hash != hashed:
                values = {"kind": f"The payment of {bodies.cents(payment.amount)}"}
                self._fail(Operation.PAYMENT_CREATE, payment.payment_id, "deleted_in_xero", values, blocking=False)
            return
        if link is not None and link.status is not LinkStatus.REMOVED and link.content_hash == hashed:
            return
        if self._settings.payment_account is None:
            values = {"missing": "the payment account"}
            self._fail(Operation.PAYMENT_CREATE, payment.payment_id, "mapping_incomplete", values, blocking=False)
            return
        invoice_link = self._links.standing(LinkKind.INVOICE, invoice.invoice_id)
        self._add(
            Stage.PAYMENT_CREATE,
            Operation.PAYMENT_CREATE,
            LinkKind.PAYMENT,
            payment.payment_id,
            body=bodies.payment_body(
                payment,
                self._settings.payment_account,
                invoice_id=None if invoice_link is None else invoice_link.xero_id,
            ),
            content_hash=hashed,
            reasons=("not in Xero yet" if link is None else "the changed payment takes the old one's place",),
            detail=dict(content.payment_detail(payment)),
        )

    # Bookkeeping.

    def _standing(self, kind: LinkKind) -> Iterator[Link]:
        for link in self._links.of_kind(kind):
            if link.status not in {LinkStatus.REMOVED, LinkStatus.GONE}:
                yield link

    def _fail(
        self, operation: Operation, local_id: str, code: str, values: dict[str, str], *, blocking: bool = True
    ) -> None:
        self._failures.append(Finding(operation, local_id, code, self._values(values), blocking))

    def _skip(self, operation: Operation, local_id: str, code: str, values: dict[str, str]) -> None:
        self._skips.append(Finding(operation, local_id, code, self._values(values)))

    def _values(self, values: dict[str, str]) -> dict[str, str]:
        return {"order_id": self._order.order_id, "clinic_id": self._order.clinic_id, **values}

    def _add(
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
        warnings: tuple[str, ...] = (),
        detail: dict[str, Any] | None = None,
    ) -> None:
        order_id = "" if kind is LinkKind.CONTACT else self._order.order_id
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
                warnings=warnings,
                detail=detail or {},
            )
        )
