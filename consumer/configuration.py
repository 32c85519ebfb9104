"""The service's configuration: environment variables, read once, checked at once, passed on explicitly."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from consumer.contract.registry_access import RegistryAccess, RegistryAccessError


class ConfigurationError(Exception):
    """A variable is missing or can't be used; the text says which, why and what it should look like."""


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
        return _required("DATABASE_URL", self.database_url, "postgresql://user:password@host/database")

    def require_kafka(self) -> str:
        """Return the brokers' addresses, or raise ConfigurationError where they are unset."""
        return _required("KAFKA_BOOTSTRAP_SERVERS", self.kafka_bootstrap_servers, "kafka-1:9092,kafka-2:9092")

    def require_client_id(self) -> str:
        """Return the Xero app's client id, or raise ConfigurationError where it is unset."""
        return _required("XERO_CLIENT_ID", self.xero.client_id, "the client id of the app at developer.xero.com")

    def require_token_keys(self) -> tuple[str, ...]:
        """Return the keys that encrypt tokens, or raise ConfigurationError where none is set."""
        if not self.token_encryption_keys:
            _required("TOKEN_ENCRYPTION_KEYS", None, "one or more Fernet keys, separated by commas")
        return self.token_encryption_keys


_PORT, _PORT_MAX = re.compile(r"[0-9]{1,5}"), 65_535
# More is no number of anything here, and what is worked out from it must fit into the database.
_DIGITS_MAX = 9
_SHARE = re.compile(r"\d{0,3}\.?\d{1,9}", re.ASCII)
# Each batch that has bad events is held against all of them.
_WINDOW_MAX = 1_000_000

# Variable, default ("" = none), what it is: the README's table is made from this.
VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("DATABASE_URL", "", "Postgres 15 or newer"),
    ("KAFKA_BOOTSTRAP_SERVERS", "", "the brokers"),
    ("KAFKA_GROUP_ID", "hearlink-xero", "the consumer group"),
    ("KAFKA_CONFIG", "{}", "a JSON object of further librdkafka properties (SASL, TLS, time-outs)"),
    ("ORDERS_TOPIC", "hearlink.orders.v1", "order events, read"),
    ("RETRY_TOPIC", "hearlink.xero.retry.v1", "retry requests, read and written"),
    ("SYNC_LOG_TOPIC", "hearlink.xero.sync-log.v1", "results, written"),
    ("DEAD_LETTER_TOPIC", "hearlink.xero.dead-letter.v1", "events that can't be used, written"),
    (
        "SCHEMA_REGISTRY_URL",
        "",
        "Confluent-compatible registry, as whom: deploy/kafka.md; unset = single-object encoding",
    ),
    ("SCHEMAS_DIRECTORY", "", "a directory of further writers' schemas (`*.avsc`), beside those of this version"),
    ("XERO_API_URL", "https://api.xero.com", "Xero's API"),
    ("XERO_IDENTITY_URL", "https://identity.xero.com", "Xero's token endpoint"),
    ("XERO_LOGIN_URL", "https://login.xero.com", "Xero's consent page"),
    ("XERO_CLIENT_ID", "", "the Xero app"),
    ("XERO_CLIENT_SECRET", "", "its secret; unset = a PKCE app"),
    ("XERO_REDIRECT_URI", "http://localhost:8080/xero/callback", "where Xero sends people back to"),
    (
        "XERO_SCOPES",
        "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read",
        "what is asked of Xero; apps from before March 2026 use accounting.transactions",
    ),
    ("XERO_CALLS_PER_MINUTE", "60", "per tenant; Xero's answers overrule it downwards"),
    ("XERO_CALLS_PER_DAY", "5000", "per tenant; Xero's answers overrule it downwards"),
    ("HEARLINK_URL", "https://app.hearlink.co.uk", "where orders can be looked at; part of every invoice's identity"),
    ("TOKEN_ENCRYPTION_KEYS", "", "Fernet keys, separated by commas; the first encrypts"),
    ("SYNC_LOG_RETENTION_MONTHS", "84", "how long the table sync_log is kept; older months are dropped"),
    ("HTTP_ADDRESS", "127.0.0.1:9464", "metrics and health; port 0 takes a free one and says which"),
)
# Those that few ever change, in the same form: the table of `deploy/README.md`.
RARE_VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("DEAD_LETTER_BRAKE_RUN", "100", "so many bad events in a row stop the service"),
    ("DEAD_LETTER_BRAKE_SHARE", "0.10", "a larger share of bad events among the last ones does so as well"),
    ("DEAD_LETTER_BRAKE_WINDOW", "2000", "so many events are the last ones"),
)
# Those of a schema registry that asks who comes, in the same form: the table of `deploy/kafka.md`.
REGISTRY_VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("SCHEMA_REGISTRY_USER", "", "with the next one: as whom we come"),
    ("SCHEMA_REGISTRY_PASSWORD", "", "a secret"),
    ("SCHEMA_REGISTRY_TOKEN", "", "or a bearer token; a secret"),
    ("SCHEMA_REGISTRY_CA_FILE", "", "who signed its certificate (PEM); unset = the authorities that browsers know"),
    ("SCHEMA_REGISTRY_CERTIFICATE_FILE", "", "our certificate (PEM), where it asks for one"),
    ("SCHEMA_REGISTRY_KEY_FILE", "", "its key (PEM, without a passphrase), unless it is in the same file"),
)
# Those of the console alone, in the same form: the table of `consumer/console/README.md`.
CONSOLE_VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("CONSOLE_ADDRESS", "127.0.0.1:8080", "the console's pages; port 0 takes a free one and says which"),
    (
        "CONSOLE_METRICS_ADDRESS",
        "127.0.0.1:0",
        "the console's metrics and health; port 0 takes a free one and says which",
    ),
    ("CONSOLE_URL", "", "how browsers reach the console; unset = http://localhost and its port"),
    ("CONSOLE_SIGN_IN", "local", "local (one user, on loopback alone), proxy (by its headers) or oidc"),
    ("CONSOLE_SECRET_KEY", "", "signs sessions, the same in all processes; unset = signed out at each start"),
    ("CONSOLE_TRUSTED_PROXIES", "127.0.0.1", "with proxy: the networks whose headers are believed"),
    ("CONSOLE_VIEW_GROUPS", "hearlink-xero-view", "groups that may look at logs and export"),
    ("CONSOLE_SYNC_GROUPS", "hearlink-xero-sync", "groups that may also sync and retry"),
    ("CONSOLE_MANAGE_GROUPS", "hearlink-xero-manage", "groups that may also change settings and connect"),
    ("OIDC_ISSUER", "", "with oidc: the provider's address"),
    ("OIDC_CLIENT_ID", "", "the console there"),
    ("OIDC_CLIENT_SECRET", "", "its secret"),
    ("OIDC_SCOPES", "openid profile groups", "what is asked of the provider"),
    ("OIDC_GROUPS_CLAIM", "groups", "the claim with the groups of whoever signs in"),
    ("OIDC_ORGANISATIONS_CLAIM", "hearlink_organisations", "the claim with their organisations' ids"),
)
ALL_VARIABLES = (*VARIABLES, *RARE_VARIABLES, *REGISTRY_VARIABLES, *CONSOLE_VARIABLES)


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Read and check the variables of `environment`.

    Raises:
        ConfigurationError: a variable is set to something impossible.
    """

    def get(name: str) -> str:
        default = next(default for variable, default, _ in ALL_VARIABLES if variable == name)
        return environment.get(name, "").strip() or default

    keys = tuple(key.strip() for key in get("TOKEN_ENCRYPTION_KEYS").split(",") if key.strip())
    for number, key in enumerate(keys, start=1):
        _check_fernet_key(key, number)
    return Configuration(
        database_url=get("DATABASE_URL") or None,
        kafka_bootstrap_servers=get("KAFKA_BOOTSTRAP_SERVERS") or None,
        kafka_group_id=get("KAFKA_GROUP_ID"),
        kafka_config=_json_object("KAFKA_CONFIG", get("KAFKA_CONFIG")),
        topics=Topics(
            orders=get("ORDERS_TOPIC"),
            retry=get("RETRY_TOPIC"),
            sync_log=get("SYNC_LOG_TOPIC"),
            dead_letter=get("DEAD_LETTER_TOPIC"),
        ),
        schemas_directory=_directory("SCHEMAS_DIRECTORY", get("SCHEMAS_DIRECTORY")),
        brake=DeadLetterBrake(
            run=_positive("DEAD_LETTER_BRAKE_RUN", get("DEAD_LETTER_BRAKE_RUN")),
            share=_share("DEAD_LETTER_BRAKE_SHARE", get("DEAD_LETTER_BRAKE_SHARE")),
            window=_positive("DEAD_LETTER_BRAKE_WINDOW", get("DEAD_LETTER_BRAKE_WINDOW"), _WINDOW_MAX),
        ),
        schema_registry_url=_registry_urls(get("SCHEMA_REGISTRY_URL")),
        schema_registry_access=_registry_access(get),
        xero=XeroApplication(
            api_url=_url("XERO_API_URL", get("XERO_API_URL")),
            identity_url=_url("XERO_IDENTITY_URL", get("XERO_IDENTITY_URL")),
            login_url=_url("XERO_LOGIN_URL", get("XERO_LOGIN_URL")),
            client_id=get("XERO_CLIENT_ID") or None,
            client_secret=get("XERO_CLIENT_SECRET") or None,
            redirect_uri=_url("XERO_REDIRECT_URI", get("XERO_REDIRECT_URI")),
            scopes=get("XERO_SCOPES"),
            calls_per_minute=_positive("XERO_CALLS_PER_MINUTE", get("XERO_CALLS_PER_MINUTE")),
            calls_per_day=_positive("XERO_CALLS_PER_DAY", get("XERO_CALLS_PER_DAY")),
        ),
        hearlink_url=_url("HEARLINK_URL", get("HEARLINK_URL")),
        token_encryption_keys=keys,
        sync_log_retention_months=_positive("SYNC_LOG_RETENTION_MONTHS", get("SYNC_LOG_RETENTION_MONTHS")),
        http_address=read_address("HTTP_ADDRESS", get("HTTP_ADDRESS")),
        console=_console(get),
    )


def _registry_urls(value: str) -> str | None:
    """Return the addresses as the registry's client takes them, separated by commas."""
    if "@" in value:
        raise ConfigurationError(
            "SCHEMA_REGISTRY_URL holds a user or a password, and addresses are shown in logs. Put them into "
            "SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD."
        )
    return ",".join(_url("SCHEMA_REGISTRY_URL", url) for url in _listed(value)) or None


def _registry_access(get: Callable[[str], str]) -> RegistryAccess:
    parts = ("user", "password", "token", "ca_file", "certificate_file", "key_file")
    try:
        return RegistryAccess(**{part: get(f"SCHEMA_REGISTRY_{part.upper()}") or None for part in parts})
    except RegistryAccessError as error:
        raise ConfigurationError(f"SCHEMA_REGISTRY_…: {error}") from error


def _console(get: Callable[[str], str]) -> ConsoleSettings:
    chosen = get("CONSOLE_SIGN_IN")
    if chosen not in set(SignIn):
        raise ConfigurationError(f"CONSOLE_SIGN_IN is {chosen!r}; it must be one of {', '.join(SignIn)}.")
    return ConsoleSettings(
        address=read_address("CONSOLE_ADDRESS", get("CONSOLE_ADDRESS")),
        metrics_address=read_address("CONSOLE_METRICS_ADDRESS", get("CONSOLE_METRICS_ADDRESS")),
        url=_url("CONSOLE_URL", get("CONSOLE_URL")) if get("CONSOLE_URL") else None,
        sign_in=SignIn(chosen),
        secret_key=get("CONSOLE_SECRET_KEY") or None,
        trusted_proxies=_networks("CONSOLE_TRUSTED_PROXIES", get("CONSOLE_TRUSTED_PROXIES")),
        view_groups=frozenset(_listed(get("CONSOLE_VIEW_GROUPS"))),
        sync_groups=frozenset(_listed(get("CONSOLE_SYNC_GROUPS"))),
        manage_groups=frozenset(_listed(get("CONSOLE_MANAGE_GROUPS"))),
        oidc_issuer=_url("OIDC_ISSUER", get("OIDC_ISSUER")) if get("OIDC_ISSUER") else None,
        oidc_client_id=get("OIDC_CLIENT_ID") or None,
        oidc_client_secret=get("OIDC_CLIENT_SECRET") or None,
        oidc_scopes=get("OIDC_SCOPES"),
        oidc_groups_claim=get("OIDC_GROUPS_CLAIM"),
        oidc_organisations_claim=get("OIDC_ORGANISATIONS_CLAIM"),
    )


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _networks(name: str, value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part, strict=False) for part in _listed(value))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}. Write networks such as 10.0.0.0/8, separated by commas.") from None


def _required(name: str, value: str | None, example: str) -> str:
    if not value:
        raise ConfigurationError(f"{name} is not set. Set it to {example}.")
    return value


def _url(name: str, value: str) -> str:
    if not _is_url(value):
        # What stands before an @ may be a password.
        shown = f"is {value!r}" if "@" not in value else "can't be used"
        raise ConfigurationError(f"{name} {shown}; it must be an http or https address.")
    return value.rstrip("/")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Read for what it raises.
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and _is_host(parts.hostname or "")


def _is_host(host: str) -> bool:
    """Whether a machine can have such a name, as far as the name alone tells."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _positive(name: str, value: str, most: int = 10**_DIGITS_MAX - 1) -> int:
    digits = value.lstrip("0")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        raise ConfigurationError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    if int(digits) > most:
        raise ConfigurationError(f"{name} is {value!r}; it must be {most} at most.")
    return int(digits)


def _share(name: str, value: str) -> float:
    if not _SHARE.fullmatch(value) or not 0 < float(value) <= 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be a number above 0 and up to 1, such as 0.10.")
    return float(value)


def _directory(name: str, value: str) -> Path | None:
    if not value:
        return None
    directory = Path(value)
    if not directory.is_dir():
        raise ConfigurationError(f"{name} is {value!r}, which is no directory here. Mount it, or correct the path.")
    return directory


def _json_object(name: str, value: str) -> dict[str, Any]:
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        # The text may hold passwords, so only the place of the fault is told.
        raise ConfigurationError(f"{name} is not JSON (line {error.lineno}, column {error.colno}).") from None
    if not isinstance(parsed, dict):
        raise ConfigurationError(f"{name} must be a JSON object of librdkafka properties.")
    return parsed


def read_address(name: str, value: str) -> tuple[str, int]:
    """Return host and port of `value`, which `name` is set to.

    Raises:
        ConfigurationError: it is no such thing.
    """
    host, colon, port = value.rpartition(":")
    host = host.strip("[]")
    if not colon or not _PORT.fullmatch(port) or int(port) > _PORT_MAX or not _is_host(host):
        raise ConfigurationError(f"{name} is {value!r}; it must be HOST:PORT.")
    return host, int(port)


def _check_fernet_key(key: str, number: int) -> None:
    try:
        Fernet(key)
    except ValueError:
        raise ConfigurationError(
            f"TOKEN_ENCRYPTION_KEYS: key {number} is no Fernet key. "
            'Make one: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        ) from None
