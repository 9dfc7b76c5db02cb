"""launcher=ray where no Ray is needed: what its nodes hold, what is refused, and what its workers say of their node."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from command import TINY, run

import harness
from harness.errors import SettingError
from harness.records.machine import cores
from harness.settings import LauncherSettings
from harness.sweeping.launchers import ray_cluster, ray_worker
from harness.sweeping.launchers.ray_cluster import Node
from harness.sweeping.launchers.ray_worker import Driver

ON_RAY = LauncherSettings(engine="ray", address="auto")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of a node with two GPUs and one without."""
    monkeypatch.setattr(ray_cluster, "nodes", lambda launcher: [Node(8, 2), Node(5, 0)])


@pytest.mark.parametrize(
    ("changes", "device", "workers"),
    [
        ({}, "cpu", 13),
        ({"cpus_per_task": 2}, "cpu", 6),
        ({}, "cuda", 2),
        ({"gpus_per_job": 0.3}, "cuda", 6),  # a job has its share on one card
        ({"gpus_per_job": 0.2, "cpus_per_task": 2}, "cuda", 4),  # as many as there are cores for
        ({"workers": 40}, "cpu", 40),  # Ray may start nodes for them
    ],
)
@pytest.mark.usefixtures("nodes")
def test_as_many_workers_as_the_nodes_hold(changes: dict[str, float], device: str, workers: int) -> None:
    assert ray_cluster.worker_count(replace(ON_RAY, **changes), device) == workers


@pytest.mark.parametrize(
    ("changes", "device", "said"),
    [
        ({"cpus_per_task": 9}, "cpu", "launcher.cpus_per_task=9: allowed is at most 8"),
        ({"cpus_per_task": 2, "threads": 3}, "cpu", "launcher.threads=3: allowed is at most launcher.cpus_per_task=2"),
    ],
)
@pytest.mark.usefixtures("nodes")
def test_a_job_that_fits_no_node_is_refused(changes: dict[str, int], device: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        ray_cluster.worker_count(replace(ON_RAY, **changes), device)


def test_the_nodes_say_what_jobs_train_on(monkeypatch: pytest.MonkeyPatch, nodes: None) -> None:
    assert ray_cluster.kind_of_device(ON_RAY, "auto") == "cuda"
    assert ray_cluster.kind_of_device(ON_RAY, "cpu") == "cpu"
    monkeypatch.setattr(ray_cluster, "nodes", lambda launcher: [Node(8, 0)])
    assert ray_cluster.kind_of_device(ON_RAY, "auto") == "cpu"
    with pytest.raises(SettingError, match="no node of the Ray cluster has a GPU"):
        ray_cluster.kind_of_device(ON_RAY, "cuda")


def test_where_ray_is_not_installed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    assert run(capsys, "sweep", *TINY, "launcher=ray").refused("pip install 'scaling-harness[ray]'")
    assert not Path("results").exists()


def test_a_cluster_that_has_ended_is_not_waited_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_cluster, "_refuse_missing", lambda: None)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    said = "launcher.address=127.0.0.1:1: no Ray cluster answers there"
    assert run(capsys, "sweep", *TINY, "launcher=ray", "launcher.address=auto").refused(said)


def test_runs_of_several_gpus_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = "launcher.gpus_per_run=2: allowed is 1 with launcher=ray"
    assert run(capsys, "sweep", *TINY, "launcher=ray", "launcher.gpus_per_run=2").refused(said)


@pytest.mark.parametrize("verb", ["train", "refine", "redo"])
def test_verbs_that_wait_are_refused_on_slurm_alone(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert run(capsys, verb, *TINY, "launcher=slurm").refused(
        f"launcher.engine=slurm: allowed is local or ray for {verb}"
    )


def test_a_plan_for_a_ray_of_its_own_starts_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_cluster, "_refuse_missing", lambda: None)
    planned = run(capsys, "plan", *TINY, "launcher=ray", "training.device=cpu")
    assert planned.code == 0 and f"on {cores()} " in planned.out, planned.out


def test_a_node_that_does_not_see_the_folders_or_has_other_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(ray_worker, "_set_libraries", lambda: None)
    here = Driver(str(tmp_path), (), (), b"\x80\x04].", ("0.0.1", ""))

    def said(driver: Driver) -> str:
        return str(ray_worker.RayWorker().come_up(driver, "cpu"))

    assert "have to share it" in said(replace(here, folder=str(tmp_path / "nowhere")))
    unseen = said(replace(here, files=(str(tmp_path / "results/.sweep/sweeps/0.json"),)))
    assert f"{tmp_path / 'results'} is not the same folder on the node" in unseen
    assert f"has harness {harness.__version__}, and 0.0.1 sweeps" in said(here)
    assert "of other code" in said(replace(here, version=(harness.__version__, "")))
    assert "cannot import what it is to train: No module named 'nowhere'" in said(
        replace(here, kinds=b"cnowhere\nA\n.")
    )
