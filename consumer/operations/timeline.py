"""All that happened to one order, in time: events, calls, results, people's acts, dead letters."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.results import LogFilter, log_entries

_QUERIES = load_queries(__file__, "timeline.sql")
# An order that has more rows than this is shown from its newest ones.
LOG_ROWS_MAX = 1_000


class Moment(msgspec.Struct, frozen=True):
    """One thing that happened; `kind`: event, projected, call, answer, log, act, dead_letter. `detail`: no patient."""

    at: datetime
    kind: str
    text: str
    detail: dict[str, Any] = {}


class Timeline(msgspec.Struct, frozen=True):
    """`order` is the order's row, None where no event of it could be used; `moments` the oldest first."""

    order_id: str
    order: dict[str, Any] | None
    moments: list[Moment]


def load_timeline(connection: Connection[Any], order_id: str) -> Timeline | None:
    """Return the timeline of `order_id`; None where nothing is known of such an order."""
    with connection.cursor(row_factory=dict_row) as cursor:
        order = cursor.execute(_QUERIES["order"], {"order_id": order_id}).fetchone()
        intents = cursor.execute(_QUERIES["intents"], {"order_id": order_id}).fetchall()
        letters = cursor.execute(_QUERIES["dead_letters"], {"order_id": order_id}).fetchall()
        acts = cursor.execute(_QUERIES["acts"], {"order_id": order_id}).fetchall()
    if order is None and not letters:
        return None
    moments = [] if order is None else _order_moments(order)
    for intent in intents:
        moments += _intent_moments(intent)
    moments += [_letter_moment(letter) for letter in letters]
    moments += [_act_moment(act) for act in acts]
    # Only what the order's own log says counts, so the filter needs no organisation.
    moments += [
        Moment(
            entry.occurred_at,
            "log",
            f"{entry.operation} {entry.outcome}: {entry.message}",
            {
                "log_id": entry.log_id,
                "problem": entry.problem,
                "xero_message": entry.xero_message,
                "xero_id": entry.xero_id,
                "attempt": entry.attempt,
                "trigger": entry.trigger,
                "actor": entry.actor,
                "revision": entry.revision,
            },
        )
        for entry in log_entries(connection, LogFilter(order_id=order_id), limit=LOG_ROWS_MAX)
    ]
    return Timeline(order_id, order, sorted(moments, key=lambda moment: moment.at))


def _order_moments(order: dict[str, Any]) -> list[Moment]:
    newest = f"the newest event, sequence {order['sequence']}, happened"
    moments = [
        Moment(order["occurred_at"], "event", newest, {"event_id": order["event_id"], "revision": order["revision"]}),
        Moment(order["projected_at"], "projected", f"written to Postgres as revision {order['revision']}"),
    ]
    if order["pending_since"] is not None:
        moments.append(
            Moment(order["pending_since"], "event", "the oldest event that Xero does not follow yet happened")
        )
    return moments


def _intent_moments(intent: dict[str, Any]) -> list[Moment]:
    call = f"{intent['method']} {intent['path']} ({intent['stage']})"
    detail = {"intent_id": intent["id"], "tenant_id": intent["tenant_id"]}
    moments = [Moment(intent["opened_at"], "call", f"{call} was written down and sent", detail)]
    if intent["look_up_at"] is not None:
        # Noted then; the look-up itself comes later, which the text tells. Rows of a former version lack the time.
        noted_at = intent["look_up_noted_at"] or intent["sent_at"] or intent["opened_at"]
        because = f" ({intent['outcome']})" if intent["settled_at"] is None else ""
        text = f"{call}: no answer{because}; to be looked up in Xero from {_clock(intent['look_up_at'])} on"
        moments.append(Moment(noted_at, "answer", text, detail))
    if intent["settled_at"] is not None:
        moments.append(Moment(intent["settled_at"], "answer", f"{call}: {intent['outcome']}", detail))
    return moments


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def _act_moment(act: dict[str, Any]) -> Moment:
    detail = act["detail"]
    text = f"{act['actor']}: {act['action'].replace('_', ' ')}"
    if detail.get("settled_as"):
        text = f"{text} as {detail['settled_as']}"
    if detail.get("orders", 1) > 1:
        text = f"{text}, with {detail['orders'] - 1} other orders"
    if detail.get("reason"):
        text = f"{text} ({detail['reason']})"
    return Moment(act["occurred_at"], "act", text, detail)


def _letter_moment(letter: dict[str, Any]) -> Moment:
    place = f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"
    detail = {"dead_letter_id": letter["id"], "state": letter["state"]}
    return Moment(letter["dead_at"], "dead_letter", f"{place} {letter['reason']}: {letter['detail']}", detail)
