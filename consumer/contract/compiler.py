"""Makes a Python function out of a writer's schema and the contract, which reads that writer's bytes.

Reading is what the projection spends most of its time on. A general reader asks at each value what its type is; here
the answer is compiled in, once for each writer's schema: straight-line code that reads the fields in the writer's
order, skips what the contract doesn't have, and builds the contract's documents with amounts and dates as texts.
It takes less than half of the time of the quickest general reader.

The code is made of the schemas' structure; their names enter it as quoted constants only.
"""

import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from consumer.contract.conversion import ConversionError, Kept, amount_reader, date_text
from consumer.contract.schemas import AvroSchema

# Reads the record that begins at an index of the bytes; returns it, and the index after it.
ReadRecord = Callable[[bytes, int], tuple[dict[str, Any], int]]

# What compiled code raises for bytes that don't fit the schema; anything else is a defect and must be seen as one.
MALFORMED = (IndexError, KeyError, UnicodeDecodeError, struct.error, OverflowError, MemoryError)

# A 64-bit number takes at most ten bytes of seven bits each.
_VARINT_BYTES_MAX = 10
# The contract compiles to some 400 lines. More than this comes from a schema that was made to be expensive.
_LINES_MAX = 20_000
_UUID_BYTES = 16
_WHOLE = ("int", "long")
# What a reader's type may be written as: Avro's promotions.
_WRITTEN_AS: dict[str, tuple[str, ...]] = {
    "null": ("null",),
    "boolean": ("boolean",),
    "int": ("int",),
    "long": _WHOLE,
    "float": (*_WHOLE, "float"),
    "double": (*_WHOLE, "float", "double"),
    "string": ("string",),
    "bytes": ("bytes",),
}
# What the writer may mean by the bytes of a type, by what the contract means by it. None = nothing more than the type
# itself, which then means what the contract does: so say Avro's rules. What else a writer means, known here or not, is
# something else: the same bytes would be read as another amount or time. Avro's rules let it pass, as the plain type.
_MEANT_AS: dict[str | None, tuple[str | None, ...]] = {
    "decimal": (None, "decimal"),
    "date": (None, "date"),
    "uuid": (None, "uuid"),
    "timestamp-micros": (None, "timestamp-millis", "timestamp-micros", "timestamp-nanos"),
    None: (None,),
}


class UnreadableError(ValueError):
    """The writer's schema and the contract can't be brought together; the text names the field."""


def compile_reader(writer: dict[str, Any], reader: dict[str, Any]) -> ReadRecord:
    """Return the function that reads records of `writer` as `reader` (both inlined, see `schemas.inline`).

    A union of several records (the contract's `change`) is read as a pair of the record's short name and its document.
    Trailing bytes are the caller's to look for. The function raises one of MALFORMED, or ConversionError.

    Raises:
        UnreadableError: nothing of `writer` can be read as `reader`.
    """
    code = _Code()
    code.line("def read(b, i):")
    with_code = _Emitter(code)
    code.indent += 1
    with_code.read_record(writer, reader, "", "value")
    code.line("return value, i")
    try:
        # The text consists of this module's own lines, with quoted names and numbers in them.
        exec(compile("\n".join(code.lines), "<reader of a writer's schema>", "exec"), code.names)  # noqa: S102
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"the writer's schema is nested too deeply ({error})") from error
    compiled: ReadRecord = code.names["read"]
    return compiled


class _Code:
    """Lines of code, and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.indent = 0
        self.names: dict[str, Any] = {"varint": _varint, "length": _length, "ConversionError": ConversionError}
        self._count = 0

    def line(self, text: str) -> None:
        if len(self.lines) >= _LINES_MAX:
            raise UnreadableError("the writer's schema is too large")
        self.lines.append(" " * self.indent + text)

    def variable(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: Any) -> str:
        self._count += 1
        name = f"c{self._count}"
        self.names[name] = value
        return name


class _Emitter:
    """Writes the code that reads, or skips, a value of a type."""

    def __init__(self, code: _Code) -> None:
        self._code = code

    def read_record(self, writer: dict[str, Any], reader: dict[str, Any], path: str, target: str) -> None:
        """Read the writer's fields in their order into variables, then build the document in the contract's order."""
        wanted = {field["name"]: field for field in reader["fields"]}
        values = {}
        for field in writer["fields"]:
            name = field["name"]
            if name in wanted:
                values[name] = self._code.variable()
                self._read(field["type"], wanted[name]["type"], _join(path, name), values[name])
            else:
                self._skip(field["type"])
        for name, field in wanted.items():
            if name not in values:
                if "default" not in field:
                    raise UnreadableError(
                        f"the field {_join(path, name)} is missing from the writer's schema, and the contract has no "
                        "default for it"
                    )
                values[name] = repr(field["default"])
        members = ", ".join(f"{name!r}: {values[name]}" for name in wanted)
        self._code.line(f"{target} = {{{members}}}")

    def _read(self, writer: AvroSchema, reader: AvroSchema, path: str, target: str) -> None:
        if isinstance(reader, list):
            branches = [branch for branch in reader if branch != "null"]
            if len(branches) > 1:
                self._read_choice(writer, branches, path, target)
            else:
                self._read_union(writer, branches[0], path, target, nullable="null" in reader)
        elif isinstance(writer, list):
            self._read_union(writer, reader, path, target, nullable=False)
        else:
            self._read_value(writer, reader, path, target)

    def _read_value(self, writer: AvroSchema, reader: AvroSchema, path: str, target: str) -> None:
        kind = _kind(reader)
        if kind not in {"record", "array", "enum"}:
            self._read_primitive(writer, reader, path, target)
        elif _kind(writer) != kind:
            raise UnreadableError(f"the field {path} is {_kind(writer)} in the writer's schema, not {kind}")
        elif kind == "record":
            self.read_record(_parts(writer), _parts(reader), path, target)
        elif kind == "array":
            self._code.line(f"{target} = []")
            item = self._code.variable()

            def read_item() -> None:
                self._read(_parts(writer)["items"], _parts(reader)["items"], path, item)
                self._code.line(f"{target}.append({item})")

            self._loop(read_item)
        else:
            self._read_enum(_parts(writer)["symbols"], _parts(reader)["symbols"], path, target)

    def _read_choice(self, writer: AvroSchema, readers: list[Any], path: str, target: str) -> None:
        """Read one of several records as (short name, document); what can't be read is refused when it comes."""
        by_name = {_short(branch): branch for branch in readers}
        known = ", ".join(by_name)
        branches = writer if isinstance(writer, list) else [writer]

        def read_branch(branch: AvroSchema) -> None:
            name = _short(branch)
            start, indent = len(self._code.lines), self._code.indent
            if name not in by_name:
                reason = f"unknown change kind {name}: this service knows {known}"
                self._code.line(f"raise ConversionError({reason!r})")
                return
            try:
                self._read(branch, by_name[name], _join(path, name), target)
            except UnreadableError as error:
                # It may have come from within a loop or a branch.
                del self._code.lines[start:]
                self._code.indent = indent
                self._code.line(f"raise ConversionError({str(error)!r})")
            else:
                self._code.line(f"{target} = ({name!r}, {target})")

        self._branches(branches, read_branch) if isinstance(writer, list) else read_branch(writer)

    def _read_union(self, writer: AvroSchema, reader: AvroSchema, path: str, target: str, *, nullable: bool) -> None:
        if not isinstance(writer, list):
            self._read_value(writer, reader, path, target)
            return
        if not nullable and all(branch == "null" for branch in writer):
            raise UnreadableError(f"the field {path} is always null in the writer's schema")

        def read_branch(branch: AvroSchema) -> None:
            if branch != "null":
                self._read_value(branch, reader, path, target)
            elif nullable:
                self._code.line(f"{target} = None")
            else:
                self._code.line(f"raise ConversionError('null, where the contract wants a value', path={path!r})")

        self._branches(writer, read_branch)

    def _branches(self, branches: list[Any], emit: Callable[[AvroSchema], None]) -> None:
        """Write the code of each branch under its index; any other index is malformed."""
        code = self._code
        self._varint("n")
        # The index is a number like any other: written doubled, so that 1 is on the wire as 2.
        for index, branch in enumerate(branches):
            code.line(f"{'if' if index == 0 else 'elif'} n == {2 * index}:")
            code.indent += 1
            # A branch may have nothing to read: null, or a record without fields.
            code.line("pass")
            emit(branch)
            code.indent -= 1
        code.line("else:")
        code.line(" raise IndexError")

    def _read_enum(self, written: list[str], known: list[str], path: str, target: str) -> None:
        symbols = self._code.constant({2 * index: symbol for index, symbol in enumerate(written)})
        self._varint("n")
        self._code.line(f"{target} = {symbols}[n]")
        if not set(known).issuperset(written):
            reason = f"which this service doesn't know (it knows {', '.join(known)})"
            self._code.line(f"if {target} not in {self._code.constant(frozenset(known))}:")
            self._code.line(f" raise ConversionError({target} + ', ' + {reason!r}, path={path!r})")

    def _read_primitive(self, writer: AvroSchema, reader: AvroSchema, path: str, target: str) -> None:
        logical, kind, wanted = _logical(reader), _kind(writer), _kind(reader)
        line = self._code.line
        # A text is the text, whatever it is of.
        meant = _logical(writer)
        if meant not in _MEANT_AS.get(logical, (None, logical)) and not (logical is None and kind == "string"):
            raise UnreadableError(
                f"the field {path} is {kind} of the logical type {meant} in the writer's schema, where the contract "
                f"has {logical or f'a plain {wanted}'}"
            )
        if logical == "decimal" and kind in {"bytes", "fixed"}:
            # A writer that left the logical type out means the contract's scale: so say Avro's rules.
            described = _parts(writer if _logical(writer) == "decimal" else reader)
            kept = self._code.constant(Kept(amount_reader(int(described.get("scale", 0))), path))
            self._bytes(writer)
            line(f"{target} = {kept}[b[i:j]]")
            line("i = j")
        elif logical == "date" and kind == "int":
            self._varint("n")
            line(f"{target} = {self._code.constant(Kept(date_text, path))}[(n >> 1) ^ -(n & 1)]")
        elif logical == "uuid" and kind == "fixed" and _parts(writer)["size"] == _UUID_BYTES:
            self._bytes(writer)
            line(f"{target} = {self._code.constant(_uuid_text)}(b[i:j])")
            line("i = j")
        elif logical in {"decimal", "date"} or kind not in _WRITTEN_AS.get(wanted, ()):
            raise UnreadableError(f"the field {path} is {kind} in the writer's schema, which can't be read as {wanted}")
        else:
            self._read_plain(kind, target)
            if logical == "timestamp-micros":
                factor = {"timestamp-millis": " * 1000", "timestamp-nanos": " // 1000"}.get(_logical(writer) or "", "")
                line(f"{target} = {target}{factor}")

    def _read_plain(self, kind: str, target: str) -> None:
        line = self._code.line
        if kind in {"string", "bytes"}:
            self._bytes(kind)
            line(f"{target} = b[i:j].decode()" if kind == "string" else f"{target} = b[i:j]")
            line("i = j")
        elif kind in _WHOLE:
            self._varint("n")
            line(f"{target} = (n >> 1) ^ -(n & 1)")
        elif kind == "boolean":
            line(f"{target} = {self._code.constant((False, True))}[b[i]]")
            line("i += 1")
        elif kind == "null":
            line(f"{target} = None")
        else:
            size, letter = (4, "<f") if kind == "float" else (8, "<d")
            line(f"{target} = {self._code.constant(struct.Struct(letter).unpack_from)}(b, i)[0]")
            line(f"i += {size}")

    def _skip(self, writer: AvroSchema) -> None:
        if isinstance(writer, list):
            self._branches(writer, self._skip)
            return
        kind = _kind(writer)
        if kind == "record":
            for field in _parts(writer)["fields"]:
                self._skip(field["type"])
        elif kind == "array":
            self._loop(lambda: self._skip(_parts(writer)["items"]))
        elif kind == "map":

            def skip_entry() -> None:
                self._skip("string")
                self._skip(_parts(writer)["values"])

            self._loop(skip_entry)
        elif kind in {"string", "bytes", "fixed"}:
            self._bytes(writer)
            self._code.line("i = j")
        elif kind in {*_WHOLE, "enum"}:
            self._varint("n")
        elif kind != "null":
            self._code.line(f"i += {({'boolean': 1, 'float': 4, 'double': 8})[kind]}")

    def _loop(self, emit: Callable[[], None]) -> None:
        """Write the loop over the blocks of an array or map: a count, so many items, and so on until a count of 0."""
        code = self._code
        count = code.variable()
        code.line("while True:")
        code.indent += 1
        self._varint(count)
        code.line(f"if {count} == 0:")
        code.line(" break")
        # A negative count is followed by the block's size in bytes.
        code.line(f"if {count} & 1:")
        code.indent += 1
        code.line(f"{count} += 1")
        self._varint("n")
        code.indent -= 1
        code.line(f"for _ in range({count} >> 1):")
        code.indent += 1
        emit()
        code.indent -= 2

    def _varint(self, target: str) -> None:
        """Read a number as it is on the wire (zigzag: doubled, negative ones odd); mostly it is a single byte."""
        self._code.line(f"{target} = b[i]")
        self._code.line("i += 1")
        self._code.line(f"if {target} > 127:")
        self._code.line(f" {target}, i = varint(b, i - 1)")

    def _bytes(self, writer: AvroSchema) -> None:
        """Find where the bytes of a text, bytes or a fixed end: `j`. An end behind the last byte is seen later on."""
        if _kind(writer) == "fixed":
            self._code.line(f"j = i + {int(_parts(writer)['size'])}")
            return
        self._code.line("n = b[i]")
        self._code.line("i += 1")
        # Neither negative (odd) nor of several bytes: the usual case.
        self._code.line("if n & 129:")
        self._code.line(" n, i = length(b, i - 1)")
        self._code.line("j = i + (n >> 1)")


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


def _uuid_text(raw: bytes) -> str:
    if len(raw) != _UUID_BYTES:
        raise IndexError
    return str(UUID(bytes=raw))


def _kind(schema: AvroSchema) -> str:
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


def _logical(schema: AvroSchema) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None


def _short(branch: AvroSchema) -> str:
    return str(_parts(branch).get("name", _kind(branch))).rpartition(".")[2]


def _parts(schema: AvroSchema) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
