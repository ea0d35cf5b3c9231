"""What the commands that draw reports share."""

from dataclasses import replace
from secrets import SystemRandom

from nscale_cli.commands.options.report import DrawOptions, PageOptions
from nscale_cli.config.settings import Settings
from nscale_cli.errors import UsageError
from nscale_cli.output.compare_result import Drawn
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.from_run import read_run
from nscale_cli.output.report.grid import arrange
from nscale_cli.output.report.unchanged import digest, recall, remember
from nscale_cli.output.report.write import (
    Report,
    ReportOptions,
    blind_key,
    write_blind,
    write_report,
)
from nscale_cli.preview.show import Preview
from nscale_cli.preview.styles import PreviewOptions
from nscale_cli.runs.plan import RunDirectory, require_header
from nscale_cli.storage.names import disk_path
from nscale_cli.terminal.context import Environment

_BEST_STYLE = "auto"


class Drawing:
    """A report that is wanted; what makes no sense is refused before anything is bought."""

    def __init__(
        self,
        environment: Environment,
        asked: DrawOptions,
        how: PageOptions,
        settings: Settings,
    ) -> None:
        """Check what is asked for; raise UsageError."""
        self._environment, self._asked, self._how = environment, asked, how
        self._preview_options = self._read_preview_options(settings)
        self._require_sense()
        self._baseline = self._read_baseline()

    def require_axes(self, run: Run) -> None:
        """Raise UsageError for an axis that the run does not have."""
        arrange(run, rows=self._asked.rows or (), columns=self._asked.columns or ())

    def draw(self, directory: RunDirectory, *, again: bool = True) -> Drawn:
        """Draw what is in a run's directory; raise UsageError where that cannot be done.

        Unless it is to be drawn `again`, a report that would be the same is left as it is.
        """
        run = read_run(directory)
        run = replace(run, title=self._asked.title or run.title)
        if self._asked.blind:
            return self._draw_blind(run, directory)
        return Drawn(
            directory=directory.path,
            run=run,
            report=self._write(run, directory, again=again),
            preview=self._preview(),
            open_viewer=self._how.open_viewer,
        )

    def _write(self, run: Run, directory: RunDirectory, *, again: bool) -> Report:
        asked, env = self._asked, self._environment.terminal.env
        options = ReportOptions(
            rows=tuple(asked.rows or ()),
            columns=tuple(asked.columns or ()),
            cell=asked.cell,
            sheet=not asked.no_sheet,
            page=not asked.no_page,
            embed=asked.embed,
        )
        drawn_from = digest(run, options, env)
        if not again and self._baseline is None:
            found = recall(directory.bookkeeping, directory.path, drawn_from)
            if found is not None:
                return found
        report = write_report(run, directory.path, options, env=env, before=self._baseline)
        if self._baseline is None:
            remember(report, directory.bookkeeping, drawn_from)
        elif not report.drifts:
            self._environment.terminal.warn("the older run has no image of any of these requests")
        return report

    def _draw_blind(self, run: Run, directory: RunDirectory) -> Drawn:
        key = blind_key(run, directory.bookkeeping, SystemRandom())
        return Drawn(
            directory=directory.path,
            run=run,
            report=Report(sheets=(), notes=()),
            blind=write_blind(run, directory.path, key),
            open_viewer=self._how.open_viewer,
        )

    def _preview(self) -> Preview | None:
        if not self._how.preview:
            return None
        terminal = self._environment.terminal
        width = self._preview_options.width or terminal.size().columns
        return Preview(replace(self._preview_options, width=width), terminal)

    def _read_preview_options(self, settings: Settings) -> PreviewOptions:
        from nscale_cli.commands._inputs import read_preview_options

        wanted = read_preview_options(self._how, settings)
        chosen = self._how.preview_style or settings.sources.get("preview_style") != "default"
        return wanted if chosen else replace(wanted, style=_BEST_STYLE)

    def _read_baseline(self) -> Run | None:
        name = self._asked.baseline
        if name is None:
            return None
        directory = RunDirectory(path=self._environment.path(disk_path(name)))
        require_header(directory)
        return read_run(directory)

    def _require_sense(self) -> None:
        asked, how = self._asked, self._how
        if asked.blind and (how.preview or asked.embed or asked.baseline is not None):
            raise UsageError(
                "--blind hides what -p, --embed and --baseline would show",
                hint="leave them out; nscale images report shows everything later",
            )
        if how.preview and asked.no_sheet:
            raise UsageError("-p draws the sheet, which --no-sheet leaves out")
        if how.open_viewer and asked.no_page and not asked.blind:
            raise UsageError("-x opens the page, which --no-page leaves out")
        if how.preview and self._environment.terminal.quiet:
            raise UsageError("-p draws on stderr, which -q silences", hint="leave one of them out")
