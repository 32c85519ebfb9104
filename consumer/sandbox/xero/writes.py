"""PUT and POST of one or many elements: each is taken or refused on its own, then the answer is put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from consumer.sandbox.xero.errors import Refused, malformed_data
from consumer.sandbox.xero.fields import Shape, read_element
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.values import ZERO_GUID, Json


@dataclass(frozen=True, slots=True)
class Saved:
    """An element that went through: as JSON, with its warnings."""

    shown: Json
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of element is read and echoed.

    Attributes:
        name: The list's name in JSON.
        id_name: The field of its id.
        shape: The fields a request may have.
        error_flag: The flag that marks a refused element.
    """

    name: str
    id_name: str
    shape: Shape
    error_flag: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcome of a write.

    Attributes:
        status: HTTP status: 200, or 400 when errors are summarised.
        body: The answer without the envelope; the whole answer for a 400.
        elements: How many elements the request had.
    """

    status: int
    body: Json
    elements: int


class _Summarised(Exception):  # noqa: N818 - unwinds the savepoint, never leaves this module
    pass


def elements_of(body: object, name: str) -> list[Json]:
    """The elements of a request: a wrapped list, a bare list, or one bare object.

    Raises:
        BadRequest: ErrorNumber 14, it is none of them.
    """
    if isinstance(body, dict) and name in body:
        body = body[name]
    if isinstance(body, dict):
        body = [body]
    if not isinstance(body, list) or not body or not all(isinstance(item, dict) for item in body):
        raise malformed_data(f"The request has no '{name}' that can be read.")
    return body


def write_batch(
    ledger: Ledger,
    kind: Kind,
    raw: list[Json],
    apply: Callable[[Json], Saved],
    *,
    summarize_errors: bool,
    committed_elements: int | None = None,
) -> Batch:
    """Apply each element in turn.

    With `summarize_errors` one refused element makes the answer a 400, and nothing of the call is kept: what
    Xero keeps of the good ones is not documented, so nobody may count on either. Without it the good ones are kept
    and every element says how it went.

    Args:
        ledger: The books.
        kind: What the elements are.
        raw: The elements as they came.
        apply: Takes one read element into the books.
        summarize_errors: The query's `summarizeErrors`.
        committed_elements: Stop after so many (a fault that strikes in the middle of a batch).

    Raises:
        BadRequest: An element can't be read.
        NotFound: An element names an id that does not exist.
    """
    read = [read_element(element, kind.shape) for element in raw][:committed_elements]
    shown: list[Json] = []
    refused: list[Json] = []
    try:
        with ledger.savepoint():
            for element, sent in zip(read, raw, strict=False):
                try:
                    with ledger.savepoint():
                        saved = apply(element)
                except Refused as refusal:
                    refused.append(_echo(kind, sent, refusal))
                    shown.append({"StatusAttributeString": "ERROR", **refused[-1]})
                else:
                    shown.append(_taken(saved, summarize_errors=summarize_errors))
            if refused and summarize_errors:
                raise _Summarised  # noqa: TRY301 - only raising here unwinds the savepoint
    except _Summarised:
        return Batch(status=400, body=validation_exception(refused), elements=len(raw))
    return Batch(status=200, body={kind.name: shown}, elements=len(raw))


def validation_exception(refused: list[Json]) -> Json:
    """The body of a 400 for elements that failed validation."""
    return {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Message": "A validation exception occurred",
        "Elements": refused,
    }


def _taken(saved: Saved, *, summarize_errors: bool) -> Json:
    shown = saved.shown
    if not summarize_errors:
        shown = {"StatusAttributeString": "WARNING" if saved.warnings else "OK", **shown}
    if saved.warnings:
        shown = {**shown, "Warnings": [{"Message": text} for text in saved.warnings]}
    return shown


def _echo(kind: Kind, sent: Json, refusal: Refused) -> Json:
    """A refused element: what was sent, a zero id when it had none, and what is wrong, part by part."""
    echo: dict[str, Any] = {kind.id_name: ZERO_GUID, **sent, kind.error_flag: True}
    echo["ValidationErrors"] = [{"Message": text} for text in refusal.messages]
    for part, texts in refusal.nested.items():
        problems = {"ValidationErrors": [{"Message": text} for text in texts]}
        if isinstance(part, str):
            echo[part] = {**echo.get(part, {}), "HasValidationErrors": True, **problems}
        else:
            lines = list(echo.get("LineItems", []))
            if part < len(lines):
                lines[part] = {**lines[part], **problems}
                echo["LineItems"] = lines
    return echo
