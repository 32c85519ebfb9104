"""One user who may do everything: for the demo, and for whoever tries the console on their own machine."""

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.requests import Request
from starlette.routing import BaseRoute

from consumer.configuration import ConfigurationError, ConsoleSettings
from consumer.console.identity import EVERYTHING, Identity

_USER = Identity("local user", EVERYTHING, None)


class LocalUser:
    """Lets everyone in who reaches the address: so it must be one that only this machine reaches.

    Pages of other sites can't act through the browser that sits here: the console answers to its own host name alone
    (`consumer.console.security`), and forms carry a token.

    Raises:
        ConfigurationError: the address is open to others.
    """

    sign_in_path: str | None = None
    form_origins: Sequence[str] = ()

    def __init__(self, settings: ConsoleSettings) -> None:
        host, _ = settings.address
        if not is_loopback(host):
            raise ConfigurationError(
                f"CONSOLE_SIGN_IN is local, which lets everyone in, and CONSOLE_ADDRESS ({host}) is open to others. "
                "Set CONSOLE_SIGN_IN to oidc or proxy, or listen on 127.0.0.1."
            )

    def identify(self, request: Request) -> Identity | None:
        """Return the local user."""
        return _USER if request.client is not None and is_loopback(request.client.host) else None

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: there is nothing to do."""
        return ()


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
