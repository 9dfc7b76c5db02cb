"""`harness refine`: from settings to runs and what is printed; training is planted where only the choices matter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import TINY, run

from harness.config import compose
from harness.ladder import Job
from harness.records.store import collect, finished_run_ids, load, load_runs
from harness.records.writer import write_run
from harness.report.analyze import analyze
from harness.sweeping import refine as refining
from harness.sweeping import run as training
from harness.sweeping.failures import Ended
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import run_row
from harness.sweeping.worker import run_job

pytestmark = pytest.mark.usefixtures("few_draws")

#: Leaps at a width of 90.
STUDY = (
    "name=leap",
    "family=mlp",
    "task=parity",
    "task.n_subtasks=2",
    "ladder.widths=[8,16,32,64,128,256]",
    "ladder.steps=5",
    "training.device=cpu",
    "seeds=3",
    "refine.ratio=1.3",
)
ABLE_FROM = {"all": 90, "subtask 1": 90, "subtask 2": 10_000}
#: Seconds of wall time, tokens a second: of no matter here.
PACE = {"wall_s": 1.0, "tokens_per_s": 1.0}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Planted:
    """Writes runs instead of training them, and stops as Ctrl-C would after `most` of them."""

    def __init__(self) -> None:
        self.trained: list[tuple[int, int]] = []
        self.most = math.inf

    def __call__(self, jobs: Sequence[Job], known: Mapping[str, str], *_: object) -> list[Ended]:
        for job in jobs:
            for member in job.members:
                if len(self.trained) >= self.most:
                    raise KeyboardInterrupt
                assert known.get(member.run_id) != "finished", "trained already"
                row = run_row(job, member, "finished", **PACE)  # type: ignore[arg-type]
                write_run(Path(job.settings.results), row, list(self.measurements(job, member.seed, member.lr)))
                self.trained.append((job.rung.shape.width, member.seed))
        return []

    def measurements(self, job: Job, seed: int, lr: float) -> Iterator[dict[str, Any]]:
        about = {"step": job.steps, "tokens": job.tokens, "flops": job.flops, "split": "eval", "n_eval": 1000}
        for subtask, width in ABLE_FROM.items():
            able = job.rung.shape.width >= width
            for metric in job.settings.task.metrics:
                better = metric.higher_is_better
                value = (0.99 if able else 0.5) if better else (0.05 if able else 0.69) + lr
                kind = {"higher_is_better": better, "discontinuous": metric.discontinuous, "chance": None}
                kind |= {"paired_metric": metric.paired_metric, "stderr": 0.001}
                noise = 0.002 * math.sin(7 * seed + job.rung.shape.width)
                yield about | kind | {"subtask": subtask, "metric": metric.name, "value": value + noise}

    @property
    def added(self) -> list[int]:
        """Widths that are not on the study's own ladder, in the order they came."""
        return list(dict.fromkeys(width for width, _ in self.trained if width & (width - 1)))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Planted:
    made = Planted()
    monkeypatch.setattr(refining, "train_jobs", made)
    return made


def test_trains_the_ladder_then_closes_in_on_n_star(capsys: pytest.CaptureFixture[str], planted: Planted) -> None:
    refined = run(capsys, "refine", *STUDY)
    assert refined.code == 0, refined.err
    assert len(planted.trained) == len(set(planted.trained))
    assert {width for width, _ in planted.trained[:18]} == {8, 16, 32, 64, 128, 256}
    assert planted.added
    assert all(64 < width < 128 for width in planted.added)
    assert "every N* is placed within a factor of 1.3" in refined.out
    assert "subtask 2" in refined.out and "1 without an N*" in refined.out
    # A later sweep over these widths finds them done, and the same command has nothing to do.
    (study,) = compose(*STUDY, f"ladder.widths={sorted([8, 16, 32, 64, 128, 256, *planted.added])}")
    known = finished_run_ids("results/leap")
    assert {member.run_id for cell in cells(study) for member in cell.members} == set(known)
    before = list(planted.trained)
    assert "stopped after 0 rounds" in run(capsys, "refine", *STUDY).out
    assert planted.trained == before


def test_an_interrupted_refinement_goes_on_to_the_same_end(
    capsys: pytest.CaptureFixture[str], planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "refine", *STUDY).code == 0
    whole = list(planted.trained)
    again = Planted()
    monkeypatch.setattr(refining, "train_jobs", again)
    # In the midst of the first size that is not on the ladder.
    again.most = 19
    assert run(capsys, "refine", *STUDY, "results=results/stopped").code == 130
    again.most = math.inf
    assert run(capsys, "refine", *STUDY, "results=results/stopped").code == 0
    assert again.trained == whole


def test_refined_sizes_are_rungs_of_their_own(capsys: pytest.CaptureFixture[str], planted: Planted) -> None:
    rates = "optimizer.lr=[0.01,0.03]"
    assert run(capsys, "refine", *STUDY, rates).code == 0
    collect("results/leap")
    runs = load_runs("results/leap")
    assert (runs.groupby("rung")["width"].nunique() == 1).all()
    assert (runs.groupby("width")["rung"].nunique() == 1).all()
    found = analyze("results/leap", bootstrap=100)
    # At each size, on the ladder or between, the better learning rate was chosen.
    assert set(found.frame["width"]) == set(runs["width"])
    assert set(found.frame["lr"]) == {0.01}
    (row,) = found.jumps[(found.jumps["subtask"] == "subtask 1") & (found.jumps["metric"] == "accuracy")].to_dict(
        "records"
    )
    assert 1 < row["threshold_high"] / row["threshold_low"] < 1.3
    assert row["n_rungs"] == runs["width"].nunique()


def test_budget_and_rounds_end_it(capsys: pytest.CaptureFixture[str], planted: Planted) -> None:
    nothing = run(capsys, "refine", *STUDY, "refine.budget=0")
    assert "what is left of refine.budget" in nothing.out
    assert planted.added == []
    once = run(capsys, "refine", *STUDY, "refine.rounds=1")
    assert len(planted.added) == 1
    assert "refine.rounds=1" in once.out
    run(capsys, "refine", *STUDY, "refine.budget=0.3")
    own, added = (_flops(load("results/leap"), new) for new in (False, True))
    assert 0 < added <= 0.3 * own


def _flops(frame: pd.DataFrame, new: bool) -> float:
    runs = frame.drop_duplicates("run_id")
    return float(runs.loc[(runs["width"] & (runs["width"] - 1) > 0) == new, "flops_run"].sum())


def test_other_settings_of_the_same_study_are_not_mixed_in(
    capsys: pytest.CaptureFixture[str], planted: Planted
) -> None:
    assert run(capsys, "refine", *STUDY, "ladder.steps=7").code == 0
    longer = list(planted.added)
    planted.trained.clear()
    assert run(capsys, "refine", *STUDY).code == 0
    assert planted.added == longer, "as if there were no others"


def test_sizes_run_out(capsys: pytest.CaptureFixture[str], planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ABLE_FROM, "subtask 1", 3)
    small = [word for word in STUDY if not word.startswith("ladder.widths")]
    ended = run(capsys, "refine", *small, "ladder.widths=[1,2,4,8,16]", "refine.ratio=1.01", "refine.budget=9")
    assert ended.code == 0
    assert "fits the ladder" in ended.out
    assert planted.added == [3]


def test_a_failed_run_ends_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Ended("leap", 0, "run", "failed", "no data today")
    monkeypatch.setattr(refining, "train_jobs", lambda *_: [failed])
    assert run(capsys, "refine", *STUDY).code == 1


def test_trains_a_real_study(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process: starting a pool costs seconds, and tests/sweeping has those.
    monkeypatch.setattr(
        training, "run_jobs", lambda jobs, _, rev, *__, **___: [end for job in jobs for end in run_job(job, rev)]
    )
    refined = run(capsys, "refine", *TINY, "ladder.widths=[2,4,8,16]", "refine.rounds=1", "refine.ratio=1.1")
    assert refined.code == 0, refined.err
    assert "Trained 8: 8 finished" in refined.out
    assert "stopped after" in refined.out


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("refine.ratio=1", ("refine.ratio=1", "above 1")),
        ("refine.budget=-1", ("refine.budget=-1", "at least 0")),
        ("refine.rounds=0", ("refine.rounds=0", "at least 1")),
        ("refine.seeds=0", ("refine.seeds=0", "at least 1")),
        ("refine.metrics=[acuracy]", ("refine.metrics", "acuracy", "loss, accuracy")),
        ("refine.subtasks=[subtask9]", ("refine.subtasks", "subtask9", "subtask 1")),
        ("refine.subtasks=[]", ("refine.subtasks", "subtask 1")),
        ("refine.widht=2", ("refine.widht",)),
        ("analysis.x=family", ("analysis.x=family",)),
    ],
)
def test_bad_settings_are_named_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], planted: Planted, override: str, told: tuple[str, ...]
) -> None:
    assert run(capsys, "refine", *STUDY, override).refused(*told)
    assert planted.trained == []
