"""``harness plan --cluster``: rungs of every family in numbers, tables that fit a terminal, and nothing tried here."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run

import harness
from harness.config import compose
from harness.errors import UserError
from harness.sweeping import cluster_plan, trials
from harness.sweeping.plan import cells

#: A ladder of language models from 200 million to 400 billion parameters.
LARGE = (
    *("family=transformer", "task=text", "ladder.widths=[1024,4096,16384]", "ladder.depths=[16,32,126]", "seeds=1"),
    *("ladder.head_width=128", "ladder.batch_size=1024", "ladder.tokens_per_param=20", "task.context=2048"),
    *("training.precision=bfloat16", "name=large"),
)
SMALL = ("family=mlp", "task=digits", "ladder.widths=[8,16]", "ladder.steps=50", "seeds=3", "name=small")
CLUSTER = "nodes=64,gpus=8,kind=h100,price=2"


@pytest.fixture(autouse=True)
def nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a plan for a cluster must neither build a model nor time one here")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trials, "_started", refuse)
    for family in ("transformer.Transformer", "mlp.MLP", "cnn.CNN"):
        monkeypatch.setattr(f"harness.families.{family}.build", refuse)


def test_a_ladder_that_fits_no_laptop_is_planned_on_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = run(capsys, "plan", *LARGE, "--cluster", CLUSTER)
    assert shown.code == 0, shown.err
    assert "main: transformer on text" in shown.out and "on each GPU" in shown.out
    assert "3 runs, on 64 nodes of 8 h100: " in shown.out and " at $2 a GPU-hour." in shown.out
    assert max(map(len, shown.out.splitlines())) <= 120
    assert run(capsys, "plan", f"--cluster={CLUSTER}", *LARGE).out == shown.out
    assert list(tmp_path.iterdir()) == []


def test_from_python_the_same_in_columns() -> None:
    frame = harness.plan(*LARGE, cluster=CLUSTER)
    assert list(frame["width"]) == [1024, 4096, 16384] and frame["fits"].all()
    assert frame["params_total"].iloc[2] == pytest.approx(4.06e11, rel=0.02)
    assert (frame["gpus_per_run"] == frame["data_parallel"] * frame["tensor_parallel"] * frame["pipeline_stages"]).all()
    assert (
        list(frame["dollars"]) == pytest.approx(list(2 * frame["gpu_hours"]))
        and frame["gpu_hours"].is_monotonic_increasing
    )
    assert frame.attrs["dollars"] == pytest.approx(frame["dollars"].sum())
    assert frame.attrs["wall_s"] >= frame["run_s"].max() and frame.attrs["gpus"] == 512
    assert frame["utilisation"].between(0.05, 0.45).all()
    assert "dollars" not in harness.plan(*SMALL, cluster="nodes=1,gpus=1,kind=v100")


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "plan", *LARGE, "--cluster", "nodes=1,gpus=8,kind=l40s")
    assert shown.code == 0
    assert "3 runs, 2 of which fit, on 1 node of 8 l40s" in shown.out and "does not fit" in shown.out
    said = " ".join(shown.out.split())
    assert "main rung 2 (width 16384, depth 126) does not fit: it needs " in said
    frame = harness.plan(*LARGE, cluster="nodes=1,gpus=8,kind=l40s")
    assert list(frame["fits"]) == [True, True, False] and frame["gpu_hours"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    "study",
    [
        ("family=mlp", "task=digits"),
        ("family=cnn", "task=digits"),
        ("family=transformer", "task=copy"),
        ("family=mlp", "task=digits", "optimizer=sgd"),
        ("family=transformer", "task=copy", "optimizer=muon"),
    ],
)
def test_every_family_and_optimizer_has_its_plan(study: tuple[str, ...]) -> None:
    frame = harness.plan(*study, "ladder.widths=[8,32]", "ladder.steps=[50,100]", cluster="nodes=2,gpus=4,kind=a100")
    assert len(frame) == 4 and frame["fits"].all() and (frame["gpus_per_run"] == 1).all()
    assert frame["memory_bytes"].is_monotonic_increasing and (frame["gpu_hours"] > 0).all()


def test_what_is_kept_is_counted_by_family() -> None:
    (mlp,) = compose("family=mlp", "task=digits", "ladder.widths=[16]", "ladder.depths=[2]", "ladder.steps=9")
    assert cluster_plan._model(cells(mlp)[0]).kept == 64 + 16 + 16
    (cnn,) = compose("family=cnn", "task=digits", "ladder.widths=[4]", "ladder.depths=[2]", "ladder.steps=9")
    assert cluster_plan._model(cells(cnn)[0]).kept == 64 + 2 * (2 * 4 * 64) + 4
    (gpt,) = compose("family=transformer", "task=copy", "ladder.widths=[16]", "ladder.steps=9")
    cell = cells(gpt)[0]
    found, positions = cluster_plan._model(cell), cell.settings.signature.positions
    assert (found.kept, found.flops) == (20 * 16 * positions, cell.rung.flops_per_example)


def test_seeds_share_a_gpu_where_that_takes_fewer_hours() -> None:
    cluster = "nodes=2,gpus=4,kind=a100"
    assert list(harness.plan(*SMALL, cluster=cluster)["together"]) == [3, 3]
    assert list(harness.plan(*SMALL, "launcher.members_together=1", cluster=cluster)["together"]) == [1, 1]


def test_precision_is_the_study_s_or_the_cluster_s(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("nodes=1,gpus=8,kind=h100", "nodes=1,gpus=8,kind=h100,precision=float32")
    half, full = (harness.plan(*LARGE, cluster=each)["gpu_hours"].iloc[0] for each in asked)
    assert full > 8 * half
    with pytest.raises(UserError, match="--cluster precision=bfloat16: allowed is one that v100 has: float32, float16"):
        harness.plan(*LARGE, cluster="nodes=1,gpus=8,kind=v100")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cluster", "nodes=1,gpus=8,kind=h10"], "--cluster kind=h10: allowed is v100, a100"),
        (["--cluster", "nodes=1,gpus=8,kind=h100,watt=3"], "--cluster watt=3: watt is not a key"),
        (["--cluster"], "--cluster: a value is wanted"),
        (["--cluster="], "--cluster: a value is wanted"),
    ],
)
def test_mistakes_end_in_a_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "plan", *SMALL, *words).refused(says)
