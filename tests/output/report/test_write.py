"""A report on disk: which files there are, what is in them, and what they take to make."""

import io
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from nscale_cli.errors import UsageError
from nscale_cli.output.report import album as album_module
from nscale_cli.output.report import pictures
from nscale_cli.output.report.album import Album, Thumbnails
from nscale_cli.output.report.blind import make_key
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.write import (
    Report,
    ReportOptions,
    drift_sentence,
    write_blind,
    write_report,
)
from tests.output.report.runs import MODELS, drawn, make_run, photograph, with_size

NO_SHEET, NO_PAGE = ReportOptions(sheet=False), ReportOptions(page=False)


def report_of(
    run: Run, directory: Path, options: ReportOptions | None = None, **more: object
) -> Report:
    """Write the report of a run."""
    return write_report(run, directory, options or ReportOptions(), env={}, **more)  # type: ignore[arg-type]


def names(directory: Path) -> set[str]:
    """Return what a report left beside the images."""
    return {path.name for path in directory.iterdir()} - {f"{n}.png" for n in range(100)}


def test_a_report_is_a_sheet_a_page_and_a_table(tmp_path: Path) -> None:
    """And says where the first two are."""
    report = report_of(drawn(make_run(), tmp_path), tmp_path)

    assert names(tmp_path) == {"index.html", "sheet.png", "table.md"}
    assert (report.page, report.sheets) == (tmp_path / "index.html", (tmp_path / "sheet.png",))


@pytest.mark.parametrize(
    ("options", "left_out"), [(NO_SHEET, "sheet.png"), (NO_PAGE, "index.html")]
)
def test_a_sheet_or_a_page_can_be_left_out(
    tmp_path: Path, options: ReportOptions, left_out: str
) -> None:
    """The table is always there, and so is what was found out."""
    run = drawn(make_run(fields={"seed": "12"}), tmp_path)
    report = report_of(run, tmp_path, options)

    assert left_out not in names(tmp_path) and len(names(tmp_path)) == 2
    assert len(report.notes) == 2


def test_a_report_drawn_again_is_the_same_and_leaves_nothing_of_before(tmp_path: Path) -> None:
    """Sheets and pages that an earlier, larger run needed are gone; other files stay."""
    run = drawn(make_run(), tmp_path)
    report_of(run, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    for name in ("sheet-2.png", "index-7.html", "sheet-2.txt", "mine.html"):
        (tmp_path / name).write_text("old")
    report_of(run, tmp_path)

    assert names(tmp_path) == {*before, "sheet-2.txt", "mine.html"}
    assert all((tmp_path / name).read_bytes() == data for name, data in before.items())


def test_no_original_is_ever_touched(tmp_path: Path) -> None:
    """Not a byte, not a date."""
    run = drawn(make_run(), tmp_path)
    stats = [path.stat() for path in sorted(tmp_path.iterdir())]
    report_of(run, tmp_path, ReportOptions(embed=True))

    again = [(tmp_path / f"{n}.png").stat() for n in range(2)]
    assert [(s.st_mtime_ns, s.st_ino, s.st_size) for s in again] == [
        (s.st_mtime_ns, s.st_ino, s.st_size) for s in stats
    ]


def test_an_axis_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A misspelt --cols leaves the report of before in place."""
    run = drawn(make_run(), tmp_path)
    with pytest.raises(UsageError):
        report_of(run, tmp_path, ReportOptions(columns=("modle",)))

    assert names(tmp_path) == set()


def test_originals_can_be_embedded_byte_for_byte(tmp_path: Path) -> None:
    """So that one file is all that a colleague needs."""
    run = drawn(make_run(), tmp_path)
    report_of(run, tmp_path, ReportOptions(embed=True))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")

    for number in range(2):
        data = b64encode((tmp_path / f"{number}.png").read_bytes()).decode()
        assert f'src="data:image/png;base64,{data}"' in page


def test_what_the_settings_did_is_in_the_table_and_the_page(tmp_path: Path) -> None:
    """As it is in the report."""
    image_run = drawn(make_run(models=["m"], fields={"seed": "12"}), tmp_path)
    same = replace(image_run.cells[1], image=image_run.cells[0].image)
    report = report_of(replace(image_run, cells=(image_run.cells[0], same)), tmp_path)

    assert report.notes == ("seed: no visible effect at m (identical bytes)",)
    assert report.notes[0] in (tmp_path / "index.html").read_text(encoding="utf-8")
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert r"seed: no visible effect at m \(identical bytes\)" in table


def test_an_older_run_is_laid_beside_this_one(tmp_path: Path) -> None:
    """Distance, seconds, size and cost, then and now, with both pictures on the page."""
    (tmp_path / "old").mkdir()
    now = drawn(make_run(), tmp_path)
    then = drawn(make_run(models=MODELS[1:3]), tmp_path / "old")
    report = report_of(now, tmp_path, NO_SHEET, before=then)

    (drift,) = report.drifts
    assert drift_sentence(now, drift) == (
        f"A red fox, {MODELS[1]}: {drift.bits} of 64, 1.0 s → 2.0 s, 512x512, $0.001"
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'alt="then: A red fox' in page and 'alt="now: A red fox' in page


def test_labels_without_a_font_are_named(tmp_path: Path) -> None:
    """So that one line can say why the sheet calls a prompt by its number."""
    text = "\U00013000 \U00013001"  # hieroglyphs, which the usual fonts lack
    report = report_of(drawn(make_run(prompts=(text, "b")), tmp_path), tmp_path, NO_PAGE)

    assert report.without_font in ((text,), ())


@pytest.mark.slow
def test_a_page_grows_no_larger_than_a_browser_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of noise, which cannot be compressed, become smaller until all fit."""
    noise = Image.frombytes("RGB", (768, 768), Random(1).randbytes(768 * 768 * 3))
    monkeypatch.setattr(album_module, "MAX_PAGE_BYTES", 2_500_000)
    thumbnails = Thumbnails(20)
    assert thumbnails.side == 768
    for number in range(20):
        thumbnails.add(str(number), noise)
    shown = [thumbnails.shown(str(number)) for number in range(20)]
    thumbnails.close()

    assert thumbnails.side == 320
    assert {it and it.width for it in shown} == {320}
    assert sum(len(it.src) for it in shown if it) < 2_500_000 + 20 * 30


@pytest.mark.parametrize(
    ("count", "side"), [(1, 768), (24, 768), (25, 512), (101, 320), (9000, 320)]
)
def test_thumbnails_are_as_large_as_their_number_allows(count: int, side: int) -> None:
    """A few are large."""
    thumbnails = Thumbnails(count)
    thumbnails.close()

    assert thumbnails.side == side


def test_a_blind_page_tells_nothing_of_who_made_what(tmp_path: Path) -> None:
    """No model, size, time, cost, name of a file, link, or hash is in its source."""
    run = drawn(make_run(models=MODELS, sizes=("240x160", "96x64")), tmp_path)
    key = make_key(run, Random(1))
    page = write_blind(run, tmp_path, key)
    source = page.read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/jpeg;base64,[^"]*"', source)
    rest = re.sub(r'src="data:[^"]*"', "", source.split("</style>")[1].split("<script>")[0])

    assert page.name == "blind.html" and len(pictures) == 6
    told = [
        *MODELS,
        "FLUX",
        "240",
        "160x",
        ".png",
        "file://",
        "href",
        "96x64",
        "$",
        " s<",
        "nowhere",
    ]
    told += [str(cell.image and cell.image.sha256) for cell in run.cells]
    told += [cell.row for cell in run.cells]
    assert [word for word in told if word in rest] == []
    assert key.seal in rest


def test_pictures_on_a_blind_page_are_all_of_one_size(tmp_path: Path) -> None:
    """A model that gives another size than was asked for is not told by that."""
    run = drawn(make_run(models=["a", "b"], sizes=("240x160",)), tmp_path)
    Image.new("RGB", (120, 80), "red").save(tmp_path / "1.png")
    run = with_size(run, 1, "120x80")
    source = write_blind(run, tmp_path, make_key(run, Random(1))).read_text(encoding="utf-8")

    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', source)
    assert [Image.open(io.BytesIO(b64decode(data))).size for data in pictures] == [(96, 64)] * 2


def test_a_blind_page_keeps_the_places_of_pictures_that_are_gone(tmp_path: Path) -> None:
    """The letters of the others stay what the key says."""
    run = drawn(make_run(models=MODELS), tmp_path)
    (tmp_path / "1.png").unlink()
    key = make_key(run, Random(1))
    source = write_blind(run, tmp_path, key).read_text(encoding="utf-8")
    gone = next(letter for letter, row in key.ballots[0].rows.items() if row == run.cells[1].row)

    assert sorted(re.findall(r'data-letter="(.)"', source)) == sorted({"A", "B", "C"} - {gone})


BUDGET = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from nscale_cli.output.report.write import ReportOptions, write_report
from tests.output.report.runs import make_run
names, here, page = [str(n) for n in range(8)], Path(sys.argv[1]), sys.argv[2] == "page"
run = make_run(models=names, prompts=names, sizes=("1024x1024",))
cells = tuple(
    replace(cell, image=replace(cell.image, path=here / f"{number % 2}.png"))
    for number, cell in enumerate(run.cells)
)
options = ReportOptions(page=page, sheet=not page)
write_report(replace(run, cells=cells), here, options, env={})
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) / 1000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["sheet", "page"])
def test_64_large_images_take_little_memory_and_make_a_page_that_can_be_sent(
    tmp_path: Path, what: str
) -> None:
    """At most 200 MB, of which Python and Pillow are 30; the page has at most 15 MB."""
    for number in range(2):
        photograph(number).save(tmp_path / f"{number}.png", compress_level=1)
    command = [sys.executable, "-c", BUDGET, str(tmp_path), what]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)

    assert float(ran.stdout) <= 200
    if what == "page":
        assert (tmp_path / "index.html").stat().st_size <= 15_000_000


def test_an_album_reads_each_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks first."""
    run = drawn(make_run(), tmp_path)
    read: list[Path] = []

    def noting(path: Path, side: int) -> Image.Image:
        read.append(path)
        return pictures.read(path, side)

    monkeypatch.setattr(album_module, "read", noting)
    with Album(run.cells) as album:
        album.read(run.cells[1])
        album.read_all()

        assert sorted(album.hashes) == sorted(cell.row for cell in run.cells)
    assert read == [tmp_path / "1.png", tmp_path / "0.png"]
