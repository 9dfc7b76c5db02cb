"""A Slurm of one node for tests: the daemons of Debian's packages slurm-wlm and munge, in a folder, by any user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from getpass import getuser
from pathlib import Path

#: Where Debian has daemons.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")

#: Jobs of `high` preempt those of `low`, which get the signal that they asked for and 10 s, and go back into the queue.
#: With a short life of credentials a requeued job starts after 8 s, not 120.
_CONF = """
ClusterName=harnesstest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
MaxArraySize=10001
MaxJobCount=20000
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0,batch_sched_delay=0,requeue_setup_env_fail
KillWait=5
MinJobAge=300
ReturnToService=2
SlurmdTimeout=30
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=short Nodes={host} Default=NO MaxTime=5 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes={host} Default=NO MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def is_installed() -> bool:
    """Whether all that it needs is there."""
    return all(shutil.which(name, path=_PATH) for name in _NEEDED)


@contextlib.contextmanager
def running(folder: Path, cpus: int = 2) -> Iterator[None]:
    """Run it in a folder of its own, with SLURM_CONF in the environment."""
    for name in ("run", "state", "spool", "log", "munge"):
        (folder / name).mkdir(parents=True)
    (folder / "munge").chmod(0o700)
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(_CONF.format(host=host, user=getuser(), folder=folder, ports=_free_ports(2), cpus=cpus))
    environment = os.environ | {"SLURM_CONF": str(conf), "PATH": _PATH}
    munge = [f"--{what}={folder}/{where}" for what, where in _MUNGE.items()]
    before = os.environ.get("SLURM_CONF"), os.environ["PATH"]
    try:
        for command in (["munged", *munge, "--num-threads=2", "--force"], ["slurmctld", "-c"], ["slurmd"]):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        os.environ.update(SLURM_CONF=str(conf), PATH=_PATH)
        until = time.monotonic() + 30
        while (state := _state()) != "idle":
            assert time.monotonic() < until, f"Slurm's node is {state}: see {folder}/log"
            time.sleep(0.05)
        yield
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            _end(folder / "run" / f"{name}.pid")
        os.environ["PATH"] = before[1]
        os.environ.pop("SLURM_CONF", None)
        if before[0] is not None:
            os.environ["SLURM_CONF"] = before[0]


_MUNGE = {
    "key-file": "munge/key",
    "socket": "run/munge.socket",
    "pid-file": "run/munged.pid",
    "log-file": "munge/munged.log",
    "seed-file": "munge/seed",
}


def _state() -> str:
    return subprocess.run(["sinfo", "-h", "-p", "low", "-o", "%T"], capture_output=True, text=True).stdout.strip()


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _end(pid_file: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(40):
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
