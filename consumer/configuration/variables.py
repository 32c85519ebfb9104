"""The variables of the environment, each with its default and what it is: the tables in the documents are these."""

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
