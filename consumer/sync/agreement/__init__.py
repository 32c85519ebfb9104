"""Whether Xero, as its people left it, says by now what HearLink says of an order. Pure."""

from consumer.sync.agreement.find import find_settled, tell_difference
from consumer.sync.agreement.held import Held, Settled, is_gone

__all__ = ["Held", "Settled", "find_settled", "is_gone", "tell_difference"]
