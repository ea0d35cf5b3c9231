"""The fenced blocks of Markdown pages, and what is written above them for those who run them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path.name != "CHANGELOG.md"
)
_FENCE = re.compile(r"(?ms)^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$")
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>[^\n]+) -->\n+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block; `not_run` is why it cannot be run here, where it says so."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def place(self) -> str:
        """Where it stands, as an editor finds it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for fence in _FENCE.finditer(text):
        mark = _NOT_RUN.search(text[: fence.start()])
        yield Block(
            page=page,
            line=text.count("\n", 0, fence.start()) + 1,
            language=fence["language"].strip(),
            text=fence["text"],
            not_run=mark["reason"] if mark else None,
        )
