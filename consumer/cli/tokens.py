"""`tokens`: how the stored tokens are encrypted."""

import click

from consumer.cli.context import assembly


@click.group()
def tokens() -> None:
    """Look after the stored tokens of Xero."""


@tokens.command()
def rotate() -> None:
    """Encrypt all stored tokens with the first of TOKEN_ENCRYPTION_KEYS.

    To change the key: put the new one in front, restart all processes, run this, then take the old one away.
    """
    with assembly() as parts:
        count = parts.tokens.rotate()
    click.echo(f"The tokens of {count} connections are encrypted with the first key now.")
