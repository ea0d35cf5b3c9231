"""A mapping that may outgrow memory."""

import subprocess
import sys
from contextlib import closing

from nscale_cli.storage.spill import SpilledMap


def test_it_is_a_mapping_of_text() -> None:
    """What was set last is what is there."""
    with closing(SpilledMap()) as spilled:
        spilled["b"] = "1"
        spilled["a"] = "é\x00"
        spilled["b"] = "2"
        assert (spilled.get("a"), spilled.get("b"), spilled.get("c")) == ("é\x00", "2", None)
        assert list(spilled.items()) == [("a", "é\x00"), ("b", "2")]


def test_a_disk_without_room_is_an_ordinary_error() -> None:
    """It is told as any other full disk, and is no bug."""
    code = """
import resource
from nscale_cli.storage.spill import SpilledMap
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spilled = SpilledMap()
try:
    for number in range(1_000_000):
        spilled[str(number)] = "x" * 1000
except OSError as error:
    print(error.strerror)
spilled.close()
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("a temporary file could not be written: ")
