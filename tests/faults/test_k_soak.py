"""A long run in short: what the journal says is what the server counted, and nothing grows."""

import sys

import pytest

from tools.bench.faulty import CUT, FAILED, LIMITED, REFUSED, SAVED
from tools.bench.soak import plot, soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it is seen in /proc"),
]
ROWS, WORKERS = 600, 32
OWN_FILES = 24  # streams, journal, locks, databases, and what is open for an instant


def test_the_journal_and_the_server_agree_after_many_faults() -> None:
    """Each request, by what came of it; threads and open files stay what the workers need."""
    found = soak(ROWS, WORKERS)
    assert found.agrees, (found.journal, found.server, found.images)
    kinds = {SAVED, CUT, REFUSED, FAILED, LIMITED}
    assert all(found.server[kind] for kind in kinds)  # each fault has happened
    assert sum(found.server[kind] for kind in kinds) == found.server["posts"]
    assert found.exit_code == 25
    assert max(sample.threads for sample in found.samples) <= WORKERS + 4
    # Of each worker its connection, and the file that it writes.
    assert max(sample.open_files for sample in found.samples) <= 2 * WORKERS + OWN_FILES
    assert "polyline" in plot(found.samples, "a soak")
