"""Ctrl-C, SIGTERM and SIGHUP, sent for real to this process."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from nscale_cli.terminal.signals import Interrupted, Interrupts
from tests.conftest import installed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send them")

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
NUMBERS = tuple(int(getattr(signal, name)) for name in NAMES if hasattr(signal, name))
each_signal = pytest.mark.parametrize("number", NUMBERS)


def send(number: int) -> None:
    """Send the signal to this process, whose handler runs before the call returns."""
    os.kill(os.getpid(), number)


class Announced:
    """Counts how often a hold was announced."""

    def __init__(self) -> None:
        """Start without one."""
        self.count = 0

    def __call__(self, number: int) -> None:
        """Count one."""
        self.count += 1


@pytest.fixture
def announced() -> Announced:
    """Return what a hold is announced to."""
    return Announced()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[int, object]]:
    """Give every signal a harmless handler, and put its own back after the test."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    harmless = {number: lambda *_: None for number in NUMBERS}
    for number, handler in harmless.items():
        signal.signal(number, handler)
    yield dict(harmless)
    for number, original in before.items():
        signal.signal(number, original)


@each_signal
def test_signal_acts_at_once_while_nothing_is_at_stake(number: int) -> None:
    """The program stops where it is, and knows by which signal."""
    with installed(Interrupts()), pytest.raises(Interrupted) as caught:
        send(number)
    assert caught.value.signal_number == number


def test_stop_is_not_swallowed_by_a_library() -> None:
    """A broad handler of ordinary exceptions lets it pass."""
    assert not issubclass(Interrupted, Exception)


@each_signal
def test_signal_on_hold_is_announced_and_raised_at_release(
    number: int, announced: Announced
) -> None:
    """A paid image is saved first, and the user is told why it takes a moment."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.hold(announced)
        send(number)
        assert announced.count == 1
        with pytest.raises(Interrupted) as caught:
            interrupts.release()
    assert caught.value.signal_number == number


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test moves."""
    seconds = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


@each_signal
def test_second_signal_gives_up_at_once(
    number: int, announced: Announced, now: list[float]
) -> None:
    """Whoever asks twice is not kept waiting, whichever signal comes second."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.hold(announced)
        send(signal.SIGINT)
        now[0] += 1.1
        with pytest.raises(Interrupted) as caught:
            send(number)
    assert (announced.count, caught.value.signal_number) == (1, number)


def test_one_press_that_arrives_twice_is_one_stop(announced: Announced, now: list[float]) -> None:
    """A wrapper passes on what the terminal sends to both; the image is not given up."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.hold(announced)
        send(signal.SIGINT)
        now[0] += 0.02
        send(signal.SIGINT)
        assert interrupts.take() == signal.SIGINT
    assert announced.count == 1


def test_release_without_a_signal_raises_nothing(announced: Announced) -> None:
    """The ordinary run ends in peace."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.release()
        interrupts.hold(announced)
        interrupts.release()
    assert announced.count == 0


def test_signal_is_raised_once_only(announced: Announced) -> None:
    """What was raised at a release is not raised again at the next."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.hold(announced)
        send(signal.SIGTERM)
        with pytest.raises(Interrupted):
            interrupts.release()
        interrupts.release()


def test_signal_after_release_acts_at_once_again(announced: Announced) -> None:
    """Between two images nothing is at stake."""
    interrupts = Interrupts()
    with installed(interrupts):
        interrupts.hold(announced)
        interrupts.release()
        with pytest.raises(Interrupted):
            send(signal.SIGINT)
    assert announced.count == 0


@each_signal
def test_ignored_signal_stays_ignored(number: int) -> None:
    """Nohup and background jobs ask for that."""
    signal.signal(number, signal.SIG_IGN)
    with installed(Interrupts()):
        send(number)
        assert signal.getsignal(number) == signal.SIG_IGN
    assert signal.getsignal(number) == signal.SIG_IGN


def test_handlers_are_given_back(handlers: dict[int, object]) -> None:
    """Also where the run ends by a signal."""
    with pytest.raises(Interrupted), installed(Interrupts()):
        send(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in NUMBERS} == handlers


def test_leaning_on_the_key_for_long_is_one_stop(now: list[float]) -> None:
    """Also where the program takes longer to stop than between two presses; then another acts."""
    with installed(Interrupts()):
        with pytest.raises(Interrupted):
            send(signal.SIGINT)
        for _ in range(10):
            now[0] += 0.9
            send(signal.SIGINT)

        now[0] += 1.1
        with pytest.raises(Interrupted):
            send(signal.SIGINT)
