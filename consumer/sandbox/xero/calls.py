"""Every call that the simulator received, and what they add up to."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Call:
    """One received call; its status is 0 when it was never answered.

    Attributes:
        sequence: 1, 2, 3 ... in order of arrival.
        at_seconds: Arrival by the simulator's clock, seconds since 1970.
        tenant_id: The tenant header, if any.
        method: HTTP method.
        path: The path without the query.
        query: The query as it came.
        status: HTTP status of the answer.
        elements: How many elements a write carried.
        idempotency_key: The key, if any.
        replayed: Whether the answer came from an earlier call with the same key.
        fault: The kind of the injected fault, if any.
    """

    sequence: int
    at_seconds: float
    tenant_id: str | None
    method: str
    path: str
    query: str
    status: int = 0
    elements: int = 0
    idempotency_key: str | None = None
    replayed: bool = False
    fault: str | None = None


@dataclass(slots=True)
class CallLog:
    """The calls in order of arrival."""

    calls: list[Call] = field(default_factory=list)
    last_sequence: int = 0

    def arrived(self, call: Call) -> None:
        """Take down a call; its number is given here."""
        self.last_sequence += 1
        call.sequence = self.last_sequence
        self.calls.append(call)

    def by_endpoint(self, tenant_id: str | None) -> dict[str, int]:
        """Number of calls by method and collection, of one tenant or of all."""
        counted: Counter[str] = Counter()
        for call in self.calls:
            if tenant_id is None or call.tenant_id == tenant_id:
                counted[f"{call.method} {_collection(call.path)}"] += 1
        return dict(counted)


def _collection(path: str) -> str:
    """A path with its ids left out: ``/api.xro/2.0/CreditNotes/*/Allocations``."""
    prefix = "/api.xro/2.0/"
    if not path.startswith(prefix):
        return path
    parts = path.removeprefix(prefix).split("/")
    named = {"Actions", "Allocations"}
    return prefix + "/".join(part if index == 0 or part in named else "*" for index, part in enumerate(parts))
