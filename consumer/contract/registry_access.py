"""As whom we come to the schema registry, and how we know that it is the right one."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


class RegistryAccessError(Exception):
    """What was given can't be used together, or a file can't be read; the text says which and why."""


@dataclass(frozen=True)
class RegistryAccess:
    """A user with a password, or a bearer token, or neither; files of PEM. Secrets are kept out of every repr.

    Raises:
        RegistryAccessError: the parts don't go together, or a file is missing or is no such thing.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    # Who signed the registry's certificate; None = the authorities that browsers know.
    ca_file: str | None = None
    # Our own certificate and its key, which may be in one file.
    certificate_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise RegistryAccessError("the user and the password of the schema registry go together; one is missing.")
        if self.user is not None and self.token is not None:
            raise RegistryAccessError("the schema registry gets a user with a password, or a token, not both.")
        if self.user is not None and ":" in self.user:
            raise RegistryAccessError("a user of the schema registry can't have a colon in its name.")
        if self.key_file is not None and self.certificate_file is None:
            raise RegistryAccessError("a key without its certificate is of no use to the schema registry.")
        self._read_files()

    def properties(self) -> dict[str, Any]:
        """Return what the registry's client is told."""
        given = {
            "basic.auth.user.info": None if self.user is None else f"{self.user}:{self.password}",
            "bearer.auth.credentials.source": None if self.token is None else "STATIC_TOKEN",
            "bearer.auth.token": self.token,
            # The client insists on one; only Confluent's own cloud looks at it, and goes by its address without.
            "bearer.auth.logical.cluster": None if self.token is None else "",
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _read_files(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file is not None:
            with _told(self.ca_file, "the certificates of authorities"):
                context.load_verify_locations(cafile=self.ca_file)
        if self.certificate_file is not None:
            with _told(self.key_file or self.certificate_file, "a certificate with its key, which has no passphrase"):
                # Without a password of ours OpenSSL would ask the terminal for one.
                context.load_cert_chain(self.certificate_file, self.key_file, password="")


@contextmanager
def _told(path: str, content: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise RegistryAccessError(f"{path} is not {content} in PEM ({error.reason or 'unreadable'}).") from error
    except OSError as error:
        raise RegistryAccessError(f"{path} can't be read: {error.strerror}.") from error
