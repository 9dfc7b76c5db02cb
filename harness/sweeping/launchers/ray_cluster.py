"""The Ray that a sweep runs on: joined, or started on this machine, and what its nodes hold."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch

from harness.errors import SettingError, UserError
from harness.records.machine import cores
from harness.settings import LauncherSettings

#: Seconds in which a Ray that is there answers; Ray itself waits for minutes for one that is not.
ANSWERS_S = 5.0

_LAST_PORT = 65535
_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[^/:\s]+):(?P<port>[0-9]{1,5})")

#: The address that this process has joined.
_joined: str | None = None


@dataclass(frozen=True)
class Node:
    """What a machine of a cluster holds for jobs, whether or not others are at it."""

    cpus: float
    gpus: float

    def workers(self, cpus: int, gpus: float) -> int:
        """How many fit that need so many cores and so much of a GPU; one has its share on one card."""
        by_cores = int(self.cpus // cpus)
        return min(by_cores, int(self.gpus) * int(1 / gpus + 1e-9)) if gpus else by_cores


def kind_of_device(launcher: LauncherSettings, asked: str) -> str:
    """The kind of device that jobs train on, which this machine need not have.

    Args:
        asked: `training.device`.

    Raises:
        UserError: one that no node has; no such cluster.
    """
    if asked == "mps":
        raise SettingError("training.device", asked, "cpu, cuda or auto with launcher.address")
    has_gpu = any(node.gpus >= 1 for node in nodes(launcher))
    if asked == "cuda" and not has_gpu:
        raise SettingError("training.device", asked, "cpu or auto: no node of the Ray cluster has a GPU")
    return "cuda" if has_gpu and asked != "cpu" else "cpu"


def worker_count(launcher: LauncherSettings, device: str) -> int:
    """Workers side by side: `launcher.workers`, or as many as the nodes hold.

    More than they hold wait for others to end their work, or for nodes that Ray starts.

    Raises:
        UserError: no node holds one; no such cluster.
    """
    cpus, gpus, found = launcher.cpus_per_task, launcher.gpus_of_job(device), nodes(launcher)
    if (launcher.threads or 1) > cpus:
        raise SettingError("launcher.threads", launcher.threads, f"at most launcher.cpus_per_task={cpus}")
    if cpus > (most := max((node.cpus for node in found), default=0)):
        raise SettingError(
            "launcher.cpus_per_task", cpus, f"at most {most:g}, the cores that a node of Ray has for jobs"
        )
    fitting = sum(node.workers(cpus, gpus) for node in found)
    if not fitting:
        has = f"a node with {cpus} cores has {max(node.gpus for node in found if node.cpus >= cpus):g} GPUs"
        raise SettingError("launcher.gpus_per_job", gpus, f"what one of Ray's nodes has: {has}")
    return launcher.workers or fitting


def nodes(launcher: LauncherSettings) -> list[Node]:
    """The machines of the cluster, or this one where `launcher.address` names none.

    Raises:
        UserError: as `join`.
    """
    if launcher.address is None:
        _refuse_missing()
        return [Node(cores(), torch.cuda.device_count())]
    join(launcher)
    import ray

    held = (each["Resources"] for each in ray.nodes() if each["Alive"])
    return [Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in held]


def join(launcher: LauncherSettings) -> None:
    """Become a driver of the cluster, or of a Ray that is started here; either is left when this process ends.

    A process that is a driver already, as a script is that has called `ray.init`, stays what it is.

    Raises:
        UserError: no Ray installed, or none at this address that takes this process.
    """
    global _joined
    _refuse_missing()
    address = _address(launcher)
    import ray

    if ray.is_initialized():
        if _joined in (None, address):
            return
        ray.shutdown()
    own = {"num_cpus": cores(), "num_gpus": torch.cuda.device_count(), "include_dashboard": False}
    try:
        with _as_before():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **(own if address == "local" else {}),
            )
    except (OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        if address == "local":
            raise UserError(f"launcher=ray: no Ray can be started on this machine: {said}") from error
        if os.environ.get("RAY_AUTH_MODE") != "token":
            said += "; one that asks for a token wants RAY_AUTH_MODE=token"
        raise UserError(f"launcher.address={address}: no Ray cluster there takes this process: {said}") from error
    _joined = address


def refuse_gone() -> None:
    """Raise UserError where the cluster that this process has joined has lost its head: Ray ends the process soon."""
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWERS_S).close()
    except OSError as error:
        goes_on = "finished runs are kept, and the same command goes on from the last checkpoints"
        raise UserError(f"launcher.address={_joined}: the head of the Ray cluster is gone; {goes_on}") from error


def _refuse_missing() -> None:
    if importlib.util.find_spec("ray") is None:
        raise UserError("launcher=ray: needs the package ray: pip install 'scaling-harness[ray]'")


def _address(launcher: LauncherSettings) -> str:
    """Where Ray is, as `ray.init` takes it; one that does not answer is refused."""
    if launcher.address is None:
        return "local"
    given = _own_cluster() if launcher.address == "auto" else launcher.address
    if given == "auto":  # none is known here, and Ray says so
        return given
    if (parts := _ADDRESS.fullmatch(given)) is None or int(parts["port"]) > _LAST_PORT:
        raise SettingError("launcher.address", given, "auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((parts["host"], int(parts["port"])), ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"launcher.address={given}: no Ray cluster answers there: {why}") from error
    return given


def _own_cluster() -> str:
    """The cluster that this machine is of, as the environment or the last `ray start` says; "auto" where neither does.

    One whose head was killed stays written down, and Ray would wait for it.
    """
    written = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"
    with suppress(OSError):
        return os.environ.get("RAY_ADDRESS") or written.read_text().strip() or "auto"
    return "auto"


@contextmanager
def _as_before() -> Iterator[None]:
    """Keep Ray from what it changes in a process that joins it, and from telling its makers."""
    handler = signal.getsignal(signal.SIGTERM)
    with patch.dict(os.environ, {"RAY_USAGE_STATS_ENABLED": "0"}):
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is not handler:
                signal.signal(signal.SIGTERM, handler)
