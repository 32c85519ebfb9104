"""The problem catalogue: finds what Xero's messages and our own refusals mean to a clinic, and what to do. Pure.

What a message means depends on what was attempted: an e-mail address that Xero minds is left out of a new contact, and
has to be mended in Xero where it stands in the way of an invoice.

The knowledge is data: `problems.toml` beside this file, which explains its own columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from consumer.results.problem import Attempt, Behaviour, Facts, Problem, ProblemClass, Severity
from consumer.results.wording import compile_pattern, fill, fingerprint, normalised, placeholders

UNKNOWN = "not_in_catalogue"
SILENT = "refused_without_reason"
# What a 404 counts as beside Xero's own types of errors.
NOT_FOUND = "NotFound"
_ALL_ATTEMPTS = frozenset(Attempt)
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
    attempts: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    defaults: dict[str, str] = {}
    sample: dict[str, str] | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    captures: dict[str, str]
    problem: tuple[Entry, ...]
    groups: dict[str, tuple[Attempt, ...]] = {}


class Catalogue:
    """The entries of one file; load it once with `load_catalogue`."""

    def __init__(
        self, captures: Mapping[str, str], entries: Iterable[Entry], groups: Mapping[str, Sequence[Attempt]]
    ) -> None:
        self.entries = {entry.code: entry for entry in entries}
        self.attempts = {entry.code: _attempts(entry, groups) for entry in self.entries.values()}
        ranked = sorted(self.entries.values(), key=lambda entry: entry.rank)
        self._patterns = [(compile_pattern(pattern, captures), entry) for entry in ranked for pattern in entry.patterns]
        self._by_kind = [entry for entry in ranked if entry.kinds]

    def match(
        self, xero_messages: Sequence[str], facts: Facts, *, attempt: Attempt | None = None, kind: str = ""
    ) -> Problem:
        """Return the problem that Xero's messages about one element tell: the most telling of them wins.

        `attempt` is what Xero refused (None: anything), `kind` its type of error, or `NOT_FOUND`, which tells where the
        messages are unknown. Messages that no entry knows give the problem `not_in_catalogue`, which shows them as they
        are; no message at all gives `refused_without_reason`.
        """
        verbatim = _BETWEEN_MESSAGES.join(message.replace("\x00", "").strip() for message in xero_messages)
        known = msgspec.structs.asdict(facts)
        texts = [normalised(message)[:_LONGEST_MESSAGE] for message in xero_messages]
        for pattern, entry in self._patterns:
            if not self._is_of(entry, attempt):
                continue
            for text in texts:
                found = pattern.search(text)
                if found:
                    return _problem(entry, known | entry.defaults | found.groupdict(), verbatim)
        for entry in self._by_kind:
            if kind in entry.kinds and self._is_of(entry, attempt):
                return _problem(entry, known | entry.defaults, verbatim or None)
        if not verbatim:
            return _problem(self.entries[SILENT], known, None)
        values = known | {"said": verbatim, "shape": fingerprint(verbatim)}
        return _problem(self.entries[UNKNOWN], values, verbatim)

    def matching_codes(self, xero_message: str, attempt: Attempt | None = None) -> set[str]:
        """Return the codes of all entries that know `xero_message` of `attempt`."""
        text = normalised(xero_message)
        return {entry.code for pattern, entry in self._patterns if self._is_of(entry, attempt) and pattern.search(text)}

    def _is_of(self, entry: Entry, attempt: Attempt | None) -> bool:
        return attempt is None or attempt in self.attempts[entry.code]

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
        for fault in _faults(entry, file):
            raise CatalogueError(f"{path.name}: {entry.code}: {fault}")
    catalogue = Catalogue(file.captures, file.problem, file.groups)
    for code in (UNKNOWN, SILENT):
        if code not in catalogue.entries:
            raise CatalogueError(f"{path.name}: the entry {code} is missing")
    for entry in file.problem:
        for example in entry.examples:
            attempts = catalogue.attempts[entry.code]
            matching = {code for code in catalogue.matching_codes(example) if catalogue.attempts[code] & attempts}
            if matching != {entry.code}:
                raise CatalogueError(f"{path.name}: {entry.code}: {example!r} matches {sorted(matching)}")
    return catalogue


def _attempts(entry: Entry, groups: Mapping[str, Sequence[Attempt]]) -> frozenset[Attempt]:
    """Return what `entry` is about: the attempts that it names, by themselves or in groups; all where it names none."""
    named = {attempt for name in entry.attempts for attempt in groups.get(name) or (Attempt(name),)}
    return frozenset(named) or _ALL_ATTEMPTS


def _faults(entry: Entry, file: _File) -> Iterable[str]:
    if not _CODE.fullmatch(entry.code):
        yield "a code is lower-case words joined by underscores"
    if not entry.patterns and not entry.kinds and entry.sample is None:
        yield "has neither patterns nor kinds nor a sample, so nothing can ever find it"
    unknown = set(entry.attempts) - file.groups.keys() - _ALL_ATTEMPTS
    if unknown:
        yield f"is of {sorted(unknown)}, which is neither an attempt nor one of [groups]"
    if not entry.message or not entry.fix.endswith("."):
        yield "says what happened in `message` and what to do in `fix`, in sentences"
    for pattern in entry.patterns:
        yield from _pattern_faults(entry, pattern, file.captures)
    used = placeholders(entry.message) | placeholders(entry.fix) | placeholders(entry.subject)
    if entry.kinds and used - _FACTS - entry.defaults.keys():
        yield f"its kinds do not give {sorted(used - _FACTS - entry.defaults.keys())}, and there is no default"
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
