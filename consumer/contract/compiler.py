"""Makes a Python function out of a writer's schema and the contract, which reads that writer's bytes.

Reading is what the projection spends most of its time on. A general reader asks at each value what its type is; here
the answer is compiled in, once for each writer's schema: straight-line code that reads the fields in the writer's
order, skips what the contract doesn't have, and builds the contract's documents with amounts and dates as texts.
It takes less than half of the time of the quickest general reader.
"""

import struct
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from consumer.contract.code import Code, UnreadableError
from consumer.contract.conversion import Kept, amount_reader, date_text
from consumer.contract.schema_rules import AvroSchema
from consumer.contract.skipping import Skipper

# Reads the record that begins at an index of the bytes; returns it, and the index after it.
ReadRecord = Callable[[bytes, int], tuple[dict[str, Any], int]]

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


def compile_reader(writer: dict[str, Any], reader: dict[str, Any]) -> ReadRecord:
    """Return the function that reads records of `writer` as `reader` (both as `resolve` gives them).

    A union of several records (the contract's `change`) is read as a pair of the record's short name and its document.
    Trailing bytes are the caller's to look for. The function raises one of MALFORMED, or ConversionError.

    Raises:
        UnreadableError: nothing of `writer` can be read as `reader`.
    """
    code = Code()
    _Emitter(code).read_record(writer, reader, "", "value")
    code.line("return value, i")
    return cast("ReadRecord", code.function())


class _Emitter:
    """Writes the code that reads a value of a type."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._skipper = Skipper()

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
                self._skipper.write(self._code, field["type"])
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

            self._code.loop(read_item)
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

        self._code.branches(branches, read_branch) if isinstance(writer, list) else read_branch(writer)

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

        self._code.branches(writer, read_branch)

    def _read_enum(self, written: list[str], known: list[str], path: str, target: str) -> None:
        symbols = self._code.constant({2 * index: symbol for index, symbol in enumerate(written)})
        self._code.varint("n")
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
            self._code.bytes_end(writer)
            line(f"{target} = {kept}[b[i:j]]")
            line("i = j")
        elif logical == "date" and kind == "int":
            self._code.varint("n")
            line(f"{target} = {self._code.constant(Kept(date_text, path))}[(n >> 1) ^ -(n & 1)]")
        elif logical == "uuid" and kind == "fixed" and _parts(writer)["size"] == _UUID_BYTES:
            self._code.bytes_end(writer)
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
            self._code.bytes_end(kind)
            line(f"{target} = b[i:j].decode()" if kind == "string" else f"{target} = b[i:j]")
            line("i = j")
        elif kind in _WHOLE:
            self._code.varint("n")
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
