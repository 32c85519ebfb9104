"""Lines of Python that read Avro's bytes, and their making into a function.

The code is made of a schema's structure; its names enter as quoted constants only.
"""

import struct
from collections.abc import Callable
from typing import Any

from consumer.contract.conversion import ConversionError
from consumer.contract.schema_rules import AvroSchema

# What made code raises for bytes that don't fit the schema; anything else is a defect and must be seen as one.
MALFORMED = (IndexError, KeyError, UnicodeDecodeError, struct.error, OverflowError, MemoryError)
# A 64-bit number takes at most ten bytes of seven bits each.
_VARINT_BYTES_MAX = 10
# The contract compiles to some 400 lines. More than this comes from a schema that was made to be expensive.
_LINES_MAX = 20_000


class UnreadableError(ValueError):
    """The writer's schema and the contract can't be brought together; the text names the field."""


class Code:
    """The body of a function of the bytes `b` and an index `i`, and the objects that it names."""

    def __init__(self) -> None:
        self.lines: list[str] = ["def read(b, i):"]
        self.indent = 1
        self._names: dict[str, Any] = {"varint": _varint, "length": _length, "ConversionError": ConversionError}
        self._count = 0

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        if len(self.lines) >= _LINES_MAX:
            raise UnreadableError("the writer's schema is too large")
        self.lines.append(" " * self.indent + text)

    def variable(self) -> str:
        """Return a name that nothing else has."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: Any) -> str:
        """Return a name for `value`, which the code can use."""
        self._count += 1
        name = f"c{self._count}"
        self._names[name] = value
        return name

    def function(self) -> Any:
        """Return the function.

        Raises:
            UnreadableError: Python takes no code that is nested so deeply.
        """
        try:
            # The text consists of this room's own lines, with quoted names and numbers in them.
            exec(compile("\n".join(self.lines), "<reader of a writer's schema>", "exec"), self._names)  # noqa: S102
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise UnreadableError(f"the writer's schema is nested too deeply ({error})") from error
        return self._names["read"]

    def varint(self, target: str) -> None:
        """Read a number as it is on the wire (zigzag: doubled, negative ones odd); mostly it is a single byte."""
        self.line(f"{target} = b[i]")
        self.line("i += 1")
        self.line(f"if {target} > 127:")
        self.line(f" {target}, i = varint(b, i - 1)")

    def bytes_end(self, writer: AvroSchema) -> None:
        """Find where the bytes of a text, bytes or a fixed end: `j`. An end behind the last byte is seen later on."""
        if isinstance(writer, dict) and writer["type"] == "fixed":
            self.line(f"j = i + {int(writer['size'])}")
            return
        self.line("n = b[i]")
        self.line("i += 1")
        # Neither negative (odd) nor of several bytes: the usual case.
        self.line("if n & 129:")
        self.line(" n, i = length(b, i - 1)")
        self.line("j = i + (n >> 1)")

    def loop(self, emit: Callable[[], None]) -> None:
        """Write the loop over the blocks of an array or map: a count, so many items, and so on until a count of 0.

        Each item takes a byte at least, so a count beyond the bytes that are left is malformed: a few bytes must not
        claim billions of items.
        """
        count = self.variable()
        self.line("while True:")
        self.indent += 1
        self.varint(count)
        self.line(f"if {count} == 0:")
        self.line(" break")
        # A negative count is followed by the block's size in bytes.
        self.line(f"if {count} & 1:")
        self.indent += 1
        self.line(f"{count} += 1")
        self.varint("n")
        self.indent -= 1
        self.line(f"if {count} >> 1 > len(b) - i:")
        self.line(" raise IndexError")
        self.line(f"for _ in range({count} >> 1):")
        self.indent += 1
        emit()
        self.indent -= 2

    def branches(self, branches: list[Any], emit: Callable[[AvroSchema], None]) -> None:
        """Write the code of each branch of a union under its index; any other index is malformed."""
        self.varint("n")
        # The index is a number like any other: written doubled, so that 1 is on the wire as 2.
        for index, branch in enumerate(branches):
            self.line(f"{'if' if index == 0 else 'elif'} n == {2 * index}:")
            self.indent += 1
            # A branch may have nothing to read: null, or a record without fields.
            self.line("pass")
            emit(branch)
            self.indent -= 1
        self.line("else:")
        self.line(" raise IndexError")


def _varint(b: bytes, i: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(i, i + _VARINT_BYTES_MAX):
        byte = b[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 -- the bit that says that more bytes follow
            return value, index + 1
        shift += 7
    raise IndexError


def _length(b: bytes, i: int) -> tuple[int, int]:
    value, i = _varint(b, i)
    if value & 1 or value >> 1 > len(b) - i:
        raise IndexError
    return value, i
