"""Makes a function out of a writer's schema that steps over a value of it.

A record has a function of its own, so that types which double per level make no more code than they have lines.
"""

from collections.abc import Callable
from typing import Any, cast

from consumer.contract.code import Code
from consumer.contract.schema_rules import AvroSchema

# (bytes, where the value begins) -> where it ends, which may be behind the last byte. Raises MALFORMED.
Skip = Callable[[bytes, int], int]

_SIZES_BYTES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_NUMBERS = frozenset({"int", "long", "enum"})


class Skipper:
    """Writes code that skips; keeps the functions of the records of one resolved schema."""

    def __init__(self) -> None:
        self._functions: dict[int, Skip] = {}

    def function(self, writer: AvroSchema) -> Skip:
        """Return the function that skips a value of `writer`.

        Raises:
            UnreadableError: it is nested too deeply.
        """
        known = self._functions.get(id(writer))
        if known is None:
            code = Code()
            if isinstance(writer, dict) and writer["type"] == "record":
                for field in writer["fields"]:
                    self.write(code, field["type"])
            else:
                self.write(code, writer)
            code.line("return i")
            known = self._functions[id(writer)] = cast("Skip", code.function())
        return known

    def write(self, code: Code, writer: AvroSchema) -> None:
        """Add to `code` what skips a value of `writer`."""
        if isinstance(writer, list):
            code.branches(writer, lambda branch: self.write(code, branch))
            return
        kind = writer if isinstance(writer, str) else str(writer["type"])
        if kind == "record":
            code.line(f"i = {code.constant(self.function(writer))}(b, i)")
        elif kind == "array":
            code.loop(lambda: self.write(code, _parts(writer)["items"]))
        elif kind == "map":
            code.loop(lambda: self._entry(code, _parts(writer)["values"]))
        elif kind in {"string", "bytes", "fixed"}:
            code.bytes_end(writer)
            code.line("i = j")
        elif kind in _NUMBERS:
            code.varint("n")
        elif _SIZES_BYTES[kind]:
            code.line(f"i += {_SIZES_BYTES[kind]}")
        else:
            # A loop needs a body, also where its items take no bytes beside their key.
            code.line("pass")

    def _entry(self, code: Code, values: AvroSchema) -> None:
        self.write(code, "string")
        self.write(code, values)


def _parts(schema: AvroSchema) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}
