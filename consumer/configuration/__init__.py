"""The service's configuration: environment variables, read once, checked at once, passed on explicitly."""

from consumer.configuration.errors import ConfigurationError
from consumer.configuration.model import (
    Configuration,
    ConsoleSettings,
    DeadLetterBrake,
    SignIn,
    Topics,
    XeroApplication,
)
from consumer.configuration.reading import read_configuration
from consumer.configuration.values import read_address
from consumer.configuration.variables import (
    ALL_VARIABLES,
    CONSOLE_VARIABLES,
    RARE_VARIABLES,
    REGISTRY_VARIABLES,
    VARIABLES,
)

__all__ = [
    "ALL_VARIABLES",
    "CONSOLE_VARIABLES",
    "RARE_VARIABLES",
    "REGISTRY_VARIABLES",
    "VARIABLES",
    "Configuration",
    "ConfigurationError",
    "ConsoleSettings",
    "DeadLetterBrake",
    "SignIn",
    "Topics",
    "XeroApplication",
    "read_address",
    "read_configuration",
]
