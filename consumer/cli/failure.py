"""How a command fails: a sentence on standard error and an exit code."""

FAILED = 1
MISUSED = 2
UNREACHABLE = 3


class Failure(Exception):  # noqa: N818 -- an end that a command chooses, not a fault of ours
    """Ends the command; `exit_code` is FAILED, MISUSED or UNREACHABLE."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
