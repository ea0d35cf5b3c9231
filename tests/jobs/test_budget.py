"""`--max-cost` over all attempts of a run, and where the size is the service's choice."""

from pathlib import Path

from nscale_cli.config.table import DEFAULT_MODEL
from nscale_cli.sandbox.scenarios import Answer
from tests.conftest import Cli, ScriptedServer, models_reply

PRICED = models_reply({"id": DEFAULT_MODEL, "pricing": {"output": 1.0}})
ONE = ("-z", "1000x1000")  # a megapixel, a dollar


def test_each_attempt_that_may_be_billed_counts(against: Cli, server: ScriptedServer) -> None:
    """Three failures at a dollar each are no run of two dollars."""
    server.models, server.answers = PRICED, [Answer(status=500)]

    outcome = against(server, "cat", *ONE, "--retry-billed", "--max-cost", "2")

    assert outcome.exit_code == 12
    assert len(server.requests) == 2
    assert "more than --max-cost 2.000000" in outcome.stderr


def test_an_attempt_that_was_turned_down_costs_nothing(
    against: Cli, server: ScriptedServer
) -> None:
    """A service that is busy has billed nothing."""
    server.models, server.answers = PRICED, [Answer(status=429)]

    outcome = against(server, "cat", *ONE, "--max-cost", "1")

    assert outcome.exit_code == 9
    assert len(server.requests) == 3


def test_without_a_size_of_ours_the_estimate_is_unknown(
    cli: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """The service may send an image of any size."""
    server.models = PRICED
    config = tmp_path / "config.toml"
    config.write_text(f'[profiles.own]\nbase_url = "{server.base_url}"\nsend_size = false\n')
    words = ("images", "generate", "cat", "--profile", "own", *ONE, "--max-cost", "5")

    outcome = cli(*words, env={"NSCALE_CONFIG": str(config)})

    assert outcome.exit_code == 2
    assert "the price is unknown (the service chooses the size)" in outcome.stderr
    assert not server.requests
