"""`nscale images batch`: a file of prompts becomes a folder of images."""

from pathlib import PurePath
from typing import TYPE_CHECKING

from nscale_cli.commands._command import command
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.output import DryRunOption
from nscale_cli.commands.options.request import ImageOptions
from nscale_cli.commands.options.run import RowsOptions, RunOptions
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.commands._run_command import RunCommand
    from nscale_cli.config.settings import Settings
    from nscale_cli.output.result import Result
    from nscale_cli.runs.plan import RunDirectory
    from nscale_cli.runs.planning import PlanSummary
    from nscale_cli.runs.rows import RowDefaults

HELP = """Make an image of each row of a file, into one folder.

\b
Examples:
  nscale images batch prompts.csv --sandbox --limit 5
  nscale images batch prompts.csv -o foxes/ -j 8 --max-cost 2
  nscale images batch prompts.csv -o foxes/          # again: goes on where it was

TXT: each line is a prompt. CSV: a header with prompt, and where wanted id, model, size, n, out and
param.KEY; other columns are fields for --name. JSONL: the same, or lines of OpenAI's Batch API.
Every row is checked before anything is sent. What was paid for, or may have been, is never bought
again by itself: not after Ctrl-C, a crash, or a power cut. The path of each saved image goes to
stdout. The folder's run/ has the journal; nscale images receipt tells what was billed.
"""


@command("as_json", "quiet", "debug")
def batch(
    environment: Environment,
    rows: RowsOptions,
    image: ImageOptions,
    run: RunOptions,
    buying: BuyingOptions,
    dry_run: DryRunOption = False,
) -> "Result":
    """Make them; HELP is what the user reads."""
    # Help, a usage error and a Tab know this module; what they do not need is loaded here.
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._run import carry_out
    from nscale_cli.commands._run_command import RunCommand
    from nscale_cli.output.run_planned import RowsRejected
    from nscale_cli.runs.plan import RunDirectory
    from nscale_cli.runs.rows import RowsRefused
    from nscale_cli.storage.names import disk_path

    service = buying.service
    _require_one_reader(service, rows)
    settings = load_settings(environment.terminal, service.profile)
    asked = RunCommand(
        name="images batch",
        run=RunDirectory(path=environment.path(disk_path(_directory(rows, service, settings)))),
        source="standard input" if rows.file == "-" else rows.file,
        buying=buying,
        options=run,
        settings=settings,
    )
    planner = _Planner(environment, asked, rows, image)
    try:
        if dry_run:
            return planner.try_out()
        if run.dask is not None:
            from nscale_cli.commands._dask import carry_out_on_cluster

            return carry_out_on_cluster(asked, environment, planner.plan)
        return carry_out(asked, environment, planner.plan)
    except RowsRefused as refused:
        return RowsRejected(command=asked.name, refused=refused)


def _require_one_reader(service: ServiceOptions, rows: RowsOptions) -> None:
    if service.api_key == "-" and rows.file == "-":
        raise UsageError(
            "-a - and the rows would both be read from standard input",
            hint="give the key with --api-key-file",
        )


def _directory(rows: RowsOptions, service: ServiceOptions, settings: "Settings") -> str:
    """Return the run's folder: the same for the same file, so that the same command goes on."""
    if rows.output is not None:
        return rows.output
    if rows.file == "-":
        raise UsageError(
            "rows from standard input need a folder", hint="name it with -o, such as -o foxes/"
        )
    stem = PurePath(rows.file).stem
    sandbox = service.sandbox or (settings.sandbox and service.base_url is None)
    return f"{stem}-sandbox" if sandbox else stem  # a rehearsal must not be in the way


class _Planner:
    """Makes the plan of what the command line and the file ask for."""

    def __init__(
        self,
        environment: Environment,
        asked: "RunCommand",
        rows: RowsOptions,
        image: ImageOptions,
    ) -> None:
        from nscale_cli.runs.plan import PlanHeader
        from nscale_cli.runs.read_rows import format_of

        self._environment, self._asked = environment, asked
        self._rows, self._image = rows, image
        self._format = format_of(rows.file, rows.row_format)
        self._defaults = self._read_defaults()
        self._header = PlanHeader(
            base_url=asked.address,
            defaults={
                "model": self._defaults.model,
                "size": str(self._defaults.size),
                "n": self._defaults.count,
                "params": dict(self._defaults.params),
            },
        )

    def _read_defaults(self) -> "RowDefaults":
        from nscale_cli.commands._inputs import read_params
        from nscale_cli.request import Size
        from nscale_cli.runs.rows import RowDefaults

        image, settings = self._image, self._asked.settings
        if image.count < 1:
            raise UsageError("the number of images must be 1 or more")
        return RowDefaults(
            model=settings.model if image.model is None else image.model,
            size=Size.parse(settings.size if image.size is None else image.size),
            count=image.count,
            params=read_params(image.param or (), settings),
            send_size=settings.send_size,
        )

    def plan(self) -> None:
        """Write the plan, where nothing speaks against it."""
        summary = self._write(None)
        if summary.equal_rows:
            self._environment.terminal.note(
                f"{summary.equal_rows} rows are equal to earlier ones (--unique leaves them out)"
            )

    def _write(self, trial: "RunDirectory | None") -> "PlanSummary":
        from nscale_cli.runs.planning import write_plan
        from nscale_cli.runs.read_rows import count_lines, open_rows, read_rows
        from nscale_cli.runs.row_names import RowNames
        from nscale_cli.runs.rows import MistakeList

        rows, mistakes = self._rows, MistakeList(self._asked.source)
        with open_rows(rows.file, self._environment.terminal.input_file) as file:
            now = self._environment.clock.now()
            return write_plan(
                self._asked.run,
                self._header,
                read_rows(file, self._format, self._defaults, mistakes),
                names=RowNames(rows.name_template, now=now, rows_at_most=count_lines(file)),
                mistakes=mistakes,
                unique=rows.unique,
                limit=rows.limit,
                trial=trial,
                approve=self._require_meant,
            )

    def _require_meant(self, summary: "PlanSummary") -> None:
        """Raise UsageError where another default, which nobody named, makes rows new ones."""
        from nscale_cli.runs.plan import read_header

        before = read_header(self._asked.run)
        if before is None or not summary.new_rows:
            return
        image = self._image
        options_of = {"model": image.model, "size": image.size, "params": image.param}
        for name, option in {"model": "-m", "size": "-z", "params": "--param"}.items():
            was, now = before.defaults.get(name), self._header.defaults[name]
            if was is not None and was != now and options_of[name] is None:
                raise UsageError(
                    f"the rows were planned with {name} {was}, and now it is {now}, with which "
                    f"{summary.new_rows} of them would be bought as new ones; nothing was sent",
                    hint=f"say which you mean with {option}",
                )

    def try_out(self) -> "Result":
        """Tell what would be bought, under which names, and what it would cost."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from nscale_cli.commands._run import try_out
        from nscale_cli.commands._run_command import require_same_service
        from nscale_cli.runs.plan import RunDirectory

        require_same_service(self._asked)
        with TemporaryDirectory() as folder:
            trial = RunDirectory(path=Path(folder))
            self._write(trial)
            return try_out(self._asked, self._environment, trial)
