"""launcher=ray on a Ray of two nodes: equal to a sweep here, stopped and gone on, workers and a node that are lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
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
from harness.sweeping.checkpoints import interrupted
from harness.sweeping.claims import in_training
from harness.sweeping.display import Lines
from harness.sweeping.plan import cells
from harness.sweeping.pool import run_jobs

ray = pytest.importorskip("ray", reason="needs ray: pip install 'scaling-harness[ray]'")

RESULTS = Path("results/tiny")
#: Four jobs of a run each.
JOBS = (*TINY, "launcher.members_together=1")

#: A family in the user's own folder: the first worker that builds a model of it is killed, and the others wait for a
#: file.
FAMILY = """
import os, signal, time
from pathlib import Path
from harness.families.mlp import MLP

class Own(MLP):
    def build(self, *args, **kwargs):
        if os.getpid() != {driver} and not Path("died").exists():
            Path("died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while os.getpid() != {driver} and not Path("go").exists():
            time.sleep(0.1)
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


def as_soon_as(condition: Callable[[], bool], do: Callable[[], object]) -> Thread:
    """Do something beside the sweep once a condition holds."""

    def wait() -> None:
        ends = time.monotonic() + 120
        while not condition() and time.monotonic() < ends:
            time.sleep(0.1)
        do()

    thread = Thread(target=wait)
    thread.start()
    return thread


def test_what_is_stopped_goes_on_from_its_checkpoint(capsys: pytest.CaptureFixture[str], on_ray: list[str]) -> None:
    def stopped(after: int) -> str:
        def have_gone_on() -> bool:
            return len([job for job in in_training(RESULTS) if job.step > after]) == 2

        stopping = as_soon_as(have_gone_on, lambda: os.kill(os.getpid(), signal.SIGINT))
        told = run(capsys, "sweep", *on_ray, "ladder.steps=100000000")
        stopping.join()
        assert told.code == 130 and "2 runs in training have written their checkpoints" in told.err
        assert len(interrupted(RESULTS)) == 2 and not in_training(RESULTS)
        return told.out

    stopped(after=0)
    assert "2 jobs go on from their checkpoints" in stopped(after=1)


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


def test_a_cluster_of_another_version_is_refused(
    capsys: pytest.CaptureFixture[str], on_ray: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.0.0\n    Python: 3.8.1\n")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    assert run(capsys, "sweep", *on_ray).refused("takes this process: Version mismatch", "Ray: 2.0.0 Python: 3.8.1")


def test_a_folder_that_nodes_do_not_see_is_refused(on_ray: list[str]) -> None:
    from harness.sweeping.launchers.ray_crew import RayCrew

    (study,) = compose(*on_ray)
    jobs = cells(study)
    crew = RayCrew(1, jobs, [str(Path("elsewhere/.sweep/sweeps/0.json").absolute())], study.launcher, "cpu")
    with pytest.raises(UserError, match="elsewhere is not the same folder on the node"):
        run_jobs(jobs, crew, None, Lines(Console(quiet=True), jobs, lambda job: 1.0))


def test_a_killed_worker_and_a_lost_node_cost_no_run(
    capsys: pytest.CaptureFixture[str], on_ray: list[str], cluster: Any
) -> None:
    """The last test: the cluster is of one node from here on."""
    Path("own_family.py").write_text(FAMILY.format(driver=os.getpid()))
    own = "family._target_=own_family.Own"
    node = next(each for each in cluster.list_all_nodes() if each is not cluster.head_node)

    def lose_it() -> None:
        cluster.remove_node(node, allow_graceful=False)
        Path("go").touch()

    losing = as_soon_as(lambda: Path("died").exists() and len(in_training(RESULTS)) == 2, lose_it)
    told = run(capsys, "sweep", *on_ray, own)
    losing.join()
    assert told.code == 0 and "Trained 4: 4 finished" in told.out
    assert "its process on Ray was killed; attempt 2 of 3 follows" in told.err
    assert told.err.count("attempt") >= 2
    run(capsys, "sweep", *JOBS, own, "name=here")
    assert_frame_equal(values("results/tiny"), values("results/here"))
