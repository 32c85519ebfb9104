"""A Xero of one's own: a real HTTP server that answers as Xero's Accounting API does, and refuses what Xero refuses.

It knows nothing of the service, and the service nothing of it: all they share is HTTP. Facts come from Xero's
public documentation, its OpenAPI description and recorded answers; where no source settles a point the strictest
reading was taken, and `README.md` in this folder lists each such choice.

In-process, on a free port, in a thread of its own::

    with XeroSimulator() as xero:
        tenant_id = xero.control.demo_tenant("Harbour Hearing")   # accounts, tax rates, GBP
        tokens = xero.control.authorise()                         # a consent without a browser
        ...                                                       # talk HTTP to xero.url
        xero.control.ledger(tenant_id)["Invoices"]

As a process: ``python -m consumer.sandbox.xero --port 0`` prints one JSON line with ``url``, ``client_id``,
``client_secret`` and ``tenants``, and ends on SIGTERM or SIGINT.

One address serves everything: ``/identity/connect/authorize``, ``/connect/token``, ``/connect/revocation``,
``/connections`` and ``/api.xro/2.0/...``; so XERO_API_URL, XERO_IDENTITY_URL and XERO_LOGIN_URL are all ``xero.url``.

Whatever `Control` can do, HTTP can do too: ``POST /simulator/<operation>`` with the arguments as a JSON object
(for example ``/simulator/archive_account {"tenant_id": "...", "account": "200"}``) answers ``{"result": ...}``;
`ControlClient` wraps that for Python.
"""

from consumer.sandbox.xero.control import Control
from consumer.sandbox.xero.control_client import ControlClient
from consumer.sandbox.xero.faults import Fault
from consumer.sandbox.xero.limits import Limits
from consumer.sandbox.xero.simulator import XeroSimulator

__all__ = ["Control", "ControlClient", "Fault", "Limits", "XeroSimulator"]
