"""What fails between the reply and the disk: the image is saved first, whatever is raised."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.jobs.save import IncomingImage, KeptFile
from nscale_cli.service.client import Client
from nscale_cli.service.transport_errors import construction_error, transport_error
from nscale_cli.storage.files import PartFile
from nscale_cli.terminal.streams import Terminal
from tests.conftest import KEY, Outcome
from tests.faults.conftest import as_base64, files_in, photo, reply_of, require_failure
from tests.faults.raw_server import RawServer

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]


@pytest.mark.parametrize(("owner", "name"), [(Client, "__exit__"), (Terminal, "working")])
def test_what_cannot_be_closed_does_not_take_a_paid_reply_along(
    buy: Buy,
    served: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
) -> None:
    """A connection, or the spinner of a terminal that has gone."""
    failures: list[OSError] = []

    class Ending:
        """A context that cannot be left."""

        def __enter__(self) -> None:
            """Enter."""

        def __exit__(self, *failure: object) -> None:
            """Fail to leave."""
            failures.append(OSError(5, "Input/output error"))
            raise failures[0]

    def close_and_fail(client: Client, *failure: object) -> None:
        client._sdk.close()
        Ending().__exit__()

    broken = close_and_fail if name == "__exit__" else lambda *words: Ending()
    monkeypatch.setattr(owner, name, broken)
    outcome = buy(served)

    assert outcome.exit_code == 0
    assert files_in(tmp_path) == {"cat.png": photo()}
    injected(len(failures) == served.posts == 1, f"{name} fails")


@pytest.mark.parametrize("times", [1, 2])
def test_a_save_that_fails_in_an_unknown_way_keeps_the_reply(
    buy: Buy,
    served: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    """It is tried more than once: memory may be there again in a moment."""
    failures: list[MemoryError] = []

    def failing(work: Callable[..., object]) -> Callable[..., object]:
        def attempt(*words: object, **options: object) -> object:
            if len(failures) < times:
                failures.append(MemoryError())
                raise failures[-1]
            return work(*words, **options)

        return attempt

    monkeypatch.setattr(IncomingImage, "save", failing(IncomingImage.save))
    monkeypatch.setattr(KeptFile, "publish", failing(KeptFile.publish))
    outcome = buy(served)

    message = require_failure(outcome, 13, "yes")
    kept = tmp_path / "cat-reply.json"
    assert message == f"the reply could not be taken apart (MemoryError); it is kept at {kept}"
    assert kept.read_bytes() == reply_of({"b64_json": as_base64(photo())})
    assert [path for path in tmp_path.iterdir() if path.is_file()] == [kept]
    injected(len(failures) == times, f"no memory, {times} times")


def test_a_reply_that_cannot_even_be_kept_is_said_to_be_lost(
    buy: Buy, served: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 21, never 1: it was paid for."""
    failures: list[MemoryError] = []

    def fail(*words: object, **options: object) -> None:
        failures.append(MemoryError())
        raise failures[-1]

    monkeypatch.setattr(IncomingImage, "save", fail)
    monkeypatch.setattr(KeptFile, "publish", fail)
    outcome = buy(served)

    message = require_failure(outcome, 21, "yes")
    assert message == "the reply was received and paid for, but could not be kept"
    injected(len(failures) == 4, "no memory at all")


def test_a_reply_without_a_place_to_keep_it_is_said_to_be_lost(
    buy: Buy, served: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code 13 would promise that it is kept."""
    failures: list[str] = []

    def fail(*words: object, **options: object) -> None:
        failures.append("read")
        raise RecursionError

    complete = PartFile.complete

    def refuse(part: PartFile) -> None:
        if part.path.suffix == ".trial":
            return complete(part)
        failures.append("kept")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IncomingImage, "save", fail)
    monkeypatch.setattr(PartFile, "complete", refuse)
    outcome = buy(served)

    message = require_failure(outcome, 21, "yes")
    assert message == (
        "the reply could not be taken apart (RecursionError), and it could not be saved anywhere"
    )
    injected(failures[:2] == ["read", "kept"], "a full disk for a reply that cannot be read")


@pytest.mark.parametrize("times", [1, 2])
def test_a_save_without_memory_is_made_again_elsewhere(
    buy: Buy,
    served: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    """The image is better than the reply that it came in."""
    failures: list[MemoryError] = []
    write = PartFile.write

    def fail_first(part: PartFile, piece: bytes) -> None:
        if len(piece) > 1000 and len(failures) < times:
            failures.append(MemoryError())
            raise failures[-1]
        write(part, piece)

    monkeypatch.setattr(PartFile, "write", fail_first)
    outcome = buy(served)

    message = require_failure(outcome, 20, "yes")
    place = tmp_path / ("cat.png" if times == 2 else "home/.local/state/nscale/rescued/cat.png")
    assert message == f"{tmp_path / 'cat.png'}: it could not be written; the image is at {place}"
    assert place.read_bytes() == photo()
    assert len(files_in(tmp_path)) == 1
    injected(len(failures) == times, f"no memory for {times} saves")


@pytest.mark.parametrize(
    ("sent", "code", "billed", "said"),
    [
        (True, 11, "maybe", "memory ran out before the reply was read"),
        (False, 1, "no", "memory ran out before anything was sent"),
    ],
)
def test_a_reply_that_does_not_fit_into_memory_is_not_blamed_on_the_connection(
    sent: bool, code: int, billed: str, said: str
) -> None:
    """And a proxy is not blamed for a client that could not be built."""
    connection = Connection(
        base_url="http://127.0.0.1/v1",
        api_key=ApiKey(value=KEY, source="-a"),
        timeout_seconds=1,
        retries=0,
    )
    errors = [transport_error(MemoryError(), connection, sent=sent)]
    if not sent:
        errors.append(construction_error(MemoryError(), {}))

    told = [(error.code, error.billed, error.message) for error in errors]
    assert told == [(code, billed, said)] * len(errors)
