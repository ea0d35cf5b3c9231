"""Kill runs of many images at many random instants, and resume each: more than CI has time for.

python -m tools.kills                 fifty kills of a run of forty rows, and a longer model run
python -m tools.kills --kills 500 --seed 3
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "tests/faults/test_k_runs.py::test_a_run_killed_at_any_instant_pays_nothing_twice",
    "tests/faults/test_k_model.py",
)


def main() -> int:
    """Run the tests with more of everything; return pytest's exit code."""
    parser = argparse.ArgumentParser(description="Kill runs at many random instants.")
    parser.add_argument("--kills", type=int, default=50, help="kills of a run of forty rows")
    parser.add_argument("--seed", default="12", help="which instants")
    parser.add_argument("--examples", type=int, default=60, help="lives of a folder in the model")
    wanted = parser.parse_args()
    env = os.environ | {
        "NSCALE_KILLS": str(wanted.kills),
        "NSCALE_KILLS_SEED": wanted.seed,
        "NSCALE_MODEL_EXAMPLES": str(wanted.examples),
        "NSCALE_MODEL_STEPS": "25",
    }
    command = [sys.executable, "-m", "pytest", "--no-cov", "-q", "--timeout", "0", *TESTS]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
