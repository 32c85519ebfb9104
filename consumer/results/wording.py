"""Xero's sentences as patterns: spaces, case, quotes and closing marks don't count, and parts can be captured."""

import re
from collections.abc import Mapping

_SPACES = re.compile(r"\s+")
_CLOSING_MARKS = " .!"
_CURLY_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})  # noqa: RUF001 - these are what is mended.
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# A closing mark inside a sentence comes and goes as well ("… already in use. Please …").
_MARK_INSIDE = re.compile(r"[.!]?\\ ")

# Order counts: what looks like a number may be part of an id or a date.
_CHANGING_PARTS = (
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{1,4}[-/ ](?:\d{1,2}|[a-z]{3,9})[-/ ]\d{1,4}\b"), "<date>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<number>"),
)


def normalised(text: str) -> str:
    """Return `text` with single spaces, straight quotes and no closing marks; its case stays for what is captured."""
    # Postgres takes no NUL in text.
    clean = text.replace("\x00", "").translate(_CURLY_QUOTES)
    return _SPACES.sub(" ", clean).strip(_CLOSING_MARKS)


def fingerprint(text: str, *, limit: int = 200) -> str:
    """Return the lasting part of an unknown sentence: lower case, its texts, ids, dates and numbers left out."""
    shape = normalised(text).lower()
    for pattern, stands_for in _CHANGING_PARTS:
        shape = pattern.sub(stands_for, shape)
    return shape[:limit]


def compile_pattern(pattern: str, captures: Mapping[str, str]) -> re.Pattern[str]:
    """Return the expression that finds `pattern` in a normalised sentence.

    `{name}` captures what the expression `captures[name]` matches, `*` stands for anything.

    Raises:
        KeyError: the pattern uses a capture that `captures` lacks.
    """
    parts = _PLACEHOLDER.split(normalised(pattern))
    expression = "".join(
        f"(?P<{part}>{captures[part]})" if index % 2 else _literal(part) for index, part in enumerate(parts)
    )
    return re.compile(rf"(?<!\w){expression}(?!\w)", re.IGNORECASE)


def placeholders(template: str) -> set[str]:
    """Return the names that `template` uses as `{name}`."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return `template` with each `{name}` replaced; a name that `values` lacks is a KeyError."""
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


def _literal(text: str) -> str:
    escaped = _MARK_INSIDE.sub(r"[.!]? ", re.escape(text).replace(r"\.", ".").replace("!", "[!]"))
    return escaped.replace(r"\*", ".*?")
