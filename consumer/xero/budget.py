"""How many calls a tenant may still take: a rolling count in Postgres, shared by all processes.

Each call is granted before it is sent, in one short transaction that holds the tenant's row, on the database's clock.
It weighs until a minute after its answer, so that no window of a minute at Xero, wherever it begins and however late
a call arrives there, sees more calls than the limit. What Xero's answers say is left corrects the limit downwards.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isnan
from time import monotonic
from typing import Any, NamedTuple, cast

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, dict_row

from consumer.database import load_queries

CALLS_PER_MINUTE = 60
CALLS_PER_DAY = 5000
# The longest that one call may take, from its grant to its last byte.
CALL_SECONDS = 20.0
# Kept of each day for what a person waits for: a share of the limit, and at least some calls.
RESERVE_SHARE = 0.05
RESERVE_CALLS = 10
# With the day spent and no word of Xero when it ends, one call each so often finds out.
PROBE_SECONDS = 600.0
# 429s without a Retry-After: 1, 2, 4 … seconds.
LONGEST_BACK_OFF_SECONDS = 30.0
_UNKNOWN_WAIT_SECONDS = 0.1

_QUERIES = load_queries(__file__, "budget.sql")


class Grant(NamedTuple):
    """The right to send one call, until `deadline` (this process's monotonic clock)."""

    call_id: int
    tenant_id: str
    deadline: float


class Wait(NamedTuple):
    """No call now; worth asking again in `seconds`. `window`: `minute`, `day`, or what Xero froze the tenant for."""

    seconds: float
    window: str


class BudgetUsage(msgspec.Struct, frozen=True):
    """Where a tenant stands. Limits are the effective ones: the configured, lowered by what Xero said."""

    minute_used: int
    minute_limit: int
    day_used: int
    day_limit: int
    frozen_until: datetime | None
    # '' unless frozen.
    frozen_reason: str


class Observation(NamedTuple):
    """What an answer says about the limits; None = it doesn't."""

    refused: bool
    minute_remaining: int | None = None
    day_remaining: int | None = None
    # Of a 429, in lower case: minute, day, concurrent, appminute; '' = unnamed.
    problem: str = ""
    retry_after_seconds: float | None = None


def read_observation(status: int, headers: Mapping[str, str]) -> Observation:
    """Read the rate-limit headers of an answer (any mapping that ignores case, such as `requests`' own)."""
    refused = status == HTTPStatus.TOO_MANY_REQUESTS
    minute = _read_count(headers.get("X-MinLimit-Remaining"))
    day = _read_count(headers.get("X-DayLimit-Remaining"))
    problem = headers.get("X-Rate-Limit-Problem", "").strip().lower()
    if refused and not problem:
        # It says nothing of its window: what is used up is what was refused, the longer wait first.
        problem = "day" if day == 0 else "minute" if minute == 0 else ""
    return Observation(
        refused=refused,
        minute_remaining=minute,
        day_remaining=day,
        problem=problem,
        retry_after_seconds=read_retry_after(headers.get("Retry-After")),
    )


def read_retry_after(text: str | None) -> float | None:
    """Read a Retry-After header (seconds or an HTTP date) as seconds from now; None where absent or unreadable."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            instant = parsedate_to_datetime(text)
        except ValueError:
            return None
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        seconds = (instant - datetime.now(tz=UTC)).total_seconds()
    # Never 0 (a busy loop), never more than a day (a broken clock), never NaN.
    return None if isnan(seconds) else min(max(seconds, 1.0), 86_400.0)


class Budget:
    """The rule of grants. Holds no state: that is all in Postgres. Any number of threads may share one.

    `minute_seconds` and `day_seconds` are the windows' lengths; only tests shorten them.
    """

    def __init__(
        self,
        *,
        calls_per_minute: int = CALLS_PER_MINUTE,
        calls_per_day: int = CALLS_PER_DAY,
        call_seconds: float = CALL_SECONDS,
        minute_seconds: float = 60.0,
        day_seconds: float = 86_400.0,
    ) -> None:
        self._calls_per_minute = calls_per_minute
        self._calls_per_day = calls_per_day
        self._call_seconds = call_seconds
        self._windows = {
            "call_seconds": call_seconds,
            "minute_seconds": minute_seconds,
            "day_seconds": day_seconds,
        }

    @property
    def call_seconds(self) -> float:
        """The longest that a call may take, from its grant on."""
        return self._call_seconds

    def grant(self, connection: Connection[TupleRow], tenant_id: str, *, urgent: bool = False) -> Grant | Wait:
        """Grant one call to `tenant_id`, or say how long to wait.

        `connection` must be outside a transaction: the tenant's row is locked until this one commits. `urgent` calls
        (a person waits) may also use the day's reserve.

        Raises:
            psycopg.Error: no grant was given, or one that nobody uses, which weighs until it has aged.
        """
        # From before the transaction: the grant's end by our clock comes before its end by the database's.
        deadline = monotonic() + self._call_seconds
        parameters = {"tenant_id": tenant_id, **self._windows}
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_QUERIES["lock_tenant"], parameters)
            state = self._state(cursor, tenant_id)
            if state["frozen_seconds"] > 0:
                return Wait(state["frozen_seconds"], state["frozen_reason"])
            day_limit = self._day_limit(state)
            excess = state["day_used"] - day_limit + (0 if urgent else _reserve(day_limit))
            if excess >= 0:
                return Wait(min(_seconds(cursor, "day_wait", parameters, excess), PROBE_SECONDS), "day")
            excess = state["minute_used"] - self._minute_limit(state)
            if excess >= 0:
                return Wait(_seconds(cursor, "minute_wait", parameters, excess), "minute")
            cursor.execute(_QUERIES["prune"], parameters)
            row = _one(cursor.execute(_QUERIES["grant"], parameters).fetchone())
        return Grant(row["id"], tenant_id, deadline)

    def end(
        self, connection: Connection[TupleRow], grant: Grant, observation: Observation | None = None
    ) -> float | None:
        """Note that the call of `grant` was answered, and what the answer says about limits.

        Not to be called for a call whose answer was lost: it may still be under way, and weighs as long as it could.
        Returns the seconds for which the tenant is frozen now, or None.
        """
        parameters = {"tenant_id": grant.tenant_id, "call_id": grant.call_id, **self._windows}
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_QUERIES["lock_tenant"], parameters)
            cursor.execute(_QUERIES["end_call"], parameters)
            if observation is None:
                return None
            state = self._state(cursor, grant.tenant_id)
            if not observation.refused:
                cursor.execute(_QUERIES["observe"], parameters | _allowances(state, observation))
            freeze = _freeze(state, observation)
            if freeze is None:
                return None
            row = _one(cursor.execute(_QUERIES["freeze"], parameters | freeze).fetchone())
        return cast("float", row["seconds"])

    def release(self, connection: Connection[TupleRow], grant: Grant) -> None:
        """Give back `grant`, of whose call nothing has left this machine."""
        connection.execute(_QUERIES["release"], {"call_id": grant.call_id})

    def usage(self, connection: Connection[TupleRow], tenant_id: str) -> BudgetUsage:
        """Return where `tenant_id` stands, without taking any lock."""
        return self.usages(connection, [tenant_id])[tenant_id]

    def usages(self, connection: Connection[TupleRow], tenant_ids: Sequence[str]) -> dict[str, BudgetUsage]:
        """Return where each of `tenant_ids` stands, by its id, in one statement that takes no lock."""
        parameters = {"tenant_ids": list(tenant_ids), **self._windows}
        with connection.cursor(row_factory=dict_row) as cursor:
            return {state["tenant_id"]: self._usage(state) for state in cursor.execute(_QUERIES["state"], parameters)}

    def _state(self, cursor: Cursor[dict[str, Any]], tenant_id: str) -> dict[str, Any]:
        return _one(cursor.execute(_QUERIES["state"], {"tenant_ids": [tenant_id], **self._windows}).fetchone())

    def _usage(self, state: dict[str, Any]) -> BudgetUsage:
        return BudgetUsage(
            minute_used=state["minute_used"],
            minute_limit=self._minute_limit(state),
            day_used=state["day_used"],
            day_limit=self._day_limit(state),
            frozen_until=state["frozen_until"],
            frozen_reason=state["frozen_reason"] if state["frozen_until"] else "",
        )

    def _minute_limit(self, state: dict[str, Any]) -> int:
        learned: int | None = state["minute_allowance"]
        if learned is None or state["observed_seconds"] >= self._windows["minute_seconds"]:
            return self._calls_per_minute
        return min(self._calls_per_minute, learned)

    def _day_limit(self, state: dict[str, Any]) -> int:
        learned: int | None = state["day_allowance"]
        # Old news of a spent day is forgotten, so that a probe finds out whether Xero's day has ended.
        if learned is None or (
            state["observed_seconds"] >= PROBE_SECONDS and state["day_used"] >= learned - _reserve(learned)
        ):
            return self._calls_per_day
        return min(self._calls_per_day, learned)


def _seconds(cursor: Cursor[dict[str, Any]], query: str, parameters: dict[str, Any], excess: int) -> float:
    row = cursor.execute(_QUERIES[query], parameters | {"excess": excess}).fetchone()
    # No row: the call that was in the way has just left the window, or not a single call is allowed.
    return max(row["seconds"], 0.0) if row else _UNKNOWN_WAIT_SECONDS


def _reserve(day_limit: int) -> int:
    return min(max(RESERVE_CALLS, int(day_limit * RESERVE_SHARE)), day_limit // 2)


def _allowances(state: dict[str, Any], observation: Observation) -> dict[str, int | None]:
    minute, day = observation.minute_remaining, observation.day_remaining
    return {
        "minute_allowance": None if minute is None else minute + state["minute_used"],
        "day_allowance": None if day is None else day + state["day_used"],
    }


def _freeze(state: dict[str, Any], observation: Observation) -> dict[str, Any] | None:
    if not observation.refused:
        if observation.day_remaining == 0:
            return {"seconds": PROBE_SECONDS, "reason": "day", "refusals": 0}
        return None
    reason = observation.problem or "unnamed"
    if observation.retry_after_seconds is not None:
        return {"seconds": observation.retry_after_seconds, "reason": reason, "refusals": 0}
    if observation.problem == "day":
        return {"seconds": PROBE_SECONDS, "reason": reason, "refusals": 0}
    back_off = min(LONGEST_BACK_OFF_SECONDS, 2.0 ** min(state["refusals"], 10))
    return {"seconds": back_off, "reason": reason, "refusals": 1}


def _read_count(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _one(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        raise LookupError("A statement that always gives a row gave none.")
    return row
