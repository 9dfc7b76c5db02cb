from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest
from imported import IMPORTED, REAL, SIZES_OF_ALL, needs_real_data

import harness
from harness.errors import DataError
from harness.records.importers import import_results, lm_eval
from harness.records.store import load, load_runs


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
        ("tiny_choice", "0-shot", "acc"),
        ("tiny_choice", "0-shot", "acc_norm"),
        ("tiny_choice", "0-shot", "brier_score"),
        ("tiny_generate", "0-shot", "exact_match,strict-match"),
        ("tiny_generate", "0-shot", "exact_match,flexible-extract"),
        ("tiny_stories", "0-shot", "word_perplexity"),
        ("tiny_stories", "0-shot", "bits_per_byte"),
        ("tiny_suite", "0-shot", "acc"),
        ("tiny_suite", "tiny_choice_a, 0-shot", "acc"),
        ("tiny_suite", "tiny_choice_a, 0-shot", "acc_norm"),
        ("tiny_suite", "tiny_choice_b, 0-shot", "acc"),
        ("tiny_suite", "tiny_choice_b, 0-shot", "acc_norm"),
    }
    columns = ["value", "stderr", "n_eval", "higher_is_better", "discontinuous", "paired_metric"]
    acc = small.loc[("tiny_choice", "0-shot", "acc"), columns].to_list()
    assert acc == [5 / 12, pytest.approx(0.14865, abs=1e-5), 12, True, True, "brier_score"]
    brier = small.loc[("tiny_choice", "0-shot", "brier_score")]
    assert brier[["higher_is_better", "discontinuous"]].to_list() == [False, False]
    assert pd.isna(brier["stderr"]) and pd.isna(brier["paired_metric"])
    assert small.loc[("tiny_suite", "0-shot", "acc"), "n_eval"] == 14
    jumps = harness.find_jumps(frame, x="params_total")
    assert set(jumps["verdict"]) == {"too few sizes"} and len(jumps) == 9
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


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("lm_eval", "a.json", '{"results": {"arc": {"acc,no', "a.json: not JSON, or cut short, at line 1"),
        ("lm_eval", "a.json", "[1]", "a.json: foreign, has no 'results'; allowed is a results file"),
        ("lm_eval", "a.json", '{"results": {}}', "a.json: holds no score"),
        ("lm_eval", "a.json", '{"results": [1]}', "a.json: foreign, its 'results'"),
        ("lm_eval", "a.json", b"\xff\xfe\x00", "a.json: not JSON"),
        ("lm_eval", "a.json", "", "a.json: empty"),
        ("lm_eval", "a.json.gz", b"", "a.json.gz: empty"),
        ("lm_eval", "a.json.gz", gzip.compress(b"", mtime=0), "a.json.gz: empty"),
        ("lm_eval", "a.json.gz", gzip.compress(b'{"results": {}}', mtime=0)[:-9], "a.json.gz: cannot be unpacked"),
        ("lm_eval", "a.json.gz", b'{"results": {}}', "a.json.gz: cannot be unpacked"),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()


def scores(model: str = "me/tiny", shots: int | None = 0, **results: dict) -> dict:
    """What lm-eval 0.3 writes of one model."""
    config = {"model": "hf", "model_args": f"pretrained={model}", "num_fewshot": shots}
    return {"results": results, "versions": {}, "config": config}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    write(tmp_path / "in/any name.json", scores("me/small", piqa={"acc": 0.5}))
    write(tmp_path / "in/deep/er.json.gz", scores("me/large", piqa={"acc": 0.6}))
    for name, content in (("list", [1]), ("config", {"lr": 1}), ("other", {"results": [1]}), ("none", {"results": {}})):
        write(tmp_path / f"in/{name}.json", content)
    (tmp_path / "in/lines.json").write_text('{"a": 1}\n{"a": 2}\n')
    report = import_results("lm_eval", [tmp_path / "in"], tmp_path / "out", SIZES_OF_ALL)
    assert report.read == "2 models, 1 task, 2 files"
    assert load(tmp_path / "out")["member"].to_list() == ["me/large", "me/small"]
    (passed_over,) = report.problems
    assert passed_over.startswith(f"{tmp_path / 'in'}: 5 other files are passed over; ")


def test_a_folder_without_results_or_with_one_cut_short_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "list.json", [1])
    with pytest.raises(DataError, match=r"nothing to import as lm_eval; .*list\.json: foreign"):
        import_results("lm_eval", [tmp_path], tmp_path / "out", SIZES_OF_ALL)
    write(tmp_path / "good.json", scores(piqa={"acc": 0.5}))
    (tmp_path / "short.json").write_text('{"results": {"piqa": {"acc')
    with pytest.raises(DataError, match=r"short\.json: not JSON, or cut short"):
        import_results("lm_eval", [tmp_path], tmp_path / "out", SIZES_OF_ALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "arguments", "model", "step"),
    [
        ("a.json", "pretrained=E/pythia-70m,revision=step93000", "E/pythia-70m", 93000),
        ("a.json", {"pretrained": "E/pythia-70m", "revision": "step93000"}, "E/pythia-70m", 93000),
        ("a.json", "pretrained=a/OLMo,revision=step20000-tokens84B", "a/OLMo", 20000),
        ("a.json", "pretrained=runs/small/checkpoint-500", "runs/small", 500),
        ("a.json", "pretrained=gpt-step1000-hf", "gpt-hf", 1000),
        ("70m_step128.json", "pretrained=E/pythia-70m,revision=main", "E/pythia-70m", 128),
        ("70m_step128.json", "", "70m", 128),
        ("global_step64.json", "", "folder", 64),
        ("stepwise.json", "", "stepwise", None),
        ("a.json", "pretrained=E/pythia-70m", "E/pythia-70m", None),
    ],
)
def test_model_and_step(file: str, arguments: str | dict, model: str, step: int | None, tmp_path: Path) -> None:
    content = scores(piqa={"acc": 0.5})
    content["config"]["model_args"] = arguments
    (run,) = lm_eval.read(write(tmp_path / "folder" / file, content))
    assert (run.name, run.numbers[0].step) == (model, step)


def test_a_step_in_two_places_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "m_step2.json", scores("m,revision=step1", piqa={"acc": 0.5}))
    report = import_results("lm_eval", [path], tmp_path / "out", SIZES_OF_ALL)
    assert report.problems == (f"{path} (piqa): its steps differ: revision 1, file name 2; the first counts",)


def test_shots_are_kept_apart(tmp_path: Path) -> None:
    for shots, value in ((0, 0.5), (5, 0.6), (None, 0.7)):
        write(tmp_path / f"{shots}.json", scores(shots=shots, piqa={"acc": value}))
    report = import_results("lm_eval", [tmp_path], tmp_path / "out", SIZES_OF_ALL)
    assert report.n_runs == 1
    frame = load(tmp_path / "out").set_index("subtask")["value"]
    assert frame.to_dict() == {"0-shot": 0.5, "5-shot": 0.6, "all": 0.7}


def test_results_by_task_and_time(tmp_path: Path) -> None:
    times = {"2022-07-07-20-45-17": {"acc": 0.25, "acc_stderr": 0.0137}, "2022-07-08-00-00-00": {"acc": 0.75}}
    path = write(tmp_path / "m.json", {"results": {"arc_challenge": times}, "versions": {}})
    report = import_results("lm_eval", [path], tmp_path / "out", SIZES_OF_ALL)
    assert load(tmp_path / "out")["value"].to_list() == [0.75]
    assert report.problems == (
        f"{path} (arc_challenge): 1 earlier evaluation passed over, that of 2022-07-08-00-00-00 is read",
    )


@needs_real_data
def test_the_timestamp_layout_of_old_files(tmp_path: Path) -> None:
    report = import_results("lm_eval", [REAL / "made_timestamp_layout.json"], tmp_path, {"params": "1.3B"})
    assert report.read == "1 model, 2 tasks, 1 file" and report.problems == ()
    frame = load(tmp_path).set_index(["task", "metric"])
    assert frame["value"].to_dict() == {
        ("arc_challenge", "acc"): 0.2704,
        ("arc_challenge", "acc_norm"): 0.3020,
        ("lambada", "acc"): 0.5202,
        ("lambada", "ppl"): 9.1,
    }
    assert frame["stderr"].notna().all()
    # 1,172 and 5,153 are the numbers of their test items, but for the rounding of the errors.
    assert frame.loc["arc_challenge", "n_eval"].to_list() == pytest.approx([1172, 1172], rel=0.01)
    assert frame.loc["lambada", "n_eval"].to_list() == pytest.approx([5153, 5153], rel=0.02)
    assert any("as they are rounded" in note for note in report.notes)


@needs_real_data
def test_pythia_has_a_run_a_model_and_task_with_all_checkpoints(tmp_path: Path) -> None:
    sizes = {"pythia-70m": 18_915_328, "pythia-160m": 85_056_000, "pythia-410m": 302_311_424}
    about = pd.DataFrame({"file": list(sizes), "params_non_embedding": list(sizes.values())})
    folders = [REAL / "lm_eval_pythia" / name for name in sizes]
    report = import_results("lm_eval", folders, tmp_path, about, {"family": "pythia", "tokens": 143_000 * 2_097_152})
    assert report.read == "3 models, 27 checkpoints each, 87 tasks, 81 files" and report.problems == ()
    assert report.n_runs == 3 * 87 and report.n_measurements == 81 * 172
    frame = load(tmp_path, steps="all")
    assert sorted(frame["step"].unique())[:4] == [0, 1, 2, 4] and frame["step"].max() == 143_000
    assert (frame["tokens"] == frame["step"] * 2_097_152).all()
    assert set(frame["subtask"]) == {"0-shot"} and set(frame["rung"]) == {0, 1, 2}
    last = load(tmp_path)
    assert len(last) == 3 * 172 and set(last["step"]) == {143_000}
    # Numbers of items as the benchmarks have them, though no file states one, nor lambada's accuracy of 0 any error.
    n_eval = frame.groupby("task")["n_eval"].unique().map(list)
    wanted = {"lambada_openai": 5153, "piqa": 1838, "arc_easy": 2376, "sciq": 1000, "hendrycksTest-virology": 166}
    assert {task: n_eval[task] for task in wanted} == {task: [n] for task, n in wanted.items()}
    assert frame["n_eval"].notna().all()
    shares = frame[frame["metric"].isin(["acc", "acc_norm", "pct_stereotype"])]
    assert shares["chance"].notna().all() and shares["stderr"].notna().all()
    assert frame.groupby("task")["paired_metric"].max().loc[lambda pairs: pairs != ""].to_dict() == {
        "lambada_openai": "ppl"
    }
    stereotypes = frame[frame["metric"].isin(["pct_stereotype", "likelihood_difference"])]
    assert not stereotypes["higher_is_better"].any()
    assert any("derived" in note and "87 tasks" in note and "error of 0" in note for note in report.notes)
    assert any("chance of 87 of 87 tasks" in note for note in report.notes)
    jumps = harness.find_jumps(last[last["task"].isin(["lambada_openai", "piqa"])], x="params_non_embedding")
    assert jumps.attrs["assumed"] == {} and not jumps["reason"].str.contains("n_eval unknown").any()


@needs_real_data
def test_opt_is_taken_by_the_names_of_its_models(tmp_path: Path) -> None:
    names = ["125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b"]
    about = pd.DataFrame({"run": [f"opt-{name}" for name in names], "model_size": [name.upper() for name in names]})
    report = import_results("lm_eval", [REAL / "lm_eval_opt"], tmp_path, about)
    assert report.read == "8 models, 65 tasks, 8 files" and report.problems == ()
    frame = load(tmp_path)
    assert set(frame["member"]) == {f"facebook/opt-{name}" for name in names}
    assert set(frame["params_total"]) >= {125_000_000, 1_300_000_000} and frame["n_eval"].notna().all()
