"""Speed, held by counted instructions: a clock would fail on a busy machine."""

import json
import shutil
import sys

import pytest

from tests.conftest import require_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="callgrind counts on Linux")


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
    """Both get all they ask for, or there is no table."""
    from tools.bench.many import print_table

    print_table(rounds=1, jobs=4, workers=2)

    *_, engine, control = capsys.readouterr().out.splitlines()
    assert engine.startswith("| 4 orders, 2 threads | the engine | ")
    assert control.startswith("| 4 orders, 2 threads | fetches and drops | ")
