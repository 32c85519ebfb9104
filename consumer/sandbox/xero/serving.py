"""The simulator as a process: it serves until a signal ends it."""

import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from consumer.sandbox.xero.limits import Limits
from consumer.sandbox.xero.simulator import XeroSimulator


def serve(xero: XeroSimulator, tenants: Iterable[Mapping[str, Any]], tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Set up `tenants`, serve, `tell` where, and return after SIGTERM or SIGINT.

    `tenants` have the arguments of `Control.demo_tenant`, `limits` as an object of numbers. What is told: `url`,
    `client_id`, `client_secret` and `tenants`, each with `tenant_id`, `name` and `connected`.

    Raises:
        OSError: the port is taken, or the host isn't this machine's.
    """
    for tenant in tenants:
        limits = Limits(**tenant["limits"]) if "limits" in tenant else None
        xero.control.demo_tenant(**{**tenant, "limits": limits})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with xero:
        tell(
            {
                "url": xero.url,
                "client_id": xero.client_id,
                "client_secret": xero.client_secret,
                "tenants": xero.control.tenants(),
            }
        )
        stop.wait()
