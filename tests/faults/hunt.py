"""Runs of the real program with signals at random moments of its whole life.

Nothing that had arrived is lost, and what is said about the bill is what the service knows.

Usage: python -m tests.faults.hunt [--runs N] [--seed N] [--at-once N]
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.conftest import KEY, Program, Run
from tests.faults.conftest import BILLED_SENTENCES
from tests.faults.raw_server import Connection
from tests.faults.shop import Sale, Shop, whole_in

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANCHORS = ("start", "asked", "begun", "middle", "sent")
_MAX_SECONDS = 120.0
_ENDED = (0, *(128 + number for number in STOPS))
_NOTHING_SENT = "error: stopped before anything was sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A signal, sent so long after the one before; `nap`: stopped for so long instead."""

    after_seconds: float
    number: signal.Signals | None
    nap_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: what is ordered, how fast it comes, and what disturbs it from which moment on."""

    seed: int
    count: int
    as_json: bool
    latency_seconds: float
    reply_seconds: float
    anchor: str
    acts: tuple[Act, ...]

    @classmethod
    def drawn(cls, seed: int) -> "Plan":
        """Return the run of that number."""
        chance = random.Random(seed)
        anchor = chance.choice(ANCHORS)
        acts = [_act(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
        if anchor == "start":  # modules take a while to load
            acts[0] = replace(acts[0], after_seconds=chance.uniform(0, 1))
        return cls(
            seed=seed,
            count=chance.choice((1, 4)),
            as_json=chance.random() < 0.3,
            latency_seconds=chance.choice((0.0, chance.uniform(0, 0.3))),
            reply_seconds=chance.choice((0.0, chance.uniform(0, 0.6))),
            anchor=anchor,
            acts=tuple(acts),
        )


def _act(chance: random.Random) -> Act:
    after = chance.choice((0.0, 0.003, 0.05, 0.5, 1.2)) * chance.random()
    if chance.random() < 0.35:
        nap = chance.choice((0.01, 0.3, 1.5)) * chance.random()
        return Act(after_seconds=after, number=None, nap_seconds=nap)
    return Act(after_seconds=after, number=chance.choice(STOPS))


@dataclass(slots=True, kw_only=True)
class Trace:
    """What was seen of a run. `due`: what had arrived when it was first told to end."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    due: list[bytes] | None = None
    stops: list[signal.Signals] = field(default_factory=list)


class Hunted:
    """One run of a plan, in a folder of its own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Start nothing yet."""
        self.plan, self.folder = plan, folder
        self.trace = Trace()
        self.shop = Shop(serve=self._serve)
        self._reached = {anchor: threading.Event() for anchor in ANCHORS}
        self._reached["start"].set()

    @property
    def sale(self) -> Sale | None:
        """The order, once it has come."""
        return self.shop.sales[0] if self.shop.sales else None

    def _serve(self, sale: Sale, connection: Connection) -> None:
        self._reached["asked"].set()
        connection.pause(self.plan.latency_seconds)
        for until, anchor in ((1, "begun"), (len(sale.reply) // 2, "middle"), (None, "sent")):
            sale.send(connection, until=until, seconds=self.plan.reply_seconds / 2)
            self._reached[anchor].set()

    def run(self) -> Trace:
        """Run the program to its end, and return what was seen of it."""
        program = Program(cwd=self.folder)
        address = ("--base-url", self.shop.base_url, "-a", KEY, "-n", str(self.plan.count))
        flags = ("--json",) if self.plan.as_json else ()
        words = ("images", "generate", "cat", *address, *flags)
        with self.shop, program.start(*words, env=program.bare_env) as run:
            talk = threading.Thread(target=self._listen, args=(run,))
            talk.start()
            self._disturb(run)
            talk.join(_MAX_SECONDS)
            assert not talk.is_alive(), f"it hangs: {self.plan}"
        self.trace.code = run.returncode
        return self.trace

    def _listen(self, run: Run) -> None:
        stdout, stderr = run.communicate()
        self.trace.stdout, self.trace.stderr = stdout.decode(), stderr.decode()

    def _disturb(self, run: Run) -> None:
        anchor = self._reached[self.plan.anchor]
        while not anchor.wait(0.005) and run.poll() is None:
            pass
        for act in self.plan.acts:
            time.sleep(act.after_seconds)
            if act.number is None:
                run.send_signal(signal.SIGSTOP)
                time.sleep(act.nap_seconds)
                run.send_signal(signal.SIGCONT)
                continue
            if self.trace.due is None:
                self.trace.due = self.sale.arrived() if self.sale else []
            if run.poll() is None:
                self.trace.stops.append(act.number)
            run.send_signal(act.number)

    def complaints(self) -> list[str]:
        """Return what should not have come of this run."""
        checks = (self._of_the_end, self._of_images, self._of_files, self._of_the_bill)
        return [] if self._never_began() else [line for check in checks for line in check()]

    def _never_began(self) -> bool:
        """Whether the interpreter was hit before it had read a line of the program."""
        killed = -self.trace.code in self.trace.stops
        interrupted = "KeyboardInterrupt" in self.trace.stderr and "nscale_cli" not in (
            self.trace.stderr
        )
        return (killed or interrupted) and not self.shop.connections

    def _of_the_end(self) -> list[str]:
        found = []
        trace = self.trace
        if trace.code not in _ENDED:
            found.append(f"exit code {trace.code}")
        if trace.code and trace.code - 128 not in trace.stops:
            found.append(f"exit code {trace.code} without that signal")
        if "Traceback" in trace.stderr or "bug in nscale" in trace.stderr:
            found.append("a traceback")
        if KEY in trace.stdout + trace.stderr:
            found.append("the key is shown")
        if self.shop.posts > 1:
            found.append(f"{self.shop.posts} orders")
        if self.plan.as_json:
            try:
                json.loads(trace.stdout)
            except ValueError:
                found.append("not one JSON document")
        return found

    def _of_images(self) -> list[str]:
        """Complain of what had arrived in time, and is nowhere."""
        images = self.sale.images if self.sale else []
        due = images if self.trace.code == 0 else self.trace.due or []
        lost = [image for image in due if not whole_in(self.folder, image)]
        complaints = [f"{len(lost)} of {len(due)} images that had arrived are lost"] if lost else []
        if self.trace.code == 0 and len(images) != self.plan.count:
            complaints.append("success without images")
        return complaints

    def _of_files(self) -> list[str]:
        """Complain of files that nobody was told of, and of images that are not whole."""
        found = []
        said = self.trace.stdout + self.trace.stderr
        images = self.sale.images if self.sale else []
        for path in self._files():
            if str(path) not in said:
                found.append(f"nothing is said of {path.name}")
            if path.suffix == ".png" and path.read_bytes() not in images:
                found.append(f"{path.name} is not an image that was sent")
        return found

    def _files(self) -> list[Path]:
        """Return what the run left but for the program's own books."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in paths if "home" not in path.parts or "rescued" in path.parts]

    def _of_the_bill(self) -> list[str]:
        said = self.said_about_the_bill()
        begun = self.sale is not None and self.sale.begun
        saved = any(self.folder.rglob("*.png"))
        if self.trace.code and not said:
            return ["nothing is said about the bill"]
        if "no" in said and self.shop.posts:
            return ["it says that nothing was billed, and the order had come"]
        if "yes" in said and not begun:
            return ["it says that the order was billed, and no reply had begun"]
        if saved and said and said != {"yes"}:
            return [f"images are saved, and it says {said} about the bill"]
        return []

    def said_about_the_bill(self) -> set[str]:
        """Return what the errors say: no, maybe, yes."""
        if self.plan.as_json:
            with suppress(ValueError):  # it is complained of elsewhere
                return {error["billed"] for error in json.loads(self.trace.stdout)["errors"]}
        errors = [line for line in self.trace.stderr.splitlines() if line.startswith("error: ")]
        said = {
            word
            for line in errors
            for word, sentence in BILLED_SENTENCES.items()
            if line.endswith(sentence)
        }
        return said | ({"no"} if any(line.startswith(_NOTHING_SENT) for line in errors) else set())


@dataclass(slots=True)
class Bag:
    """What a hunt has found: how often each end, how many images were at stake, what went wrong."""

    ends: Counter[str] = field(default_factory=Counter)
    due: int = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)


def hunted(seed: int) -> tuple[Hunted, list[str]]:
    """Return the run of that number, and what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="nscale-hunt-") as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        one = Hunted(Plan.drawn(seed), folder)
        one.run()
        return one, one.complaints()


def hunt(runs: int, seed: int, at_once: int, tell: Callable[[str], None] = lambda _: None) -> Bag:
    """Run so many plans, the first of number `seed`."""
    bag = Bag()
    with ThreadPoolExecutor(at_once) as pool:
        for one, complaints in pool.map(hunted, range(seed, seed + runs)):
            bag.ends[f"{one.plan.anchor}: {one.trace.code}"] += 1
            bag.due += len(one.trace.due or ())
            if complaints:
                bag.wrong[one.plan.seed] = complaints
                tell(f"{one.plan}\n  {complaints}\n  {one.trace.code}, stops {one.trace.stops}")
                tell(f"  {one.trace.stdout!r}\n  {one.trace.stderr!r}")
    return bag


def main() -> int:
    """Hunt, say what was found, and return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--at-once", type=int, default=2 * (os.cpu_count() or 1))
    options = parser.parse_args()
    bag = hunt(options.runs, options.seed, options.at_once, tell=print)
    for end, count in sorted(bag.ends.items()):
        print(f"{count:6}  {end}")
    print(f"{bag.due} images had arrived when their run was told to end; from seed {options.seed}")
    print(f"{len(bag.wrong)} of {options.runs} runs are wrong")
    return 1 if bag.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
