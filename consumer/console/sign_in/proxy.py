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
        if not user or request.client is None or not is_trusted(request.client.host, self._settings):
            return None
        return Identity(
            user=user,
            permissions=permissions_of(_listed(request.headers.get(GROUPS_HEADER, "")), self._settings),
            organisations=tuple(_listed(request.headers.get(ORGANISATIONS_HEADER, ""))),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return none: the proxy has its own."""
        return ()


def is_trusted(host: str, settings: ConsoleSettings) -> bool:
    """Whether `host` is one of the proxies whose headers are believed."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in settings.trusted_proxies)


def client_address(request: Request, settings: ConsoleSettings) -> str:
    """Return where `request` comes from: the peer, or whom a trusted proxy says that it speaks for."""
    peer = "" if request.client is None else request.client.host
    forwarded = _listed(request.headers.get("X-Forwarded-For", ""))
    # Only the last hop was written by the proxy itself.
    return forwarded[-1] if forwarded and is_trusted(peer, settings) else peer


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
