"""Measure what the report of 64 pictures of 1024x1024 takes: drawn, and opened in browsers.

Usage: python -m tools.bench.reports [--rounds N]   (browsers need npm ci --prefix tests/browser)
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.browser.driven import PROGRAMS, driven
from tests.output.report.runs import photograph
from tools.bench.counting import environment
from tools.bench.rows import Row
from tools.bench.speed import taken

_ROOT = Path(__file__).parent.parent.parent
_PROGRAM = [sys.executable, "-m", "nscale_cli", "images"]
_PICTURES = 8  # that differ; each stands in eight cells
_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
_DRAWN = {
    "sheet": ["--no-page"],
    "page": ["--no-sheet"],
    "sheet and page": [],
    "page with the originals": ["--no-sheet", "--embed"],
}


def comparison(folder: Path) -> list[str]:
    """Buy 64 images in the sandbox, and put photographs into their places; return the command."""
    prompts = [f"prompt {n}" for n in range(8)]
    models = [word for n in range(8) for word in ("-m", f"model/{n}")]
    sizes = ["-z", "1024x1024"]
    command = [*_PROGRAM, "compare", *prompts, *models, *sizes, "--sandbox", "-o", str(folder)]
    buying = [*command, "--no-page", "--no-sheet", "-q"]
    subprocess.run(buying, env=environment(PYTHONPATH=str(_ROOT)), check=True, capture_output=True)
    for number in range(_PICTURES):
        photograph(number).save(folder.parent / f"{number}.png")
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        path.write_bytes((folder.parent / f"{number % _PICTURES}.png").read_bytes())
    return command


def drawings(folder: Path, again: list[str], rounds: int) -> Iterator[str]:
    """Yield a line of the table for each thing that can be drawn, and for a repeated command."""
    commands = {name: [*_PROGRAM, "report", str(folder), *words] for name, words in _DRAWN.items()}
    commands["the same `images compare` again"] = again
    for name, command in commands.items():
        row = Row(name=name, command=command, against=[], by="")
        env = environment(PYTHONPATH=str(_ROOT))
        runs = [taken(command, row, env, 0) for _ in range(rounds)]
        cpu = statistics.median(run.cpu_seconds for run in runs)
        peak = statistics.median(run.peak_mib for run in runs)
        yield f"| {name} | {cpu:.1f} | {peak:.0f} |"


def loading(page: Path, rounds: int) -> Iterator[str]:
    """Yield a line of the table for each browser; the first loading warms it."""
    for name in PROGRAMS:
        with tempfile.TemporaryDirectory() as folder, driven(name, Path(folder)) as browser:
            found = []
            for _ in range(rounds + 1):
                browser.open(page)
                found.append(float(browser.evaluate(_LOADED)))
        least, *_, most = sorted(found[1:])
        yield f"| {name} | {statistics.median(found[1:]):.0f} ({least:.0f}-{most:.0f}) |"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = max(2, parser.parse_args().rounds)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "compared"
        again = comparison(folder)
        print("| 64 pictures of 1024x1024 | CPU seconds | peak MiB |\n|---|---|---|")
        print(*drawings(folder, again, rounds), sep="\n", flush=True)
        page = folder / "index.html"
        print(f"\nindex.html has {page.stat().st_size / 1e6:.1f} MB\n")
        print("| browser | ms until it is loaded: median (range) |\n|---|---|")
        for line in loading(page, rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
