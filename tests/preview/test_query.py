"""The question to the terminal, without one: what answers mean, and how long it may take."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nscale_cli.preview import query
from nscale_cli.preview.query import MAX_WAIT_SECONDS, QUESTION, Query, begin, parse_reply
from nscale_cli.preview.styles import TerminalCapabilities

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals are POSIX's")


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (b"", TerminalCapabilities()),
        (b"\x1b[?62;4;22c", TerminalCapabilities(sixel=True)),
        (b"\x1b[?64;14;24c", TerminalCapabilities()),
        (b"\x1b[?c", TerminalCapabilities()),
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62c", TerminalCapabilities(kitty=True)),
        (b"\x1b_Gi=31;EINVAL:bad\x1b\\\x1b[?62c", TerminalCapabilities()),
        (b"\x1bP>|xterm.js(5.5)\x1b\\\x1b[?1;2c", TerminalCapabilities(name="xterm.js(5.5)")),
        (b"\x1bP>|" + b"x" * 999 + b"\x1b\\", TerminalCapabilities(name="x" * 60)),
        (b"\x1b[6;20;10t", TerminalCapabilities(cell_pixels=(10, 20))),
        (b"\x1b[6;0;10t", TerminalCapabilities()),
        (b"\x1b[6;99999;10t", TerminalCapabilities()),
        (b"hello", TerminalCapabilities()),
    ],
)
def test_answers_are_understood(data: bytes, answers: TerminalCapabilities) -> None:
    """Each is known by its form, whatever stands around it."""
    assert parse_reply(data) == answers
    assert parse_reply(b"ls\n" + data + b"\x1b[A") == answers


@given(st.binary() | st.text(alphabet="\x1bP>|_Gi=31;OK\\[?c6t0").map(str.encode))
@example(b"\x1b[?\xff;4c")
@example(b"\x1bP>|\xff\xfe\x1b\\")
def test_nothing_that_a_terminal_sends_is_an_error(data: bytes) -> None:
    """A terminal may be broken, or hostile."""
    answers = parse_reply(data)

    assert len(answers.name) <= 60
    assert answers.cell_pixels is None or all(0 < side < 10_000 for side in answers.cell_pixels)


def test_the_question_ends_with_what_every_terminal_answers() -> None:
    """DA1 is last, so that its answer says that no other will come."""
    assert QUESTION.endswith(b"\x1b[c")
    assert QUESTION.count(b"\x1b[c") == 1


class Clock:
    """A clock that the test moves, and the waits that were asked for."""

    def __init__(self) -> None:
        """Start at some time."""
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        """Take the time, in vain."""
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> tuple[Query, Clock]:
    """A question that nobody answers, and its clock."""
    clock = Clock()
    monkeypatch.setattr(Query, "_run", lambda self: None)
    question = Query(monotonic=lambda: clock.now)
    monkeypatch.setattr(question._over, "wait", clock.wait)
    return question, clock


@pytest.mark.parametrize("passed", [0.0, 0.1, 0.25, 30.0])
def test_nobody_waits_longer_than_a_quarter_of_a_second(
    unanswered: tuple[Query, Clock], passed: float
) -> None:
    """Counted from the question: after a request that took longer, there is no wait at all."""
    question, clock = unanswered
    clock.now += passed

    assert question.answers() == TerminalCapabilities()
    assert question.answers() == TerminalCapabilities()
    question.close()

    assert MAX_WAIT_SECONDS == 0.25
    assert len(clock.waits) == 3  # each bounded; together by one quarter of a second
    assert sum(clock.waits) == pytest.approx(max(0, 0.25 - passed))


def test_listening_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that never answers gets its echo back after two seconds at most."""
    clock = Clock()
    timeouts = []

    def select(descriptors: list[int], *_: object) -> tuple[list[int], list[int], list[int]]:
        timeouts.append(_[-1])
        return [], [], []

    monkeypatch.setattr(Query, "_run", lambda self: None)
    monkeypatch.setattr(query.select, "select", select)
    question = Query(monotonic=lambda: clock.now)
    clock.now += 0.5

    assert question._listen(99) == b""

    assert timeouts == [1.5]
    question._over.set()
    question.close()


def test_without_a_terminal_there_is_no_answer(tmp_path: object) -> None:
    """A service, a container: /dev/tty cannot be opened."""
    question = Query(device=f"{tmp_path}/no-tty")

    assert question.answers() == TerminalCapabilities()
    question.close()


def test_without_descriptors_there_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview then guesses; the request is not disturbed."""

    def no_pipe() -> tuple[int, int]:
        raise OSError("too many open files")

    monkeypatch.setattr(os, "pipe", no_pipe)

    assert begin() is None
