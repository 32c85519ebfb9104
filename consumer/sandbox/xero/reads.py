"""GET on lists: filters, order, paging."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from consumer.sandbox.xero.errors import malformed_query
from consumer.sandbox.xero.representation import View
from consumer.sandbox.xero.resources import Resource
from consumer.sandbox.xero.values import Json, fold
from consumer.sandbox.xero.where import candidates, parse_order, parse_where

_DEFAULT_PAGE_SIZE = 100
_LARGEST_PAGE_SIZE = 1000

# Query parameters that take a comma-separated list, by resource: the field that each one filters.
_LISTS: dict[str, dict[str, str]] = {
    "Contacts": {"ids": "contactid"},
    "Invoices": {
        "ids": "invoiceid",
        "invoicenumbers": "invoicenumber",
        "contactids": "contact.contactid",
        "statuses": "status",
    },
}


class PreconditionFailed(Exception):  # noqa: N818 - an answer (412), not a fault of the program
    """A header's condition can't be read."""


def read_list(resource: Resource, query: Mapping[str, str], if_modified_since: str, app: str) -> Json:
    """The answer to a GET on a list, without the envelope.

    Args:
        resource: What is listed.
        query: The query's parameters, names in lower case.
        if_modified_since: The header's value, or "".
        app: Who asks, as the ledger names it; for `createdByMyApp`.

    Raises:
        BadRequest: `where` or `order` can't be read.
        PreconditionFailed: If-Modified-Since can't be read.
    """
    tests = [
        *_list_tests(resource, query),
        *_flag_tests(resource, query, app),
        *_modified_tests(resource, if_modified_since),
    ]
    records: Iterable[Any] | None = _listed(resource, query)
    if query.get("where"):
        where = parse_where(query["where"], resource.fields)
        tests.append(where.test)
        records = candidates(where, resource.indexes) if records is None else records
    if records is None:
        records = resource.rows()
    found = [record for record in records if all(test(record) for test in tests)]
    if query.get("order"):
        found = parse_order(query["order"], resource.fields)(found)
    return _shown(resource, query, found)


def _shown(resource: Resource, query: Mapping[str, str], found: list[Any]) -> Json:
    unit_places = 4 if query.get("unitdp") == "4" else 2
    summary = query.get("summaryonly", "").lower() == "true"
    if not resource.paged or not ("page" in query or "pagesize" in query):
        view = View(unit_places=unit_places, lines=False, summary=summary)
        return {resource.name: [resource.show(record, view) for record in found]}
    page = max(1, _integer(query, "page", 1))
    size = min(max(1, _integer(query, "pagesize", _DEFAULT_PAGE_SIZE)), _LARGEST_PAGE_SIZE)
    view = View(unit_places=unit_places, summary=summary)
    return {
        "pagination": {
            "page": page,
            "pageSize": size,
            "pageCount": -(-len(found) // size),
            "itemCount": len(found),
        },
        resource.name: [resource.show(record, view) for record in found[(page - 1) * size : page * size]],
    }


def _listed(resource: Resource, query: Mapping[str, str]) -> list[Any] | None:
    """Records named by one of the list parameters that has an index, in the list's order, none twice."""
    for parameter, field in _LISTS.get(resource.name, {}).items():
        if query.get(parameter) and field in resource.indexes:
            named: dict[int, Any] = {}
            for value in _split(query[parameter]):
                named |= {id(record): record for record in resource.indexes[field](value)}
            return list(named.values())
    return None


def _list_tests(resource: Resource, query: Mapping[str, str]) -> list[Callable[[Any], bool]]:
    tests: list[Callable[[Any], bool]] = []
    for parameter, field in _LISTS.get(resource.name, {}).items():
        if query.get(parameter):
            wanted = {fold(value) for value in _split(query[parameter])}
            getter = resource.fields[field]
            tests.append(lambda record, getter=getter, wanted=wanted: fold(getter(record)) in wanted)  # type: ignore[misc]
    return tests


def _flag_tests(resource: Resource, query: Mapping[str, str], app: str) -> list[Callable[[Any], bool]]:
    tests: list[Callable[[Any], bool]] = []
    if query.get("searchterm"):
        term = fold(query["searchterm"])
        tests.append(lambda record: any(term in fold(text) for text in resource.search(record)))
    if resource.name == "Contacts" and query.get("includearchived", "").lower() != "true":
        tests.append(lambda record: record.status != "ARCHIVED")
    if query.get("createdbymyapp", "").lower() == "true":
        tests.append(lambda record: record.created_by == app)
    return tests


def _modified_tests(resource: Resource, if_modified_since: str) -> list[Callable[[Any], bool]]:
    if not if_modified_since:
        return []
    since = _moment(if_modified_since)

    def changed(record: Any) -> bool:
        modified = resource.modified(record)
        return modified is None or modified.replace(microsecond=0) >= since

    return [changed]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            raise PreconditionFailed(f"If-Modified-Since '{text}' is not a date") from None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(microsecond=0)


def _split(text: str) -> list[str]:
    return [part.strip().strip('"') for part in text.split(",") if part.strip()]


def _integer(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise malformed_query(f"'{query[name]}' is not a valid {name}.") from None
