"""The planner: what Xero is missing of one order. Pure: the same order, links and settings give the same plan.

It knows no events and no history, only how things are (the order), how Xero was last seen (the links) and how they
should be there (the settings). Ten edits, a retry, a redelivery and a resync all come out as the difference that is
left, which for an order with nothing to change is nothing.
"""

from consumer.orders import Order
from consumer.settings import ClinicSettings
from consumer.sync.link import Links
from consumer.sync.planning.contacts import plan_contact
from consumer.sync.planning.credit_notes import plan_credit_note
from consumer.sync.planning.draft import Circumstances, Draft
from consumer.sync.planning.invoices import can_bill, explain_missing_invoice, plan_invoice, tell_replaced_invoices
from consumer.sync.planning.payments import plan_payment
from consumer.sync.planning.removals import plan_removals
from consumer.sync.step import Plan

__all__ = ["Circumstances", "make_plan"]


def make_plan(order: Order, links: Links, settings: ClinicSettings, circumstances: Circumstances) -> Plan:
    """Return all steps that bring Xero from what `links` say to what `order` says, with what can't or won't be sent.

    Steps that need an id which an earlier step will bring carry None there.
    """
    draft = Draft(order, links, settings, circumstances)
    plan_removals(draft)
    tell_replaced_invoices(draft)
    invoice = order.invoice
    if invoice is None:
        explain_missing_invoice(draft)
    elif can_bill(draft, invoice) and plan_contact(draft) and plan_invoice(draft, invoice):
        for note in order.credit_notes:
            plan_credit_note(draft, note, invoice)
        for payment in order.payments:
            plan_payment(draft, payment, invoice)
    return draft.finished()
