"""`settle` and `unsettle`: one order's failure closed by a person, and that taken back."""

import click

from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import MISUSED, Failure
from consumer.cli.output import print_json
from consumer.results import Problem
from consumer.sync.settlement import REASON_CHARACTERS_MAX, SettledAs
from consumer.sync.settling import Wish
from consumer.sync.settling import settle as settle_order
from consumer.sync.settling import unsettle as unsettle_order


@click.command()
@click.argument("order_id")
@click.option(
    "--as",
    "settled_as",
    type=click.Choice([way.value for way in SettledAs]),
    required=True,
    help="How it is closed; see above.",
)
@click.option(
    "--reason",
    required=True,
    help=f"Why, for the records: up to {REASON_CHARACTERS_MAX} characters, and no patient's name.",
)
@click.option("--problem", metavar="CODE", help="Only if this is what the order fails for; see hearlink-xero problems.")
@as_json
@actor_option
def settle(*, order_id: str, settled_as: str, reason: str, problem: str | None, as_json: bool, actor: str) -> None:
    r"""Close the failure of ORDER_ID by hand: it is left alone, and counted apart from what fails or waits.

    \b
    done-in-xero      somebody put into Xero what the order lacked there
    do-not-send       nothing more of it is to go to Xero, whatever becomes of it
    until-it-changes  Xero is right as it is, or HearLink will correct the order

    A further change in HearLink brings the order back, but for do-not-send: there the log says once that it is not
    sent. Whoever asks for it meanwhile is told how it stands. hearlink-xero unsettle ORDER_ID takes it back.

    --json prints one document.
    """
    with assembly() as parts, parts.connect("settle") as connection:
        if problem is not None and problem not in parts.catalogue.entries:
            raise Failure(f"There is no problem {problem!r}. Those that are open: hearlink-xero problems", MISUSED)
        wish = Wish(order_id=order_id, settled_as=SettledAs(settled_as), reason=reason, actor=actor, problem=problem)
        told = settle_order(connection, parts.outbox_encoder, parts.catalogue, wish)
    _tell(order_id, told, as_json=as_json, settled_as=settled_as)


@click.command()
@click.argument("order_id")
@click.option("--reason", help="Why, for the records.")
@as_json
@actor_option
def unsettle(*, order_id: str, reason: str | None, as_json: bool, actor: str) -> None:
    """Take back what somebody settled of ORDER_ID: it is due at once, and goes or fails as any other.

    In a clinic that syncs by hand it goes once somebody asks for it: hearlink-xero sync ORDER_ID. --json prints one
    document.
    """
    with assembly() as parts, parts.connect("unsettle") as connection:
        told = unsettle_order(connection, parts.outbox_encoder, parts.catalogue, order_id, actor=actor, reason=reason)
    _tell(order_id, told, as_json=as_json, settled_as=None)


def _tell(order_id: str, told: Problem, *, as_json: bool, settled_as: str | None) -> None:
    if as_json:
        print_json({"order_id": order_id, "settled_as": settled_as, "message": told.message, "next": told.fix})
    else:
        click.echo(f"{told.message} {told.fix}")
