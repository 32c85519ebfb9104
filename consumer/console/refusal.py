"""Why a request is not carried out, in words for whoever made it."""

from http import HTTPStatus


class Refusal(Exception):  # noqa: N818 -- an answer that a handler chooses, not a fault of ours
    """Ends a request with `status`; `title` is a short sentence, `text` says what to do.

    `way_on` is the address of the page where that is done, and what its link says; None = the console's first page.
    """

    def __init__(
        self, status: HTTPStatus, title: str, text: str = "", *, way_on: tuple[str, str] | None = None
    ) -> None:
        super().__init__(f"{title} {text}".strip())
        self.status = status
        self.title = title
        self.text = text
        self.way_on = way_on


def not_found(what: str) -> Refusal:
    """Return the refusal for `what` isn't there, or is another organisation's: nobody is told which."""
    return Refusal(
        HTTPStatus.NOT_FOUND, f"There is no {what} here.", "It may be another organisation's, or a mistyped address."
    )


def unusable(title: str, text: str = "") -> Refusal:
    """Return the refusal of input that makes no sense."""
    return Refusal(HTTPStatus.BAD_REQUEST, title, text)
