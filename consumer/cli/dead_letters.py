"""`dead-letters`: events that could not be used."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import click
import msgspec
from psycopg import Connection

from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table, show_progress
from consumer.contract import RegistryUnavailableError, UndecodableError, event_to_json
from consumer.operations.assembly import Assembly
from consumer.operations.conflicts import UnclearChoiceError, keep_first, take_later
from consumer.operations.dead_letters import (
    DeadLetterData,
    DeadLetterRow,
    drop_dead_letters,
    list_dead_letters,
    load_dead_letter,
    open_letters_between,
    replay_dead_letters,
)
from consumer.operations.kafka import NotDeliveredError, require_topics
from consumer.operations.replay import LetterSender
from consumer.operations.skipping import Survey, find_stop, skip, survey
from consumer.orders import ImpossibleEventError
from consumer.projection import Span

F = TypeVar("F", bound=Callable[..., Any])

# What Postgres can count to.
_ID = click.IntRange(1, 2**63 - 1)
_OFFSET = click.IntRange(0, 2**63 - 1)
_PARTITION = click.IntRange(0, 2**31 - 1)
_CAUSES_SHOWN = 20
_STATES = ["open", "replayed", "dropped", "taken", "kept", "all"]


# Partition, first and last offset.
Between = tuple[int, int, int]


def _between(command: F) -> F:
    """Add the options that say which letters by where they came from; the command gets them as `between`."""

    @functools.wraps(command)
    def gathered(*, partition: int | None, first_offset: int | None, last_offset: int | None, **others: Any) -> object:
        if partition is None and first_offset is None and last_offset is None:
            return command(between=None, **others)
        if partition is None or first_offset is None or last_offset is None:
            raise click.UsageError("--partition, --from and --to go together.")
        return command(between=(partition, first_offset, last_offset), **others)

    for option in (
        click.option("--to", "last_offset", type=_OFFSET, help="to this one."),
        click.option("--from", "first_offset", type=_OFFSET, help="from this offset"),
        click.option("--partition", type=_PARTITION, help="Those of the orders topic that came from this partition,"),
    ):
        gathered = option(gathered)
    return cast("F", gathered)


@click.group()
def dead_letters() -> None:
    """Look after events that could not be used. They are kept until they are replayed or dropped."""


@dead_letters.command("list")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True)
@click.option("--reason", type=click.Choice(["undecodable", "impossible", "refused", "defect", "conflict"]))
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
@_between
@click.option("--all", "every", is_flag=True, help="All open ones.")
@click.option("--again", is_flag=True, help="Also those of the ids that were replayed before.")
@as_json
@actor_option
def replay(
    *, letter_ids: tuple[int, ...], between: Between | None, every: bool, again: bool, as_json: bool, actor: str
) -> None:
    """Publish dead letters to their topic again, byte for byte, after what was wrong has been mended.

    Each is marked as it goes, and one that Kafka refuses keeps no other back. One that still can't be used becomes a
    new dead letter. Conflicts are not sent again: see take and keep. --json prints one document.
    """
    if [bool(letter_ids), between is not None, every].count(True) != 1:
        raise click.UsageError("Give the ids of dead letters, or --partition with --from and --to, or --all.")
    if again and not letter_ids:
        raise click.UsageError("--again is for ids: it would send everything else that ever went wrong.")
    with assembly() as parts, parts.connect("dead-letters") as connection:
        wanted = list(dict.fromkeys(_wanted(parts, connection, letter_ids, between)))
        if every:
            wanted = [row.id for row in list_dead_letters(connection, limit=1_000_000)][::-1]
        _replay(parts, connection, wanted, again=again, as_json=as_json, actor=actor)


def _replay(
    parts: Assembly, connection: Connection[Any], wanted: list[int], *, again: bool, as_json: bool, actor: str
) -> None:
    outcomes: dict[int, str | None] = {}
    stopped: NotDeliveredError | None = None
    with LetterSender(parts.configuration) as sender:
        try:
            for letter in replay_dead_letters(connection, wanted, sender.send, actor=actor, again=again):
                outcomes[letter.letter_id] = letter.refusal
        except NotDeliveredError as error:
            # What is on its way is marked; the rest is open.
            stopped = error
    replayed = [letter_id for letter_id, refusal in outcomes.items() if refusal is None]
    refused = {letter_id: refusal for letter_id, refusal in outcomes.items() if refusal is not None}
    if stopped is not None:
        if as_json:
            print_json({"replayed": replayed, "not_open": [], "refused": _listed(refused)})
        raise NotDeliveredError(f"{len(replayed)} of {len(wanted)} dead letters replayed, then {stopped}") from stopped
    _tell("replayed", wanted, replayed, as_json=as_json, refused=refused)


@dead_letters.command()
@click.argument("letter_ids", type=_ID, nargs=-1, metavar="ID...")
@_between
@click.option("--reason", required=True, help="Why they will never be needed; kept with them.")
@as_json
@actor_option
def drop(*, letter_ids: tuple[int, ...], between: Between | None, reason: str, as_json: bool, actor: str) -> None:
    """Note that dead letters will never be used. Their rows stay. --json prints one document."""
    if bool(letter_ids) == (between is not None):
        raise click.UsageError("Give the ids of dead letters, or --partition with --from and --to.")
    with assembly() as parts, parts.connect("dead-letters") as connection:
        wanted = _wanted(parts, connection, letter_ids, between)
        dropped = drop_dead_letters(connection, wanted, actor=actor, reason=reason)
    _tell("dropped", wanted, dropped, as_json=as_json)


@dead_letters.command("skip")
@click.option("--partition", type=_PARTITION, required=True, help="The partition that the service stopped in.")
@click.option("--from", "first_offset", type=_OFFSET, required=True, help="The first offset to let through.")
@click.option("--to", "last_offset", type=_OFFSET, help="The last one; without it, to the end of the log as it is now.")
@click.option("--reason", required=True, help="Why they need not be used; kept on record.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json
@actor_option
def skip_messages(
    *,
    partition: int,
    first_offset: int,
    last_offset: int | None,
    reason: str,
    yes: bool,
    as_json: bool,
    actor: str,
) -> None:
    """Let bad messages of the orders topic through that stopped the service.

    Shows what lies between the two offsets, both included, and asks. What is bad there goes to the dead letters and no
    longer stops the service; what is good is projected as always. No offset is moved, and it does no harm who reads the
    partition meanwhile. The service goes on once it is started again. --json prints one document.
    """
    if last_offset is not None and last_offset < first_offset:
        raise click.UsageError(f"--to {last_offset} lies before --from {first_offset}.")
    with assembly() as parts, parts.connect("dead-letters") as connection:
        topic = parts.configuration.topics.orders
        position, _ = find_stop(connection, topic, partition, first_offset, last_offset)
        # What the service is past by now was written, good and bad.
        first_offset = max(first_offset, position.next_offset)
        found = survey(parts.configuration, parts.reader(), topic, partition, first_offset, last_offset)
        if not as_json:
            _show_survey(found)
        if not yes and not click.confirm("Let the bad ones go to the dead letters?", err=True):
            raise Failure("Nothing was changed.")
        skip(connection, found, position, actor=actor, reason=reason)
    if as_json:
        print_json({"skipped": found})
    else:
        click.echo(f"{_range(found)}: let through. The service goes on once it is started again.")


def _show_survey(found: Survey) -> None:
    if found.causes:
        print_table(
            "",
            [">messages", "reason", ">first at", "detail"],
            [[cause.count, cause.reason, cause.first_offset, cause.detail] for cause in found.causes[:_CAUSES_SHOWN]],
        )
    click.echo(
        f"{_range(found)}: {found.bad} messages are bad and go to the dead letters, {found.usable} are projected as "
        "always, unless what is known of their orders or the database refuses them: those become dead letters as well."
    )


def _range(found: Survey) -> str:
    return f"{found.topic}[{found.partition}] {found.first_offset} to {found.last_offset}"


def _wanted(
    parts: Assembly, connection: Connection[Any], letter_ids: tuple[int, ...], between: Between | None
) -> list[int]:
    if between is None:
        return list(letter_ids)
    return open_letters_between(connection, Span(parts.configuration.topics.orders, *between))


@dead_letters.command()
@click.argument("letter_ids", type=_ID, nargs=-1, metavar="ID...")
@click.option("--all", "every", is_flag=True, help="All open conflicts.")
@as_json
@actor_option
def take(*, letter_ids: tuple[int, ...], every: bool, as_json: bool, actor: str) -> None:
    """Of two events with one sequence, let the later one count: the one in the dead letter, of reason `conflict`.

    Its order is built anew from the orders topic, without the event that came first, and goes to Xero as it is then.
    The topic is read as a whole, once for all that are given; the service may run meanwhile. --json prints one
    document.
    """
    if bool(letter_ids) == every:
        raise click.UsageError("Give the ids of dead letters, or --all.")
    with assembly() as parts, parts.connect("dead-letters") as connection:
        settings = parts.projection_settings()
        require_topics(parts.configuration, [settings.orders_topic])
        try:
            taken = take_later(
                connection,
                None if every else letter_ids,
                settings,
                parts.decoder(),
                parts.message_decoder,
                actor=actor,
                progress=show_progress,
            )
        except UnclearChoiceError as error:
            raise Failure(str(error)) from error
    _tell("taken", list(letter_ids), taken, as_json=as_json)


@dead_letters.command()
@click.argument("letter_ids", type=_ID, nargs=-1, required=True, metavar="ID...")
@click.option("--reason", required=True, help="Why the first event is the right one; kept with them.")
@as_json
@actor_option
def keep(*, letter_ids: tuple[int, ...], reason: str, as_json: bool, actor: str) -> None:
    """Of two events with one sequence, keep the one that came first; the one in the dead letter never counts.

    The order goes to Xero again as it is. --json prints one document.
    """
    with assembly() as parts, parts.connect("dead-letters") as connection:
        kept = keep_first(connection, letter_ids, actor=actor, reason=reason)
    _tell("kept", list(letter_ids), kept, as_json=as_json)


def _tell(
    what: str, wanted: list[int], done: list[int], *, as_json: bool, refused: Mapping[int, str] | None = None
) -> None:
    left = sorted(set(wanted) - set(done) - set(refused or ()))
    if as_json:
        print_json({what: done, "not_open": left, **({} if refused is None else {"refused": _listed(refused)})})
    else:
        click.echo(f"{len(done)} dead letters {what}.")
    faults = [f"Dead letter {letter_id} stays open: {reason}." for letter_id, reason in (refused or {}).items()]
    if left:
        faults.append(
            "Not open, or not there, or of another reason (conflicts are taken or kept, others replayed or dropped): "
            f"{', '.join(map(str, left))}."
        )
    if faults:
        raise Failure("\n".join(faults))


def _listed(refused: Mapping[int, str]) -> list[dict[str, Any]]:
    return [{"id": letter_id, "reason": reason} for letter_id, reason in refused.items()]


def _place(row: DeadLetterRow) -> str:
    return f"{row.topic}[{row.partition}]@{row.offset}"


def _readable(parts: Assembly, letter: DeadLetterData) -> str:
    """Return the event as JSON where it can be read, else why not; the bytes are shown beside it in any case."""
    try:
        return event_to_json(parts.decoder().decode(letter.value))
    except (UndecodableError, ImpossibleEventError, RegistryUnavailableError) as error:
        return f"unreadable: {error}"
