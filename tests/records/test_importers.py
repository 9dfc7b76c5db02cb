"""Importers on files that the real tools wrote; how each was made stands in imported/README.md."""

from __future__ import annotations

import argparse
import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import harness
from harness.commands import importing
from harness.errors import DataError, UserError
from harness.records.importers import FORMATS, import_results, read_sidecar
from harness.records.store import load, load_runs

IMPORTED = Path(__file__).parent / "imported"
SIZES = pd.DataFrame(
    {
        "run": ["small", "large"],
        "params_total": [6_040, 15_152],
        "params_non_embedding": [1_760, 6_592],
        "seed": [1, 1],
    }
)
SIZES_OF_ALL = {"params_total": 1000}


def values(folder: Path, split: str = "eval", **where: Any) -> dict[tuple, float]:
    """(member, step, metric) -> value."""
    frame = load(folder, steps="all", split=split)
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return {(r.member, r.step, r.metric): r.value for r in frame.itertuples()}


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("runs", "measurements")}


# ------------------------------------------------------------------------------------------------------- the formats


def test_lm_eval_has_a_curve_for_each_task(tmp_path: Path) -> None:
    about = {"family": "tiny", "steps": 20, "tokens": "2560"}
    report = import_results("lm_eval", sorted((IMPORTED / "lm_eval").glob("results_[ls]*.json")), tmp_path, about)
    assert (report.n_runs, report.problems) == (8, ())
    frame = load(tmp_path)
    assert set(frame["study"]) == {f"tiny/tiny_{task}" for task in ("choice", "generate", "stories", "suite")}
    assert set(frame["params_total"]) == {6_040, 15_152}
    assert set(frame["step"]) == {20} and set(frame["tokens"]) == {2560} and set(frame["split"]) == {"eval"}
    small = frame[frame["params_total"] == 6_040].set_index(["task", "subtask", "metric"])
    assert set(small.index) == {
        ("tiny_choice", "all", "acc"),
        ("tiny_choice", "all", "acc_norm"),
        ("tiny_choice", "all", "brier_score"),
        ("tiny_generate", "all", "exact_match,strict-match"),
        ("tiny_generate", "all", "exact_match,flexible-extract"),
        ("tiny_stories", "all", "word_perplexity"),
        ("tiny_stories", "all", "bits_per_byte"),
        ("tiny_suite", "all", "acc"),
        ("tiny_suite", "tiny_choice_a", "acc"),
        ("tiny_suite", "tiny_choice_a", "acc_norm"),
        ("tiny_suite", "tiny_choice_b", "acc"),
        ("tiny_suite", "tiny_choice_b", "acc_norm"),
    }
    columns = ["value", "stderr", "n_eval", "higher_is_better", "discontinuous", "paired_metric"]
    acc = small.loc[("tiny_choice", "all", "acc"), columns].to_list()
    assert acc == [5 / 12, pytest.approx(0.14865, abs=1e-5), 12, True, True, "brier_score"]
    brier = small.loc[("tiny_choice", "all", "brier_score")]
    assert brier[["higher_is_better", "discontinuous"]].to_list() == [False, False]
    assert pd.isna(brier["stderr"]) and pd.isna(brier["paired_metric"])
    assert small.loc[("tiny_suite", "all", "acc"), "n_eval"] == 14
    jumps = harness.find_jumps(frame, x="params_total")
    assert set(jumps["verdict"]) == {"inconclusive"} and len(jumps) == 9
    ended = load_runs(tmp_path)["finished_at"].dt.year
    assert set(ended) == {2026}


def test_lm_eval_before_filters(tmp_path: Path) -> None:
    old = {
        "results": {"lambada_openai": {"ppl": 142.4, "ppl_stderr": 6.0, "acc": 0.18, "acc_stderr": float("nan")}},
        "versions": {"lambada_openai": 0},
        "config": {"model": "hf-causal", "model_args": "pretrained=some/model"},
    }
    (tmp_path / "70m.json").write_text(json.dumps(old))
    import_results("lm_eval", [tmp_path / "70m.json"], tmp_path / "out", {"params_total": 70_426_624})
    frame = load(tmp_path / "out").set_index("metric")
    assert frame["stderr"].isna().to_dict() == {"acc": True, "ppl": False}, "NaN, as of a single sample, is no error"
    assert frame["higher_is_better"].to_dict() == {"acc": True, "ppl": False}
    assert frame.loc["acc", "paired_metric"] == "ppl" and frame.loc["acc", "study"] == "lambada_openai"


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
        assert frame.set_index("metric")["paired_metric"].dropna().unique().tolist() == ["loss"]
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


def test_wandb_runs_table(tmp_path: Path) -> None:
    report = import_results("wandb", [IMPORTED / "wandb/runs.csv"], tmp_path, SIZES)
    assert [problem.split(": ")[1] for problem in report.problems] == [
        "both train/loss and train_loss are train loss"
    ] * 2
    assert values(tmp_path) == {
        ("large", 20, "accuracy"): 0.31,
        ("large", 20, "loss"): 4.31998348236084,
        ("small", 20, "accuracy"): 0.31,
        ("small", 20, "loss"): 4.76958703994751,
    }
    table = pd.read_csv(IMPORTED / "wandb/runs.csv").assign(params_total=[15_152, 6_040], Name="same name")
    table.to_csv(tmp_path / "named.csv", index=False)
    import_results("wandb", [tmp_path / "named.csv"], tmp_path / "out")
    runs = load_runs(tmp_path / "out").set_index("params_total")
    assert list(runs.index) == [6_040, 15_152] and list(runs["seed"]) == [1, 1]


def test_a_metric_is_paired_with_the_loss_of_another_file(tmp_path: Path) -> None:
    chart = (IMPORTED / "wandb/chart.csv").read_text()
    (tmp_path / "loss.csv").write_text(chart)
    (tmp_path / "accuracy.csv").write_text(chart.replace("eval/loss", "eval/accuracy"))
    import_results("wandb", [tmp_path], tmp_path / "out", SIZES)
    frame = load(tmp_path / "out")
    assert frame.loc[frame["metric"] == "accuracy", "paired_metric"].to_list() == ["loss", "loss"]


def test_nanogpt_logs(tmp_path: Path) -> None:
    logs = [IMPORTED / "nanogpt/small.log", IMPORTED / "nanogpt/large.log"]
    report = import_results("nanogpt", logs, tmp_path, SIZES)
    assert (report.n_runs, report.problems) == (2, ())
    assert values(tmp_path, member="small") == {
        ("small", 0, "loss"): 2.6477,
        ("small", 20, "loss"): 2.5324,
        ("small", 40, "loss"): 2.4993,
    }
    training = values(tmp_path, split="train", member="small")
    assert training["small", 20, "loss"] == 2.5308, "the average, not the loss of one batch"
    assert training["small", 35, "loss"] == 2.5060
    assert load(tmp_path, steps="all")["tokens"].to_list() == [0, 20 * 256, 40 * 256] * 2


def test_llm_c_logs_state_val_loss_on_lines_of_their_own(tmp_path: Path) -> None:
    import_results("nanogpt", [IMPORTED / "nanogpt/llmc"], tmp_path)
    assert values(tmp_path) == {
        ("gpt2_d12", 0, "loss"): 11.009461,
        ("gpt2_d12", 2, "loss"): 9.013377,
        ("gpt2_d12", 4, "loss"): 8.277001,
    }
    assert load(tmp_path)[["params_total", "tokens"]].to_numpy().tolist() == [[124475904, 4 * 524288]]


def test_logs_of_other_makes(tmp_path: Path) -> None:
    lines = [
        "step:0/10 val_loss:10.8258 train_time:0ms",
        "step 3: train loss 7.5 (took 12.0 ms)",
        "val loss 7.25",
        "saving, best val loss 1.0",
        "step:10/10 val_loss:3.5e0 (best_val_loss: 3.25)",
        "the loss of time",
    ]
    (tmp_path / "a.log").write_text("\n".join(lines))
    import_results("nanogpt", [tmp_path / "a.log"], tmp_path / "out", {"params_total": 10})
    assert {step: value for (_, step, _), value in values(tmp_path / "out").items()} == {0: 10.8258, 4: 7.25, 10: 3.5}


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


# ---------------------------------------------------------------------------------------------- what holds for all


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_importing_twice_changes_nothing(kind: str, tmp_path: Path) -> None:
    stated = {"params_total": 1000, "study": "one"}
    first = import_results(kind, [IMPORTED / kind], tmp_path / "out", stated)
    before = tables(tmp_path / "out")
    assert import_results(kind, [IMPORTED / kind], tmp_path / "out", stated) == first
    assert tables(tmp_path / "out") == before


def test_sizes_imported_later_take_their_place_on_the_ladder(tmp_path: Path) -> None:
    for name in ("large", "small"):
        import_results("trainer", [IMPORTED / "trainer" / name], tmp_path / "apart", SIZES)
    import_results("trainer", [IMPORTED / "trainer"], tmp_path / "together", SIZES)
    apart, together = load_runs(tmp_path / "apart"), load_runs(tmp_path / "together")
    pd.testing.assert_frame_equal(apart.drop(columns="experiment"), together.drop(columns="experiment"))
    assert together["rung"].to_list() == [0, 1]


def test_a_correction_replaces_the_run(tmp_path: Path) -> None:
    for size in (1000, 2000):
        import_results("nanogpt", [IMPORTED / "nanogpt/small.log"], tmp_path, {"params_total": size})
    assert load_runs(tmp_path)["params_total"].to_list() == [2000]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_sidecars_of_files(suffix: str, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "file": ["small/trainer_state.json", "large", "huge"],
            "params_total": [6_040, 15_152, 40_000],
            "family": ["gpt2", None, "gpt2"],
        }
    )
    path = tmp_path / f"about{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_json(path, orient="records", lines=True)
    report = import_results("trainer", [IMPORTED / "trainer"], tmp_path / "out", read_sidecar(path), {"family": "any"})
    assert report.problems == ("sidecar: file huge is none of the runs imported",)
    runs = load_runs(tmp_path / "out").set_index("member")
    assert runs["params_total"].to_dict() == {"large": 15_152, "small": 6_040}
    assert runs["family"].to_dict() == {"large": "any", "small": "gpt2"}


def test_values_that_are_not_finite_are_reported(tmp_path: Path) -> None:
    log = ["step 0: train loss 2.5, val loss 2.5", "iter 10: loss nan, time 1ms", "step 20: train loss 2.1, val loss 2"]
    (tmp_path / "bumpy.log").write_text("\n".join(log))
    (tmp_path / "lost.log").write_text("\n".join([*log, "iter 30: loss nan, time 1ms", "iter 40: loss nan, time 1ms"]))
    report = import_results("nanogpt", [tmp_path / "bumpy.log", tmp_path / "lost.log"], tmp_path / "out", SIZES_OF_ALL)
    assert report.problems == (
        f"{tmp_path / 'bumpy.log'}: train loss of all is nan at step 10; left out",
        f"{tmp_path / 'lost.log'}: train loss of all is nan at step 10 (3 such values); left out",
    )
    assert report.by_status == {"finished": 1, "diverged": 1, "failed": 0}
    runs = load_runs(tmp_path / "out").set_index("member")
    assert runs.loc["lost", "error"] == "train loss is nan at step 40"
    assert load(tmp_path / "out")["member"].to_list() == ["bumpy"]


def test_a_metric_that_ends_early_is_reported(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("Step,eval/loss,eval/accuracy,loss\n1,2.0,0.5,NaN\n2,1.5,,1.0\n3,,,Infinity\n")
    report = import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL)
    assert [problem.removeprefix(f"{tmp_path / 'h.csv'} (h): ") for problem in report.problems] == [
        "train loss of all is nan at step 1 (2 such values); left out",
        "eval accuracy of all ends at step 1, other metrics at 2; only load(..., steps='all') shows it",
    ]


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("lm_eval", "a.json", '{"results": {"arc": {"acc,no', "a.json: not JSON, or cut short, at line 1"),
        ("lm_eval", "a.json", "[1]", "a.json: foreign, has no 'results'; allowed is a results"),
        ("lm_eval", "a.json", '{"results": {}}', "a.json: holds no score"),
        ("lm_eval", "a.json", '{"results": [1]}', "a.json: foreign, its 'results'"),
        ("lm_eval", "a.json", b"\xff\xfe\x00", "a.json: not JSON"),
        ("trainer", "s.json", '{"log_history": [{"loss": 2.', "s.json: not JSON, or cut short"),
        ("trainer", "s.json", '{"results": {}}', "s.json: foreign, has no 'log_history'"),
        ("trainer", "s.json", '{"log_history": [{"loss": 2.0}]}', "s.json: foreign, its 'log_history'"),
        ("trainer", "s.json", '{"log_history": []}', "s.json: nothing was logged"),
        ("nanogpt", "a.log", "", "a.log: empty; allowed is a log with lines"),
        ("nanogpt", "a.log", "hello\nloss of hope 3\n", "a.log: no line with a loss; allowed is"),
        ("wandb", "a.csv", "", "a.csv: empty or not CSV"),
        ("wandb", "a.csv", "x,r - loss\n1,2\n", "a.csv: no column Step .columns x, r - loss"),
        ("wandb", "a.csv", "Step,r - colour\n1,2\n", "a.csv: no metric among its columns"),
        ("wandb", "a.csv", "Step,r - loss\n1.5,2\n", "a.csv: Step in line 2 is '1.5'; allowed are whole"),
        ("wandb", "a.csv", "Step,r - loss,r - loss\n1,2,3\n", "a.csv: column r - loss is there twice"),
        ("wandb", "a.csv", "Name,params_total,loss\nr,many,2\n", r"a.csv \(r\): params_total=many: allowed is a whole"),
        ("wandb", "a.csv", 'Step,"r - loss\n1,2\n', "a.csv: "),
        ("tensorboard", "a.tfevents", "not an event file", "a.tfevents: foreign, cut short or empty"),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()


def test_missing_parameters_are_asked_for(tmp_path: Path) -> None:
    said = r"results_dummy.json \(tiny_choice\): .* params_total: give it with --set"
    with pytest.raises(UserError, match=said) as caught:
        import_results("lm_eval", [IMPORTED / "lm_eval"], tmp_path / "out")
    assert "--about FILE.csv" in str(caught.value) and not (tmp_path / "out").exists()
    uncounted = json.loads((IMPORTED / "lm_eval/results_small.json").read_text())
    uncounted["config"]["model_num_parameters"] = -1
    (tmp_path / "api.json").write_text(json.dumps(uncounted))
    with pytest.raises(UserError, match=r"api\.json .* params_total"):
        import_results("lm_eval", [tmp_path / "api.json"], tmp_path / "out")
    only_small = pd.DataFrame({"run": ["small"], "params_total": [6_040]})
    with pytest.raises(UserError, match=r"large/trainer_state\.json: .* params_total"):
        import_results("trainer", [IMPORTED / "trainer"], tmp_path / "out", only_small)


@pytest.mark.parametrize(
    ("kind", "paths", "about", "said"),
    [
        ("trainr", ["trainer"], None, "trainr cannot be imported; did you mean 'trainer'.*formats: lm_eval, trainer"),
        ("trainer", ["nowhere"], None, "nowhere: no such file or folder"),
        ("trainer", ["wandb"], None, "wandb: nothing to import as trainer: no trainer_state.json under it"),
        ("trainer", [], None, "no file of format trainer given"),
        ("trainer", ["trainer"], {"param_total": 5}, "param_total cannot be set of a run; did you mean 'params_total'"),
        ("trainer", ["trainer"], {"rung": 5}, "rung cannot be set"),
        ("trainer", ["trainer"], {"params_total": "0"}, "params_total=0: allowed is a whole number from 1"),
        ("trainer", ["trainer"], {"params_total": "1.5"}, "params_total=1.5: allowed is a whole number"),
        ("trainer", ["trainer"], {"params_total": "1e30"}, "params_total=1e30: allowed is a whole number"),
        ("trainer", ["trainer"], {"width": "1e10"}, "width=1e10: allowed is a whole number from 0 to 2147483647"),
        ("trainer", ["trainer"], {"flops": "nan"}, "flops=nan: allowed is a finite number"),
        ("trainer", ["trainer"], pd.DataFrame({"name": ["a"]}), "needs either a column file or a column run"),
        ("trainer", ["trainer/small"], pd.DataFrame({"run": ["small"] * 2}), "small.*2 rows of the sidecar"),
        (
            "trainer",
            ["trainer/small"],
            pd.DataFrame({"run": ["small"], "sed": [1]}),
            "small.*sed cannot be set.*'seed'",
        ),
    ],
)
def test_calls_that_cannot_be(kind: str, paths: list, about: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        import_results(kind, [IMPORTED / path for path in paths], tmp_path / "out", about)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("about.xlsx", b"", r"about.xlsx: allowed as a sidecar is a file .csv, .parquet, .jsonl"),
        ("about.csv", b"", "about.csv: empty, cut short or not CSV"),
        ("about.parquet", b"PAR1", "about.parquet: empty, cut short or not PARQUET"),
        ("about.jsonl", b'{"run": ', "about.jsonl: empty, cut short or not JSONL"),
        ("none.csv", None, "none.csv: no such file"),
    ],
)
def test_sidecars_that_cannot_be_read(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_sidecar(tmp_path / name)


def test_event_files_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "tensorboard":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UserError, match=r"pip install scaling-harness\[tensorboard\]"):
        import_results("tensorboard", [IMPORTED / "tensorboard"], tmp_path, SIZES_OF_ALL)


# ------------------------------------------------------------------------------------------------------- the command


def command(*argv: str) -> tuple[int, str]:
    parser = argparse.ArgumentParser()
    importing.add_arguments(parser)
    console = Console(width=300, record=True, quiet=False)
    with console.capture() as shown:
        code = importing.run(parser.parse_args(argv), console)
    return code, shown.get()


def test_the_verb(tmp_path: Path) -> None:
    SIZES.drop(columns="params_non_embedding").to_csv(tmp_path / "sizes.csv", index=False)
    stated = ["--about", str(tmp_path / "sizes.csv"), "--set", "family=gpt2"]
    code, shown = command("trainer", str(IMPORTED / "trainer"), "--into", str(tmp_path / "out"), *stated)
    assert code == 0
    assert f"{tmp_path / 'out'}: 2 runs (2 finished), 24 measurements" in shown
    assert "note: params_non_embedding is not stated of 2 runs: analyse with analysis.x=params_total" in shown
    assert command("lm-eval", str(IMPORTED / "lm_eval/results_small.json"), "--into", str(tmp_path / "b"))[0] == 0
    with pytest.raises(UserError, match="--set params_total: allowed is SETTING=VALUE"):
        command("trainer", str(IMPORTED / "trainer"), "--into", str(tmp_path / "c"), "--set", "params_total")
