"""What is done where a system lacks what POSIX has; its name is all that is simulated."""

import signal
import sys

import pytest

from nscale_cli.preview import query
from nscale_cli.storage import devices
from nscale_cli.terminal import size
from nscale_cli.terminal.signals import Interrupts


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this system call itself Windows."""
    monkeypatch.setattr(sys, "platform", "win32")


@pytest.mark.usefixtures("windows")
def test_no_terminal_is_asked_for_what_it_can_draw() -> None:
    """There is no /dev/tty."""
    assert query.begin() is None


@pytest.mark.usefixtures("windows")
def test_a_cell_s_pixels_are_not_known() -> None:
    """A console does not tell them; the styles go by what is usual then."""
    assert size._cell_pixels() is None


@pytest.mark.usefixtures("windows")
def test_writing_is_not_waited_for() -> None:
    """Nothing was opened without waiting: there is no such descriptor, and none is looked at."""
    devices._wait_until_writable(-1)


@pytest.mark.usefixtures("windows")
def test_signals_are_ignored_without_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is about to end, and a later Ctrl-C is not heeded."""
    monkeypatch.delattr(signal, "pthread_sigmask")
    interrupts = Interrupts()
    interrupts.ignore()

    interrupts._receive(signal.SIGINT, None)
