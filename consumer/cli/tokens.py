"""`tokens`: how the stored tokens are encrypted."""

import click

from consumer.cli.audit import record_act
from consumer.cli.context import actor_option, assembly


@click.group()
def tokens() -> None:
    """Look after the stored tokens of Xero."""


@tokens.command()
@click.option("--reason", help="Why, for the records.")
@actor_option
def rotate(*, reason: str | None, actor: str) -> None:
    """Encrypt all stored tokens with the first of TOKEN_ENCRYPTION_KEYS.

    To change the key: put the new one in front, restart all processes, run this, then take the old one away.
    """
    # The tokens borrow the same connection once more, so that both are one transaction.
    with assembly() as parts, parts.connections.borrow() as connection, connection.transaction():
        count = parts.tokens.rotate()
        record_act(connection, "rotate_tokens", actor=actor, connections=count, reason=reason)
    click.echo(f"The tokens of {count} connections are encrypted with the first key now.")
