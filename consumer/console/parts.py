"""What the console's routes need, put together once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.configuration import Configuration
from consumer.console.scope import Borrow
from consumer.console.sign_in import SignInMethod
from consumer.database import connect
from consumer.operations.assembly import Assembly

if TYPE_CHECKING:
    from consumer.console.rendering import Rendering


@dataclass(frozen=True)
class ConsoleParts:
    """`borrow` lends a thread's connection; `public_url` is how browsers reach the console."""

    assembly: Assembly
    borrow: Borrow
    sign_in: SignInMethod
    rendering: "Rendering"
    public_url: str

    @property
    def configuration(self) -> Configuration:
        """The configuration."""
        return self.assembly.configuration

    def own_connection(self) -> Connection[TupleRow]:
        """Open a connection that belongs to no thread: for an answer that takes its time."""
        return connect(self.configuration.require_database(), name="console export")
