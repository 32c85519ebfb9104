"""The command `hearlink-xero`: one file a command, each loaded only when it is called."""

from consumer.cli.application import main

__all__ = ["main"]
