"""The stored lists of models: whole, private, and never a failure."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nscale_cli.config.directories import cache_directory
from nscale_cli.service.catalog import load, store, stored_ids
from nscale_cli.service.models import Model, ModelList

URL = "https://one.example/v1"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment whose cache is the test's own."""
    return {"XDG_CACHE_HOME": str(tmp_path)}


def listed(*ids: str, base_url: str = URL) -> ModelList:
    """Return a list of models with a price each."""
    models = tuple(Model(id=name, fields={"pricing.output": 0.5, "x": None}) for name in ids)
    return ModelList(base_url=base_url, fetched_at=NOW, models=models)


def files(env: dict[str, str]) -> list[Path]:
    """Return the files of the cache."""
    return sorted((Path(env["XDG_CACHE_HOME"]) / "nscale").iterdir())


def test_a_list_comes_back_as_it_was_kept(env: dict[str, str]) -> None:
    """With its moment and every field, for its own service only."""
    store(listed("a", "b\x1b[31m\ud800"), env)

    assert load(URL, env) == listed("a", "b\x1b[31m\ud800")
    assert load("https://two.example/v1", env) is None


def test_each_service_has_one_file_which_the_next_list_replaces(env: dict[str, str]) -> None:
    """Nothing else is left in the folder."""
    store(listed("a"), env)
    store(listed("b"), env)
    store(listed("c", base_url="https://two.example/v1"), env)

    assert len(files(env)) == 2
    assert load(URL, env) == listed("b")


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_the_file_is_its_owners_alone(env: dict[str, str]) -> None:
    """Which models somebody uses is nobody else's business."""
    store(listed("a"), env)

    (path,) = files(env)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


GOOD = (
    b'{"version": 1, "base_url": "https://one.example/v1", "fetched_at": "2026-03-01T12:00+00:00"'
)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}", GOOD + b"}",
        GOOD + b', "models": {}}',
        GOOD + b', "models": [7]}',
        GOOD + b', "models": [{"id": 7}]}',
        GOOD + b', "models": [{}]}',
        (GOOD + b', "models": []}').replace(b": 1", b": 2"),
        (GOOD + b', "models": []}').replace(b"+00:00", b""),
        (GOOD + b', "models": []}').replace(b"2026", b"then"),
        (GOOD + b', "models": []}').replace(b"one.example", b"two.example"),
        GOOD + b', "models": []}' + b" " * 17_000_000,
    ],
    ids=range(17),
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_no_list(env: dict[str, str], data: bytes) -> None:
    """Damaged, foreign, of another version, or huge."""
    store(listed("a"), env)
    (path,) = files(env)
    path.write_bytes(GOOD + b', "models": []}')
    assert load(URL, env) is not None  # the control
    path.write_bytes(data)

    assert load(URL, env) is None
    assert stored_ids(env) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "device"])
def test_what_is_no_file_is_no_list_and_no_failure(env: dict[str, str], kind: str) -> None:
    """Reading ends, and writing does as well as it can."""
    store(listed("a"), env)
    (path,) = files(env)
    path.unlink()
    {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()

    assert load(URL, env) is None
    assert stored_ids(env) == []
    store(listed("b"), env)
    assert (load(URL, env) is None) is (kind in ("folder", "fifo"))
    assert files(env) == [path]


@pytest.mark.parametrize("kind", ["file", "missing", "relative", "empty"])
def test_a_folder_that_cannot_be_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Also where the system has no home for this user."""
    (tmp_path / "file").touch()
    homes = {"file": tmp_path / "file", "missing": tmp_path / "x/y", "relative": "x", "empty": ""}
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    env = {"XDG_CACHE_HOME": str(homes[kind])}

    store(listed("a"), env)

    assert (load(URL, env) is not None) is (kind == "missing")
    assert not Path("x").exists()


def test_without_a_variable_the_system_says_where_caches_are() -> None:
    """Nothing is assumed about where that is, but that it is the program's own."""
    folder = cache_directory({})

    assert folder.is_absolute()
    assert "nscale" in folder.parts


def test_a_list_that_would_be_too_large_is_not_kept(env: dict[str, str]) -> None:
    """What could not be read again replaces nothing."""
    store(listed("a"), env)
    store(listed("x" * 17_000_000), env)

    assert load(URL, env) == listed("a")


def test_ids_for_the_shell_are_harmless_few_and_image_models_first(env: dict[str, str]) -> None:
    """Of all services together."""
    store(listed("meta/llama", "$(reboot)", "a b", "x\x1b[31m", "a" * 201, "flux-1"), env)
    store(listed("flux-2", "flux-1", base_url="https://two.example/v1"), env)
    assert set(stored_ids(env)[:2]) == {"flux-1", "flux-2"}
    assert stored_ids(env)[2:] == ["meta/llama"]

    store(listed(*(f"model-{number}" for number in range(5000))), env)
    assert len(stored_ids(env)) == 500
