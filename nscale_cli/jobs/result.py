"""What a run of `images generate` came to."""

from datetime import datetime
from pathlib import Path

from nscale_cli.errors import ExitCode, NscaleError, Stopped
from nscale_cli.request import ImageRequest, SavedImage
from nscale_cli.service.prices import cost_usd
from nscale_cli.values import frozen

_WORST_FIRST = (ExitCode.NOT_SAVED, ExitCode.INCOMPLETE, ExitCode.SAVED_ELSEWHERE)


@frozen
class GenerateResult:
    """What one run made. `problems` are failures of parts of it, or of the whole.

    `usd_per_megapixel` is None where the service's price is unknown, `request_id` where it gave
    none. `crash` is what the code did not foresee. `kept` are files that hold what was paid for
    and is no image.
    """

    request: ImageRequest
    images: tuple[SavedImage, ...]
    problems: tuple[NscaleError, ...]
    elapsed_seconds: float
    usd_per_megapixel: float | None
    base_url: str
    created_at: datetime | None = None
    request_id: str | None = None
    crash: Exception | None = None
    kept: tuple[Path, ...] = ()

    @property
    def cost_usd(self) -> float | None:
        """What the saved images cost by their true sizes, or None where that is unknown."""
        return cost_usd(self.usd_per_megapixel, [image.size for image in self.images])

    @property
    def stopped(self) -> bool:
        """Whether a signal ended the run."""
        return any(isinstance(problem, Stopped) for problem in self.problems)

    @property
    def exit_code(self) -> ExitCode:
        """The code of the gravest problem, or OK."""
        codes = [problem.code for problem in self.problems]
        stops = [problem.code for problem in self.problems if isinstance(problem, Stopped)]
        graver = [code for code in _WORST_FIRST if code in codes]
        return (stops + graver + codes + [ExitCode.OK])[0]
