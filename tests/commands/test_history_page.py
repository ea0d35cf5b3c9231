"""`nscale history page`: what was made before, as a file for a browser."""

import re
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import Cli, with_history


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """Run the program with a history."""
    return with_history(cli)


@pytest.fixture
def made(against: Cli, sandbox: Sandbox, tmp_path: Path) -> Path:
    """Three images that were made before, one of which lies in the home directory."""
    (tmp_path / "home" / "pictures").mkdir(parents=True)
    for words in (
        ["A red fox"],
        ["A <script>alert(1)</script> cat", "-m", "m/2"],
        ["A dog", "-o", "home/pictures/"],
    ):
        assert against(sandbox, *words, "-z", "64x48").exit_code == 0
    return tmp_path


def links(page: Path) -> list[str]:
    """Return where the pictures of a page lead, in order."""
    return re.findall(r'class="cell picture" href="([^"]*)"', page.read_text())


def test_a_page_shows_what_was_made(cli: Cli, made: Path) -> None:
    """The newest first, with links to the files, and no address elsewhere."""
    outcome = cli("history", "page")

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{made}/gallery.html\n"
    assert outcome.stderr == "3 images on the page\n"
    text = (made / "gallery.html").read_text()
    assert "<script>alert" not in text
    assert text.index("3: A dog") < text.index("cat") < text.index("1: A red fox")
    assert text.count('src="data:image/jpeg;base64,') == 3
    assert "http://" not in text and "https://" not in text


def test_the_home_directory_is_named_on_no_page(cli: Cli, made: Path) -> None:
    """From a page outside of it no link leads there; from one inside they are relative."""
    home = made / "home"
    cli("history", "page")
    cli("history", "page", "-o", "home/page.html")

    assert links(made / "gallery.html") == ["#", "a-script-alert-1-script-cat.png", "a-red-fox.png"]
    assert links(home / "page.html")[0] == "pictures/a-dog.png"
    for page in (made / "gallery.html", home / "page.html"):
        assert str(home) not in page.read_text()


@pytest.mark.parametrize(
    ("words", "count"),
    [(["fox"], 1), (["-m", "m/2"], 1), (["-n", "2"], 2), (["--since", "1h"], 3)],
)
def test_a_page_of_some_images(cli: Cli, made: Path, words: list[str], count: int) -> None:
    """As the list finds them."""
    outcome = cli("history", "page", *words, "--json")

    assert len(outcome.document["data"]["images"]) == count  # type: ignore[index]
    assert len(links(made / "gallery.html")) == count


def test_an_image_that_is_gone_has_its_place(cli: Cli, made: Path) -> None:
    """It was made, and that is told."""
    (made / "a-red-fox.png").unlink()

    outcome = cli("history", "page")

    assert outcome.stderr.endswith("1 of them cannot be shown: their files are gone\n")
    assert "1: A red fox" in (made / "gallery.html").read_text()
    assert len(links(made / "gallery.html")) == 2


def test_a_page_replaces_nothing_unasked(cli: Cli, made: Path) -> None:
    """With --force it does."""
    (made / "gallery.html").write_text("mine")

    refused, forced = cli("history", "page"), cli("history", "page", "--force")

    assert refused.exit_code == 2
    assert "gallery.html exists" in refused.stderr
    assert forced.exit_code == 0
    assert links(made / "gallery.html")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unicorn"], "no image to show: none is remembered, or none matches"),
        (["-n", "401"], "-n must be 1 or more, and at most 400"),
        (["-n", "0"], "-n must be 1 or more"),
        (["-o", "no/page.html"], "no/page.html cannot be written: No such file or directory"),
    ],
)
def test_what_makes_no_page_is_a_usage_error(
    cli: Cli, made: Path, words: list[str], message: str
) -> None:
    """In one line."""
    outcome = cli("history", "page", *words)

    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_a_page_is_opened(cli: Cli, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the desktop's browser."""
    from nscale_cli.preview import show

    opened: list[Path] = []
    monkeypatch.setattr(show, "open_image", lambda path, env: opened.append(path))

    cli("history", "page", "-x")

    assert opened == [made / "gallery.html"]
