"""Where jobs train, as `launcher` says: on this machine, on a Ray cluster, or in tasks of Slurm."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import SettingError
from harness.ladder import Job
from harness.records.working_copy import store_of
from harness.settings import Settings
from harness.sweeping import plan
from harness.sweeping.crew import Crew
from harness.sweeping.launchers import slurm
from harness.sweeping.several_gpus import crew_here
from harness.sweeping.share import Shares
from harness.training.device import device_of


def kind_of_device(studies: Sequence[Settings]) -> str:
    """The kind of device that studies train on, e.g. "cpu"; the same for all of them.

    Raises:
        UserError: one that is not there, or that has no arithmetic of the precision asked for.
    """
    launcher = studies[0].launcher
    if launcher.is_here:
        return device_of(studies).type
    if launcher.engine == "slurm":
        return slurm.kind_of_device(launcher, studies[0].training.device)
    from harness.sweeping.launchers import ray_cluster  # with a package that this machine's sweeps do not need

    return ray_cluster.kind_of_device(launcher, studies[0].training.device)


def worker_count(settings: Settings, device: str) -> int:
    """How many workers train side by side: in a task, of Slurm.

    Raises:
        UserError: more of them, of threads or of cards than there are, or a way to run a step that the device lacks.
    """
    launcher = settings.launcher
    if launcher.engine == "slurm":
        plan.refuse_too_few(launcher, device, launcher.cpus_per_task, launcher.gpus_per_node or 1, "a task")
        return launcher.slots(device)
    if launcher.engine == "local":
        return plan.worker_count(settings, device)
    from harness.sweeping.launchers import ray_cluster

    if (n := launcher.gpus_per_run) > 1:
        raise SettingError("launcher.gpus_per_run", n, "1 with launcher=ray, whose workers are one process each")
    plan.refuse_step(launcher, device)
    return ray_cluster.worker_count(launcher, device)


def crew_of(jobs: Sequence[Job], size: int, shares: Shares) -> Crew:
    """Whoever trains jobs.

    Args:
        size: how many workers side by side.
        shares: what this process has of the jobs' results folders.

    Raises:
        UserError: no Ray, or none that takes this process.
    """
    settings = jobs[0].settings
    if settings.launcher.engine != "ray":
        return crew_here(settings.launcher, size, device_of([settings]))
    from harness.sweeping.launchers.ray_crew import RayCrew

    files = []
    for folder, share in shares.of.items():
        if (path := share.presence.path) is not None:
            files.append(str(path.absolute()))
        elif settings.launcher.address is not None and (store := store_of(folder)) is not None:
            raise SettingError("results", store.url, "a folder that all nodes see, with launcher.address")
    return RayCrew(size, jobs, files, settings.launcher, kind_of_device([settings]))
