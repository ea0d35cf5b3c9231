"""Slurm on this machine: munge, a controller and one node, with ports and folders of their own."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Run, require_command
from tests.faults.gates import until

_PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "sinfo", "scontrol")
_SYSTEM = "/usr/sbin:/sbin"
_CONFIGURATION = """ClusterName=c
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
KillWait=5
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


@dataclass(frozen=True, slots=True)
class Slurm:
    """A cluster of one node; `env` lets its commands find it."""

    env: dict[str, str]
    folder: Path

    def ask(self, *words: str) -> str:
        """Return what a command of Slurm answers."""
        done = subprocess.run(
            words, env=self.env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout


@contextmanager
def slurm(folder: Path, env: dict[str, str]) -> Iterator[Slurm]:
    """Yield a cluster that takes jobs; jobs know `env`."""
    env = env | {"PATH": f"{env['PATH']}:{_SYSTEM}", "SLURM_CONF": str(folder / "slurm.conf")}
    for name in _PROGRAMS:
        require_command(name, shutil.which(name, path=env["PATH"]))
    folder.mkdir()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    controller, node = _free_ports()
    text = _CONFIGURATION.format(host=host, folder=folder, controller=controller, node=node)
    (folder / "slurm.conf").write_text(text)
    cluster = Slurm(env, folder)
    with ExitStack() as stack:
        _start_munge(stack, cluster)
        for words in (["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", host]):
            _start(stack, cluster, *words)
        until(lambda: "idle" in cluster.ask("sinfo", "-h", "-o", "%T"))
        yield cluster


def _start_munge(stack: ExitStack, cluster: Slurm) -> None:
    folder = cluster.folder
    cluster.ask("mungekey", "-c", "-k", str(folder / "munge.key"))
    names = {"socket": "socket", "key-file": "key", "pid-file": "pid"}
    files = [f"--{option}={folder}/munge.{name}" for option, name in names.items()]
    files += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    _start(stack, cluster, "munged", "--foreground", "--force", *files)
    until((folder / "munge.socket").exists)


def _start(stack: ExitStack, cluster: Slurm, *words: str) -> None:
    log = stack.enter_context((cluster.folder / f"{words[0]}.out").open("wb"))
    process = Run(words, env=cluster.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("", 0)) as first, socket.create_server(("", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def is_root() -> bool:
    """Return whether this is root, as whom Slurm is run here."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
