"""Where the jobs of a sweep that waits for them train, as `launcher` says: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import SettingError
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping import plan
from harness.sweeping.crew import Crew
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
    from harness.sweeping.launchers import ray_cluster  # with a package that this machine's sweeps do not need

    return ray_cluster.kind_of_device(launcher, studies[0].training.device)


def worker_count(settings: Settings, device: str) -> int:
    """How many workers train side by side.

    Raises:
        UserError: more of them, of threads or of cards than there are, or a way to run a step that the device lacks.
    """
    if settings.launcher.engine != "ray":
        return plan.worker_count(settings, device)
    from harness.sweeping.launchers import ray_cluster

    if (n := settings.launcher.gpus_per_run) > 1:
        raise SettingError("launcher.gpus_per_run", n, "1 with launcher=ray, whose workers are one process each")
    plan.refuse_step(settings.launcher, device)
    return ray_cluster.worker_count(settings.launcher, device)


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

    files = [str(share.presence.path.absolute()) for share in shares.of.values()]
    return RayCrew(size, jobs, files, settings.launcher, kind_of_device([settings]))
