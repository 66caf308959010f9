"""A Slurm cluster of one node on loopback, in a folder, without systemd and without a database."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "mungekey", "sbatch", "srun", "squeue", "scancel")
SETTINGS = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/ended.txt
MinJobAge=300
KillWait=2
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs=2 RealMemory=100000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
"""


def why_not() -> str:
    """Return why the cluster cannot be started here; an empty text if it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "the daemons of the test cluster need root"


@dataclass(frozen=True)
class Cluster:
    """A running cluster. root: the folder of its settings and logs."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Slurm's commands find the cluster. `srun` is a wrapper, see `started`."""
        return {"SLURM_CONF": str(self.root / "slurm.conf"), "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}

    def said(self, *command: str) -> str:
        """Return what a command of Slurm printed."""
        environment = os.environ | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    def running(self, rule: str) -> list[str]:
        """Return the ids of running jobs of a rule, which the plug-in writes into their comments."""
        lines = [line.split(maxsplit=1) for line in self.said("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines()]
        return [words[0] for words in lines if len(words) == 2 and words[1].startswith(f"rule_{rule}")]

    def ended(self) -> list[dict[str, str]]:
        """Return the facts that Slurm wrote of each ended job."""
        lines = (self.root / "ended.txt").read_text().splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


@contextmanager
def started(root: Path) -> Iterator[Cluster]:
    """Yield a cluster that is ready for jobs, and stop its daemons at the end."""
    for name in ("munge", "state", "spool", "bin"):
        (root / name).mkdir(parents=True)
    (root / "munge").chmod(0o700)
    controller, node = _free_ports()
    settings = SETTINGS.format(root=root, host=platform.node(), controller=controller, node=node)
    (root / "slurm.conf").write_text(settings)
    # Snakemake's plug-in removes SLURM_CONF from the environment of srun, because a real cluster's is in a standard place.
    wrapper = root / "bin/srun"
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={root}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    wrapper.chmod(0o755)
    cluster = Cluster(root)
    with ExitStack() as stack:
        for pid in ("munge/pid", "slurmctld.pid", "slurmd.pid"):
            stack.callback(_stop, root / pid)
        cluster.said("mungekey", "-c", "-f", "-k", f"{root}/munge/key")
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        cluster.said("munged", "--force", *(f"--{option}={root}/munge/{name}" for option, name in places.items()))
        cluster.said("slurmctld", "-c")
        cluster.said("slurmd", "-N", "localhost")
        _until_idle(cluster)
        yield cluster


def _until_idle(cluster: Cluster) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(subprocess.CalledProcessError):
            if "idle" in cluster.said("sinfo", "-h", "-o", "%T"):
                return
        time.sleep(0.5)
    raise AssertionError((cluster.root / "slurmctld.log").read_text())


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _stop(pid: Path) -> None:
    with suppress(OSError, ValueError):
        os.kill(int(pid.read_text()), signal.SIGTERM)
