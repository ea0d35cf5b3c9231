"""The one place that writes what a command came to."""

import errno
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from nscale_cli.errors import NscaleError, StdoutFailed, UsageError
from nscale_cli.output.result import Result, report
from nscale_cli.terminal.streams import Terminal
from tests.conftest import Stream


class Full(Stream):
    """A stream whose disk is full."""

    @property
    def buffer(self) -> io.BufferedWriter:
        """Fail as a write would."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Result):
    """A result that has something for every place."""

    command = "example"
    failed: bool = True

    @property
    def errors(self) -> Sequence[NscaleError]:
        """One, or none."""
        return [UsageError("it failed")] if self.failed else []

    def notes(self) -> Sequence[str]:
        """Before the answer."""
        return ["a note"]

    def warnings(self) -> Sequence[str]:
        """After the notes."""
        return ["a warning"]

    def lines(self) -> Sequence[str]:
        """Two."""
        return ["one", "two"]

    def remarks(self) -> Sequence[str]:
        """For a person."""
        return ["a remark"]

    def data(self) -> dict[str, object]:
        """For a script."""
        return {"n": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Example):
    """One whose answer explains its errors."""

    answer_first = True


def told(result: Result, *, as_json: bool) -> str:
    """Return what is written, to both streams in their order."""
    stream = Stream()
    terminal = Terminal(stdin=None, stdout=stream, stderr=stream, env={})
    report(result, terminal, as_json=as_json)
    return stream.content.decode()


def test_a_person_reads_what_happened_and_then_the_answer() -> None:
    """What is said on stderr does not wait for the reader of stdout."""
    expected = "a note\nwarning: a warning\nerror: it failed\none\ntwo\na remark\n"
    assert told(Example(), as_json=False) == expected


def test_an_answer_that_explains_the_errors_comes_first() -> None:
    """As a table of findings does."""
    assert told(Explained(), as_json=False).endswith("one\ntwo\nerror: it failed\na remark\n")


def test_a_script_reads_one_document() -> None:
    """The envelope is the same for every command; what only a person needs is left out."""
    assert told(Example(failed=False), as_json=True) == (
        "a note\nwarning: a warning\n"
        '{"version": 1, "command": "example", "status": "ok", "data": {"n": 2}, "errors": []}\n'
    )


def test_an_answer_that_cannot_be_written_leaves_what_happened_told() -> None:
    """The errors were said before."""
    stderr = Stream()
    terminal = Terminal(stdin=None, stdout=Full(), stderr=stderr, env={})

    with pytest.raises(StdoutFailed):
        report(Example(), terminal, as_json=False)

    assert "error: it failed" in stderr.content.decode()
