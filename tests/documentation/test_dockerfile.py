"""The Dockerfile, tried step by step in a folder, as no Docker is needed to read it."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.documentation.blocks import ROOT
from tests.documentation.wheels import everybody_s_python, offline, run, wheels_for

Instruction = tuple[str, str]
INSTRUCTIONS: list[Instruction] = [
    (word, rest)
    for word, _, rest in (
        line.partition(" ") for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    )
    if word and word != "#"
]
IGNORED = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "login.defs")


def of(word: str) -> list[str]:
    """Return what stands behind each instruction `word`."""
    return [rest for each, rest in INSTRUCTIONS if each == word]


def test_it_is_slim_and_ends_as_an_ordinary_user() -> None:
    """By number, as Kubernetes wants to know that it is not root."""
    assert {image.split()[0] for image in of("FROM")} == {"python:3.13-slim"}
    assert of("USER") == ["10001"]
    assert INSTRUCTIONS.index(("USER", "10001")) > max(
        number for number, (word, _) in enumerate(INSTRUCTIONS) if word in ("RUN", "COPY", "FROM")
    )


def test_no_shell_is_asked() -> None:
    """Every command is a list of words, so that nothing is left out by a pipe or an `&&`."""
    words = [json.loads(rest) for rest in [*of("RUN"), *of("CMD")]]

    assert len(words) >= 4
    assert not [each for each in words if {"sh", "bash", "-c"} & set(each)]
    assert not of("SHELL") + of("ADD") + of("ENTRYPOINT")


def test_what_is_sent_to_docker_is_what_a_wheel_is_made_of() -> None:
    """All is left out but a few names, and these are there."""
    kept = [line[1:] for line in IGNORED if line.startswith("!")]

    assert IGNORED[1] == "*"
    assert [name for name in kept if not (ROOT / name).exists()] == []


@dataclass(slots=True, kw_only=True)
class Image:
    """A folder that stands for the root of an image; a stage has it for itself until it ends."""

    root: Path
    python: str
    wheels: Path
    work: str = "/"
    stages: dict[str, Path] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        """Return where the absolute `path` of the image is."""
        return self.root / path.lstrip("/")

    def begin(self, rest: str) -> None:
        """FROM: put the last stage aside."""
        if self.root.exists():
            (name,) = (each.split()[-1] for each in of("FROM") if " AS " in each)
            self.stages[name] = self.root.rename(self.root.with_name(name))
        self.at("etc").mkdir(parents=True)
        for name in ACCOUNTS:
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), self.at("etc"))
        self.root.chmod(0o755)
        self.work = "/"

    def copy(self, rest: str) -> None:
        """COPY: from the folder of the project, or from a stage."""
        if not rest.startswith("--from="):
            assert rest == ". ."
            for name in (line[1:] for line in IGNORED if line.startswith("!")):
                run("cp", "--recursive", ROOT / name, self.at(self.work))
            return
        stage, source, target = rest.removeprefix("--from=").split()
        self.at(target).parent.mkdir(parents=True, exist_ok=True)
        (self.stages[stage] / source.lstrip("/")).rename(self.at(target))

    def run(self, rest: str) -> None:
        """RUN: with this folder's paths in place of the image's."""
        program, *words = json.loads(rest)
        mapped = [
            str(self.at(word)) if word.startswith("/") else word for word in (program, *words)
        ]
        if program == "useradd":
            mapped[1:1] = ["--prefix", str(self.root)]
        mapped[0] = {"python": self.python}.get(program, mapped[0])
        environment = {"PATH": os.environ["PATH"], **offline(self.wheels)}
        run(*mapped, env=environment, cwd=self.at(self.work))

    def follow(self, instruction: Instruction) -> None:
        """Do what one line says."""
        word, rest = instruction
        if word == "WORKDIR":
            self.work = rest
            self.at(rest).mkdir(parents=True, exist_ok=True)
        else:
            {"FROM": self.begin, "COPY": self.copy, "RUN": self.run}.get(word, lambda rest: None)(
                rest
            )


@pytest.fixture
def image() -> Iterator[Image]:
    """An image in a folder that every user may enter."""
    python = everybody_s_python()
    with tempfile.TemporaryDirectory(prefix="image-") as name, wheels_for(python) as wheels:
        Path(name).chmod(0o755)
        yield Image(root=Path(name, "root"), python=python, wheels=wheels)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root becomes the image's user"
)
def test_its_commands_make_a_program_that_its_user_runs(image: Image) -> None:
    """Step by step; then an image of the sandbox is made by the user, in /data."""
    for instruction in INSTRUCTIONS:
        image.follow(instruction)

    assert "nscale:x:10001:" in image.at("etc/passwd").read_text()
    (command,) = of("CMD")
    program = image.at("opt/nscale/bin") / json.loads(command)[0]
    as_user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", program]
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(image.at("home/nscale")), "LC_ALL": "C.UTF-8"}
    shown = run(
        *as_user,
        "images",
        "generate",
        "A red fox",
        "--sandbox",
        env=variables,
        cwd=image.at("data"),
    )
    assert image.at("data/a-red-fox.png").stat().st_uid == 10001
    assert str(image.at("data/a-red-fox.png")) in shown
    assert "Usage: nscale" in run(*as_user, "--help", env=variables, cwd=image.at("data"))
