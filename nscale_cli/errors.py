"""What can go wrong, and the exit codes that tell whether a run may be repeated for free."""

from enum import IntEnum, StrEnum
from typing import Self


class Billed(StrEnum):
    """Whether the request that failed has cost money, as far as this program can know."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


class ExitCode(IntEnum):
    """The exit codes; each carries the words of its row in the public table."""

    meaning: str
    billed: str

    def __new__(cls, value: int, billed: str, meaning: str) -> Self:
        """Attach the `billed` and `meaning` columns of the public table to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.billed = billed
        member.meaning = meaning
        return member

    @property
    def label(self) -> str:
        """The name that scripts see in `errors[].code`."""
        return self.name.lower()

    OK = (
        0,
        "yes",
        "every image is saved where asked (a preview or viewer may have failed with a warning)",
    )
    BUG = (1, "unknown", "a bug in nscale")
    USAGE = (
        2,
        "no",
        "usage, or refused before sending (bad size, empty prompt, file exists, "
        "folder not writable)",
    )
    CONFIGURATION = (3, "no", "configuration: base URL, proxy, CA file, redirect")
    KEY = (4, "no", "key missing, malformed, refused or not allowed (401, 403)")
    CREDIT = (5, "no", "not enough credit (402, 429 with the credit marker, either body shape)")
    REFUSED = (6, "no", "request refused (400, 404, 413, 422, content policy)")
    UNREACHABLE = (7, "no", "service not reached (DNS, refused, connect timeout, TLS, proxy)")
    RATE_LIMITED = (9, "no", "too many requests (429 without the credit marker)")
    TIMEOUT = (10, "maybe", "no answer in time")
    DISCONNECTED = (11, "maybe", "the connection broke after sending")
    SERVICE_FAILED = (
        12,
        "maybe",
        "the service failed (408, 409, 5xx), or its reply is too large",
    )
    UNUSABLE_REPLY = (13, "maybe", "a reply without a usable image; the reply is kept")
    SAVED_ELSEWHERE = (20, "yes", "image received, but saved elsewhere (path printed)")
    NOT_SAVED = (21, "yes", "image received, could not be saved anywhere")
    INCOMPLETE = (
        22,
        "yes",
        "fewer images than asked, or bytes that are not PNG, JPEG or WebP (kept)",
    )
    STDOUT_FAILED = (23, "yes", "image saved, but stdout could not be written")
    PARTIAL = (
        24,
        "yes",
        "some images of a run are saved, none of the others was billed; the same command goes on",
    )
    PARTIAL_MAYBE = (
        25,
        "maybe",
        "some images of a run are saved, some of the others may have been billed; "
        "a resume leaves those alone",
    )
    HANGUP = (129, "-", "SIGHUP; the message says what was saved and what may be billed")
    INTERRUPTED = (
        130,
        "-",
        "SIGINT (Ctrl-C); the message says what was saved and what may be billed",
    )
    TERMINATED = (143, "-", "SIGTERM; the message says what was saved and what may be billed")


class NscaleError(Exception):
    """A failure that the user can understand: what and why, what to do next, and the exit code.

    `billed` is given only where it differs from the exit code's own row.
    """

    code = ExitCode.BUG

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        billed: Billed | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        """Hold the sentence for the user and what a script wants to know about it."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.billed = billed or _billed_by(self.code)
        self.http_status = http_status
        self.request_id = request_id

    def but(
        self,
        *,
        message: str | None = None,
        hint: str | None = None,
        billed: Billed | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
    ) -> Self:
        """Return a copy that says these things in their place; what is None stays as it is."""
        changes = {
            "message": message,
            "hint": hint,
            "billed": billed,
            "http_status": http_status,
            "request_id": request_id,
        }
        changed = type(self).__new__(type(self), message or self.message)
        changed.__dict__.update(self.__dict__)
        changed.__dict__.update((name, each) for name, each in changes.items() if each is not None)
        return changed


def _billed_by(code: ExitCode) -> Billed:
    return Billed(code.billed) if code.billed in tuple(Billed) else Billed.MAYBE


class InternalError(NscaleError):
    """Something happened that the code did not foresee."""


class UsageError(NscaleError):
    """The command line, or something it names, cannot be used; nothing was sent."""

    code = ExitCode.USAGE


class ConfigurationError(NscaleError):
    """The address, proxy or certificate settings do not lead to a service."""

    code = ExitCode.CONFIGURATION


class AuthenticationError(NscaleError):
    """The API key is missing, malformed, or not accepted."""

    code = ExitCode.KEY


class KeyMissing(AuthenticationError):
    """No API key was given at all."""


class InsufficientCredit(NscaleError):
    """The account cannot pay for the request."""

    code = ExitCode.CREDIT


class RequestRefused(NscaleError):
    """The service will not do this request, however often it is sent."""

    code = ExitCode.REFUSED


class ServiceUnreachable(NscaleError):
    """No byte of the request reached the service. `temporary` failures may be tried again."""

    code = ExitCode.UNREACHABLE

    def __init__(self, message: str, *, temporary: bool, hint: str | None = None) -> None:
        """Say why the service was not reached, and whether that may pass by itself."""
        super().__init__(message, hint=hint)
        self.temporary = temporary


class RateLimited(NscaleError):
    """The service asks to wait; `retry_after_seconds` is None where it does not say how long."""

    code = ExitCode.RATE_LIMITED

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after_seconds: float | None = None,
        retry_forbidden: bool = False,
    ) -> None:
        """Say how long the service asks to wait, and whether it forbids another try."""
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.retry_forbidden = retry_forbidden


class AnswerTimeout(NscaleError):
    """The time limit passed after the request had been sent."""

    code = ExitCode.TIMEOUT


class Disconnected(NscaleError):
    """The connection broke after the request had been sent."""

    code = ExitCode.DISCONNECTED


class ServiceFailed(NscaleError):
    """The service answered that it failed, or answered without end."""

    code = ExitCode.SERVICE_FAILED


class UnusableReply(NscaleError):
    """The service reported success, but its reply holds no image."""

    code = ExitCode.UNUSABLE_REPLY


class SavedElsewhere(NscaleError):
    """The image is on disk, but not where it was asked for."""

    code = ExitCode.SAVED_ELSEWHERE


class NotSaved(NscaleError):
    """The image was received and no place on disk would take it."""

    code = ExitCode.NOT_SAVED


class Incomplete(NscaleError):
    """Some of what was paid for is not the image that was asked for."""

    code = ExitCode.INCOMPLETE


class StdoutFailed(NscaleError):
    """The answer could not be written to standard output."""

    code = ExitCode.STDOUT_FAILED


class HistoryUnavailable(NscaleError):
    """The history cannot be read or written now; the file is left as it is."""

    code = ExitCode.CONFIGURATION


class Stopped(NscaleError):
    """A signal ended the run; the instance's `code` is 128 plus the signal's number."""

    def __init__(
        self, signal_number: int, message: str = "stopped", *, billed: Billed = Billed.NO
    ) -> None:
        """Take the exit code from the signal."""
        super().__init__(message, billed=billed)
        self.code = next(code for code in ExitCode if code == 128 + signal_number)
