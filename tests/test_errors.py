"""The errors, their exit codes, and whether each has cost money."""

import re
import signal

import pytest

from nscale_cli import errors
from nscale_cli.errors import Billed, ExitCode, NscaleError, ServiceUnreachable, Stopped

# class: (exit code, billed)
TABLE = {
    "InternalError": (1, "maybe"),
    "UsageError": (2, "no"),
    "ConfigurationError": (3, "no"),
    "AuthenticationError": (4, "no"),
    "InsufficientCredit": (5, "no"),
    "RequestRefused": (6, "no"),
    "ServiceUnreachable": (7, "no"),
    "RateLimited": (9, "no"),
    "AnswerTimeout": (10, "maybe"),
    "Disconnected": (11, "maybe"),
    "ServiceFailed": (12, "maybe"),
    "UnusableReply": (13, "maybe"),
    "SavedElsewhere": (20, "yes"),
    "NotSaved": (21, "yes"),
    "Incomplete": (22, "yes"),
    "StdoutFailed": (23, "yes"),
    "HistoryUnavailable": (3, "no"),
}


def test_table_holds_every_error() -> None:
    """A new error cannot be added without deciding its code."""
    assert {error.__name__ for error in NscaleError.__subclasses__()} == {*TABLE, "Stopped"}


@pytest.mark.parametrize(("name", "row"), TABLE.items())
def test_each_error_has_its_code_and_says_whether_it_was_billed(
    name: str, row: tuple[int, str]
) -> None:
    """The public table, by the class that is raised."""
    kind = getattr(errors, name)
    options = {"temporary": True} if kind is ServiceUnreachable else {}
    error = kind("what and why", hint="what next", **options)
    assert (error.code, error.billed) == row
    assert (str(error), error.message, error.hint) == ("what and why", "what and why", "what next")
    assert (error.http_status, error.request_id) == (None, None)


def test_error_may_say_itself_whether_it_was_billed() -> None:
    """One that knows better than its exit code is believed."""
    assert errors.InternalError("x", billed=Billed.NO).billed is Billed.NO
    assert NscaleError("x", http_status=500, request_id="r").http_status == 500


@pytest.mark.parametrize("temporary", [True, False])
def test_unreachable_service_says_whether_that_may_pass(temporary: bool) -> None:
    """Only a temporary failure is worth another try."""
    assert ServiceUnreachable("x", temporary=temporary).temporary is temporary


def test_rate_limit_knows_no_wait_until_it_is_told() -> None:
    """The service need not say how long."""
    error = errors.RateLimited("x")
    assert (error.retry_after_seconds, error.retry_forbidden) == (None, False)


@pytest.mark.parametrize(
    "error",
    [
        errors.RequestRefused("no", hint="h", http_status=404, request_id="r"),
        ServiceUnreachable("gone", temporary=True),
        errors.RateLimited("wait", retry_after_seconds=3.0, retry_forbidden=True),
        Stopped(signal.SIGINT, "stopped", billed=Billed.MAYBE),
    ],
)
def test_a_copy_with_more_in_it_leaves_the_error_as_it_was(error: NscaleError) -> None:
    """A later hand that knows more says it in a copy, which is otherwise the same."""
    before = dict(vars(error))

    copied = error.but(message="more", billed=Billed.YES)

    assert vars(error) == before
    assert type(copied) is type(error)
    assert vars(copied) == before | {"message": "more", "billed": Billed.YES}
    assert str(copied) == "more"
    assert vars(error.but()) == before


@pytest.mark.parametrize(
    ("name", "code"), [("SIGHUP", 129), ("SIGINT", 130), ("SIGTERM", 143)], ids=lambda value: value
)
def test_stop_has_the_exit_code_of_its_signal(name: str, code: int) -> None:
    """128 and the signal's number, as shells report it."""
    number = {"SIGHUP": 1, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}[name]
    stopped = Stopped(number)
    assert (stopped.code, stopped.message, stopped.billed) == (code, "stopped", Billed.NO)
    assert Stopped(number, "late", billed=Billed.YES).billed is Billed.YES


def test_exit_codes_are_the_public_ones() -> None:
    """Scripts depend on each number and each name."""
    assert {code.label: int(code) for code in ExitCode} == {
        "ok": 0,
        "bug": 1,
        "usage": 2,
        "configuration": 3,
        "key": 4,
        "credit": 5,
        "refused": 6,
        "unreachable": 7,
        "rate_limited": 9,
        "timeout": 10,
        "disconnected": 11,
        "service_failed": 12,
        "unusable_reply": 13,
        "saved_elsewhere": 20,
        "not_saved": 21,
        "incomplete": 22,
        "stdout_failed": 23,
        "partial": 24,
        "partial_maybe": 25,
        "hangup": 129,
        "interrupted": 130,
        "terminated": 143,
    }


def test_exit_codes_have_a_name_and_a_meaning_of_their_own() -> None:
    """No member is an alias of another."""
    assert len(ExitCode.__members__) == len(ExitCode)
    assert len({code.label for code in ExitCode}) == len(ExitCode)
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)
    assert all(re.fullmatch(r"[a-z_]+", code.label) for code in ExitCode)


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.label)
def test_exit_code_says_whether_it_costs_money(code: ExitCode) -> None:
    """Below 10 nothing was paid, below 20 it may have been, from 20 on it was."""
    special = {0: "yes", 1: "unknown", 25: "maybe", 129: "-", 130: "-", 143: "-"}
    ordinary = "no" if code < 10 else "maybe" if code < 20 else "yes"
    assert code.billed == special.get(code, ordinary)
