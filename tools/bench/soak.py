"""A long run of `images batch` against a server with faults, limits and pauses: what must not grow.

Samples the open files, threads and memory of the real process, and holds its journal against what
the server counted. Linux only.

Usage: python -m tools.bench.soak [--rows N] [--workers N] [--json] [--plot FILE.svg]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from tools.bench.counting import environment
from tools.bench.faulty import CUT, FAILED, LIMITED, REFUSED, SAVED, faulty

SIZE, ROWS, WORKERS = "128x128", 10_000, 64
_ROOT = Path(__file__).parent.parent.parent
_EVERY_SECONDS = 0.25
_CODES = {
    "refused": REFUSED,
    "service_failed": FAILED,
    "disconnected": CUT,
    "rate_limited": LIMITED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The process at one moment."""

    seconds: float
    open_files: int
    threads: int
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What the run, its journal and the server say. `cpu_seconds` are the run's own."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    samples: Sequence[Sample]
    journal: dict[str, int]
    server: dict[str, int]
    images: int
    journal_bytes: int
    plan_bytes: int

    @property
    def agrees(self) -> bool:
        """Whether both counted the same, and nothing was bought twice or is missing."""
        asked = {name: count for name, count in self.server.items() if name != "twice"}
        return (
            not self.server["twice"]
            and asked == self.journal
            and (self.images == self.server[SAVED])
        )


def soak(rows: int, workers: int, *, as_json: bool = False, at_once: int | None = None) -> Soaked:
    """Run it, and return what was seen; the server takes three quarters of the workers."""
    with (
        tempfile.TemporaryDirectory(dir=_ROOT) as name,  # on a disk, which /tmp may not be
        faulty(SIZE, at_once or workers * 3 // 4) as server,
    ):
        folder = Path(name)
        (folder / "rows.txt").write_text("".join(f"fox {number}\n" for number in range(rows)))
        command = [sys.executable, "-m", "nscale_cli", "images", "batch", "rows.txt"]
        command += ["-z", SIZE, "-j", str(workers), "--keep-going"]
        command += ["--json"] if as_json else []
        env = environment(NSCALE_BASE_URL=server.base_url, PYTHONPATH=str(_ROOT), HOME=name)
        begun = time.monotonic()
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(command, cwd=name, env=env, stdout=said, stderr=said)
            samples, cpu = _watch(process, begun)
        seconds = time.monotonic() - begun
        run = folder / "rows/run"
        found = {
            "exit_code": process.returncode,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "samples": samples,
            "journal": _counts(run / "journal.jsonl"),
            "images": len(list((folder / "rows").glob("*.png"))),
            "journal_bytes": (run / "journal.jsonl").stat().st_size,
            "plan_bytes": (run / "plan.json").stat().st_size,
        }
    return Soaked(server=server.counts, **found)  # type: ignore[arg-type]


def _watch(process: "subprocess.Popen[bytes]", begun: float) -> tuple[list[Sample], float]:
    """Return samples until the process ends, and the seconds of CPU that it took."""
    samples: list[Sample] = []
    folder, cpu = Path(f"/proc/{process.pid}"), 0.0
    while process.poll() is None:
        try:
            status = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines()
            )
            if "VmRSS" in status:
                samples.append(
                    Sample(
                        seconds=time.monotonic() - begun,
                        open_files=len(list((folder / "fd").iterdir())),
                        threads=int(status["Threads"]),
                        mib=int(status["VmRSS"].split()[0]) / 1024,
                    )
                )
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            cpu = (int(times[11]) + int(times[12])) / 100
        except (OSError, ProcessLookupError):
            break  # it has ended meanwhile
        time.sleep(_EVERY_SECONDS)
    process.wait()
    return samples, cpu


def _counts(journal: Path) -> dict[str, int]:
    """Return how often each end stands in the journal, in the server's words."""
    counts: Counter[str] = Counter()
    with journal.open() as file:
        for line in file:
            event = json.loads(line)
            if event["s"] == "failed":
                counts[_CODES.get(event["code"], event["code"])] += 1
            else:
                counts["posts" if event["s"] == "sent" else event["s"]] += 1
    return dict(counts)


def quarters(samples: Sequence[Sample], name: str) -> list[float]:
    """Return the median of each quarter of the time."""
    values = [float(getattr(sample, name)) for sample in samples]
    bounds = [len(values) * quarter // 4 for quarter in range(5)]
    return [median(values[start:end]) for start, end in pairwise(bounds)]


_WIDTH, _HEIGHT, _LEFT, _GAP = 640, 110, 70, 46
_PANELS = (("mib", "memory, MiB"), ("threads", "threads"), ("open_files", "open files"))


def plot(samples: Sequence[Sample], title: str) -> str:
    """Return the three curves over time as SVG."""
    end = samples[-1].seconds
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
        f'height="{40 + len(_PANELS) * (_HEIGHT + _GAP)}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-weight="bold">{title}</text>',
    ]
    for number, (name, label) in enumerate(_PANELS):
        top = 56 + number * (_HEIGHT + _GAP)
        values = [float(getattr(sample, name)) for sample in samples]
        most = max(values) * 1.15
        points = " ".join(
            f"{_LEFT + sample.seconds / end * _WIDTH:.1f},{top + _HEIGHT * (1 - value / most):.1f}"
            for sample, value in zip(samples, values, strict=True)
        )
        bottom = top + _HEIGHT
        parts += [
            f'<path d="M{_LEFT} {top}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="#888"/>',
            f'<polyline points="{points}" fill="none" stroke="#0969da" stroke-width="1.5"/>',
            f'<text x="{_LEFT}" y="{top - 6}">{label}: {max(values):.0f} at most</text>',
            f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
            f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.0f}</text>',
            f'<text x="{_LEFT + _WIDTH}" y="{bottom + 16}" text-anchor="end">{end:.0f} s</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def main() -> int:
    """Soak, say what was seen, and draw it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--json", action="store_true", help="as a script asks for it")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    options = parser.parse_args()
    found = soak(options.rows, options.workers, as_json=options.json)
    print(json.dumps({k: v for k, v in asdict(found).items() if k != "samples"}, indent=1))
    for name, label in _PANELS:
        steps = ", ".join(f"{value:.0f}" for value in quarters(found.samples, name))
        peak = max(getattr(sample, name) for sample in found.samples)
        print(f"{label}: {steps} (medians of the quarters), {peak:.0f} at most")
    if options.plot:
        title = f"{options.rows} rows, {options.workers} workers, with faults, limits and pauses"
        options.plot.write_text(plot(found.samples, title))
    print("the journal and the server agree" if found.agrees else "THEY DO NOT AGREE")
    return 0 if found.agrees else 1


if __name__ == "__main__":
    sys.exit(main())
