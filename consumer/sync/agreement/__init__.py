"""Whether Xero, as its people left it, says by now what HearLink says of an order. Pure."""

from consumer.sync.agreement.find import find_agreed, is_on_invoice, may_agree, tell_difference
from consumer.sync.agreement.held import Agreed, Held, is_gone
from consumer.sync.agreement.payments import paid_twice

__all__ = ["Agreed", "Held", "find_agreed", "is_gone", "is_on_invoice", "may_agree", "paid_twice", "tell_difference"]
