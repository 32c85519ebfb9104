"""Faults on demand: what else can happen to a call than being answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

FaultKind = Literal[
    "rate_limit_minute",
    "rate_limit_day",
    "rate_limit_concurrent",
    "rate_limit_app_minute",
    "internal_error_before",
    "internal_error_after",
    "drop_before",
    "drop_after",
    "delay_before",
    "delay_after",
    "drip",
    "unavailable",
    "unauthorized",
    "forbidden",
    "answer",
    "refuse",
]
FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: which calls it strikes, and how. "before" and "after" mean the commit to the ledger.

    Attributes:
        kind: ``rate_limit_*`` answers 429. ``internal_error_*`` answers 500, and an idempotency key keeps that.
            ``drop_*`` closes the connection unanswered; after the commit the key keeps the lost answer.
            ``delay_*`` waits. ``drip`` sends the answer a few bytes at a time. ``unavailable`` is a plain-text 503.
            ``unauthorized`` is a 401 and ``forbidden`` a 403. ``answer`` is any answer at all, and nothing is
            committed. ``refuse`` lets the call through, but refuses elements with validation errors.
        method: Only this HTTP method.
        path: Only paths in which this regular expression is found, e.g. ``/Invoices$`` or ``/connect/token``.
        tenant_id: Only this tenant.
        nth: The first matching call that is struck; 1 is the next one.
        count: How many calls are struck from then on; `None` for all.
        delay_seconds: For ``delay_*``: how long; `None` waits until `Control.release_delayed`.
        retry_after_seconds: For ``rate_limit_minute`` and ``rate_limit_day``.
        bytes_per_second: For ``drip``.
        committed_elements: For ``internal_error_after``: only so many elements of the batch were committed.
        detail: The text of a 401, 403, 500 or 503 instead of Xero's usual one; the body of ``answer``; what ``refuse``
            says of an element, one sentence a line.
        status: For ``answer``: the status.
        content_type: For ``answer``: the type of the body, `None` for an answer without one.
        headers: For ``answer``: further headers.
        containing: For ``answer``: only calls whose body has this text. For ``refuse``: only elements that have it.
    """

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    tenant_id: str | None = None
    nth: int = 1
    count: int | None = 1
    delay_seconds: float | None = None
    retry_after_seconds: int = 30
    bytes_per_second: float = 10.0
    committed_elements: int | None = None
    detail: str | None = None
    status: int = 400
    content_type: str | None = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    containing: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"There is no fault '{self.kind}'. Use one of: {', '.join(FAULT_KINDS)}.")
        if self.path is not None:
            re.compile(self.path)

    def matches(self, method: str, path: str, tenant_id: str | None, body: str) -> bool:
        """Whether the rule is about this call."""
        return (
            (self.containing is None or self.containing in body)
            and (self.method is None or self.method == method)
            and (self.tenant_id is None or self.tenant_id == tenant_id)
            and (self.path is None or re.search(self.path, path) is not None)
        )


@dataclass(slots=True)
class Rule:
    """A fault with what it has seen so far."""

    fault: Fault
    seen: int = 0
    struck: int = 0


@dataclass(slots=True)
class FaultBoard:
    """The faults that are set, oldest first; one call is struck by the first that fits."""

    rules: dict[int, Rule] = field(default_factory=dict)
    last_id: int = 0

    def add(self, fault: Fault) -> int:
        """Set a fault; answers its id."""
        self.last_id += 1
        self.rules[self.last_id] = Rule(fault)
        return self.last_id

    def strike(self, method: str, path: str, tenant_id: str | None, body: str = "") -> Fault | None:
        """The fault that this call meets, if any."""
        struck: Fault | None = None
        for rule in self.rules.values():
            if not rule.fault.matches(method, path, tenant_id, body):
                continue
            rule.seen += 1
            spent = rule.fault.count is not None and rule.struck >= rule.fault.count
            if struck is None and rule.seen >= rule.fault.nth and not spent:
                rule.struck += 1
                struck = rule.fault
        return struck
