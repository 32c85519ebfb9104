"""`sync`: one order, now."""

import time
from typing import Any

import click
from psycopg import Connection

from consumer.cli.audit import record_act
from consumer.cli.context import Seconds, actor_option, as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.log_table import print_entries
from consumer.cli.output import print_json, shown
from consumer.operations.assembly import Assembly
from consumer.operations.kafka import Position
from consumer.operations.manual_sync import RequestState, is_read, load_request_state, request_sync
from consumer.results import LogFilter, LoggedEntry, Outcome, log_entries
from consumer.sync.gate import Hold
from consumer.sync.settling import load_settlement

_LOOK_SECONDS = 0.2


@click.command()
@click.argument("order_id")
@click.option("--wait", is_flag=True, help="Wait for the outcome and show it; ends with 1 if it failed.")
@click.option("--timeout", "timeout_seconds", type=Seconds(), default=60.0, show_default=True, help="Seconds to wait.")
@click.option("--reason", help="Why, for the records.")
@as_json
@actor_option
def sync(*, order_id: str, wait: bool, timeout_seconds: float, reason: str | None, as_json: bool, actor: str) -> None:
    """Push ORDER_ID now, with its payments and credit notes, whatever its clinic's mode.

    Where synchronisation is disabled nothing is sent, and the log says so. --json prints one document, with
    the log rows where --wait is given.
    """
    with assembly() as parts, parts.connect("sync") as connection:
        before = load_request_state(connection, order_id)
        if before is None:
            raise Failure(f"There is no order {order_id}: no event of it has come, or none that could be used.")
        settlement = load_settlement(connection, order_id)
        if settlement is not None and settlement.stands:
            told = parts.catalogue.local("settled", **settlement.values())
            raise Failure(f"Order {order_id} is not requested. {told.message} {told.fix}")
        # Together: a request that Kafka doesn't take is not in the records, and none goes out without them.
        with connection.transaction():
            record_act(
                connection,
                "sync",
                actor=actor,
                organisation_id=before.organisation_id,
                order_id=order_id,
                reason=reason,
            )
            position = request_sync(parts, before, actor=actor, reason=reason)
        if not wait:
            _tell_requested(order_id, position, as_json=as_json)
            return
        state = _await_answer(parts, connection, order_id, position, timeout_seconds)
        entries = [
            entry
            for entry in log_entries(connection, LogFilter(order_id=order_id))
            if entry.log_id > before.newest_log_id
        ]
    _tell_outcome(state, entries[::-1], as_json=as_json)


def _await_answer(
    parts: Assembly, connection: Connection[Any], order_id: str, position: Position, timeout_seconds: float
) -> RequestState:
    until = time.monotonic() + timeout_seconds
    seen = False
    while time.monotonic() < until:
        # In this order: the request is marked in the transaction that moves the offset.
        seen = seen or is_read(connection, position)
        state = load_request_state(connection, order_id)
        if seen and state is not None and (not state.requested or state.hold in {Hold.CONNECTION, Hold.RETRY}):
            return state
        time.sleep(_LOOK_SECONDS)
    where = (
        "the request was read, but not answered yet; hearlink-xero status shows what it waits for"
        if seen
        else f"nobody has read the request yet; does the service run (group {parts.configuration.kafka_group_id})?"
    )
    raise Failure(f"No outcome for order {order_id} after {timeout_seconds:.0f} s: {where}. The request stands.")


def _tell_requested(order_id: str, position: Position, *, as_json: bool) -> None:
    if as_json:
        print_json({"order_id": order_id, "requested": True, **position._asdict()})
    else:
        click.echo(f"Requested. See what comes of it: hearlink-xero logs --order {order_id}")


def _tell_outcome(state: RequestState, entries: list[LoggedEntry], *, as_json: bool) -> None:
    failed = state.hold in {Hold.PROBLEM, Hold.CONNECTION, Hold.RETRY, Hold.DISABLED} or any(
        entry.outcome is Outcome.FAILED for entry in entries
    )
    if as_json:
        print_json({"order_id": state.order_id, "succeeded": not failed, "hold": state.hold, "entries": entries})
    else:
        print_entries(f"Order {state.order_id}", entries)
        if state.hold == Hold.RETRY:
            click.echo(f"It is tried again by itself at {shown(state.due_at)} UTC.")
        elif state.hold == Hold.CONNECTION:
            click.echo(
                "Xero refuses access; the order goes once it is connected again, or mended: hearlink-xero status"
            )
        elif not entries:
            click.echo("Nothing had to be sent.")
    if failed:
        raise click.exceptions.Exit(1)
