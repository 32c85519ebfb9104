"""How long to wait for more orders before a call that would go out half empty. Pure.

A tenant's calls are the scarce thing: 60 a minute, 1,000 or 5,000 a day. With little of them used, nobody waits longer
than a blink; the more are used, the longer orders gather before they share a call.
"""

from consumer.xero import BudgetUsage

# At rest: enough for the events of one click to arrive together.
BLINK_SECONDS = 0.08
# From here on the minute's calls are getting scarce.
_MINUTE_SHARE = 0.5
_MINUTE_SECONDS = 0.6
# From here on the day's are, which is worse: they come back only tomorrow.
_DAY_SHARES = ((0.9, 30.0), (0.75, 10.0), (0.5, 2.0))


def linger_seconds(usage: BudgetUsage, *, due: int, full_call: int, urgent: bool) -> float:
    """Return the wait before a pass over a tenant with `due` orders, of which `full_call` fill a call."""
    if urgent or due >= full_call:
        return 0.0
    day_share = usage.day_used / max(usage.day_limit, 1)
    for share, seconds in _DAY_SHARES:
        if day_share >= share:
            return seconds
    minute_share = usage.minute_used / max(usage.minute_limit, 1)
    return _MINUTE_SECONDS if minute_share >= _MINUTE_SHARE else BLINK_SECONDS
