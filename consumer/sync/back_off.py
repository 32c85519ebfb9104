"""How long a transient failure waits before it is tried again. Pure."""

# 5 s, 15 s, 45 s … up to half an hour: an hour's outage of Xero costs an order about eight attempts.
FIRST_SECONDS = 5.0
FACTOR = 3.0
LONGEST_SECONDS = 1800.0
# Then a person is asked. Together they span about four hours.
ATTEMPTS = 14


def back_off_seconds(attempt: int, fraction: float) -> float:
    """Return the wait after attempt number `attempt` (from 1).

    `fraction` in [0, 1) spreads it over the upper half of the time, so that orders which failed together do not come
    back together.
    """
    longest = min(FIRST_SECONDS * FACTOR ** min(max(attempt - 1, 0), 20), LONGEST_SECONDS)
    return longest * (0.5 + 0.5 * fraction)
