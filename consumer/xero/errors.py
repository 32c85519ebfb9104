"""What can go wrong at Xero, each class with the one thing that its name asks of the caller.

XeroError
├── NotSentError            nothing left this machine: RETRY at leisure, also with the same Idempotency-Key
│   ├── BudgetSpentError    … because our own count says that the limit is reached: WAIT, costs no attempt
│   └── AppRefusedError     … because Xero knows no app of our id and secret: GIVE UP, someone must correct them
├── RateLimitedError        429; Xero wrote nothing: WAIT, costs no attempt
├── MaintenanceError        503 in one of the documented wordings: WAIT; a write is IN DOUBT as after any 5xx: LOOK UP
├── AnswerLostError         time-out, reset, 5xx, unreadable answer, a key that Xero knows from another request.
│                           A read: RETRY. A write is IN DOUBT: LOOK UP
├── RequestRefusedError     the whole request is wrong: GIVE UP, someone must correct something (or we have a defect)
├── NotFoundError           404: GIVE UP; deleted there, or it lives in another tenant
└── AccessError             Xero doesn't let us: GIVE UP until that is mended, see its `refusal`
    ├── AccessRefusedError  … do this: a right, a role or the app's credentials are wrong
    └── DisconnectedError   … in at all, until someone connects again

`sent` says of each whether the request may have reached Xero, `wrote` whether it may have changed anything there:
intents of a write stay open only where `wrote` is True. No message holds a token or a body that we sent.
"""

from collections.abc import Sequence
from typing import ClassVar

from consumer.xero.access import AccessCode, Refusal, describe_scope


class XeroError(Exception):
    """Base of all that Xero, or the way to it, can answer. `messages` are Xero's own sentences, verbatim, or none."""

    sent: ClassVar[bool] = True
    wrote: ClassVar[bool] = False

    def __init__(self, text: str, messages: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.messages = tuple(messages)

    @property
    def said(self) -> str | None:
        """Xero's own words in one text, or None: never ours, so what is shown as Xero's can be looked up there."""
        return " / ".join(self.messages) or None

    @property
    def refused(self) -> bool:
        """Whether Xero said no (a 4xx, and no limit): what is refused so again and again is no outage."""
        return False

    @property
    def for_log(self) -> str:
        """The text without Xero's own sentences where those may quote a patient's name or address."""
        return str(self)


class NotSentError(XeroError):
    """Nothing left this machine: no address, connection refused, connect time-out, deadline before the send."""

    sent = False


class BudgetSpentError(NotSentError):
    """Our own count forbids the call.

    `window` is `minute`, `day`, or the reason of the tenant's freeze; `wait_seconds` until it is worth asking again.
    """

    def __init__(self, wait_seconds: float, window: str) -> None:
        super().__init__(f"The call budget of the tenant is spent ({window}): free again in {wait_seconds:.1f} s.")
        self.wait_seconds = wait_seconds
        self.window = window


class AppRefusedError(NotSentError):
    """The token endpoint refuses our app: `code` says how (`invalid_client`, …; "" = it doesn't), `said` why.

    No order is to blame for that, and no call of theirs was sent.
    """

    def __init__(self, code: str, said: Sequence[str], *, status: int = 400) -> None:
        words = " / ".join(said) or "no reason given"
        super().__init__(
            f"Xero refuses the app ({code or status}): {words}. Check XERO_CLIENT_ID and XERO_CLIENT_SECRET.", said
        )
        self.code = code


class RateLimitedError(XeroError):
    """429. `problem` in lower case: `minute`, `day`, `concurrent`, `appminute`, or '' where Xero names none.

    `wait_seconds` is Xero's Retry-After, or our own growing back-off where Xero gives none.
    """

    def __init__(self, problem: str, wait_seconds: float) -> None:
        super().__init__(f"Xero's limit is reached ({problem or 'unnamed'}): again in {wait_seconds:.0f} s.")
        self.problem = problem
        self.wait_seconds = wait_seconds


class MaintenanceError(XeroError):
    """503 in one of the documented plain texts, kept in `text`.

    Most likely Xero wrote nothing; but nobody documents that, and a payment that went out twice is a payment too many.
    """

    wrote = True

    def __init__(self, text: str, wait_seconds: float) -> None:
        super().__init__(f"Xero is not available: {text}. Again in {wait_seconds:.0f} s.", [text])
        self.text = text
        self.wait_seconds = wait_seconds


class AnswerLostError(XeroError):
    """The request may have been carried out and we don't know: look up before sending it again.

    `status` is that of an answer which doesn't tell, None where none came.
    """

    wrote = True

    def __init__(self, text: str, messages: Sequence[str] = (), *, status: int | None = None) -> None:
        super().__init__(text, messages)
        self.status = status

    @property
    def refused(self) -> bool:
        """Also in words that may mean an outage: 408, 409."""
        return self.status is not None and self.status // 100 == 4  # noqa: PLR2004 -- HTTP


class RequestRefusedError(XeroError):
    """A 4xx about the whole request. Nothing was written.

    `kind` is Xero's `Type` (`ValidationException`, `PostDataInvalidException`, …) or '', `messages` Xero's own
    sentences, outer first.
    """

    def __init__(self, status: int, kind: str, messages: Sequence[str]) -> None:
        said = " / ".join(messages) or "no reason given"
        super().__init__(f"Xero refused the request ({status} {kind}".rstrip() + f"): {said}", messages)
        self.status = status
        self.kind = kind

    @property
    def refused(self) -> bool:
        """Yes."""
        return True

    @property
    def for_log(self) -> str:
        """Its sentences are left out: they name contacts."""
        return f"Xero refused the request ({self.status} {self.kind}".rstrip() + ")."


class NotFoundError(XeroError):
    """404: an id, in the path or in an element, is unknown to this tenant. Of which it speaks, Xero rarely says."""

    @property
    def refused(self) -> bool:
        """Yes."""
        return True

    @property
    def for_log(self) -> str:
        """Whatever stood in the body is left out."""
        return "Xero doesn't know it (404)."


class AccessError(XeroError):
    """Xero doesn't let us: `refusal` says what, and in whose words."""

    refusal: Refusal

    @property
    def refused(self) -> bool:
        """Yes."""
        return True


class AccessRefusedError(AccessError):
    """The connection lives, and Xero refuses this. Raised too while it is known, without asking Xero again."""

    def __init__(self, refusal: Refusal) -> None:
        said = f": {refusal.xero_message}" if refusal.xero_message else ", and doesn't say why."
        words = [refusal.xero_message] if refusal.xero_message else []
        what = describe_scope(refusal.scope)
        super().__init__(f"Xero does not let HearLink {what} ({refusal.code.value}){said}", words)
        self.refusal = refusal

    @property
    def for_log(self) -> str:
        """Xero's words are left out: some proxy on the way may have written them."""
        return f"Xero does not let HearLink {describe_scope(self.refusal.scope)} ({self.refusal.code.value})."


class DisconnectedError(AccessError):
    """Xero no longer lets us in.

    `reason` is for people. `tenant_only` = the connection lives, this tenant was taken out of it; else all tenants
    of the organisation are concerned.
    """

    def __init__(self, reason: str, messages: Sequence[str] = (), *, tenant_only: bool = False) -> None:
        super().__init__(f"Xero is disconnected: {reason}", messages)
        self.reason = reason
        self.tenant_only = tenant_only
        self.refusal = Refusal(AccessCode.DISCONNECTED, "", self.said)
