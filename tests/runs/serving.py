"""A service for runs: it remembers what was asked for, and fails where a test says so."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nscale_cli.sandbox.scenarios import Answer, error, list_models
from nscale_cli.sandbox.server import ReceivedRequest, Sandbox
from tests.conftest import KEY

NO_CREDIT = error(429, "TOO_MANY_REQUESTS", "INSUFFICIENT_CREDIT", "no credit")
TOO_MANY = error(429, "TOO_MANY_REQUESTS", "RATE_LIMITED", "slow down")
FAILED = error(500, "INTERNAL", "INTERNAL", "it broke")
REFUSED = error(400, "BAD_REQUEST", "CONTENT_POLICY", "not that")
UNKNOWN = error(404, "NOT_FOUND", "MODEL_NOT_FOUND", "no such model")
BAD_KEY = error(401, "UNAUTHORIZED", "INVALID_API_KEY", "bad key")
HANGS = Answer(delay_seconds=None)


class Service(Sandbox):
    """The sandbox, with a memory: `posts` by prompt, `keys` of each prompt, most at once.

    `failures` are answers to the next requests for a prompt (or "*"), before it is served;
    `credit` is for so many images, where it is given.
    """

    def __init__(self, **settings: object) -> None:
        """Start with nothing asked for."""
        super().__init__(**settings)  # type: ignore[arg-type]
        self.posts: Counter[str] = Counter()
        self.keys: dict[str, list[str]] = defaultdict(list)
        self.failures: dict[str, list[Answer]] = defaultdict(list)
        self.credit: int | None = None
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()

    @contextmanager
    def serving(self, request: ReceivedRequest) -> Iterator[Answer]:
        """Count how many are served at once."""
        with self._counting:
            self._at_once += request.method == "POST"
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with super().serving(request) as answer:
                yield answer
        finally:
            with self._counting:
                self._at_once -= request.method == "POST"

    def answer(self, request: ReceivedRequest) -> Answer:
        """Answer, and remember."""
        if request.method == "GET":
            return list_models()
        prompt = json.loads(request.body)["prompt"]
        with self._counting:
            self.posts[prompt] += 1
            self.keys[prompt].append(request.headers["idempotency-key"])
            for name in (prompt, "*"):
                if self.failures[name]:
                    return self.failures[name].pop(0)
            if self.credit is not None:
                self.credit -= 1
                if self.credit < 0:
                    return NO_CREDIT
        return super().answer(request)

    @property
    def options(self) -> list[str]:
        """The options that lead here."""
        return ["--base-url", self.base_url, "-a", KEY]


def write_rows(folder: Path, count: int, name: str = "rows.txt") -> Path:
    """Write a file of prompts: prompt 1, prompt 2 and so on."""
    path = folder / name
    path.write_text("".join(f"prompt {number}\n" for number in range(1, count + 1)))
    return path


def events_of(folder: Path) -> list[dict[str, object]]:
    """Return the journal of the run in `folder`."""
    lines = (folder / "run/journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def pictures(folder: Path) -> list[str]:
    """Return the names of the images in `folder`."""
    return sorted(path.name for path in folder.glob("*.png"))
