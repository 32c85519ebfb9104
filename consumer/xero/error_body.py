"""Xero's own words in the body of an error, whatever form it has. Pure.

Xero says the same in JSON and in XML, its gateway in plain text under any content type, older parts in the form of a
query: so a body is read by what it looks like. What holds no words of Xero's (nothing, a page of HTML) gives none.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs
from xml.parsers.expat import ExpatError, ParserCreate

import msgspec

# Of plain text: a sentence or two, not a page.
_SHOWN_CHARACTERS = 500
# Where an error says what it is about, the most telling first.
_OWN_WORDS = ("message", "detail", "description", "error_description", "oauth_problem_advice", "error", "title")
_WORDS_OF_ENTRY = ("message", "description", "localisedmessage", "detail")
# Lists of reasons, by the names that are known: Xero's own, and those of what it is built with.
_LISTS = ("validationerrors", "errors", "modelstate")
_CUT_SHORT = re.compile(r'"(?:Message|Detail|Description)"\s*:\s*("(?:[^"\\]|\\.)*")', re.IGNORECASE)


class ErrorBody(msgspec.Struct, frozen=True):
    """`kind` is Xero's `Type` (`ValidationException`, …) or "", `messages` its sentences, verbatim, each once."""

    kind: str = ""
    messages: tuple[str, ...] = ()


def read_error(body: bytes) -> ErrorBody:
    """Read the body of an error; never fails."""
    text = _decoded(body).replace("\x00", "").strip()
    if text.startswith("<"):
        tree = _read_xml(text)
    elif text.startswith("oauth_problem="):
        tree = {name: values[0] for name, values in parse_qs(text).items()}
    else:
        tree = _read_json(text)
    if isinstance(tree, str):
        return ErrorBody(messages=tuple(_cleaned([tree[:_SHOWN_CHARACTERS]])))
    kinds = (value for name, value in _outermost(tree) if name == "type" and isinstance(value, str))
    return ErrorBody(next(kinds, "").strip(), tuple(error_messages(tree)))


def error_messages(tree: Any) -> list[str]:
    """Return all sentences of an error that was read: of its elements, else its own."""
    for name in _LISTS:
        nested = listed_messages(tree, name)
        if nested:
            return nested
    outer = list(_outermost(tree))
    for name in _OWN_WORDS:
        own = _cleaned(value for key, value in outer if key == name)
        if own:
            return own[:1]
    # A bare list of sentences.
    return _cleaned(tree) if isinstance(tree, list) else []


def listed_messages(tree: Any, name: str) -> list[str]:
    """Return the sentences under every key `name` (in lower case) at any depth, each once, in their order."""
    return _cleaned(text for value in _values(tree, name) for text in _sentences(value))


def _cleaned(texts: Iterable[Any]) -> list[str]:
    stripped = (text.strip() for text in texts if isinstance(text, str))
    return list(dict.fromkeys(text for text in stripped if text))


def _outermost(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the error itself, their names in lower case; what it echoes of ours lies deeper, in lists."""
    layers = tree if isinstance(tree, list) else [tree]
    for _ in range(3):
        objects = [layer for layer in layers if isinstance(layer, dict)]
        for layer in objects:
            yield from ((name.lower(), value) for name, value in layer.items())
        layers = [value for layer in objects for value in layer.values()]


def _values(tree: Any, name: str) -> Iterator[Any]:
    """Yield the values under every key `name`, outer ones first."""
    # A stack, not recursion: the depth is Xero's to choose.
    stack = [tree]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(reversed(current))
        elif isinstance(current, dict):
            below = []
            for key, value in current.items():
                if key.lower() == name:
                    yield value
                elif isinstance(value, dict | list):
                    below.append(value)
            stack.extend(reversed(below))


def _sentences(value: Any) -> Iterator[str]:
    """Yield the sentences of a list of reasons: texts, or entries that hold one, in lists or by the fields' names."""
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, list):
            stack.extend(reversed(current))
        elif isinstance(current, dict):
            named = {key.lower(): part for key, part in current.items()}
            own = next((named[name] for name in _WORDS_OF_ENTRY if isinstance(named.get(name), str)), None)
            stack.extend([own] if own is not None else reversed(current.values()))


def _decoded(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    return body.decode("utf-8-sig", errors="replace")


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if not text.startswith(("{", "[")):
            return text
    # Cut short on its way: what is whole of it still says something.
    return [json.loads(found) for found in _CUT_SHORT.findall(text)]


def _read_xml(text: str) -> Any:
    """Read XML as JSON says the same: an element is an object of its parts, or a text.

    No DOCTYPE is taken, so nothing in it can grow (entities) or be fetched; Xero sends none, and HTML has no words.
    """
    builder = _TreeBuilder()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(text, True)  # noqa: FBT003 -- expat takes it by position alone
    except (ExpatError, ValueError):
        return {}
    return {} if "html" in builder.tree else builder.tree


def _refuse_doctype(*_: object) -> None:
    raise ValueError("A DOCTYPE is not taken.")


class _TreeBuilder:
    """Collects what expat reports; `tree` is `{root: …}` in the end."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._parts: list[dict[str, Any]] = [self.tree]
        self._texts: list[list[str]] = [[]]

    def start(self, _name: str, _attributes: dict[str, str]) -> None:
        self._parts.append({})
        self._texts.append([])

    def text(self, text: str) -> None:
        self._texts[-1].append(text)

    def end(self, name: str) -> None:
        parts, text = self._parts.pop(), "".join(self._texts.pop()).strip()
        value: Any = parts or text
        around, local = self._parts[-1], name.rpartition(":")[2]
        if local in around:
            known = around[local]
            around[local] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            around[local] = value
