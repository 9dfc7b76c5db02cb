"""Slurm's commands: what its partitions allow, an array of tasks submitted, the state of each, the end of all."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from harness.errors import SettingError, UserError
from harness.settings import LauncherSettings
from harness.sweeping.cost import START_S

#: Seconds before the walltime at which a task is told to write checkpoints, and the share of a short walltime.
NOTICE_S, NOTICE_SHARE = 60, 0.25

#: States of a task that Slurm has not ended.
QUEUED, RUNNING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED"), ("RUNNING", "CONFIGURING", "COMPLETING")


@dataclass(frozen=True)
class Partition:
    """A partition.

    Attributes:
        most_minutes: the longest walltime of a job; None for no limit.
        is_default: whether jobs go there that name none.
    """

    name: str
    most_minutes: float | None
    is_default: bool


def kind_of_device(launcher: LauncherSettings, asked: str) -> str:
    """The kind of device that tasks train on, which this machine need not have.

    Args:
        asked: `training.device`.

    Raises:
        SettingError: one that tasks have not.
    """
    if asked == "cuda" and launcher.gpus_per_node is None:
        raise SettingError("launcher.gpus_per_node", None, "at least 1 with training.device=cuda")
    if asked == "mps":
        raise SettingError("training.device", asked, "cpu, cuda or auto with launcher=slurm")
    return "cpu" if asked == "cpu" or launcher.gpus_per_node is None else "cuda"


def refuse_unsuitable(launcher: LauncherSettings) -> None:
    """Raise UserError where Slurm would refuse tasks or is not there: no such partition, or too long a walltime."""
    if not isinstance(launcher.additional, Mapping | None):
        raise SettingError("launcher.additional", launcher.additional, "options over values, such as {qos: high}")
    if importlib.util.find_spec("submitit") is None:
        raise UserError("launcher=slurm: needs the package submitit: pip install 'scaling-harness[slurm]'")
    if 60 * launcher.minutes <= START_S:
        raise SettingError("launcher.minutes", launcher.minutes, f"more than the {START_S:g} s in which a task starts")
    found = partitions()
    names = ", ".join(sorted(found))
    if launcher.partition is not None and launcher.partition not in found:
        raise SettingError("launcher.partition", launcher.partition, f"one of {names}")
    defaults = [partition for partition in found.values() if partition.is_default]
    partition = found[launcher.partition] if launcher.partition is not None else next(iter(defaults), None)
    if partition is None:
        raise SettingError("launcher.partition", None, f"one of {names}, for none of them is the default")
    if partition.most_minutes is not None and launcher.minutes > partition.most_minutes:
        limit = f"at most {partition.most_minutes:g}, the limit of partition {partition.name}"
        raise SettingError("launcher.minutes", launcher.minutes, limit)


def partitions() -> dict[str, Partition]:
    """The partitions that jobs may name.

    Raises:
        UserError: Slurm is not there, or does not answer.
    """
    lines = _asked("sinfo", "-h", "-o", "%P|%l").splitlines()
    parsed = (line.split("|") for line in lines)
    found = (Partition(name.rstrip("*"), _minutes(limit), name.endswith("*")) for name, limit in parsed)
    return {partition.name: partition for partition in found}


def _minutes(limit: str) -> float | None:
    """A time as Slurm writes it, [days-][hours:]minutes:seconds; None for no limit."""
    days, _, clock = limit.strip().rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + int(part)
    return int(days or 0) * 24 * 60 + seconds / 60


def submit(tasks: Sequence[Callable[[], Any]], launcher: LauncherSettings, name: str, log: Path) -> str:
    """Submit an array of tasks; its job id.

    Args:
        tasks: each is called on a node, once or, after a requeue, again; pickled by submitit.
        name: of the job, in squeue.
        log: the folder of what tasks print; nodes have to see it.

    Raises:
        UserError: Slurm refuses it.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    at_once, minutes = launcher.at_once or len(tasks), max(1, math.ceil(launcher.minutes))
    notice_s = round(min(NOTICE_S, NOTICE_SHARE * 60 * minutes))
    options: dict[str, Any] = {
        "job_name": name,
        "time": minutes,
        "partition": launcher.partition,
        "account": launcher.account,
        "cpus_per_task": launcher.cpus_per_task,
        "gpus_per_node": launcher.gpus_per_node,
        "mem": None if launcher.memory_gb is None else f"{round(1024 * launcher.memory_gb)}M",
    }
    # A task that Slurm takes a node from goes back into the queue.
    further = {"signal": f"USR1@{notice_s}", "requeue": True} | dict(launcher.additional or {})
    executor = SlurmExecutor(log)
    executor.parameters |= {key: value for key, value in options.items() if value is not None}
    executor.parameters |= {"array_parallelism": at_once, "stderr_to_stdout": True, "additional_parameters": further}
    try:
        # What sbatch says goes into the error alone.
        with redirect_stderr(StringIO()), executor.batch():
            jobs = [executor.submit(task) for task in tasks]
    except (FailedJobError, FailedSubmissionError, OSError, subprocess.SubprocessError) as error:
        said = [line.removeprefix("sbatch: error: ") for line in str(error).splitlines() if "sbatch: error" in line]
        why = "; ".join(said) or str(error).partition("\n")[0]
        raise UserError(f"launcher=slurm: Slurm refuses the jobs: {why}") from error
    return str(jobs[0].job_id).partition("_")[0]


@dataclass(frozen=True)
class TaskState:
    """What Slurm says of a task: its state, in Slurm's words, and the reason for which it waits or has ended."""

    state: str
    reason: str

    @property
    def is_queued(self) -> bool:
        """Whether it waits for a node."""
        return self.state in QUEUED

    @property
    def is_running(self) -> bool:
        """Whether it has a node."""
        return self.state in RUNNING


def states(array_id: str) -> dict[int, TaskState]:
    """The tasks of an array that Slurm still knows, by index. It forgets them some minutes after their end.

    Raises:
        UserError: Slurm is not there, or does not answer.
    """
    try:
        lines = _asked("squeue", "-h", "-r", "-t", "all", "-j", array_id, "-o", "%K|%T|%r").splitlines()
    except UserError as error:
        if "Invalid job id" in str(error):
            return {}
        raise
    found = (line.split("|", 2) for line in lines)
    # A single task is no array: its index is N/A.
    return {int(index) if index.isdigit() else 0: TaskState(state, reason) for index, state, reason in found}


def cancel(array_id: str) -> None:
    """End an array: what trains writes a checkpoint first.

    Raises:
        UserError: Slurm is not there, or refuses.
    """
    _asked("scancel", array_id)


def requeue(task_id: str) -> None:
    """Put the running task back into the queue, from within.

    Args:
        task_id: JOB, or ARRAY_INDEX.
    """
    _asked("scontrol", "requeue", task_id)


def _asked(command: str, *words: str) -> str:
    """What one of Slurm's commands prints."""
    if shutil.which(command) is None:
        raise UserError(f"launcher=slurm: Slurm's {command} is not on this machine's PATH")
    try:
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"launcher=slurm: Slurm does not answer: {command} took more than 60 s") from error
    if done.returncode:
        said = re.sub(rf"^{command}: (error: )?", "", (done.stderr.strip() or done.stdout.strip()).partition("\n")[0])
        raise UserError(f"launcher=slurm: {command}: {said or f'ended with exit code {done.returncode}'}")
    return done.stdout
