"""Shards that share one account's limit, by the program's own rule on a simulated clock."""

import pytest

from tools.simulate_shards import Account, Simulation


def simulated(limit: int, *, workers: int, by_minute: bool = False) -> Simulation:
    """Return fifty shards of a hundred rows each, after the last has ended."""
    simulation = Simulation(Account(limit, by_minute=by_minute), image_seconds=2.0)
    for number in range(50):
        simulation.add(rows=100, workers=workers, start=number / 10)
    simulation.run()
    return simulation


def test_shards_that_share_a_limit_use_it_up_and_lose_no_row() -> None:
    """Each row becomes an image once, and in the middle of the run nearly all is used."""
    simulation = simulated(100, workers=4)
    assert sum(simulation.saved.values()) == 5000
    assert all(shard.rows == 0 and not shard.stopped for shard in simulation.shards)
    middle = sum(simulation.saved[second] for second in range(10, 50))
    assert middle > 0.95 * 40 * 50  # images a second are half the limit
    assert sum(simulation.refused.values()) < 0.1 * 5000


@pytest.mark.slow
def test_shards_under_a_limit_by_the_minute_lose_no_row_and_little_time() -> None:
    """Each pauses by itself, and between them hardly any of the limit is left unused."""
    simulation = simulated(600, workers=4, by_minute=True)
    assert sum(simulation.saved.values()) == 5000
    assert all(shard.rows == 0 and not shard.stopped for shard in simulation.shards)
    assert max(simulation.saved) < 1.3 * 5000 / 600 * 60  # seconds
