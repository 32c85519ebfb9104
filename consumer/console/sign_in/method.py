"""What the console needs to know of a way to sign in."""

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.routing import BaseRoute

from consumer.console.identity import Identity


class SignInMethod(Protocol):
    """Tells who visits."""

    # Where people go who are not signed in; None where nothing they could do would change it.
    sign_in_path: str | None
    # Other origins that forms may lead to.
    form_origins: Sequence[str]

    def identify(self, request: Request) -> Identity | None:
        """Return who sends `request`, or None where that is not known."""

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes that signing in needs; they are open to everyone."""
