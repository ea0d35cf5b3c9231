"""`nscale images compare`: models, sizes, settings and prompts side by side."""

from typing import TYPE_CHECKING

from nscale_cli.commands._command import command
from nscale_cli.commands.options.compare import (
    ComparedBuyingOptions,
    ComparedOptions,
    ComparedRunOptions,
    DryGridOption,
)
from nscale_cli.commands.options.report import DrawOptions, PageOptions
from nscale_cli.commands.options.service import ServicesOptions
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.commands._report import Drawing
    from nscale_cli.commands._run_command import RunCommand
    from nscale_cli.output.compare_result import Drawn
    from nscale_cli.output.result import Result
    from nscale_cli.output.run_result import RunReport
    from nscale_cli.runs.comparison import Comparison
    from nscale_cli.runs.plan import RunDirectory
    from nscale_cli.terminal.streams import Terminal

HELP = """Compare models, sizes and settings side by side.

\b
Examples:
  nscale images compare "A red fox" -m one/model -m another/model -z 512x512 --sandbox
  nscale images compare "A red fox" -z 512x512 -z 1024x512 --vary seed=1,2 --sandbox
  nscale images compare --prompts prompts.txt -m a/model -m b/model --blind --sandbox

Every combination is one image. Into the folder go the images, a page (index.html), a sheet
(sheet.png) and tables. The paths of page and sheet go to stdout. The same command goes on where it
was; with more models, sizes or prompts it buys only what is new. --dry-run shows the grid and its
price.
"""


@command("as_json", "quiet", "debug")
def compare(
    environment: Environment,
    compared: ComparedOptions,
    buying: ComparedBuyingOptions,
    run: ComparedRunOptions,
    drawing: DrawOptions,
    how: PageOptions,
    dry_run: DryGridOption = False,
) -> "Result":
    """Compare; HELP is what the user reads."""
    # Help, a usage error and a Tab know this module; what they do not need is loaded here.
    from dataclasses import replace

    from nscale_cli.commands._comparing import read_comparison, read_members, run_directory
    from nscale_cli.commands._report import Drawing
    from nscale_cli.commands._run import carry_out
    from nscale_cli.commands._run_command import RunCommand
    from nscale_cli.runs.plan import RunDirectory

    _require_one_reader(compared, buying.service)
    members = read_members(environment, buying.service)
    first, *others = members
    comparison = read_comparison(environment, compared, members, drawing)
    wish = Drawing(environment, drawing, how, first.settings)
    asked = RunCommand(
        name="images compare",
        run=RunDirectory(path=run_directory(environment, compared, comparison, members)),
        source="the command line",
        buying=replace(buying, service=first.options),
        options=run,
        settings=first.settings,
        others={each.address: (each.options, each.settings) for each in others},
        paths=False,
    )
    planner = _Planner(environment, asked, comparison, wish, compared.max_images)
    if dry_run:
        return planner.try_out()
    bought = carry_out(asked, environment, planner.plan)
    return _compared(bought, wish, asked.run, environment.terminal)


def _require_one_reader(compared: ComparedOptions, services: ServicesOptions) -> None:
    if compared.prompts_file == "-" and services.api_key == "-":
        raise UsageError(
            "-a - and the prompts would both be read from standard input",
            hint="give the key with --api-key-file",
        )


class _Planner:
    """Makes the plan of a comparison, beside what its folder has already."""

    def __init__(
        self,
        environment: Environment,
        asked: "RunCommand",
        comparison: "Comparison",
        wish: "Drawing",
        max_images: int,
    ) -> None:
        self._environment, self._asked = environment, asked
        self._comparison, self._wish, self._max_images = comparison, wish, max_images

    def plan(self) -> None:
        """Write the plan; raise UsageError where that is more than may be bought."""
        from nscale_cli.output.report.from_run import read_run

        self._write(None)
        self._wish.require_axes(read_run(self._asked.run))

    def try_out(self) -> "Result":
        """Tell the grid, and what it would cost."""
        from dataclasses import fields
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from nscale_cli.commands._run import try_out
        from nscale_cli.commands._run_command import require_same_service
        from nscale_cli.output.compare_result import ComparisonPlanned
        from nscale_cli.output.report.from_run import read_run
        from nscale_cli.runs.plan import RunDirectory

        asked = self._asked
        require_same_service(asked)
        with TemporaryDirectory() as folder:
            trial = RunDirectory(path=Path(folder))
            self._write(trial)
            run = read_run(asked.run, trial)
            self._wish.require_axes(run)
            planned = try_out(asked, self._environment, trial)
        values = {each.name: getattr(planned, each.name) for each in fields(planned)}
        return ComparisonPlanned(**values, product=self._comparison.product, run=run)

    def _write(self, trial: "RunDirectory | None") -> None:
        from nscale_cli.commands._comparing import too_many
        from nscale_cli.runs.comparison import NAME_TEMPLATE, grown
        from nscale_cli.runs.plan import PlanHeader
        from nscale_cli.runs.planning import write_plan
        from nscale_cli.runs.row_names import RowNames
        from nscale_cli.runs.rows import MistakeList

        asked, now = self._asked, self._environment.clock.now()
        header = PlanHeader(base_url=asked.address, axes=self._comparison.header)
        plan = grown(asked.run, header, self._comparison)
        if plan.to_send > self._max_images:
            raise too_many(self._comparison, plan.to_send, self._max_images)
        write_plan(
            asked.run,
            plan.header,
            plan.rows,
            names=RowNames(NAME_TEMPLATE, now=now, rows_at_most=len(plan.rows)),
            mistakes=MistakeList(asked.source),
            trial=trial,
        )


def _compared(
    bought: "RunReport", wish: "Drawing", directory: "RunDirectory", terminal: "Terminal"
) -> "Result":
    """Return what was bought together with how it looks; a signal leaves no time for that."""
    from dataclasses import fields

    from nscale_cli.output.compare_result import Compared

    values = {each.name: getattr(bought, each.name) for each in fields(bought)}
    stopped = bought.end.signal_number is not None
    return Compared(**values, drawn=None if stopped else _drawn(wish, directory, terminal))


def _drawn(wish: "Drawing", directory: "RunDirectory", terminal: "Terminal") -> "Drawn | None":
    """Draw; what was paid for is safe whatever comes of it, so a failure is a warning."""
    try:
        with terminal.live() as show:
            show("drawing the report")
            return wish.draw(directory, again=False)
    except OSError as error:
        terminal.warn(f"the report could not be written: {error.strerror}")
    except UsageError as error:
        terminal.warn(f"there is no report: {error.message}")
    return None
