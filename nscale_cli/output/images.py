"""What `images generate` made, or would make: lines on stderr, paths or data on stdout."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.errors import Billed, ExitCode, NscaleError
from nscale_cli.output.history import file_data, moment_text
from nscale_cli.output.result import NO_IMAGES, Result, readable
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, SavedImage
from nscale_cli.service.prices import cost_usd, dollars
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.jobs.dry_run import Plan
    from nscale_cli.jobs.job import JobResult
    from nscale_cli.jobs.record import Recorder
    from nscale_cli.preview.show import Preview


@frozen
class Generated(Result):
    """The images of a run; `preview` is to show them in the terminal, where it was asked for.

    `usd_per_megapixel` is None where the service's price is unknown.
    `raw`: their bytes went to standard output, behind which nothing else may stand.
    """

    command: str = "images generate"  # type: ignore[misc]  # or another that makes images
    made: "JobResult"
    base_url: str
    usd_per_megapixel: float | None
    cwd: Path
    raw: bool = False
    preview: "Preview | None" = None
    open_viewer: bool = False
    recorder: "Recorder | None" = None

    @property
    def errors(self) -> Sequence[NscaleError]:
        """What went wrong with the run, or with single images."""
        return self.made.errors

    @property
    def crash(self) -> Exception | None:
        """What the code did not foresee."""
        return self.made.crash

    @property
    def exit_code(self) -> ExitCode:
        """The gravest error's code, or OK."""
        return self.made.exit_code

    @property
    def partial(self) -> bool:
        """Whether there are images."""
        return bool(self.made.images)

    def notes(self) -> Sequence[str]:
        """Say of each image what it is."""
        return [self._saved_line(image) for image in self.made.images]

    def lines(self) -> Sequence[str]:
        """Return the path of each image, whole."""
        if self.raw:
            return []
        return [str(image.path) for image in self.made.images if image.path is not None]

    def data(self) -> dict[str, object]:
        """Return the request, and what came of it."""
        return _request_data(self.made.request) | {
            "base_url": self.base_url,
            "created_at": _moment(self.made) if self.made.images else None,
            "request_id": self.made.request_id,
            "elapsed_seconds": round(self.made.elapsed_seconds, 3),
            "cost_usd": self._cost(self.made.images),
            "images": [_image_data(image) for image in self.made.images],
            "kept": [text_of(path) for path in self.made.kept],
        }

    def show(self, environment: Environment) -> None:
        """Draw the images in the terminal, and open them in the desktop's viewer."""
        if self.made.stopped or not (self.preview or self.open_viewer):
            return
        from nscale_cli.jobs.buyer import stopped_error
        from nscale_cli.preview.show import open_images
        from nscale_cli.terminal.signals import Interrupted

        images = self.made.images
        paths = [image.path for image in images if image.path is not None]
        try:
            environment.interrupts.release()
            if self.preview:
                self.preview.show(paths)
            if self.open_viewer:
                open_images(paths, environment.terminal)
        except Interrupted as signal:
            environment.interrupts.hold()
            raise stopped_error(signal.signal_number, Billed.YES, images) from None

    def finish(self) -> None:
        """Remember the images."""
        if self.recorder is not None:
            self.recorder.record(self.made)
            self.recorder.close()

    def _saved_line(self, image: SavedImage) -> str:
        name = _short_name(image.path, self.cwd) if image.path else "standard output"
        made, cost = self.made, self._cost([image])
        return saved_line(name, image, made.request, made.elapsed_seconds, cost)

    def _cost(self, images: Sequence[SavedImage]) -> float | None:
        """Return what images cost by their true sizes, or None where that is unknown."""
        return cost_usd(self.usd_per_megapixel, [image.size for image in images])


@frozen
class Planned(Result):
    """What a dry run found out."""

    command: str = "images generate"  # type: ignore[misc]
    plan: "Plan"

    def lines(self) -> Sequence[str]:
        """Return the request with its key hidden, the names, and the price."""
        plan = self.plan
        return [
            f"POST {plan.url}",
            f"Authorization: Bearer [hidden, from {excerpt(plan.key_source)}]",
            readable(plan.request.body, indent=2),
            *(f"would save {path}" for path in plan.paths),
            f"price: {_price(plan)}",
        ]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return _request_data(self.plan.request) | {
            "base_url": self.plan.base_url,
            "dry_run": True,
            "cost_usd": self.plan.cost_usd,
            "url": self.plan.url,
            "body": self.plan.request.body,
            "paths": [text_of(Path(path)) for path in self.plan.paths],
        }


@frozen
class Skipped(Result):
    """Images that are there already, so that none was asked for."""

    command: str = "images generate"  # type: ignore[misc]
    request: ImageRequest
    images: tuple[SavedImage, ...]

    def notes(self) -> Sequence[str]:
        """Say so."""
        names = ", ".join(text_of(Path(Path(path).name)) for path in self.lines())
        verb = "is" if len(self.images) == 1 else "are"
        return [f"{names} {verb} there already; no image was asked for"]

    def lines(self) -> Sequence[str]:
        """Return the path of each image, as if it had been made now."""
        return [str(image.path) for image in self.images]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        images = [_image_data(image) for image in self.images]
        return _request_data(self.request) | {"skipped": True, "cost_usd": 0.0, "images": images}


def _price(plan: "Plan") -> str:
    if plan.cost_usd is None:
        return f"unknown ({plan.price_unknown_because})"
    return f"about ${dollars(plan.cost_usd)}, from the price list of {plan.host}"


def _request_data(request: ImageRequest) -> dict[str, object]:
    return {
        **NO_IMAGES,
        "model": request.model,
        "prompt": request.prompt,
        "size": str(request.size),
        "count": request.count,
        "params": dict(request.params),
    }


def _moment(made: "JobResult") -> str | None:
    return None if made.created_at is None else moment_text(made.created_at)


def _image_data(image: SavedImage) -> dict[str, object]:
    known = file_data(image.path, image.format, image.size, image.byte_count, image.sha256)
    return known | {"original_sha256": image.original_sha256 or image.sha256}


def _short_name(path: Path, cwd: Path) -> str:
    """Return how a person in `cwd` would call the file."""
    return text_of(path.relative_to(cwd) if path.is_relative_to(cwd) else path)


def saved_line(
    name: str, image: SavedImage, request: ImageRequest, seconds: float, usd: float | None
) -> str:
    """Return what an image is that was saved as `name`, and what it took."""
    size = str(image.size) if image.size else "size unknown"
    if image.size and image.size != request.size:
        size += f" (asked for {request.size})"
    facts = f"{size}  {image.format.upper()}  {amount(image.byte_count)}"
    about = "" if usd is None else f"  about ${dollars(usd)}"
    return f"saved {name}  {facts}  {seconds:.1f} s{about}"


def amount(byte_count: int) -> str:
    """Return a number of bytes as a person says it."""
    if byte_count < 1000:
        return f"{byte_count} B"
    if byte_count < 1_000_000:
        return f"{byte_count / 1000:.0f} kB"
    return f"{byte_count / 1_000_000:.1f} MB"
