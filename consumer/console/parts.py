"""What the console's routes need, put together once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.configuration import Configuration
from consumer.console.scope import Borrow
from consumer.console.sign_in import SignInMethod
from consumer.database import connect
from consumer.operations.assembly import Assembly

if TYPE_CHECKING:
    from consumer.console.rendering import Rendering

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class ConsoleParts:
    """`borrow` lends a connection to one of `threads`; `public_url` is how browsers reach the console."""

    assembly: Assembly
    borrow: Borrow
    threads: ThreadPoolExecutor
    sign_in: SignInMethod
    rendering: "Rendering"
    public_url: str

    @property
    def configuration(self) -> Configuration:
        """The configuration."""
        return self.assembly.configuration

    async def in_thread(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do `work`, which may wait, in one of `threads`.

        Not in one of the event loop's own: those come and go, and each would leave its connection to Postgres behind.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: work(*arguments, **named))

    def own_connection(self) -> Connection[TupleRow]:
        """Open a connection that belongs to no thread: for an answer that takes its time."""
        return connect(self.configuration.require_database(), name="console export")
