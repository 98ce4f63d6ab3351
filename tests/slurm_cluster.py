"""A real SLURM of one node: munged, slurmctld and slurmd of Debian's slurm-wlm, in a folder of their own.

No systemd, no cgroups, no accounting, no fixed port and no file outside the folder, so that several can run side by
side and nothing is left behind. The two GPUs are counted, not used. The node has as many processors and as much memory
as it is told to claim, not as the machine has.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
ADMINISTRATION = "/usr/sbin:/sbin"
START_SECONDS = 60
STOP_SECONDS = 20
CPUS, MEMORY_MB, GPUS = 6, 64000, 2
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Without cgroups: a look at the memory of every job once a second, and what has too much is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=256
GresTypes=gpu
SlurmdParameters=config_overrides
# Finished jobs can be looked at for an hour; what waits and what is killed does not wait long.
MinJobAge=3600
KillWait=2
SchedulerParameters=batch_sched_delay=1,sched_interval=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes={host} MaxTime=1 State=UP
"""


class Job(NamedTuple):
    """A job as ``scontrol`` shows it: pending, running, or ended within the last hour."""

    number: int
    name: str
    state: str
    gres: str | None
    """What it asked for on its node: ``gres:gpu:1``."""


def missing_programs() -> list[str]:
    """Those of SLURM's programs that are not installed."""
    return [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:{ADMINISTRATION}")]


class Cluster:
    """One node under one controller; ``with Cluster() as cluster`` stops both, whatever happens inside."""

    def __enter__(self) -> Cluster:
        # The path of munge's socket must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        try:
            self._configure()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired, TimeoutError):
            self.cancel_all()
        for name in ("slurmd", "slurmctld", "munged"):
            self._stop(self.folder / f"{name}.pid")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def configuration(self) -> Path:
        """Where SLURM's programs find this cluster: the value of SLURM_CONF."""
        return self.folder / "slurm.conf"

    def run(self, *command: str, check: bool = True, folder: Path | None = None) -> str:
        """One of SLURM's programs: what it printed."""
        path = f"{os.environ['PATH']}:{ADMINISTRATION}"
        done = subprocess.run(
            command, env={**os.environ, "PATH": path, "SLURM_CONF": str(self.configuration)}, cwd=folder,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self, name: str = "") -> list[Job]:
        """The jobs whose names hold ``name``, oldest first."""
        found = []
        for line in self.run("scontrol", "--oneliner", "show", "job").splitlines():
            fields = dict(re.findall(r"(\w+)=(\S*)", line))
            if "JobId" in fields and name in fields["JobName"]:
                found.append(
                    Job(int(fields["JobId"]), fields["JobName"], fields["JobState"], fields.get("TresPerNode"))
                )
        return sorted(found)

    def processes(self, job: Job) -> list[int]:
        """Numbers of the processes of a running job, its script's first."""
        lines = self.run("scontrol", "listpids", str(job.number)).splitlines()[1:]
        return sorted(int(line.split()[0]) for line in lines if line.split()[0] != "-1")

    def cancel_all(self) -> None:
        """Stop all jobs, and wait until none of their processes is left: the daemons' end would not stop them."""
        if "UP" in self.run("scontrol", "ping", check=False):
            self.run("scancel", "--user", str(os.getuid()), check=False)
            wait_until(lambda: not self.run("squeue", "--noheader", check=False), STOP_SECONDS, self.log)

    def log(self) -> str:
        """The ends of what the daemons wrote, for messages."""
        return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.log")))

    def _configure(self) -> None:
        ports = [_free_port(), _free_port()]
        self.configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname(), user=pwd.getpwuid(os.getuid()).pw_name, folder=self.folder,
                controller_port=ports[0], node_port=ports[1], cpus=CPUS, memory=MEMORY_MB, gpus=GPUS,
            )
        )  # fmt: skip
        for number in range(GPUS):
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()

    def _start(self) -> None:
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "log-file": "munged.log"}
        files["seed-file"] = "munge.seed"
        # --force: a folder in /tmp would do for a real cluster as little as a cluster of root's.
        self.run("munged", "--force", *(f"--{option}={self.folder / name}" for option, name in files.items()))
        self.run("slurmctld", "-c")
        self.run("slurmd", "-N", socket.gethostname())
        wait_until(
            lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T", check=False), START_SECONDS, self.log
        )

    @staticmethod
    def _stop(pid_file: Path) -> None:
        if not pid_file.exists() or not pid_file.read_text().strip():
            return
        pid = int(pid_file.read_text())
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, number)
                wait_until(lambda: not Path(f"/proc/{pid}").exists(), STOP_SECONDS)
            except ProcessLookupError:
                return
            except TimeoutError:
                continue
            return


def wait_until(happened: Callable[[], object], seconds: float, told: Callable[[], str] = lambda: "") -> None:
    """Raises TimeoutError with what is ``told`` if nothing true comes within the time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {seconds} s in vain. {told()}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

