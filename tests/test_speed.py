"""Speed, held by counted instructions: a clock would fail on a busy machine."""

import json
import shutil
import sys

import pytest

from tests.conftest import require_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cachegrind counts on Linux")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_run_takes_more_instructions_than_it_did() -> None:
    """As ratios to Typer alone and to the guide's script, counted beside them."""
    require_command("valgrind", shutil.which("valgrind"))
    from tools.bench.guard import RATIOS, complaints, measured

    held = json.loads(RATIOS.read_text(encoding="utf-8"))

    assert complaints(measured(), held) == []


def test_the_guard_complains_of_what_grew_and_of_what_is_not_held() -> None:
    """A tolerance of 5 %, and no row that nobody looks at."""
    from tools.bench.guard import complaints

    assert complaints({"a": 1.04}, {"a": 1.0}) == []
    assert complaints({"a": 1.06}, {"a": 1.0}) == ["a: 1.060 is more than 1.000 by over 5 %"]
    assert complaints({"b": 1.0}, {}) == ["b: not in ratios.json"]
    name = "generate, history on"
    assert complaints({name: 1.03}, {name: 1.029}) == []
    assert complaints({name: 1.031}, {name: 1.029}) == [f"{name}: 1.031 is more than 1.030"]


@pytest.mark.slow
def test_many_orders_are_measured_beside_a_client_that_only_fetches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All of them get all they ask for, or there is no table."""
    from tools.bench.many import Case, measure

    measure(Case(jobs=4, workers=2, size="64x64", count=2), rounds=1)

    batch, engine, control = capsys.readouterr().out.splitlines()
    name = "| 4 orders of 2 x 64x64, 2 threads |"
    assert batch.startswith(f"{name} `images batch` | ")
    assert engine.startswith(f"{name} the engine | ")
    assert control.startswith(f"{name} fetches and drops | ")


@pytest.mark.slow
def test_a_service_that_refuses_too_many_at_once_is_measured_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row that failed would end the measure."""
    from tools.bench.many import Case, measure

    measure(Case(jobs=4, workers=4, size="64x64", at_once=2, buyers=("batch",)), rounds=1)

    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("| 4 orders of 64x64, 4 threads, 429 above 2 | `images batch` | ")


@pytest.mark.slow
def test_a_picture_is_bought_over_tls_and_at_a_terminal_when_that_is_measured() -> None:
    """Against the guide's script, which gets the same."""
    from tools.bench.counting import environment
    from tools.bench.replay import SECURE, serving
    from tools.bench.rows import generate
    from tools.bench.speed import line

    with serving() as served:
        env = environment(**served.variables(SECURE))
        row = generate(1, "64x64", server=SECURE, terminal=True, cold=True)
        told = line(row, env, rounds=2, counts=False)

    assert served.base_urls[SECURE].startswith("https://")
    assert told.startswith("| generate -n 1 64x64, https, terminal, price unknown | guide | ")
