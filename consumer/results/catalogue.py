"""The problem catalogue: finds what Xero's messages and our own refusals mean to a clinic, and what to do. Pure.

The knowledge is data: `problems.toml` beside this file, which explains its own columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from consumer.results.problem import Behaviour, Facts, Problem, ProblemClass, Severity
from consumer.results.wording import compile_pattern, fill, fingerprint, normalised, placeholders

UNKNOWN = "not_in_catalogue"
SILENT = "refused_without_reason"
_CODE = re.compile(r"[a-z][a-z0-9_]+")
_FACTS = frozenset(Facts.__struct_fields__)
# Shorter literal text would be found in sentences that mean something else.
_SHORTEST_PATTERN = 12
# Far longer than any of Xero's sentences: what is read of a message stays bounded, whatever comes.
_LONGEST_MESSAGE = 1000
_BETWEEN_MESSAGES = " / "


class CatalogueError(Exception):
    """The catalogue's file breaks its own rules: a defect of ours, found when the service starts."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[problem]]` of the file; see there."""

    code: str
    problem_class: ProblemClass = msgspec.field(name="class")
    message: str
    fix: str
    subject: str = ""
    rank: int = 50
    severity: Severity = Severity.FAILURE
    behaviours: frozenset[Behaviour] = frozenset()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    defaults: dict[str, str] = {}
    sample: dict[str, str] | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    captures: dict[str, str]
    problem: tuple[Entry, ...]


class Catalogue:
    """The entries of one file; load it once with `load_catalogue`."""

    def __init__(self, captures: Mapping[str, str], entries: Iterable[Entry]) -> None:
        self.entries = {entry.code: entry for entry in entries}
        self._patterns = sorted(
            (
                (entry.rank, compile_pattern(pattern, captures), entry)
                for entry in self.entries.values()
                for pattern in entry.patterns
            ),
            key=lambda ranked: ranked[0],
        )

    def match(self, xero_messages: Sequence[str], facts: Facts) -> Problem:
        """Return the problem that Xero's messages about one element tell: the most telling of them wins.

        Messages that no entry knows give the problem `not_in_catalogue`, which shows them as they are; no message at
        all gives `refused_without_reason`.
        """
        verbatim = _BETWEEN_MESSAGES.join(message.replace("\x00", "").strip() for message in xero_messages)
        known = msgspec.structs.asdict(facts)
        texts = [normalised(message)[:_LONGEST_MESSAGE] for message in xero_messages]
        for _, pattern, entry in self._patterns:
            for text in texts:
                found = pattern.search(text)
                if found:
                    return _problem(entry, known | entry.defaults | found.groupdict(), verbatim)
        if not verbatim:
            return _problem(self.entries[SILENT], known, None)
        values = known | {"said": verbatim, "shape": fingerprint(verbatim)}
        return _problem(self.entries[UNKNOWN], values, verbatim)

    def matching_codes(self, xero_message: str) -> set[str]:
        """Return the codes of all entries that know `xero_message`."""
        text = normalised(xero_message)
        return {entry.code for _, pattern, entry in self._patterns if pattern.search(text)}

    def local(self, code: str, *, xero_message: str | None = None, **values: object) -> Problem:
        """Return the problem `code` that the service found itself.

        `values` are those of the entry's `sample`; more do no harm, so that a caller can pass all it knows.

        Raises:
            KeyError: there is no such entry, or a value is missing: a defect of the caller.
        """
        entry = self.entries.get(code)
        if entry is None or entry.sample is None:
            raise KeyError(f"The catalogue has no problem {code!r} that is found without asking Xero.")
        missing = entry.sample.keys() - values.keys()
        if missing:
            raise KeyError(f"Problem {code!r} wants the values {sorted(entry.sample)}; {sorted(missing)} are missing.")
        return _problem(entry, {name: str(value) for name, value in values.items()}, xero_message)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Load `problems.toml`, or another file in its form, and check it.

    Raises:
        CatalogueError: the file can't be read as a catalogue, or breaks a rule; the text says which entry and why.
    """
    path = path or Path(__file__).with_name("problems.toml")
    try:
        file = msgspec.toml.decode(path.read_bytes(), type=_File)
    except msgspec.DecodeError as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    codes = [entry.code for entry in file.problem]
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    if repeated:
        raise CatalogueError(f"{path.name}: more than one entry has the code {', '.join(repeated)}")
    for entry in file.problem:
        for fault in _faults(entry, file.captures):
            raise CatalogueError(f"{path.name}: {entry.code}: {fault}")
    catalogue = Catalogue(file.captures, file.problem)
    for code in (UNKNOWN, SILENT):
        if code not in catalogue.entries:
            raise CatalogueError(f"{path.name}: the entry {code} is missing")
    for entry in file.problem:
        for example in entry.examples:
            matching = catalogue.matching_codes(example)
            if matching != {entry.code}:
                raise CatalogueError(f"{path.name}: {entry.code}: {example!r} matches {sorted(matching)}")
    return catalogue


def _faults(entry: Entry, captures: Mapping[str, str]) -> Iterable[str]:
    if not _CODE.fullmatch(entry.code):
        yield "a code is lower-case words joined by underscores"
    if not entry.patterns and entry.sample is None:
        yield "has neither patterns nor a sample, so nothing can ever find it"
    if not entry.message or not entry.fix.endswith("."):
        yield "says what happened in `message` and what to do in `fix`, in sentences"
    for pattern in entry.patterns:
        yield from _pattern_faults(entry, pattern, captures)
    used = placeholders(entry.message) | placeholders(entry.fix) | placeholders(entry.subject)
    if entry.sample is not None and used - entry.sample.keys():
        yield f"the sample lacks {sorted(used - entry.sample.keys())}"
    if "number" in used and "order_id" not in placeholders(entry.subject):
        yield "speaks of one document, so its subject must be {order_id}: else it would stand for other orders too"


def _pattern_faults(entry: Entry, pattern: str, captures: Mapping[str, str]) -> Iterable[str]:
    unknown = placeholders(pattern) - captures.keys()
    if unknown:
        yield f"{pattern!r} captures {sorted(unknown)}, which [captures] lacks"
        return
    if len(fill(pattern, dict.fromkeys(captures, "")).replace("*", "")) < _SHORTEST_PATTERN:
        yield f"{pattern!r} is so short that it would match anything"
    expression = compile_pattern(pattern, captures)
    if not any(expression.search(normalised(example)) for example in entry.examples):
        yield f"no example shows {pattern!r}"
    used = placeholders(entry.message) | placeholders(entry.fix) | placeholders(entry.subject)
    missing = used - _FACTS - entry.defaults.keys() - placeholders(pattern)
    if missing:
        yield f"{pattern!r} does not give {sorted(missing)}, and there is no default"


def _problem(entry: Entry, values: Mapping[str, str], xero_message: str | None) -> Problem:
    return Problem(
        code=entry.code,
        problem_class=entry.problem_class,
        message=fill(entry.message, values),
        fix=fill(entry.fix, values),
        subject=fill(entry.subject, values),
        xero_message=xero_message,
        severity=entry.severity,
        behaviours=entry.behaviours,
    )
