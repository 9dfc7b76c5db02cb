"""launcher=ray on a Ray of two nodes: equal to a sweep here, stopped and gone on, workers and a node that are lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest
from command import TINY, run
from pandas.testing import assert_frame_equal
from rich.console import Console

import harness
from harness.config import compose
from harness.errors import UserError
from harness.records.store import finished_run_ids
from harness.sweeping.checkpoints import interrupted
from harness.sweeping.claims import in_training
from harness.sweeping.display import Lines
from harness.sweeping.plan import cells
from harness.sweeping.pool import run_jobs

ray = pytest.importorskip("ray", reason="needs ray: pip install 'scaling-harness[ray]'")

RESULTS = Path("results/tiny")
#: Four jobs of a run each.
JOBS = (*TINY, "launcher.members_together=1")

#: A family in the user's own folder. The first worker that builds a model of it is killed.
FAMILY = """
import os, signal
from pathlib import Path
from harness.families.mlp import MLP

class Own(MLP):
    def build(self, *args, **kwargs):
        if os.getpid() != {driver} and not Path("died").exists():
            Path("died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().build(*args, **kwargs)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        places = [str(Path(harness.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment.setenv("PYTHONPATH", os.pathsep.join(places))
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 1, "include_dashboard": False}
        found = Cluster(initialize_head=True, head_node_args=head)
        found.add_node(num_cpus=1)
        yield found
        ray.shutdown()
        found.shutdown()


@pytest.fixture
def on_ray(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The overrides of a sweep on the cluster, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return [*JOBS, "launcher=ray", "launcher.step=replayed", f"launcher.address={cluster.address}"]


def values(folder: str) -> pd.DataFrame:
    frame = harness.load(folder).sort_values(["run_id", "step", "split", "subtask", "metric"])
    return frame[["run_id", "step", "metric", "subtask", "value"]].reset_index(drop=True)


def test_a_cluster_gives_what_a_sweep_here_gives(capsys: pytest.CaptureFixture[str], on_ray: list[str]) -> None:
    told = run(capsys, "sweep", *on_ray)
    assert "Trained 4: 4 finished" in told.out and not told.err
    run(capsys, "sweep", *JOBS, "name=here")
    assert_frame_equal(values("results/tiny"), values("results/here"))
    assert "Nothing to train" in run(capsys, "sweep", *on_ray).out
    assert "2 runs to train anew" in run(capsys, "redo", *on_ray, "redo.which=all", "redo.rungs=0").out
    assert run(capsys, "train", *on_ray, "rung=1", "seed=7").code == 0


def while_training(n_jobs: int, do: Callable[[], object]) -> Thread:
    """Do something as soon as so many jobs have trained a step."""

    def wait() -> None:
        ends = time.monotonic() + 60
        while len([job for job in in_training(RESULTS) if job.step]) < n_jobs and time.monotonic() < ends:
            time.sleep(0.1)
        do()

    thread = Thread(target=wait)
    thread.start()
    return thread


def test_what_is_stopped_goes_on_from_its_checkpoint(capsys: pytest.CaptureFixture[str], on_ray: list[str]) -> None:
    long = [*on_ray, "ladder.steps=20000"]
    stopping = while_training(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    told = run(capsys, "sweep", *long)
    stopping.join()
    assert told.code == 130 and "2 runs in training have written their checkpoints" in told.err
    assert len(interrupted(RESULTS)) == 2 and not in_training(RESULTS)
    assert "2 jobs go on from their checkpoints" in run(capsys, "sweep", *long, "seeds=2").out
    assert list(finished_run_ids(RESULTS).values()) == ["finished"] * 4


def test_a_killed_worker_costs_no_run_and_a_family_of_the_users_own_is_found(
    capsys: pytest.CaptureFixture[str], on_ray: list[str], tmp_path: Path
) -> None:
    Path("own_family.py").write_text(FAMILY.format(driver=os.getpid()))
    told = run(capsys, "sweep", *on_ray, "family._target_=own_family.Own")
    assert told.code == 0 and "Trained 4: 4 finished" in told.out
    assert "its process on Ray was killed; attempt 2 of 3 follows" in told.err
    run(capsys, "sweep", *JOBS, "family._target_=own_family.Own", "name=here")
    assert_frame_equal(values("results/tiny"), values("results/here"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("launcher.cpus_per_task=3", "launcher.cpus_per_task=3: allowed is at most 1"),
        ("training.device=cuda", "no node of the Ray cluster has a GPU"),
        ("launcher.address=127.0.0.1:1", "launcher.address=127.0.0.1:1: no Ray cluster answers there"),
        ("launcher.address=somewhere", "allowed is auto, HOST:PORT or ray://HOST:PORT"),
    ],
)
def test_what_the_cluster_cannot_do_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], on_ray: list[str], setting: str, said: str
) -> None:
    assert run(capsys, "sweep", *on_ray, setting).refused(said)
    assert not Path("results").exists()


def test_nodes_that_cannot_train_for_this_process_are_refused(on_ray: list[str]) -> None:
    from harness.sweeping.launchers.ray_crew import RayCrew

    (study,) = compose(*on_ray)
    jobs = cells(study)
    unseen = RayCrew(2, jobs, [str(Path("elsewhere/.sweep/sweeps/0.json").absolute())], study.launcher, "cpu")
    other = RayCrew(2, jobs, [], study.launcher, "cpu")
    other.driver = replace(other.driver, version=("0.0.1", other.driver.version[1]))
    for crew, said in ((unseen, "elsewhere is not the same folder on the node"), (other, "0.0.1 sweeps")):
        with pytest.raises(UserError, match=said):
            run_jobs(jobs, crew, None, Lines(Console(quiet=True), jobs, lambda job: 1.0))


def test_a_node_that_is_lost_costs_no_run(capsys: pytest.CaptureFixture[str], on_ray: list[str], cluster: Any) -> None:
    """The last test: the cluster is of one node from here on."""
    node = next(each for each in cluster.list_all_nodes() if each is not cluster.head_node)
    losing = while_training(2, lambda: cluster.remove_node(node, allow_graceful=False))
    told = run(capsys, "sweep", *on_ray, "ladder.steps=5000")
    losing.join()
    assert told.code == 0 and "Trained 4: 4 finished" in told.out
    assert "attempt 2 of 3 follows" in told.err
    run(capsys, "sweep", *JOBS, "ladder.steps=5000", "name=here")
    assert_frame_equal(values("results/tiny"), values("results/here"))
