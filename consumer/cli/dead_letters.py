"""`dead-letters`: events that could not be used."""

import click
import msgspec

from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table
from consumer.contract import RegistryUnavailableError, UndecodableError, event_to_json
from consumer.operations.assembly import Assembly
from consumer.operations.dead_letters import (
    DeadLetterData,
    DeadLetterRow,
    drop_dead_letters,
    list_dead_letters,
    load_dead_letter,
    replay_dead_letters,
)
from consumer.operations.kafka import publish
from consumer.orders import ImpossibleEventError

# Fewer than an open transaction may wait for Kafka.
_PAGE = 500
# What Postgres can count to.
_ID = click.IntRange(1, 2**63 - 1)


@click.group()
def dead_letters() -> None:
    """Look after events that could not be used. They are kept until they are replayed or dropped."""


@dead_letters.command("list")
@click.option("--state", type=click.Choice(["open", "replayed", "dropped", "all"]), default="open", show_default=True)
@click.option("--reason", type=click.Choice(["undecodable", "impossible", "refused", "defect"]))
@click.option("--order", "order_id")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@as_json
def list_letters(*, state: str, reason: str | None, order_id: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, the newest first, without what is in them. --json prints one document, a list."""
    with assembly() as parts, parts.connect("dead-letters") as connection:
        rows = list_dead_letters(
            connection, state=None if state == "all" else state, reason=reason, order_id=order_id, limit=limit
        )
    if as_json:
        print_json(rows)
    else:
        print_table(
            "",
            [">id", "dead since (UTC)", "place", "order", "reason", "detail", "state"],
            [[row.id, row.dead_at, _place(row), row.order_id, row.reason, row.detail, row.state] for row in rows],
        )


@dead_letters.command()
@click.argument("letter_id", type=_ID, metavar="ID")
@click.option("--with-data", is_flag=True, help="Show the message itself, which may hold a patient's data.")
@as_json
def show(*, letter_id: int, with_data: bool, as_json: bool) -> None:
    """Show one dead letter. --json prints one document; bytes are in base64 there."""
    with assembly() as parts, parts.connect("dead-letters") as connection:
        letter = load_dead_letter(connection, letter_id)
        if letter is None:
            raise Failure(f"There is no dead letter {letter_id}.")
        document = msgspec.to_builtins(letter)
        if with_data:
            document["event"] = _readable(parts, letter)
        else:
            for name in ("key", "value", "headers"):
                del document[name]
    if as_json:
        print_json(document)
    else:
        print_table(
            f"Dead letter {letter_id}",
            ["what", "value"],
            [[name, value] for name, value in document.items() if value is not None],
        )


@dead_letters.command()
@click.argument("letter_ids", type=_ID, nargs=-1, metavar="ID...")
@click.option("--all", "every", is_flag=True, help="All open ones.")
@as_json
@actor_option
def replay(*, letter_ids: tuple[int, ...], every: bool, as_json: bool, actor: str) -> None:
    """Publish dead letters to their topic again, byte for byte, after what was wrong has been mended.

    One that still can't be used becomes a new dead letter. --json prints one document.
    """
    if bool(letter_ids) == every:
        raise click.UsageError("Give the ids of dead letters, or --all.")
    with assembly() as parts, parts.connect("dead-letters") as connection:
        wanted = list(letter_ids)
        if every:
            wanted = [row.id for row in list_dead_letters(connection, limit=1_000_000)][::-1]
        replayed: list[int] = []
        for start in range(0, len(wanted), _PAGE):
            replayed += replay_dead_letters(
                connection,
                wanted[start : start + _PAGE],
                lambda messages: publish(parts.configuration, messages),
                actor=actor,
            )
    _tell("replayed", wanted, replayed, as_json=as_json)


@dead_letters.command()
@click.argument("letter_ids", type=_ID, nargs=-1, required=True, metavar="ID...")
@click.option("--reason", required=True, help="Why they will never be needed; kept with them.")
@as_json
@actor_option
def drop(*, letter_ids: tuple[int, ...], reason: str, as_json: bool, actor: str) -> None:
    """Note that dead letters will never be used. Their rows stay. --json prints one document."""
    with assembly() as parts, parts.connect("dead-letters") as connection:
        dropped = drop_dead_letters(connection, letter_ids, actor=actor, reason=reason)
    _tell("dropped", list(letter_ids), dropped, as_json=as_json)


def _tell(what: str, wanted: list[int], done: list[int], *, as_json: bool) -> None:
    left = sorted(set(wanted) - set(done))
    if as_json:
        print_json({what: done, "not_open": left})
    else:
        click.echo(f"{len(done)} dead letters {what}.")
    if left:
        raise Failure(f"Not open, or not there: {', '.join(map(str, left))}.")


def _place(row: DeadLetterRow) -> str:
    return f"{row.topic}[{row.partition}]@{row.offset}"


def _readable(parts: Assembly, letter: DeadLetterData) -> str:
    """Return the event as JSON where it can be read, else why not; the bytes are shown beside it in any case."""
    try:
        return event_to_json(parts.decoder().decode(letter.value))
    except (UndecodableError, ImpossibleEventError, RegistryUnavailableError) as error:
        return f"unreadable: {error}"
