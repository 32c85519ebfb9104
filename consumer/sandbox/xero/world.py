"""Everything that one simulator holds, behind one lock: HTTP answers from one thread, tests ask from others."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock
from uuid import NAMESPACE_URL, uuid5

from consumer.sandbox.xero.calls import CallLog
from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.faults import FaultBoard
from consumer.sandbox.xero.http_answer import HttpAnswer
from consumer.sandbox.xero.idempotency import IdempotencyStore
from consumer.sandbox.xero.identity import Identity
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.limits import Limits, RateLimiter
from consumer.sandbox.xero.tenants import demo_ledger


@dataclass(slots=True)
class World:
    """The simulator's memory.

    Attributes:
        lock: Held by whoever reads or writes anything in here.
        release_delayed: Lets go the calls that a delay fault holds without a time; set by the server.
    """

    clock: Clock
    default_limits: Limits
    identity: Identity
    limiter: RateLimiter = field(default_factory=RateLimiter)
    idempotency: IdempotencyStore[HttpAnswer] = field(default_factory=IdempotencyStore)
    faults: FaultBoard = field(default_factory=FaultBoard)
    calls: CallLog = field(default_factory=CallLog)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    release_delayed: Callable[[], None] = lambda: None

    def add_tenant(
        self, name: str, tenant_id: str | None = None, base_currency: str = "GBP", limits: Limits | None = None
    ) -> str:
        """Set up an organisation with a British chart of accounts; answers its tenant id.

        Without an id, the name decides it: the same name gives the same tenant in every run.

        Raises:
            ValueError: The id is taken.
        """
        new_id = tenant_id or str(uuid5(NAMESPACE_URL, f"xero-simulator/{name}"))
        if new_id in self.ledgers:
            raise ValueError(f"There is a tenant {new_id} already. Give another name or id.")
        self.ledgers[new_id] = demo_ledger(name, new_id, self.clock, base_currency=base_currency)
        self.limiter.set_limits(new_id, limits or self.default_limits)
        return new_id
