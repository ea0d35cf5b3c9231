"""What is measured, each beside what it is measured by."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.bench.replay import PLAIN, SECURE, SLOW

_HERE = Path(__file__).parent
_PROGRAM = [sys.executable, "-m", "nscale_cli"]
_BARE = [sys.executable, str(_HERE / "bare.py")]
_EMPTY = [sys.executable, "-c", "pass"]
_GUIDE = [sys.executable, str(_HERE / "guide_script.py")]
_MODELS = [sys.executable, str(_HERE / "models_script.py")]
_PEERS = _HERE / "peers"
PEERS = ("huggingface_hub", "litellm", "replicate", "requests", "together")
_PIPELINE = """
curl -sf "$NSCALE_BASE_URL/images/generations" -H "Content-Type: application/json" \\
    -H "Authorization: Bearer $NSCALE_API_KEY" -o reply.json \\
    -d '{{"model": "m", "prompt": "p", "size": "{size}", "n": {n}}}'
for ((i = 0; i < {n}; i++)); do
    jq -r ".data[$i].b64_json" reply.json | base64 -d > pipeline-$i.png
done
"""
EMPTY = "empty Python"
_TAB = {
    "_NSCALE_COMPLETE": "complete_fish",
    "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    "_TYPER_COMPLETE_ARGS": "nscale images generate --mo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One command and the one it is compared with, at one of replay.SERVERS.

    `terminal`: both write to a pseudo-terminal. `cold`: nothing was cached before.
    """

    name: str
    command: Sequence[str]
    against: Sequence[str]
    by: str
    code: int = 0
    against_code: int = 0
    server: int = PLAIN
    terminal: bool = False
    cold: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


def start_up() -> list[Row]:
    """Return what runs without a request, against Typer alone and against an empty Python."""
    tree = ["images", "generate"]
    cases: list[tuple[str, list[str], int, dict[str, str]]] = [
        ("--version", ["--version"], 0, {}),
        ("--help", ["--help"], 0, {}),
        ("images generate --help", [*tree, "--help"], 0, {}),
        ("usage error", [*tree, "--no-such-option"], 2, {}),
        ("completion", [], 0, _TAB),
    ]
    rows = []
    for name, arguments, code, variables in cases:
        bare = ["--help"] if name == "--version" else arguments
        command = [*_PROGRAM, *arguments]
        rows += [
            Row(
                name=name, command=command, against=[*_BARE, *bare], by="bare Typer",
                code=code, against_code=code, variables=variables,
            ),
            Row(
                name=name, command=command, against=_EMPTY, by=EMPTY,
                code=code, variables=variables,
            ),
        ]  # fmt: skip
    return rows


def questions() -> list[Row]:
    """Return the commands that ask the service one question, which is free."""
    commands = (["models", "list"], ["auth", "status"], ["doctor"])
    return [
        Row(
            name=" ".join(words),
            command=[*_PROGRAM, *words],
            against=_MODELS,
            by="script",
        )
        for words in commands
    ]


_AT = {PLAIN: "0 ms", SLOW: "500 ms", SECURE: "https"}


def generate(
    count: int = 1,
    size: str = "1024x1024",
    *options: str,
    server: int = PLAIN,
    by: str = "guide",
    terminal: bool = False,
    cold: bool = False,
) -> Row:
    """Return a run that makes images, against the guide's script or a pipeline of curl."""
    command = [*_PROGRAM, "images", "generate", "sunset", "-z", size, "-n", str(count), *options]
    pipeline = ["bash", "-c", _PIPELINE.format(size=size, n=count)]
    name = " ".join(["generate", f"-n {count}", size, *options])
    how = [_AT[server], *(["terminal"] if terminal else []), *(["price unknown"] if cold else [])]
    return Row(
        name=f"{name}, {', '.join(how)}",
        command=command,
        against=[*_GUIDE, size, str(count)] if by == "guide" else pipeline,
        by=by,
        server=server,
        terminal=terminal,
        cold=cold,
    )


def remembered() -> Row:
    """Return a run that is remembered, against the same one that is not."""
    command = generate().command
    return Row(
        name="generate, history on",
        command=command,
        against=[*command, "--no-history"],
        by="history off",
    )


def peers() -> list[Row]:
    """Return one image beside each other library that makes one, where these are installed."""
    python = _PEERS / ".venv/bin/python"
    if not python.exists():
        return []
    return [
        replace(
            generate(), against=[str(python), str(_PEERS / "buy.py"), peer, "1024x1024"], by=peer
        )
        for peer in PEERS
    ]


def all_generate() -> list[Row]:
    """Return the runs that make images."""
    rows = [
        generate(count, "1024x1024", *options, server=server)
        for count in (1, 4)
        for server in (PLAIN, SLOW)
        for options in ((), ("--json",), ("-p",))
    ]
    elsewhere = [
        generate(server=SECURE),
        generate(terminal=True),
        generate(1, "1024x1024", "-p", terminal=True),
        generate(cold=True),
    ]
    pipelines = [generate(count, by="curl, jq, base64") for count in (1, 4)]
    return [*rows, *elsewhere, *pipelines, generate(4, "2048x2048")]
