"""`retry`: orders that failed, once more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
import msgspec
from psycopg import Connection, Rollback

from consumer.cli.audit import record_orders
from consumer.cli.context import Moment, actor_option, as_json, assembly
from consumer.cli.failure import FAILED, MISUSED, UNREACHABLE, Failure
from consumer.cli.known import refuse_unknown
from consumer.cli.output import print_json, print_table
from consumer.operations.assembly import Assembly
from consumer.results import (
    Publisher,
    RetryCandidate,
    RetrySelection,
    operator_requests,
    produce_retries,
    producer_settings,
    retry_candidates,
    settled_candidates,
    still_off_count,
)

_PAGE = 1_000
# Less than Postgres lets a transaction wait in which nothing happens.
_TIMEOUT_SECONDS = 10.0
# Shown to people; --json has all.
_SHOWN_ROWS = 50
_HELD = {"disabled": ("disabled",), "manual": ("manual",), "any": ("disabled", "manual")}


@click.command()
@click.option(
    "--order", "order_ids", multiple=True, help="This order, whatever its state; may be given more than once."
)
@click.option("--failed", is_flag=True, help="All orders that failed or are held because something failed.")
@click.option(
    "--held",
    type=click.Choice(list(_HELD)),
    is_flag=False,
    flag_value="any",
    help="Those that wait for a person though synchronisation is on: disabled = saved while it was off, manual = in a"
    " clinic that syncs by hand; any (also without a word) = both.",
)
@click.option("--problem", help="Those that a problem of this code keeps; see hearlink-xero problems.")
@click.option("--organisation", "organisation_id", help="Those of one organisation.")
@click.option("--clinic", "clinic_id", help="Those of one clinic.")
@click.option(
    "--since",
    type=Moment(),
    help="Those that failed since then, or with --held changed: 2026-01-31T09:30 (UTC), 15m, 2h, 3d.",
)
@click.option("--dry-run", is_flag=True, help="Only show which orders these are.")
@click.option("--reason", help="Why, for the records.")
@as_json
@actor_option
def retry(
    *,
    order_ids: tuple[str, ...],
    failed: bool,
    held: str | None,
    dry_run: bool,
    reason: str | None,
    as_json: bool,
    actor: str,
    **conditions: Any,
) -> None:
    """Push orders again that failed, each with its payments and credit notes. Conditions add up.

    What somebody settled is left out, and counted: hearlink-xero unsettle ORDER_ID

    With --held: orders that nothing sends by itself, for the first time. Those of clinics where synchronisation is
    still off are only counted.

    Publishes a request for each order to the retry topic; the push follows at once. --json prints one document.
    """
    if not (order_ids or failed or held or any(conditions.values())):
        raise click.UsageError(
            "Say which orders: --failed, --held, --order, --problem, --organisation, --clinic or --since."
        )
    if held and (order_ids or failed or conditions["problem"]):
        raise click.UsageError("--held goes with --organisation, --clinic and --since: what is held has not failed.")
    selection = RetrySelection(order_ids=order_ids or None, held=_HELD[held] if held else None, **conditions)
    with assembly() as parts, parts.connect("retry") as connection:
        if selection.problem is not None and selection.problem not in parts.catalogue.entries:
            raise Failure(
                f"There is no problem {selection.problem!r}. Those that are open: hearlink-xero problems", MISUSED
            )
        refuse_unknown(connection, organisation_id=selection.organisation_id, clinic_id=selection.clinic_id)
        pages = _pages(connection, selection)
        candidates = (
            [candidate for page in pages for candidate in page]
            if dry_run
            else _request(parts, connection, pages, selection, actor=actor, reason=reason)
        )
        still_off = still_off_count(connection, selection)
        settled = settled_candidates(connection, selection)
    _tell(candidates, still_off, settled, dry_run=dry_run, as_json=as_json)
    if still_off and not candidates:
        raise Failure(
            f"Synchronisation is off in the clinics of {still_off} orders. Switch it on first: hearlink-xero settings "
            "apply FILE",
            FAILED,
        )
    if order_ids and settled:
        raise Failure(
            f"Settled, so not requested: {', '.join(settled)}. Take that back first: hearlink-xero unsettle ORDER_ID",
            FAILED,
        )
    unknown = sorted(set(order_ids) - {candidate.order_id for candidate in candidates})
    if unknown:
        raise Failure(f"No such orders, or not under these conditions: {', '.join(unknown)}.", FAILED)


def _pages(connection: Connection[Any], selection: RetrySelection) -> Iterator[list[RetryCandidate]]:
    after = ""
    while page := retry_candidates(connection, selection, after_order_id=after, limit=_PAGE):
        after = page[-1].order_id
        yield page


def _request(
    parts: Assembly,
    connection: Connection[Any],
    pages: Iterator[list[RetryCandidate]],
    selection: RetrySelection,
    *,
    actor: str,
    reason: str | None,
) -> list[RetryCandidate]:
    requested: list[RetryCandidate] = []
    conditions = {
        "failed": (selection.order_ids is None and selection.held is None) or None,
        **msgspec.structs.asdict(selection),
        "order_ids": None,
    }
    record = partial(
        record_orders,
        connection,
        "retry",
        actor=actor,
        reason=reason,
        filter={name: value for name, value in conditions.items() if value is not None} or None,
    )
    settings = producer_settings(parts.configuration.require_kafka(), parts.configuration.kafka_config)
    with Publisher(settings) as publisher:
        for page in pages:
            requests = operator_requests(page, actor=actor, reason=reason, requested_at=datetime.now(UTC))
            # Written before it is sent: no order is requested without a record of it.
            with connection.transaction() as transaction:
                record(_named(page))
                left = set(produce_retries(publisher, parts.outbox_encoder, requests, _TIMEOUT_SECONDS))
                if left:
                    raise Rollback(transaction)
            requested += (taken := [candidate for candidate in page if candidate.order_id not in left])
            if left:
                record(_named(taken))
                raise Failure(
                    f"Kafka did not take the requests of {len(left)} orders ({publisher.last_error or 'no answer'}); "
                    f"{len(requested)} were requested. Run it again: repeating does no harm.",
                    UNREACHABLE,
                )
    return requested


def _named(candidates: list[RetryCandidate]) -> list[tuple[str, str]]:
    return [(candidate.organisation_id, candidate.order_id) for candidate in candidates]


def _tell(
    candidates: list[RetryCandidate], still_off: int, settled: list[str], *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "requested": 0 if dry_run else len(candidates),
                "dry_run": dry_run,
                "still_off": still_off,
                "settled": len(settled),
                "orders": candidates,
            }
        )
        return
    if candidates:
        print_table(
            "",
            ["order", "clinic", "invoice", "held for", "problem", "what happened"],
            [
                [entry.order_id, entry.clinic_id, entry.invoice_number, entry.hold, entry.problem, entry.message]
                for entry in candidates[:_SHOWN_ROWS]
            ],
        )
    if len(candidates) > _SHOWN_ROWS:
        click.echo(f"... and {len(candidates) - _SHOWN_ROWS} more; --json shows all.")
    click.echo(f"{len(candidates)} orders {'would be' if dry_run else 'were'} requested.")
    if settled:
        click.echo(f"{len(settled)} more are settled, and left alone: hearlink-xero problems --settled")
    if still_off and candidates:
        click.echo(f"{still_off} more are in clinics where synchronisation is off, and stay held.")
