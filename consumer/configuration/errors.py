"""What is wrong with the environment."""


class ConfigurationError(Exception):
    """A variable is missing or can't be used; the text says which, why and what it should look like."""
