"""What the environment says, as values that are passed on."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from consumer.configuration.values import require
from consumer.contract.registry_access import RegistryAccess


@dataclass(frozen=True)
class Topics:
    """The names of the four topics."""

    orders: str
    retry: str
    sync_log: str
    dead_letter: str


@dataclass(frozen=True)
class XeroApplication:
    """Where Xero answers, and as whom we come. The secret is kept out of every repr."""

    api_url: str
    identity_url: str
    login_url: str
    client_id: str | None
    client_secret: str | None = field(repr=False)
    redirect_uri: str
    scopes: str
    calls_per_minute: int
    calls_per_day: int


class SignIn(StrEnum):
    """How people get into the console."""

    # One user who may do everything, for whoever sits at this machine.
    LOCAL = "local"
    # A proxy in front of it says who it is.
    PROXY = "proxy"
    # OpenID Connect.
    OIDC = "oidc"


@dataclass(frozen=True)
class ConsoleSettings:
    """The console for finance staff. `url` None = http://localhost and the port of `address`."""

    address: tuple[str, int]
    metrics_address: tuple[str, int]
    url: str | None
    sign_in: SignIn
    secret_key: str | None = field(repr=False)
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    view_groups: frozenset[str]
    sync_groups: frozenset[str]
    manage_groups: frozenset[str]
    oidc_issuer: str | None
    oidc_client_id: str | None
    oidc_client_secret: str | None = field(repr=False)
    oidc_scopes: str
    oidc_groups_claim: str
    oidc_organisations_claim: str


@dataclass(frozen=True)
class DeadLetterBrake:
    """So many bad events stop the service: `run` in a row, or more than `share` (0 to 1) of the last `window`."""

    run: int
    share: float
    window: int


@dataclass(frozen=True)
class Configuration:
    """Everything the environment says. Commands call `require_…` for what they can't do without."""

    database_url: str | None = field(repr=False)
    kafka_bootstrap_servers: str | None
    kafka_group_id: str
    # Further librdkafka properties; may hold passwords.
    kafka_config: dict[str, Any] = field(repr=False)
    topics: Topics
    schema_registry_url: str | None
    # Further schemas, beside those of this version.
    schemas_directory: Path | None
    brake: DeadLetterBrake
    schema_registry_access: RegistryAccess
    xero: XeroApplication
    hearlink_url: str
    token_encryption_keys: tuple[str, ...] = field(repr=False)
    sync_log_retention_months: int
    http_address: tuple[str, int]
    console: ConsoleSettings

    def require_database(self) -> str:
        """Return the database's URL, or raise ConfigurationError where it is unset."""
        return require("DATABASE_URL", self.database_url, "postgresql://user:password@host/database")

    def require_kafka(self) -> str:
        """Return the brokers' addresses, or raise ConfigurationError where they are unset."""
        return require("KAFKA_BOOTSTRAP_SERVERS", self.kafka_bootstrap_servers, "kafka-1:9092,kafka-2:9092")

    def require_client_id(self) -> str:
        """Return the Xero app's client id, or raise ConfigurationError where it is unset."""
        return require("XERO_CLIENT_ID", self.xero.client_id, "the client id of the app at developer.xero.com")

    def require_token_keys(self) -> tuple[str, ...]:
        """Return the keys that encrypt tokens, or raise ConfigurationError where none is set."""
        if not self.token_encryption_keys:
            require("TOKEN_ENCRYPTION_KEYS", None, "one or more Fernet keys, separated by commas")
        return self.token_encryption_keys
