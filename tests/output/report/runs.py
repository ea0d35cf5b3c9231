"""Runs to report on: any number of models, sizes, prompts and samples, with plain pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random

from PIL import Image

from nscale_cli.errors import Billed
from nscale_cli.output.report.cells import Axis, Cell, Failure, Kind, Run, State
from nscale_cli.request import SavedImage, Size

MODELS = ("black-forest-labs/FLUX.1-schnell", "stabilityai/stable-diffusion-xl-base-1.0", "c/three")
TIMEOUT = Failure(code="timeout", billed=Billed.MAYBE, message="no answer within 300 s")
REFUSED = Failure(code="refused", billed=Billed.NO, message="not that one", http_status=400)


def axes_of(
    models: Sequence[str],
    sizes: Sequence[str],
    prompts: Sequence[str],
    fields: Mapping[str, Sequence[str]],
    samples: int,
) -> tuple[Axis, ...]:
    """Return the axes of a comparison."""
    return (
        Axis(kind=Kind.MODEL, name="model", values=tuple(models)),
        Axis(kind=Kind.SIZE, name="size", values=tuple(sizes)),
        *(Axis(kind=Kind.FIELD, name=name, values=tuple(of)) for name, of in fields.items()),
        Axis(kind=Kind.PROMPT, name="prompt", values=tuple(prompts)),
        Axis(kind=Kind.SAMPLE, name="sample", values=tuple(map(str, range(1, samples + 1)))),
    )


def make_run(
    *,
    models: Sequence[str] = MODELS[:2],
    sizes: Sequence[str] = ("512x512",),
    prompts: Sequence[str] = ("A red fox",),
    fields: Mapping[str, Sequence[str]] | None = None,
    samples: int = 1,
    title: str | None = None,
) -> Run:
    """Return a run all of whose images are saved, at paths where nothing is."""
    axes = axes_of(models, sizes, prompts, fields or {}, samples)
    cells = []
    for number, at in enumerate(product(*(range(len(axis.values)) for axis in axes))):
        size = Size.parse(axes[1].values[at[1]])
        image = SavedImage(
            path=Path(f"/nowhere/{number}.png"),
            format="png",
            size=size,
            byte_count=1000 + number,
            sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        )
        cell = Cell(row=f"{number:016x}#1", at=at, state=State.SAVED, asked=size, image=image)
        cells.append(replace(cell, seconds=1.0 + number, cost_usd=0.001))
    return Run(axes=axes, cells=tuple(cells), title=title)


def changed(run: Run, changes: Mapping[int, Failure | State]) -> Run:
    """Return the run with some cells failed, or not sent."""
    cells = list(run.cells)
    for number, change in changes.items():
        failed = isinstance(change, Failure)
        cells[number] = replace(
            cells[number],
            state=State.FAILED if failed else change,
            failure=change if failed else None,
            image=None,
            seconds=None,
            cost_usd=None,
        )
    return replace(run, cells=tuple(cells))


def with_size(run: Run, number: int, size: str) -> Run:
    """Return the run with the image of a cell of another size than was asked for."""
    cells = list(run.cells)
    image = cells[number].image
    assert image is not None
    cells[number] = replace(cells[number], image=replace(image, size=Size.parse(size)))
    return replace(run, cells=tuple(cells))


def drawn(run: Run, directory: Path) -> Run:
    """Return the run with a picture on disk for each image: a ramp that its number turns."""
    cells = []
    for number, cell in enumerate(run.cells):
        if cell.image is None or cell.image.size is None:
            cells.append(cell)
            continue
        path = directory / f"{number}.png"
        size = (cell.image.size.width, cell.image.size.height)
        ramp = Image.linear_gradient("L").rotate(37 * number).resize(size)
        Image.merge("RGB", (ramp, ramp.rotate(180), Image.new("L", size, 40 * number % 256))).save(
            path
        )
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        image = replace(cell.image, path=path, byte_count=len(data), sha256=sha256)
        cells.append(replace(cell, image=image))
    return replace(run, cells=tuple(cells))


def photograph(number: int) -> Image.Image:
    """Return a picture of 1024x1024 that is as hard to compress as a photograph."""
    chance = Random(number)
    coarse = Image.frombytes("RGB", (64, 64), chance.randbytes(64 * 64 * 3))
    smooth = coarse.resize((1024, 1024), Image.Resampling.BICUBIC)
    grain = Image.frombytes("RGB", (1024, 1024), chance.randbytes(1024 * 1024 * 3))
    return Image.blend(smooth, grain, 0.06)
