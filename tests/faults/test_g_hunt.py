"""The hunt with random signals: a sample of it, and that it would notice what it looks for."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import KEY
from tests.faults.hunt import Act, Hunted, Plan, hunt
from tests.faults.raw_server import Received
from tests.faults.shop import Sale

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what has arrived")

Injected = Callable[[bool, str], None]
_RUNS, _SEED = 24, 5000


@pytest.mark.slow
def test_no_signal_loses_what_had_arrived_or_makes_a_lie(injected: Injected) -> None:
    """A small sample; `make hunt` makes a thousand runs."""
    said: list[str] = []

    bag = hunt(_RUNS, _SEED, at_once=2, tell=said.append)

    assert not bag.wrong, "\n".join(said)
    for end in bag.ends.elements():
        injected(sum(bag.ends.values()) == _RUNS, f"random signals; from when, and the end: {end}")


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Hunted]:
    """A run that was told to end when its image had arrived, and did as it should."""
    folder = tmp_path / "folder"
    folder.mkdir()
    act = Act(after_seconds=0, number=signal.SIGTERM)
    plan = replace(Plan.drawn(1), count=1, as_json=False, anchor="sent", acts=(act,))
    one = Hunted(plan, folder)
    asked = Received(b"POST /v1/images/generations HTTP/1.1", b'{"prompt": "cat", "n": 1}')
    sale = Sale.of(asked)
    sale.sent = len(sale.reply)
    one.shop.requests, one.shop.sales, one.shop.connections = [asked], [sale], 1
    path = folder / "cat.png"
    path.write_bytes(sale.images[0])
    one.trace.code, one.trace.stops, one.trace.due = 143, [signal.SIGTERM], sale.images
    one.trace.stdout = f"{path}\n"
    one.trace.stderr = f"error: stopped; saved {path}. The request was billed.\n"
    with one.shop:
        yield one


def test_a_run_that_did_as_it_should_is_not_complained_of(saved: Hunted) -> None:
    """The control."""
    assert saved.complaints() == []


def lose(one: Hunted) -> None:
    """Let the image be nowhere."""
    (one.folder / "cat.png").unlink()


def cut(one: Hunted) -> None:
    """Let half an image have the name of a whole one."""
    (one.folder / "cat.png").write_bytes(one.shop.sales[0].images[0][:1000])


def hide(one: Hunted) -> None:
    """Let a file stay that nobody is told of."""
    (one.folder / ".cat.part").touch()


def order_twice(one: Hunted) -> None:
    """Let it have been paid twice."""
    one.shop.requests *= 2


def say_free(one: Hunted) -> None:
    """Say that it cost nothing."""
    one.trace.stderr = f"error: stopped; saved {one.folder}/cat.png. Nothing was billed.\n"


def say_unsent(one: Hunted) -> None:
    """Say that nothing was sent."""
    one.trace.stderr = "error: stopped before anything was sent\n"


def say_nothing(one: Hunted) -> None:
    """Say nothing of the bill."""
    one.trace.stderr = "error: stopped\n"


def say_maybe(one: Hunted) -> None:
    """Doubt what is certain."""
    one.trace.stderr = "error: stopped. The image may have been made, and billed.\n"


def bill_early(one: Hunted) -> None:
    """Say that it was billed before the service had answered."""
    one.shop.sales[0].sent = 0


def break_down(one: Hunted) -> None:
    """Show a traceback, and the key in it."""
    one.trace.stderr += f"Traceback (most recent call last):\n{KEY}\n"


def leave_otherwise(one: Hunted) -> None:
    """End with the exit code of another signal."""
    one.trace.code = 130


def succeed_emptily(one: Hunted) -> None:
    """End with success, and without all images."""
    one.trace.code, one.trace.stderr = 0, ""
    one.plan = replace(one.plan, count=4)


def answer_twice(one: Hunted) -> None:
    """Answer a script with a path, and then with a document."""
    one.plan = replace(one.plan, as_json=True)
    one.trace.stdout += json.dumps({"errors": []})


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lose, "1 of 1 images that had arrived are lost"),
        (cut, "cat.png is not an image that was sent"),
        (hide, "nothing is said of .cat.part"),
        (order_twice, "2 orders"),
        (say_free, "it says that nothing was billed, and the order had come"),
        (say_unsent, "it says that nothing was billed, and the order had come"),
        (say_nothing, "nothing is said about the bill"),
        (say_maybe, "images are saved, and it says {'maybe'} about the bill"),
        (bill_early, "it says that the order was billed, and no reply had begun"),
        (break_down, "a traceback"),
        (break_down, "the key is shown"),
        (leave_otherwise, "exit code 130 without that signal"),
        (succeed_emptily, "success without images"),
        (answer_twice, "not one JSON document"),
    ],
)
def test_what_should_not_be_is_complained_of(
    saved: Hunted, spoil: Callable[[Hunted], None], complaint: str
) -> None:
    """Each in its own words."""
    spoil(saved)

    assert complaint in saved.complaints()
