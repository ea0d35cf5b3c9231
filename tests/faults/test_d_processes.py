"""Saving by the program as a process of its own: other users, many at once, limits."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import KEY, Program
from tests.faults.conftest import as_base64, files_in, photo, reply_of, require_failure
from tests.faults.raw_server import Connection, RawServer, answers, response

Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX users and limits")
RESCUED = "home/.local/state/nscale/rescued"


def arguments(server: RawServer, *further: str) -> list[str]:
    """Return the words that buy one image."""
    return ["images", "generate", "cat", "--base-url", server.base_url, "-a", KEY, *further]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprivilegedProgram(Program):
    """The program as a user who is not root, for root may write anywhere."""

    @property
    def command(self) -> list[str]:
        """The words that start the program."""
        if os.geteuid() != 0:
            return super(UnprivilegedProgram, self).command
        return [sys.executable, str(Path(__file__).with_name("as_nobody.py"))]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, and nobody but its owner may write in."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("output", ["x.png", "new/x.png", "closed/x.png", "closed/new/"])
def test_a_folder_of_somebody_else_is_refused_before_paying(
    served: RawServer, injected: Injected, open_folder: Path, output: str
) -> None:
    """Permissions tell."""
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    if os.geteuid() != 0:
        closed.chmod(0o500)
        open_folder.chmod(0o555)

    outcome = UnprivilegedProgram(cwd=open_folder).run(
        *arguments(served, "-o", output), env=Program(cwd=open_folder).bare_env
    )

    assert outcome.exit_code == 2
    refused = closed if output.startswith("closed") else open_folder
    assert outcome.stderr.startswith(f"error: the folder {refused} is not writable; nothing was")
    injected(served.connections == 0, f"-o {output} in a folder of somebody else")


def test_twenty_runs_at_once_with_one_file_name_lose_no_image(
    served: RawServer, injected: Injected, program: Program, tmp_path: Path
) -> None:
    """All have paid before the first saves: one gets the name, the others say where theirs is."""
    count, streams = 20, tmp_path / "streams"
    streams.mkdir()
    everybody = threading.Barrier(count, timeout=100)

    def script(connection: Connection) -> None:
        if served.posts > 1:  # the first is the one that loads what all need
            everybody.wait()
        connection.send(response(reply_of({"b64_json": as_base64(photo())})))

    served.scripts = [script]
    crowd = [
        sys.executable,
        str(Path(__file__).with_name("crowd.py")),
        str(count),
        str(streams),
        "0",
    ]
    subprocess.run(
        [*crowd, *arguments(served, "-o", "x.png")], cwd=tmp_path, env=program.env, check=True
    )

    codes = [int((streams / f"{number}.code").read_text()) for number in range(count)]
    paths = [(streams / f"{number}.stdout").read_text().strip() for number in range(count)]
    assert sorted(codes) == [0] + [20] * (count - 1)
    assert len(set(paths)) == count
    assert {Path(path).read_bytes() for path in paths} == {photo()}
    assert paths[codes.index(0)] == str(tmp_path / "x.png")
    images = {name for name, data in files_in(tmp_path).items() if data == photo()}
    assert images - {"loading.png"} == {str(Path(path).relative_to(tmp_path)) for path in paths}
    injected(served.posts == 1 + count, "twenty runs for one name")


def limited(program: Program, size: int) -> dict[str, object]:
    """Return the settings of a process that can write no file larger than `size`."""
    import resource

    # What measures the tests would run into the limit, and Python would store half a module.
    env = program.bare_env
    limit = (size, size)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return {"env": env, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)}


def test_where_no_file_may_be_as_large_as_the_image_it_is_said_to_be_lost(
    served: RawServer, injected: Injected, program: Program, tmp_path: Path
) -> None:
    """`ulimit -f`: no folder can help, and no stub is left."""
    outcome = program.run(*arguments(served), **limited(program, 10_000))

    message = require_failure(outcome, 21, "yes")
    assert message == "cat.png was received and paid for, but could not be saved anywhere"
    assert files_in(tmp_path) == {}
    injected(served.posts == 1 and len(photo()) > 10_000, "ulimit -f")


def test_a_limit_that_not_even_the_trial_passes_costs_nothing(
    served: RawServer, injected: Injected, program: Program, tmp_path: Path
) -> None:
    """`ulimit -f 0`."""
    outcome = program.run(*arguments(served), **limited(program, 0))

    assert outcome.exit_code == 2
    assert "cannot be written to: File too large; nothing was sent" in outcome.stderr
    assert files_in(tmp_path) == {}
    injected(served.connections == 0, "ulimit -f 0")


def test_where_only_the_image_as_it_came_can_be_saved_that_is_the_answer(
    raw: RawServer, injected: Injected, program: Program, tmp_path: Path
) -> None:
    """The PNG that was asked for is larger than the JPEG that came."""
    data = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(data, "jpeg", quality=30)
    jpeg = data.getvalue()
    raw.scripts = [answers(reply_of({"b64_json": as_base64(jpeg)}))]

    limit = limited(program, len(jpeg) + 1000)
    outcome = program.run(*arguments(raw, "-o", "x.png"), **limit)

    message = require_failure(outcome, 20, "yes")
    saved = tmp_path / "x.jpg"
    assert message == (
        f"{tmp_path / 'x.png'}: it could not be saved anywhere; saved as it came: {saved}"
    )
    assert outcome.stdout == f"{saved}\n"
    assert files_in(tmp_path) == {"x.jpg": jpeg}
    injected(raw.posts == 1, "ulimit -f between JPEG and PNG")
