"""`images report`: drawn again for nothing, of comparisons and batches, finished or not."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Cli

FLUX = "black-forest-labs/FLUX.1-schnell"
SMALL = ("-z", "64x64")


@pytest.fixture
def compared(cli: Cli, tmp_path: Path) -> Path:
    """A comparison of two models and two prompts, one of whose models refuses."""
    words = ("cat", "owl", "-m", FLUX, "-m", "sandbox/refused", *SMALL, "-o", "d", "--sandbox")
    cli("images", "compare", *words)
    return tmp_path / "d"


def files(directory: Path) -> dict[str, bytes]:
    """Return what a report writes."""
    names = ("index.html", "sheet.png", "table.md", "results.csv")
    return {name: (directory / name).read_bytes() for name in names}


def test_a_report_is_the_same_each_time(cli: Cli, compared: Path) -> None:
    """To the byte, with no key and no service at hand."""
    before = files(compared)
    for name in before:
        (compared / name).unlink()
    outcome = cli("images", "report", "d", env={"NSCALE_BASE_URL": "http://127.0.0.1:9/v1"})

    assert outcome.exit_code == 0
    assert files(compared) == before
    assert outcome.stdout.splitlines() == [
        str(compared / "index.html"), str(compared / "sheet.png"),
    ]  # fmt: skip
    assert "sandbox/refused" in outcome.stderr


def test_rows_columns_and_cells_are_the_users_choice(cli: Cli, compared: Path) -> None:
    """The sheet of another shape is another picture."""
    with Image.open(compared / "sheet.png") as sheet:
        before = sheet.size
    cli("images", "report", "d", "--cols", "prompt", "--rows", "model", "--cell", "96")
    with Image.open(compared / "sheet.png") as sheet:
        assert sheet.size != before
    page = (compared / "index.html").read_text(encoding="utf-8")
    assert page.index('<th scope="col" colspan="1"><span class="text">cat') < page.index(FLUX)


def test_a_title_stands_on_the_page(cli: Cli, compared: Path) -> None:
    """As it was given."""
    cli("images", "report", "d", "--title", "Foxes & <owls>")

    assert "Foxes &amp; &lt;owls&gt;" in (compared / "index.html").read_text(encoding="utf-8")


def test_the_title_of_a_comparison_is_kept(cli: Cli, tmp_path: Path) -> None:
    """For later reports, until another is given."""
    words = ("images", "compare", "cat", *SMALL, "-o", "d", "--sandbox")
    cli(*words, "--title", "One")
    cli("images", "report", "d")
    assert "<title>One</title>" in (tmp_path / "d" / "index.html").read_text(encoding="utf-8")
    cli(*words)
    assert "<title>One</title>" in (tmp_path / "d" / "index.html").read_text(encoding="utf-8")
    cli(*words, "--title", "Two")
    assert "<title>Two</title>" in (tmp_path / "d" / "index.html").read_text(encoding="utf-8")


def test_a_batch_is_shown_as_a_gallery(cli: Cli, tmp_path: Path) -> None:
    """Each image under its id and prompt; several of one row are several images."""
    rows = "id,prompt,n,model\nhero,A cat,2,a/b\n,An owl,1,sandbox/refused\nsea,The sea,1,c/d\n"
    (tmp_path / "rows.csv").write_text(rows)
    cli("images", "batch", "rows.csv", "--sandbox", *SMALL, "-o", "d")
    outcome = cli("images", "report", "d", "--json")
    page = (tmp_path / "d" / "index.html").read_text(encoding="utf-8")

    assert outcome.exit_code == 0
    assert page.count('class="cell picture"') == 3 and 'class="grid gallery' in page
    assert "<b>hero: A cat</b>" in page and "<b>sample 2</b>" in page and "refused" in page
    assert [line["saved"] for line in outcome.document["data"]["table"]] == [
        "2 of 2", "0 of 1", "1 of 1",
    ]  # fmt: skip


def test_an_older_run_is_laid_beside(cli: Cli, tmp_path: Path) -> None:
    """For a nightly job that notices when a model behind an id was changed."""
    for directory, seed in (("then", "1"), ("now", "2")):
        words = ("cat", "-m", "a/b", "-m", "sandbox/ignores-seed", *SMALL, "-o", directory)
        cli("images", "compare", *words, "--sandbox")
        if seed == "2":  # another picture in the place of one of them
            path = next((tmp_path / "now").glob("cat-a-b-*.png"))
            path.write_bytes(next((tmp_path / "now").glob("*ignores*.png")).read_bytes())
    outcome = cli("images", "report", "now", "--baseline", "then", "--json")

    drift = {each["image"]: each for each in outcome.document["data"]["drift"]}
    assert set(drift) == {"cat, a/b", "cat, sandbox/ignores-seed"}
    assert drift["cat, sandbox/ignores-seed"]["bits"] == 0 < drift["cat, a/b"]["bits"]
    assert "Then and now" in (tmp_path / "now" / "index.html").read_text(encoding="utf-8")


def test_an_older_run_of_other_requests_is_no_proof(cli: Cli, compared: Path) -> None:
    """A nightly job whose prompts were changed would else be told that nothing drifted."""
    words = ("--sandbox", "-o", "now", "--baseline", str(compared))
    warning = "warning: the older run has no image of any of these requests"

    assert warning in cli("images", "compare", "another", "-m", FLUX, *SMALL, *words).stderr
    assert warning not in cli("images", "compare", "cat", "-m", FLUX, *SMALL, *words).stderr


def test_an_image_that_is_gone_has_its_place_all_the_same(cli: Cli, compared: Path) -> None:
    """Its cell says so, and the report is drawn."""
    next(compared.glob("cat-*.png")).unlink()
    outcome = cli("images", "report", "d")

    assert outcome.exit_code == 0
    assert "cannot be read" in (compared / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("nowhere",), (".",)])
def test_a_folder_without_a_run_is_refused(cli: Cli, words: tuple[str, ...]) -> None:
    """With how to start one."""
    outcome = cli("images", "report", *words)

    assert outcome.exit_code == 2 and "holds no run" in outcome.stderr


def test_a_damaged_plan_is_a_configuration_error(cli: Cli, compared: Path) -> None:
    """Which names the file."""
    (compared / "run" / "plan.json").write_text("{")
    outcome = cli("images", "report", "d")

    assert outcome.exit_code == 3 and "plan.json" in outcome.stderr


def test_a_folder_that_cannot_be_written_is_named(cli: Cli, compared: Path) -> None:
    """Nothing was drawn, and nothing is lost."""
    (compared / "sheet.png").unlink()
    (compared / "sheet.png").mkdir()
    outcome = cli("images", "report", "d")

    assert outcome.exit_code == 2 and f"{compared} cannot be written to" in outcome.stderr


def test_the_sheet_is_drawn_in_the_terminal(cli: Cli, compared: Path) -> None:
    """With -p, on stderr."""
    before = cli("images", "report", "d").stderr.count("\n")

    assert cli("images", "report", "d", "-p").stderr.count("\n") > before + 10


def test_a_page_can_hold_the_originals(cli: Cli, compared: Path) -> None:
    """For a colleague who gets one file."""
    cli("images", "report", "d", "--embed")

    assert "data:image/png;base64," in (compared / "index.html").read_text(encoding="utf-8")


def test_labels_without_a_font_are_explained(cli: Cli, tmp_path: Path) -> None:
    """Where no font here has the letters, one line says so."""
    words = ("\U00013000", "cat", *SMALL, "-m", "a", "-o", "d", "--sandbox")
    outcome = cli("images", "compare", *words)

    assert "1 label of the sheet could not be set" in outcome.stderr
    assert "\U00013000" in (tmp_path / "d" / "index.html").read_text(encoding="utf-8")
