"""Measure how long a search in a large history takes.

Usage: python -m tools.bench.history [--entries N]
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nscale_cli.request import Size
from nscale_cli.storage.history import History, HistoryEntry, HistoryQuery

_ROUNDS = 5
_BATCH = 1000  # entries that are written at once
_WORDS = (
    "red", "fox", "snow", "mountain", "sunset", "serene", "lake", "orange", "sky", "painting",
    "cat", "futuristic", "city", "robot", "forest", "morning", "light", "watercolour", "portrait",
    "fisherman", "bicycle", "lighthouse", "storm", "meadow",
)  # fmt: skip
_SEARCHES: dict[str, HistoryQuery] = {
    "the newest 20": HistoryQuery(),
    "a word in half of them": HistoryQuery(words=("fox",)),
    "three words": HistoryQuery(words=("serene", "mountain", "sunset")),
    "a part of a word": HistoryQuery(words=("ghthous",)),
    "two letters": HistoryQuery(words=("ox",)),
    "a word in one of them": HistoryQuery(words=("number4242",)),
    "a word in none": HistoryQuery(words=("unicorn",)),
    "two letters in none": HistoryQuery(words=("qq",)),
    "a word, and a model in none": HistoryQuery(words=("fox",), model="none"),
}


def entries(count: int) -> Iterator[HistoryEntry]:
    """Yield the same entries each time, of prompts as long as people write them."""
    chance = random.Random(1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        words = " ".join(chance.choices(_WORDS, k=16))
        yield HistoryEntry(
            created_at=start + timedelta(minutes=number),
            prompt=f"A {words}, number{number}",
            model="black-forest-labs/FLUX.1-schnell",
            requested_size="1024x1024",
            count=1,
            params={"seed": number},
            base_url="https://inference.api.nscale.com/v1",
            sandbox=False,
            path=Path(f"/pictures/{number}.png"),
            format="png",
            size=Size(width=1024, height=1024),
            byte_count=1_500_000,
            sha256=f"{number:064x}",
            original_sha256=f"{number:064x}",
            seconds=2.0,
            cost_usd=0.0013,
            request_id=None,
        )


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fill(history: History, count: int) -> None:
    """Write the entries, as many runs would."""
    batch: list[HistoryEntry] = []
    for entry in entries(count):
        batch.append(entry)
        if len(batch) == _BATCH:
            history.record(batch)
            batch.clear()
    history.record(batch)


def main() -> None:
    """Print the table as Markdown; each search opens the file anew, as a command does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    count = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.sqlite")
        history = History(path)
        fill(history, count)
        history.close()
        print(f"{count} entries, {path.stat().st_size / 1e6:.0f} MB\n\n| search | ms |\n|---|---|")
        for name, query in _SEARCHES.items():
            found = []
            for _ in range(_ROUNDS):
                history = History(path)
                found.append(seconds(lambda query=query, opened=history: opened.search(query)))
                history.close()
            print(f"| {name} | {statistics.median(found) * 1000:.1f} |", flush=True)
        history = History(path)
        print(f"| clearing one entry | {seconds(lambda: history.clear(entry_id=7)) * 1000:.0f} |")
        again = seconds(lambda: history.search(HistoryQuery(words=("unicorn",))))
        print(f"| a word in none, while the index is made anew | {again * 1000:.1f} |")
        history.close()


if __name__ == "__main__":
    main()
