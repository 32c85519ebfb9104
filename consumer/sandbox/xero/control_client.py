"""The control surface from another process."""

from typing import Any

import requests

from consumer.sandbox.xero.control_http import PREFIX


class ControlClient:
    """Calls `Control`'s methods over HTTP.

    Args:
        url: The simulator's address.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + PREFIX

    def call(self, operation: str, **arguments: Any) -> Any:
        """Run an operation, e.g. ``call("ledger", tenant_id=...)``; answers its result.

        Raises:
            RuntimeError: The simulator refuses; the message has its reasons.
        """
        answer = requests.post(self._url + operation, json=arguments, timeout=60)
        body = answer.json()
        if not answer.ok:
            raise RuntimeError(f"{operation}: {body}")
        return body["result"]
