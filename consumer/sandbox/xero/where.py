"""The `where` and `order` parameters: a small expression language over a record's JSON fields.

Understood: ``Field == literal`` with ``==  =  !=  <>  <  <=  >  >=``, ``Field.Contains("x")``,
``.StartsWith("x")``, ``.EndsWith("x")``, joined by AND/OR (or ``&&``/``||``) and brackets. Literals: strings in double
quotes, numbers, true, false, null, ``guid("...")``, ``DateTime(2026, 01, 31)``, ``DateTime.Parse("2026-01-31")``.
Text compares without regard to case and accents, as Xero's does.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from consumer.sandbox.xero.errors import malformed_query
from consumer.sandbox.xero.values import fold_accents

Getter = Callable[[Any], Any]
Predicate = Callable[[Any], bool]
Fields = dict[str, Getter]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<operator>==|!=|<>|<=|>=|&&|\|\||=|<|>)
      | (?P<bracket>[(),])
      | (?P<name>[A-Za-z_][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left is not None and left < right,
    "<=": lambda left, right: left is not None and left <= right,
    ">": lambda left, right: left is not None and left > right,
    ">=": lambda left, right: left is not None and left >= right,
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed filter.

    Attributes:
        test: Whether a record passes.
        equals: Fields that must equal one text for any record to pass, by lower-case name: what an index can use.
    """

    test: Predicate
    equals: dict[str, str]


def parse_where(text: str, fields: Fields) -> Where:
    """Compile a `where` expression over `fields` (names as Xero spells them, in lower case).

    Raises:
        BadRequest: ErrorNumber 16, the expression can't be read.
    """
    parser = _Parser(_tokens(text), fields)
    test = parser.disjunction()
    parser.expect_end()
    return Where(test=test, equals={} if parser.has_alternatives else parser.equals)


def parse_order(text: str, fields: Fields) -> Callable[[list[Any]], list[Any]]:
    """Compile an `order` parameter such as ``UpdatedDateUTC DESC, Name``.

    Raises:
        BadRequest: ErrorNumber 16, an unknown field or direction.
    """
    steps: list[tuple[Getter, bool]] = []
    for part in text.split(","):
        words = part.split()
        if (
            not words
            or words[0].lower() not in fields
            or [word.upper() for word in words[1:]]
            not in (
                [],
                ["ASC"],
                ["DESC"],
            )
        ):
            raise malformed_query(f"The order '{text}' is not valid.")
        steps.append((fields[words[0].lower()], words[-1].upper() == "DESC"))

    def sort(records: list[Any]) -> list[Any]:
        for getter, descending in reversed(steps):
            records = sorted(records, key=_sort_key(getter), reverse=descending)
        return records

    return sort


def _sort_key(getter: Getter) -> Callable[[Any], tuple[bool, Any]]:
    def key(record: Any) -> tuple[bool, Any]:
        value = getter(record)
        return (value is not None, value if value is not None else 0)

    return key


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise malformed_query(f"The where expression '{text}' can't be read at '{text[position:]}'.")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], fields: Fields) -> None:
        self._tokens = tokens
        self._fields = fields
        self._position = 0
        self.equals: dict[str, str] = {}
        self.has_alternatives = False

    def disjunction(self) -> Predicate:
        tests = [self._conjunction()]
        while self._take("OR", "||"):
            self.has_alternatives = True
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else lambda record: any(test(record) for test in tests)

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise malformed_query(f"Unexpected '{self._tokens[self._position][1]}' in the where expression.")

    def _conjunction(self) -> Predicate:
        tests = [self._term()]
        while self._take("AND", "&&"):
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _term(self) -> Predicate:
        if self._take("("):
            test = self.disjunction()
            self._need(")")
            return test
        kind, name = self._next()
        if kind != "name":
            raise malformed_query(f"Expected a field, found '{name}'.")
        field, _, method = name.rpartition(".")
        if method.lower() in _TEXT_TESTS:
            return self._text_test(field, method.lower())
        getter = self._getter(name)
        if not self._at_operator():
            return lambda record: getter(record) is True
        operator = self._next()[1]
        if operator not in _COMPARISONS:
            raise malformed_query(f"Unknown operator '{operator}'.")
        return self._comparison(name.lower(), getter, operator)

    def _comparison(self, name: str, getter: Getter, operator: str) -> Predicate:
        value = self._literal()
        compare = _COMPARISONS[operator]
        if isinstance(value, str):
            folded = fold_accents(value)
            if operator in {"==", "="}:
                self.equals[name] = value

            def text_test(record: Any) -> bool:
                found = getter(record)
                return compare(fold_accents(str(found)) if found is not None else "", folded)

            return text_test

        def test(record: Any) -> bool:
            try:
                return compare(getter(record), value)
            except TypeError:
                raise malformed_query(f"'{name}' can't be compared with '{value}'.") from None

        return test

    def _text_test(self, field: str, method: str) -> Predicate:
        getter = self._getter(field)
        self._need("(")
        part = self._literal()
        self._need(")")
        if not isinstance(part, str):
            raise malformed_query(f"'{method}' needs a string.")
        folded, test = fold_accents(part), _TEXT_TESTS[method]
        return lambda record: test(fold_accents(str(getter(record) or "")), folded)

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if kind == "number":
            return Decimal(text)
        word = text.lower()
        if word in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[word]
        if word == "guid":
            return self._arguments()[0].strip('"').lower()
        if word in {"datetime", "datetime.parse"}:
            return self._day(self._arguments())
        raise malformed_query(f"'{text}' is not a value.")

    def _arguments(self) -> list[str]:
        self._need("(")
        found = [self._next()[1]]
        while self._take(","):
            found.append(self._next()[1])
        self._need(")")
        return found

    def _day(self, arguments: list[str]) -> date:
        try:
            if len(arguments) == 1:
                return datetime.fromisoformat(arguments[0].strip('"')).date()
            return date(*(int(part) for part in arguments[:3]))
        except (ValueError, TypeError):
            raise malformed_query(f"DateTime({', '.join(arguments)}) is not a date.") from None

    def _getter(self, name: str) -> Getter:
        getter = self._fields.get(name.lower())
        if getter is None:
            raise malformed_query(f"No property or field '{name}' exists.")
        return getter

    def _at_operator(self) -> bool:
        return (
            self._position < len(self._tokens)
            and self._tokens[self._position][0] == "operator"
            and (self._tokens[self._position][1] not in {"&&", "||"})
        )

    def _take(self, *texts: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position][1].upper() in texts:
            self._position += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise malformed_query(f"Expected '{text}' in the where expression.")

    def _next(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise malformed_query("The where expression ends too early.")
        self._position += 1
        return self._tokens[self._position - 1]


def candidates(where: Where, indexes: dict[str, Callable[[str], Iterable[Any]]]) -> Iterable[Any] | None:
    """The records that an index names for one of the filter's equalities; `None` when no index fits."""
    for name, value in where.equals.items():
        if name in indexes:
            return indexes[name](value)
    return None
