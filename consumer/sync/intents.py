"""Intents: every write to Xero is on record before it leaves, so that a lost answer is never a lost write."""

import json
import secrets
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries
from consumer.results import Operation
from consumer.sync.lease import Lease
from consumer.sync.link import LinkKind
from consumer.sync.step import Stage, Step
from consumer.xero.payloads import encode_body

_QUERIES = load_queries(__file__, "intents.sql")


class Sender(msgspec.Struct, frozen=True):
    """The order on whose behalf a step goes out, as its log row and its recovery need it."""

    order_id: str
    revision: int
    patient_id: str


class Intent(msgspec.Struct, frozen=True):
    """One call on record, and the key under which it goes out."""

    intent_id: int
    idempotency_key: str


class OrdersMovedError(Exception):
    """Some orders of a call are no longer this tenant's to send; nothing was written, nothing may be sent."""

    def __init__(self, order_ids: frozenset[str]) -> None:
        super().__init__(f"{len(order_ids)} orders changed their tenant, were switched off or settled, during a pass")
        self.order_ids = order_ids


class OpenElement(msgspec.Struct, frozen=True):
    """One element of a call whose answer we never saw. `detail` holds the step's own: target, hash, body, detail."""

    position: int
    operation: Operation
    kind: LinkKind
    order_id: str
    local_id: str
    patient_id: str | None
    revision: int | None
    sender_order_id: str
    target_id: str | None
    content_hash: str
    body: dict[str, Any]
    detail: dict[str, Any]


class OpenIntent(msgspec.Struct, frozen=True):
    """A call whose answer we never saw, `age_seconds` after it was sent by the database's clock.

    `wait_seconds` > 0: Xero may still be at work on it, so its absence there says nothing yet.
    """

    intent_id: int
    organisation_id: str
    stage: Stage
    lease_epoch: int
    age_seconds: float
    wait_seconds: float
    elements: tuple[OpenElement, ...]


def open_intent(
    connection: Connection[Any],
    lease: Lease,
    organisation_id: str,
    *,
    method: str,
    path: str,
    body_hash: str,
    steps: Sequence[tuple[Step, Sender]],
) -> Intent:
    """Put one call on record, in a transaction of its own that the lease's epoch fences.

    Raises:
        LeaseLostError: the tenant is somebody else's by now; nothing was written, nothing may be sent.
        OrdersMovedError: see there.
    """
    key = f"hearlink-{secrets.token_hex(16)}"
    with connection.transaction():
        lease.fence(connection)
        _assure_still_ours(connection, lease.book, sorted({sender.order_id for _, sender in steps}))
        row = connection.execute(
            _QUERIES["open"],
            {
                "tenant_id": lease.book,
                "organisation_id": organisation_id,
                "epoch": lease.epoch,
                "stage": steps[0][0].stage.name.lower(),
                "method": method,
                "path": path,
                "key": key,
                "body_hash": body_hash,
            },
        ).fetchone()
        assert row is not None  # noqa: S101 -- insert … returning gives its row
        connection.execute(
            _QUERIES["open_elements"],
            {
                "intent_id": row[0],
                "positions": list(range(len(steps))),
                "operations": [step.operation.value for step, _ in steps],
                "kinds": [step.kind.value for step, _ in steps],
                "order_ids": [sender.order_id for _, sender in steps],
                "local_ids": [step.local_id for step, _ in steps],
                "patient_ids": [sender.patient_id for _, sender in steps],
                "revisions": [sender.revision for _, sender in steps],
                "details": [_detail(step) for step, _ in steps],
            },
        )
    return Intent(int(row[0]), key)


def _assure_still_ours(connection: Connection[Any], tenant_id: str, order_ids: list[str]) -> None:
    """Settings may change, and an order may go to another clinic, while a pass has it in hand.

    The rows are locked first: of two tenants that have an order in hand, the second one sees the first one's call.
    """
    connection.execute(_QUERIES["lock_orders"], {"order_ids": order_ids})
    moved = connection.execute(_QUERIES["moved"], {"order_ids": order_ids, "tenant_id": tenant_id}).fetchall()
    if moved:
        raise OrdersMovedError(frozenset(order_id for (order_id,) in moved))


def settle(connection: Connection[Any], intent_id: int, positions: Sequence[int], outcome: str) -> None:
    """Note in the caller's transaction what became of elements; the intent is closed with its last one."""
    connection.execute(_QUERIES["settle_elements"], {"intent_id": intent_id, "positions": list(positions)})
    connection.execute(_QUERIES["settle"], {"intent_id": intent_id, "outcome": outcome})


def step_of(intent: OpenIntent, element: OpenElement) -> Step:
    """Return the step that an element of a call was."""
    return Step(
        stage=intent.stage,
        operation=element.operation,
        kind=element.kind,
        order_id=element.order_id,
        local_id=element.local_id,
        body=element.body,
        content_hash=element.content_hash,
        target_id=element.target_id,
        detail=element.detail,
    )


def leave_in_doubt(connection: Connection[Any], intent_id: int, outcome: str, look_up_seconds: float) -> None:
    """Note in the caller's transaction that the answer was lost, and when it is worth looking things up."""
    connection.execute(_QUERIES["doubt"], {"intent_id": intent_id, "outcome": outcome, "seconds": look_up_seconds})


def load_open_intents(connection: Connection[Any], tenant_id: str) -> list[OpenIntent]:
    """Return the tenant's calls whose answers we never saw, oldest first."""
    rows = connection.execute(_QUERIES["load_open"], {"tenant_id": tenant_id}).fetchall()
    if not rows:
        return []
    elements: dict[int, list[OpenElement]] = defaultdict(list)
    for row in connection.execute(_QUERIES["load_elements"], {"intent_ids": [row[0] for row in rows]}):
        elements[row[0]].append(_element(row))
    return [
        OpenIntent(
            intent_id=intent_id,
            organisation_id=organisation_id,
            stage=Stage[stage.upper()],
            lease_epoch=epoch,
            age_seconds=age_seconds,
            wait_seconds=wait_seconds,
            elements=tuple(elements[intent_id]),
        )
        for intent_id, organisation_id, stage, epoch, age_seconds, wait_seconds in rows
    ]


def prune(connection: Connection[Any]) -> int:
    """Forget calls that were settled a month ago, a thousand at most; return how many."""
    return connection.execute(_QUERIES["prune"]).rowcount


def _detail(step: Step) -> str:
    # A contact's body is the patient's data: it is found again by its number and needs none of it here.
    body = {} if step.kind is LinkKind.CONTACT else step.body
    return encode_body(
        {"target_id": step.target_id, "content_hash": step.content_hash, "body": body, "detail": step.detail}
    ).decode()


def _element(row: tuple[Any, ...]) -> OpenElement:
    _, position, operation, kind, order_id, local_id, patient_id, revision, encoded = row
    # Amounts stay what they were: a look-up compares them with Xero's to the last place.
    stored = json.loads(encoded, parse_float=Decimal)
    link_kind = LinkKind(kind)
    return OpenElement(
        position=position,
        operation=Operation(operation),
        kind=link_kind,
        order_id="" if link_kind is LinkKind.CONTACT else order_id,
        local_id=local_id,
        patient_id=patient_id,
        revision=revision,
        sender_order_id=order_id,
        target_id=stored["target_id"],
        content_hash=stored["content_hash"],
        body=stored["body"],
        detail=stored["detail"],
    )
