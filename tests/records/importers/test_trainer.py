from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from imported import IMPORTED, SIZES, SIZES_OF_ALL, values

from harness.errors import DataError
from harness.records.importers import import_results
from harness.records.store import load, load_runs


def test_trainer_wandb_and_tensorboard_agree_on_the_same_runs(tmp_path: Path) -> None:
    found = {}
    for kind in ("trainer", "tensorboard"):
        report = import_results(kind, [IMPORTED / kind], tmp_path / kind, SIZES, {"family": "gpt2"})
        assert (report.n_runs, report.n_measurements, report.problems) == (2, 24, ())
        found[kind] = values(tmp_path / kind), values(tmp_path / kind, split="train")
        frame = load(tmp_path / kind)
        assert set(frame["step"]) == {20} and set(frame["tokens"]) == {2560}
        assert frame.groupby("member")["flops"].first().to_dict() == {"large": 101253120.0, "small": 27033600.0}
        assert frame.groupby("member")["rung"].first().to_dict() == {"large": 1, "small": 0}
        assert set(frame["study"]) == {"gpt2"} and set(frame["seed"]) == {1}
        assert frame.set_index("metric")["paired_metric"].dropna().unique().tolist() == [""]
    evaluations, training = found["trainer"]
    assert evaluations["small", 6, "loss"] == 5.005139350891113
    assert evaluations["small", 20, "accuracy"] == 0.31
    assert {step for _, step, _ in training} == {5, 10, 15, 20}
    for of_trainer, of_tensorboard in zip(*found.values(), strict=True):
        assert of_tensorboard == pytest.approx(of_trainer)  # event files hold 32-bit floats

    import_results("wandb", [IMPORTED / "wandb/chart.csv"], tmp_path / "chart", SIZES)
    assert values(tmp_path / "chart") == {key: value for key, value in evaluations.items() if key[2] == "loss"}
    import_results("wandb", [IMPORTED / "wandb/history_small.csv"], tmp_path / "history", {"params_total": "6_040"})
    history = {("small", step, metric): v for (_, step, metric), v in values(tmp_path / "history").items()}
    assert history == {key: value for key, value in evaluations.items() if key[0] == "small"}
    assert load(tmp_path / "history", steps="all")["tokens"].to_list()[:4] == [768, 1536, 2304, 2560]


def test_a_folder_of_checkpoints_is_one_run(tmp_path: Path) -> None:
    shutil.copytree(IMPORTED / "trainer/small", tmp_path / "small")
    (tmp_path / "small/checkpoint-20").mkdir()
    (tmp_path / "small/trainer_state.json").rename(tmp_path / "small/checkpoint-20/trainer_state.json")
    import_results("trainer", [tmp_path], tmp_path / "out", SIZES)
    runs = load_runs(tmp_path / "out")
    assert runs[["member", "steps"]].to_numpy().tolist() == [["small", 20]]


def test_the_last_evaluation_counts_where_training_went_on(tmp_path: Path) -> None:
    state = json.loads((IMPORTED / "trainer/small/trainer_state.json").read_text())
    state["log_history"] = [e for e in state["log_history"] if "eval_loss" not in e or e["step"] < 20]
    state["log_history"].append({"step": 18, "eval_extra_loss": 9.5, "eval_extra_runtime": 1.0, "epoch": 1.0})
    (tmp_path / "short.json").write_text(json.dumps(state))
    import_results("trainer", [tmp_path / "short.json"], tmp_path / "out", {"params_total": 6_040})
    frame = load(tmp_path / "out")
    assert set(frame["step"]) == {18}
    assert frame.set_index(["subtask", "metric"])["value"].to_dict() == {
        ("all", "accuracy"): 0.31,
        ("all", "loss"): 4.7766547203063965,
        ("extra", "loss"): 9.5,
    }
    assert load(tmp_path / "out", split="train")["step"].to_list() == [20]


def test_text_is_counted_and_the_later_of_two_evaluations_at_a_step_counts(tmp_path: Path) -> None:
    entries = [
        {"step": 5, "loss": "3,9"},
        {"step": 5, "eval_loss": 3.0, "eval_accuracy": None},
        {"step": 10, "loss": 2.0},
        {"step": 10, "eval_loss": 2.5, "eval_runtime": 1.0},
        {"step": 10, "eval_loss": 2.25, "eval_runtime": 1.0},
    ]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"log_history": entries}))
    report = import_results("trainer", [path], tmp_path / "out", {"params_total": 6_040})
    frame = load(tmp_path / "out", steps="all")
    assert frame[["step", "value"]].to_numpy().tolist() == [[5, 3.0], [10, 2.25]]
    assert report.problems == (
        f"{path}: 2 values left out that no number stands in (train loss at step 5: '3,9')",
        f"{path}: 1 value is left out because a later one of the same step counts (the first: eval loss of all at step "
        "10, 2.5)",
    )


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("trainer", "s.json", '{"log_history": [{"loss": 2.', "s.json: not JSON, or cut short"),
        ("trainer", "s.json", '{"results": {}}', "s.json: foreign, has no 'log_history'"),
        ("trainer", "s.json", '{"log_history": [{"loss": 2.0}]}', "s.json: foreign, its 'log_history'"),
        ("trainer", "s.json", '{"log_history": []}', "s.json: nothing was logged"),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()
