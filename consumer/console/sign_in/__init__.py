"""Signing in: three ways of knowing who it is, of which the configuration chooses one."""

from consumer.configuration import Configuration, ConfigurationError, SignIn
from consumer.console.sign_in.local import LocalUser
from consumer.console.sign_in.method import SignInMethod
from consumer.console.sign_in.openid import OpenIdConnect
from consumer.console.sign_in.proxy import TrustedProxy

__all__ = ["SignInMethod", "choose_sign_in"]


def choose_sign_in(configuration: Configuration, public_url: str) -> SignInMethod:
    """Return the method that CONSOLE_SIGN_IN names.

    Raises:
        ConfigurationError: it can't be used as things are.
    """
    settings = configuration.console
    if settings.sign_in is SignIn.LOCAL:
        return LocalUser(settings)
    if not settings.secret_key:
        raise ConfigurationError(
            "CONSOLE_SECRET_KEY is not set. Set it to a long random text, the same in all processes."
        )
    if settings.sign_in is SignIn.PROXY:
        return TrustedProxy(settings)
    return OpenIdConnect(settings, public_url)
