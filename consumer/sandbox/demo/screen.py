"""What the demo says: plain lines of at most 80 columns, a moving line where there is a terminal."""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console

_COLUMNS = 80
# Without a terminal a progress line comes this often.
_PLAIN_SECONDS = 5.0


class Screen:
    """Writes to `stream`; nothing in it depends on colour."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stdout, width=_COLUMNS, highlight=False, markup=False)
        self._update: Callable[[str], None] | None = None
        self._plain_after = 0.0
        self._started = time.monotonic()

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.print(text, style="bold")

    def line(self, text: str = "") -> None:
        """Write one line as it is."""
        self._console.print(text, soft_wrap=True)

    def text(self, text: str, *, indent: str = "", first: str | None = None) -> None:
        """Write text, broken into lines; `first` stands before the first line instead of `indent`."""
        begin = indent if first is None else first
        self.line(textwrap.fill(text, _COLUMNS, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False))

    def done(self, text: str) -> None:
        """Write that something is done, with the seconds since the start."""
        self.text(text, indent=" " * 9, first=f"{time.monotonic() - self._started:5.1f} s  ")

    def output(self, text: str, *, indent: str) -> None:
        """Write what a command printed, without what is too wide for here: tables."""
        for line in text.splitlines():
            if len(indent + line) <= _COLUMNS:
                self.line(indent + line)

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Show that something is going on, and what `progress` says meanwhile."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(text, spinner="line") as status:
            self._update = status.update
            try:
                yield
            finally:
                self._update = None

    def progress(self, text: str) -> None:
        """Say how far it is: in place on a terminal, else on a line of its own now and then."""
        if self._update is not None:
            self._update(text)
        elif not self._console.is_terminal and time.monotonic() > self._plain_after:
            self._plain_after = time.monotonic() + _PLAIN_SECONDS
            self.line(f"         {text}")
