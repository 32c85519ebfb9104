"""The values of variables, read and checked one by one. Pure, but for what is looked up on the disk."""

import json
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from consumer.configuration.errors import ConfigurationError

_PORT, _PORT_MAX = re.compile(r"[0-9]{1,5}"), 65_535
# More is no number of anything here, and what is worked out from it must fit into the database.
_DIGITS_MAX = 9
_SHARE = re.compile(r"\d{0,3}\.?\d{1,9}", re.ASCII)


def listed(value: str) -> list[str]:
    """Return the parts of `value` between commas, without blanks and empty ones."""
    return [part.strip() for part in value.split(",") if part.strip()]


def read_networks(name: str, value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks listed in `value`, or raise ConfigurationError."""
    try:
        return tuple(ip_network(part, strict=False) for part in listed(value))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}. Write networks such as 10.0.0.0/8, separated by commas.") from None


def require(name: str, value: str | None, example: str) -> str:
    """Return `value`, or raise ConfigurationError where it is unset; `example` is what it should look like."""
    if not value:
        raise ConfigurationError(f"{name} is not set. Set it to {example}.")
    return value


def read_url(name: str, value: str) -> str:
    """Return the http or https address `value` without a slash at its end, or raise ConfigurationError."""
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


def read_positive(name: str, value: str, most: int = 10**_DIGITS_MAX - 1) -> int:
    """Return the whole number `value`, from 1 to `most`, or raise ConfigurationError."""
    digits = value.lstrip("0")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        raise ConfigurationError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    if int(digits) > most:
        raise ConfigurationError(f"{name} is {value!r}; it must be {most} at most.")
    return int(digits)


def read_share(name: str, value: str) -> float:
    """Return the share `value`, above 0 and at most 1, or raise ConfigurationError."""
    if not _SHARE.fullmatch(value) or not 0 < float(value) <= 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be a number above 0 and up to 1, such as 0.10.")
    return float(value)


def read_directory(name: str, value: str) -> Path | None:
    """Return the directory `value`, None where it is unset, or raise ConfigurationError where there is none."""
    if not value:
        return None
    directory = Path(value)
    if not directory.is_dir():
        raise ConfigurationError(f"{name} is {value!r}, which is no directory here. Mount it, or correct the path.")
    return directory


def read_json_object(name: str, value: str) -> dict[str, Any]:
    """Return the JSON object `value`, or raise ConfigurationError without a word of what is in it."""
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


def check_fernet_key(key: str, number: int) -> None:
    """Raise ConfigurationError where the `number`-th key is none."""
    try:
        Fernet(key)
    except ValueError:
        raise ConfigurationError(
            f"TOKEN_ENCRYPTION_KEYS: key {number} is no Fernet key. "
            'Make one: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        ) from None
