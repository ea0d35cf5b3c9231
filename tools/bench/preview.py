"""Measure how near previews come to the picture, and what they cost.

Usage: python -m tools.bench.preview [--font FILE] [--rounds N]   (needs the `dev` extra)
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nscale_cli.preview.colour import nearest_of_256
from tools.bench.measures import NEAR, correlation, psnr, ssim
from tools.bench.pictures import all_pictures
from tools.bench.raster import COURIER_PRIME, DARK, LIGHT, Pixels, rasterise
from tools.bench.renderers import (
    ASCII,
    ASCII_MAGIC,
    BLOCKS,
    CHAFA,
    COLUMNS,
    LINES,
    Renderer,
    all_renderers,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The means over all pictures of what was measured of one renderer."""

    ssim: float
    ssim_near: float
    psnr: float
    r_dark: float
    r_light: float
    size: float


def at_size_of(shown: Pixels, picture: Image.Image) -> Pixels:
    """Return the pixels of the picture, as many as are shown."""
    return np.asarray(picture.resize((shown.shape[1], shown.shape[0]), Image.Resampling.LANCZOS))


def quality(renderer: Renderer, pictures: list[Image.Image], font: Path) -> Row:
    """Return how near the renderer comes to the pictures."""
    found = []
    for picture in pictures:
        text = renderer(picture, DARK)
        dark = rasterise(text, DARK, font)
        light = rasterise(renderer(picture, LIGHT), LIGHT, font)
        truth = at_size_of(dark, picture)
        near = ssim(dark, truth, NEAR)
        r_dark, r_light = (correlation(shown, truth) for shown in (dark, light))
        size = len(text.encode())
        found.append((ssim(dark, truth), near, psnr(dark, truth), r_dark, r_light, size))
    means = map(float, np.mean(found, axis=0))
    names = ("ssim", "ssim_near", "psnr", "r_dark", "r_light", "size")
    return Row(**dict(zip(names, means, strict=True)))


def times(
    renderers: dict[str, Renderer], pictures: list[Image.Image], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each; all take turns, so that a busy machine is fair."""
    taken: dict[str, list[float]] = {name: [] for name in renderers}
    for picture in pictures * rounds:
        for name, renderer in renderers.items():
            nearest_of_256.cache_clear()  # the program draws once, with nothing remembered
            start = time.perf_counter()
            renderer(picture, DARK)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


def table(rows: dict[str, Row | None], seconds: dict[str, float]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| style | SSIM | SSIM near | PSNR dB | r dark | r light | ms | time ratio | KiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if row is None:
            lines.append(f"| {name} | not installed | | | | | | | |")
            continue
        taken = f"{seconds[name] * 1000:.0f} | {seconds[name] / seconds[ASCII_MAGIC]:.2f}"
        lines.append(
            f"| {name} | {row.ssim:.2f} | {row.ssim_near:.2f} | {row.psnr:.1f} "
            f"| {row.r_dark:.2f} | {row.r_light:.2f} | {taken} | {row.size / 1024:.0f} |"
        )
    return "\n".join(lines)


def targets(rows: dict[str, Row | None], seconds: dict[str, float]) -> list[str]:
    """Return a line for each target: whether it is met."""
    cells, blocks, chafa = rows[ASCII], rows[BLOCKS], rows[CHAFA]
    ratio = seconds[ASCII] / seconds[ASCII_MAGIC]
    met = {f"{ASCII}: less than 1.3 times ascii-magic's time ({ratio:.2f})": ratio < 1.3}
    if cells:
        met[f"{ASCII}: SSIM at least 0.6 ({cells.ssim:.3f})"] = cells.ssim >= 0.6
    if blocks and chafa:
        for name, ours, theirs in (
            ("SSIM", blocks.ssim, chafa.ssim),
            ("SSIM near", blocks.ssim_near, chafa.ssim_near),
        ):
            text = f"{BLOCKS}: {name} within 2 % of chafa's ({ours:.3f}, {theirs:.3f})"
            met[text] = ours >= 0.98 * theirs
    return [f"{'met' if good else 'MISSED'}: {text}" for text, good in met.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--font", type=Path, default=COURIER_PRIME, help="a monospace font's file")
    parser.add_argument("--rounds", type=int, default=3, help="how often the time is measured")
    options = parser.parse_args()
    pictures = all_pictures()
    print(f"{len(pictures)} pictures in {COLUMNS}x{LINES} cells: {', '.join(pictures)}")
    wanted = all_renderers()
    installed = {name: renderer for name, renderer in wanted.items() if renderer}
    rows: dict[str, Row | None] = dict.fromkeys(wanted)
    for name, renderer in installed.items():
        print(f"measuring {name}", file=sys.stderr)
        rows[name] = quality(renderer, list(pictures.values()), options.font)
    seconds = times(installed, list(pictures.values()), options.rounds)
    print(f"\n{table(rows, seconds)}\n")
    print("\n".join(targets(rows, seconds)))


if __name__ == "__main__":
    main()
