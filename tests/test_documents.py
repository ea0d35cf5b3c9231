"""The documents say what is: the tests, files and commands that they name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.slow
def test_every_test_that_the_reliability_page_names_exists() -> None:
    """A row without its proof is only a claim."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/*.py"))

    assert len(named) > 100
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_every_row_of_the_reliability_page_names_a_test() -> None:
    """The fault, what is seen, the exit code, the proof."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| (?!fault |-)", line)]

    assert [row for row in rows if not re.search(r"\| `test_\w+`[^|]* \|$", row)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """Also the pictures."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def slugs_of(page: Path) -> set[str]:
    """Return what a link may name in `page`: its headings, as GitHub writes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_somewhere(page: Path) -> None:
    """In the page itself, or in another."""
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))

    lost = [
        f"{file}#{slug}"
        for file, slug in links
        if slug not in slugs_of(page.parent / file if file else page)
    ]
    assert lost == []


def test_the_map_of_the_pages_has_them_all() -> None:
    """Nothing is written that nobody finds."""
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    page = (ROOT / "docs/README.md").read_text("utf-8")

    assert {name for name in pages if f"]({name})" not in page} == set()


def test_readme_is_short_and_shows_one_picture() -> None:
    """Near the top, of a comparison; all else is behind a link."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    pictures = [number for number, line in enumerate(lines) if "![" in line]

    assert len(lines) < 190
    assert len(pictures) == 1 and pictures[0] < 10
    assert "docs/compare/" in lines[pictures[0]]


def test_readme_begins_with_the_two_commands() -> None:
    """CI runs them as they stand there."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)

    assert "--sandbox" in blocks[0]
    assert "pytest" in blocks[1]


def test_every_room_has_its_place_in_the_architecture() -> None:
    """A newcomer finds each package and each file of the top floor there."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    package = ROOT / "nscale_cli"
    rooms = [each.name for each in package.glob("*.py") if each.name != "__init__.py"]
    rooms += [f"{each.parent.name}/" for each in package.glob("*/__init__.py")]

    assert [room for room in rooms if f"`{room}`" not in page] == []


def test_every_place_that_the_architecture_names_exists() -> None:
    """The table of where to find what leads there."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("## One command")[0]
    places = re.findall(r"`([\w/]+(?:\.py|/))`", table)

    assert len(places) > 10
    assert [place for place in places if not (ROOT / "nscale_cli" / place).exists()] == []
