"""SQL in plain text: a `.sql` file beside the one module that runs it, cut into blocks by `-- name: …` lines."""

import re
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\s*$", re.MULTILINE)


# What each statement is called, for whoever has only its text: `verification.sql: page`.
_NAMES: dict[str, list[str]] = {}


def statement_name(text: str) -> str | None:
    """Return what the statement `text` is called in its file; None for one that is in none."""
    names = _NAMES.get(text)
    return None if names is None else " or ".join(names)


class Queries:
    """The statements of one file, by name: `queries["claim"]`."""

    def __init__(self, path: Path) -> None:
        parts = _NAME.split(path.read_text(encoding="utf-8"))
        self._path = path
        self._statements = dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
        for name, statement in self._statements.items():
            # Two files may hold the same statement.
            names = _NAMES.setdefault(statement, [])
            if f"{path.name}: {name}" not in names:
                names.append(f"{path.name}: {name}")

    def __getitem__(self, name: str) -> LiteralString:
        """Return the statement `name`; a name that the file lacks is a KeyError naming both."""
        try:
            # A file of the package is as constant as a literal: nothing of a user's ever enters it.
            return cast("LiteralString", self._statements[name])
        except KeyError:
            raise KeyError(f"{self._path.name} has no statement named {name!r}") from None

    @property
    def names(self) -> list[str]:
        """The names of all statements, in the file's order."""
        return list(self._statements)


def load_queries(module_file: str, name: str = "queries.sql") -> Queries:
    """Load the SQL file `name` that lies beside `module_file` (pass `__file__`)."""
    return Queries(Path(module_file).with_name(name))
