"""Xero's rate limits, judged as strictly as they can be read.

Xero's own windows are fixed and reset at different times for each tenant. A client can't know when, so here every
window rolls: a call is refused when it would be one too many within any 60 seconds or any 24 hours. A refused call
takes no room in a window, but counts in the statistics.
"""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

MINUTE_SECONDS = 60.0
DAY_SECONDS = 86_400.0
# What the headers say of a limit that is switched off.
_UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Calls allowed; 0 switches a limit off (the headers then say that 1,000,000 are left).

    Attributes:
        per_minute: Per tenant in any 60 seconds.
        per_day: Per tenant in any 24 hours; 1,000 on Xero's Starter tier.
        concurrent: In progress per tenant.
    """

    per_minute: int = 60
    per_day: int = 5_000
    concurrent: int = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a call gets 429, and after how many seconds to come again (`None`: Xero doesn't say)."""

    problem: str
    retry_after_seconds: int | None


@dataclass(slots=True)
class Usage:
    """The calls of one tenant."""

    limits: Limits
    minute: deque[float] = field(default_factory=deque)
    day: deque[float] = field(default_factory=deque)
    arrivals: deque[float] = field(default_factory=deque)
    in_progress: int = 0
    fullest_minute: int = 0
    most_concurrent: int = 0


class RateLimiter:
    """Counts calls per tenant and per app.

    Args:
        app_per_minute: Calls of one app over all tenants in any 60 seconds; 0 switches it off.
    """

    def __init__(self, app_per_minute: int = 10_000) -> None:
        self.app_per_minute = app_per_minute
        self.usage: dict[str, Usage] = {}
        self._apps: defaultdict[str, deque[float]] = defaultdict(deque)

    def set_limits(self, tenant_id: str, limits: Limits) -> None:
        """Give a tenant its limits; what it has used so far still counts."""
        usage = self.usage.setdefault(tenant_id, Usage(limits))
        usage.limits = limits

    def arrive(self, tenant_id: str, now_seconds: float) -> None:
        """Count a call for the statistics, whatever will become of it."""
        usage = self.usage[tenant_id]
        _expire(usage.arrivals, now_seconds - MINUTE_SECONDS)
        usage.arrivals.append(now_seconds)
        usage.fullest_minute = max(usage.fullest_minute, len(usage.arrivals))

    def enter(self, tenant_id: str, client_id: str, now_seconds: float) -> Rejection | None:
        """Ask for a call's place. When it is given, `leave` must be called at the call's end."""
        usage = self.usage[tenant_id]
        rejection = self._rejection(usage, self._apps[client_id], now_seconds)
        if rejection is None:
            for window in (usage.minute, usage.day, self._apps[client_id]):
                window.append(now_seconds)
            usage.in_progress += 1
            usage.most_concurrent = max(usage.most_concurrent, usage.in_progress)
        return rejection

    def leave(self, tenant_id: str) -> None:
        """The call has been answered."""
        self.usage[tenant_id].in_progress -= 1

    def headers(self, tenant_id: str | None, client_id: str, now_seconds: float) -> dict[str, str]:
        """What is left, as Xero says it with every answer."""
        self._expire_app(client_id, now_seconds)
        left = {"X-AppMinLimit-Remaining": _left(self.app_per_minute, len(self._apps[client_id]))}
        if tenant_id in self.usage:
            usage = self.usage[tenant_id]
            _expire(usage.minute, now_seconds - MINUTE_SECONDS)
            _expire(usage.day, now_seconds - DAY_SECONDS)
            left["X-MinLimit-Remaining"] = _left(usage.limits.per_minute, len(usage.minute))
            left["X-DayLimit-Remaining"] = _left(usage.limits.per_day, len(usage.day))
        return left

    def reset(self) -> None:
        """Forget all calls, as if the windows had just passed."""
        for usage in self.usage.values():
            usage.minute.clear()
            usage.day.clear()
            usage.arrivals.clear()
            usage.fullest_minute = 0
            usage.most_concurrent = usage.in_progress
        self._apps.clear()

    def _rejection(self, usage: Usage, app: deque[float], now_seconds: float) -> Rejection | None:
        _expire(usage.minute, now_seconds - MINUTE_SECONDS)
        _expire(usage.day, now_seconds - DAY_SECONDS)
        _expire(app, now_seconds - MINUTE_SECONDS)
        limits = usage.limits
        if limits.per_day and len(usage.day) >= limits.per_day:
            return Rejection("day", _wait(usage.day[-limits.per_day], DAY_SECONDS, now_seconds))
        if limits.per_minute and len(usage.minute) >= limits.per_minute:
            return Rejection("minute", _wait(usage.minute[-limits.per_minute], MINUTE_SECONDS, now_seconds))
        if self.app_per_minute and len(app) >= self.app_per_minute:
            return Rejection("appminute", None)
        if limits.concurrent and usage.in_progress >= limits.concurrent:
            return Rejection("concurrent", None)
        return None

    def _expire_app(self, client_id: str, now_seconds: float) -> None:
        _expire(self._apps[client_id], now_seconds - MINUTE_SECONDS)


def _expire(window: deque[float], until_seconds: float) -> None:
    while window and window[0] <= until_seconds:
        window.popleft()


def _wait(oldest_seconds: float, window_seconds: float, now_seconds: float) -> int:
    return max(1, math.ceil(oldest_seconds + window_seconds - now_seconds))


def _left(limit: int, used: int) -> str:
    return str(max(0, limit - used) if limit else _UNLIMITED)
