"""`completion`: the Tab key."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_HEARLINK_XERO_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print what makes SHELL complete these commands: eval "$(hearlink-xero completion bash)"."""
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 -- click knows the three
    click.echo(complete(ctx.find_root().command, {}, "hearlink-xero", _VARIABLE).source())
