"""The page as a file: what is in it, and what can never be."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nscale_cli.output.report.album import Shown
from nscale_cli.output.report.audit import Drift
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.grid import arrange
from nscale_cli.output.report.page import Content, pages
from tests.output.report.runs import MODELS, REFUSED, changed, make_run

PIXEL = Shown(src="data:image/jpeg;base64,AA==", width=4, height=3)


def pages_of(run: Run, **content: object) -> dict[str, str]:
    """Return the pages of a run whose pictures are all one pixel."""
    values = {"directory": Path("/nowhere"), "shown": lambda cell: PIXEL if cell.image else None}
    return dict(pages(arrange(run), Content(**(values | content))))  # type: ignore[arg-type]


def page_of(run: Run, **content: object) -> str:
    """Return the only page of a run."""
    ((name, text),) = pages_of(run, **content).items()
    assert name == "index.html"
    return text


class Outline(HTMLParser):
    """The elements of a page, in their order, with their attributes."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def test_only_the_page_s_own_style_and_script_can_run() -> None:
    """The policy names them by their hashes, and allows nothing else from anywhere."""
    text = page_of(make_run())
    (policy,) = (
        str(meta["content"])
        for meta in Outline(text).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    assert parts["default-src"] == "'none'" and parts["img-src"] == "data: 'self'"
    for name in ("style", "script"):
        (inside,) = re.findall(f"<{name}>(.*?)</{name}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert parts[f"{name}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"\son[a-z]+=|style=|https?://", text.split("</style>")[1])


def test_headings_belong_to_their_cells() -> None:
    """Every heading has a scope, and a group of columns spans what it is over."""
    run = make_run(sizes=("8x8", "9x9"), prompts="ab", fields={"seed": "12", "steps": "12"})
    heads = Outline(page_of(run)).all("th")

    assert all(head.get("scope") in ("col", "colgroup", "row", "rowgroup") for head in heads)
    assert [h["colspan"] for h in heads if h["scope"] == "colgroup"] == ["4"] * 2 + ["2"] * 4
    assert [h["colspan"] for h in heads if h["scope"] == "rowgroup"] == ["9", "9"]
    assert sum(h["scope"] == "row" for h in heads) == 2 * 2 + 4 * 2  # the figures' lines, too


def test_every_image_has_a_name_a_size_and_a_link_to_its_original() -> None:
    """So that nothing moves while it loads, and nobody needs to see it."""
    run = make_run(prompts=("A red fox", "A bird"))
    outline = Outline(page_of(run))
    images = [image for image in outline.all("img") if "width" in image]

    assert [image["alt"] for image in images] == [
        f"{prompt}, {model}" for prompt in ("A red fox", "A bird") for model in MODELS[:2]
    ]
    assert {(image["width"], image["height"]) for image in images} == {("4", "3")}
    links = [link["href"] for link in outline.all("a") if link.get("class") == "cell picture"]
    assert links == ["0.png", "2.png", "1.png", "3.png"]


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("/nowhere/a b%20#?.png", "a%20b%2520%23%3F.png"),
        ('/nowhere/sub/"><x>.png', "sub/%22%3E%3Cx%3E.png"),
        ("/elsewhere/a.png", "file:///elsewhere/a.png"),
        ("/nowhere/狐.png", "%E7%8B%90.png"),
    ],
)
def test_a_link_is_relative_and_spelled_out(path: str, href: str) -> None:
    """The directory can be moved as a whole; a rescued image is linked where it is."""
    run = make_run(models=["m"])
    image = run.cells[0].image
    assert image is not None
    moved = replace(run.cells[0], image=replace(image, path=Path(path)))
    links = Outline(page_of(replace(run, cells=(moved,)))).all("a")

    assert [link["href"] for link in links if link.get("class") == "cell picture"] == [href]


def test_a_failure_is_told_with_its_status_and_message() -> None:
    """And with what it cost."""
    text = page_of(changed(make_run(), {0: REFUSED}))

    for words in ("<strong>refused</strong>", "not billed", "HTTP 400", "not that one"):
        assert words in text


def test_a_picture_that_cannot_be_read_says_so() -> None:
    """It is paid for, and its place is kept."""
    assert "<strong>cannot be read</strong>" in page_of(make_run(), shown=lambda _: None)


def test_a_long_prompt_can_be_unfolded() -> None:
    """Its start is the label, and all of it is there."""
    prompt = "A very long prompt. " * 60
    text = page_of(make_run(prompts=(prompt, "b")))

    assert prompt.strip() in text and "<summary>A very long prompt." in text


def test_more_than_400_pictures_are_several_linked_pages() -> None:
    """Of whole rows, each with all headings."""
    run = make_run(models=[f"m/{n}" for n in range(30)], prompts=[f"p {n}" for n in range(30)])
    found = pages_of(run)

    assert list(found) == ["index.html", "index-2.html", "index-3.html"]
    counts = []
    for number, text in enumerate(found.values()):
        outline = Outline(text)
        counts.append(sum(link.get("class") == "cell picture" for link in outline.all("a")))
        nav = [link for link in outline.all("a") if str(link.get("href")).startswith("index")]
        assert [link["href"] for link in nav] == list(found)
        assert ["aria-current" in link for link in nav] == [n == number for n in range(3)]
        assert "m/29" in text
    assert counts == [390, 390, 120]


def test_notes_and_drifts_stand_below_the_images() -> None:
    """What the settings did, and how far each image lies from the older run's."""
    run = make_run(models=["m"])
    drift = Drift(then=run.cells[0], now=run.cells[0], bits=12, identical=False)
    text = page_of(run, notes=["seed: <nothing>"], drifts=[drift], shown_then=lambda _: PIXEL)

    assert "<li>seed: &lt;nothing&gt;</li>" in text
    assert "12 of 64" in text and 'alt="then: A red fox"' in text


def test_a_cell_that_was_never_asked_for_has_a_place() -> None:
    """The table keeps its shape."""
    run = make_run(prompts=("a", "b"))
    text = page_of(replace(run, cells=run.cells[1:]))

    assert text.count("<td>") - text.count("figures") >= 4 and "not asked" in text


def test_the_title_of_the_window_is_short() -> None:
    """Whatever the prompt is."""
    (title,) = re.findall("<title>(.*?)</title>", page_of(make_run(prompts=["x" * 10_000])))

    assert len(title) == 300
