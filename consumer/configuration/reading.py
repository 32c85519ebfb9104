"""The environment, read once and checked at once."""

from collections.abc import Callable, Mapping

from consumer.configuration.errors import ConfigurationError
from consumer.configuration.model import (
    Configuration,
    ConsoleSettings,
    DeadLetterBrake,
    SignIn,
    Topics,
    XeroApplication,
)
from consumer.configuration.values import (
    check_fernet_key,
    listed,
    read_address,
    read_directory,
    read_json_object,
    read_networks,
    read_positive,
    read_share,
    read_url,
)
from consumer.configuration.variables import ALL_VARIABLES
from consumer.contract.registry_access import RegistryAccess, RegistryAccessError

# Each batch that has bad events is held against all of them.
_WINDOW_MAX = 1_000_000


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
        check_fernet_key(key, number)
    return Configuration(
        database_url=get("DATABASE_URL") or None,
        kafka_bootstrap_servers=get("KAFKA_BOOTSTRAP_SERVERS") or None,
        kafka_group_id=get("KAFKA_GROUP_ID"),
        kafka_config=read_json_object("KAFKA_CONFIG", get("KAFKA_CONFIG")),
        topics=Topics(
            orders=get("ORDERS_TOPIC"),
            retry=get("RETRY_TOPIC"),
            sync_log=get("SYNC_LOG_TOPIC"),
            dead_letter=get("DEAD_LETTER_TOPIC"),
        ),
        schemas_directory=read_directory("SCHEMAS_DIRECTORY", get("SCHEMAS_DIRECTORY")),
        brake=DeadLetterBrake(
            run=read_positive("DEAD_LETTER_BRAKE_RUN", get("DEAD_LETTER_BRAKE_RUN")),
            share=read_share("DEAD_LETTER_BRAKE_SHARE", get("DEAD_LETTER_BRAKE_SHARE")),
            window=read_positive("DEAD_LETTER_BRAKE_WINDOW", get("DEAD_LETTER_BRAKE_WINDOW"), _WINDOW_MAX),
        ),
        schema_registry_url=_registry_urls(get("SCHEMA_REGISTRY_URL")),
        schema_registry_access=_registry_access(get),
        xero=XeroApplication(
            api_url=read_url("XERO_API_URL", get("XERO_API_URL")),
            identity_url=read_url("XERO_IDENTITY_URL", get("XERO_IDENTITY_URL")),
            login_url=read_url("XERO_LOGIN_URL", get("XERO_LOGIN_URL")),
            client_id=get("XERO_CLIENT_ID") or None,
            client_secret=get("XERO_CLIENT_SECRET") or None,
            redirect_uri=read_url("XERO_REDIRECT_URI", get("XERO_REDIRECT_URI")),
            scopes=get("XERO_SCOPES"),
            calls_per_minute=read_positive("XERO_CALLS_PER_MINUTE", get("XERO_CALLS_PER_MINUTE")),
            calls_per_day=read_positive("XERO_CALLS_PER_DAY", get("XERO_CALLS_PER_DAY")),
        ),
        hearlink_url=read_url("HEARLINK_URL", get("HEARLINK_URL")),
        token_encryption_keys=keys,
        sync_log_retention_months=read_positive("SYNC_LOG_RETENTION_MONTHS", get("SYNC_LOG_RETENTION_MONTHS")),
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
    return ",".join(read_url("SCHEMA_REGISTRY_URL", url) for url in listed(value)) or None


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
        url=read_url("CONSOLE_URL", get("CONSOLE_URL")) if get("CONSOLE_URL") else None,
        sign_in=SignIn(chosen),
        secret_key=get("CONSOLE_SECRET_KEY") or None,
        trusted_proxies=read_networks("CONSOLE_TRUSTED_PROXIES", get("CONSOLE_TRUSTED_PROXIES")),
        view_groups=frozenset(listed(get("CONSOLE_VIEW_GROUPS"))),
        sync_groups=frozenset(listed(get("CONSOLE_SYNC_GROUPS"))),
        manage_groups=frozenset(listed(get("CONSOLE_MANAGE_GROUPS"))),
        oidc_issuer=read_url("OIDC_ISSUER", get("OIDC_ISSUER")) if get("OIDC_ISSUER") else None,
        oidc_client_id=get("OIDC_CLIENT_ID") or None,
        oidc_client_secret=get("OIDC_CLIENT_SECRET") or None,
        oidc_scopes=get("OIDC_SCOPES"),
        oidc_groups_claim=get("OIDC_GROUPS_CLAIM"),
        oidc_organisations_claim=get("OIDC_ORGANISATIONS_CLAIM"),
    )
