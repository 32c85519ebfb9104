"""How long a transient failure waits before it is tried again. Pure."""

# 5 s, 15 s, 45 s … up to half an hour: an hour's outage of Xero costs an order about eight attempts.
FIRST_SECONDS = 5.0
FACTOR = 3.0
LONGEST_SECONDS = 1800.0
# Then a person is asked. Together they span about four hours.
ATTEMPTS = 14
# Nor does an order go on for longer than this, once it failed a few times: attempts that wait for a limit in between
# can take days, in which nobody would hear of it.
LONGEST_PENDING_SECONDS = 86_400.0
_FEW_ATTEMPTS = 3
# What Xero refused (4xx) in words that may mean an outage is a refusal after so many of them in a row.
REFUSALS_MAX = 4
# Workers die for reasons of their own; one that died so often in a row with the same order may have died of it. From
# ALONE_FROM on it is alone in its pass, so that whatever kills the worker then is this order, or very bad luck.
ALONE_FROM = 5
CRASHES_MAX = 20


def back_off_seconds(attempt: int, fraction: float, *, first_seconds: float = FIRST_SECONDS) -> float:
    """Return the wait after attempt number `attempt` (from 1).

    `fraction` in [0, 1) spreads it over the upper half of the time, so that orders which failed together do not come
    back together.
    """
    longest = min(first_seconds * FACTOR ** min(max(attempt - 1, 0), 20), LONGEST_SECONDS)
    return longest * (0.5 + 0.5 * fraction)


def is_hopeless(attempts: int, pending_seconds: float) -> bool:
    """Whether an order that failed `attempts` times, and whose newest change waits for so long, is a person's now."""
    return attempts >= ATTEMPTS or (attempts >= _FEW_ATTEMPTS and pending_seconds > LONGEST_PENDING_SECONDS)
