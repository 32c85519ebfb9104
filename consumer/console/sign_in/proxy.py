"""A proxy in front of the console has found out who it is, and says so in headers (those of oauth2-proxy)."""

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.requests import Request
from starlette.routing import BaseRoute

from consumer.configuration import ConsoleSettings
from consumer.console.identity import Identity, permissions_of

USER_HEADER = "X-Forwarded-User"
GROUPS_HEADER = "X-Forwarded-Groups"
ORGANISATIONS_HEADER = "X-HearLink-Organisations"


class TrustedProxy:
    """Believes the headers, if they come from one of the configured networks. The proxy must drop them from outside."""

    sign_in_path: str | None = None
    form_origins: Sequence[str] = ()

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings

    def identify(self, request: Request) -> Identity | None:
        """Return whom the headers name."""
        user = request.headers.get(USER_HEADER, "").strip()
        if not user or request.client is None or not self._is_trusted(request.client.host):
            return None
        return Identity(
            user=user,
            permissions=permissions_of(_listed(request.headers.get(GROUPS_HEADER, "")), self._settings),
            organisations=tuple(_listed(request.headers.get(ORGANISATIONS_HEADER, ""))),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: the proxy has its own."""
        return ()

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._settings.trusted_proxies)


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
