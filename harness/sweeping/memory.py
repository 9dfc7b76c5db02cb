"""What follows when a job runs out of memory: the same job in smaller parts, as long as it has any.

Members one by one and a batch in micro-batches give the numbers of the whole but for rounding, so nothing is split but
for want of memory: a process that somebody killed is told from one that the kernel did by the kernel's own count.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import traceback
from dataclasses import replace
from pathlib import Path

import torch

from harness.ladder import Job
from harness.sweeping.failures import death

#: Where the kernel counts the processes that it killed for memory: of a control group, and of the machine.
CGROUP, MACHINE = Path("/sys/fs/cgroup"), Path("/proc/vmstat")
OWN_CGROUP = Path("/proc/self/cgroup")


def smaller(job: Job) -> tuple[list[Job], str]:
    """A job in parts that need less memory each, and what is said of them; none where it cannot be split further."""
    if len(job.members) > 1:
        return [replace(job, members=(member,)) for member in job.members], "its members follow one by one"
    # Each of a group of processes splits its own share.
    n = min(2 * job.micro_batches, job.settings.ladder.batch_size // job.settings.launcher.gpus_per_run)
    if n <= job.micro_batches:
        return [], ""
    return [replace(job, micro_batches=n)], f"it follows with its batch in {n} micro-batches"


def machine_bytes(device: str) -> int | None:
    """How much memory a device has, in bytes: a GPU's own, else what Linux lets this process have; None if unknown."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, OSError, ValueError):
        return None
    for path in _own_files("memory.max"):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(path.read_text()))
    return min(found)


def oom_kills() -> int | None:
    """Processes that the kernel has killed for memory, in the control group of this one or on the machine.

    None where it does not say, as on macOS. Of the machine as a whole it counts kills in foreign containers, too.
    """
    for path in (*_own_files("memory.events"), MACHINE):
        try:
            counts = dict(line.split() for line in path.read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return None


def _own_files(name: str) -> list[Path]:
    """The file of this name of the control group of this process, if it has one (cgroup v2)."""
    try:
        groups = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    return [CGROUP / group.removeprefix("0::/") / name for group in groups if group.startswith("0::/")]


def ran_out(exit_code: int | None, kills_before: int | None) -> str | None:
    """Why a process died, if for want of memory; where the kernel does not say, every SIGKILL may have been.

    Args:
        exit_code: the process's, negative for a signal.
        kills_before: `oom_kills` before its job.
    """
    if exit_code != -signal.SIGKILL:
        return None
    kills = oom_kills()
    if kills is None or kills_before is None:
        return f"{death(exit_code)} (out of memory?)"
    return "out of memory: killed by the kernel" if kills > kills_before else None


def give_back() -> None:
    """Give memory that nothing uses back to the system, where glibc keeps it: else a worker's grows from job to job.

    It takes some 10 ms. After the quickstart's sizes a process held 938 MB without, and 521 MB with it.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def release(error: BaseException) -> None:
    """Let go of what a job that ran out of memory held, so that the next one of this process has it."""
    traceback.clear_frames(error.__traceback__)
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
