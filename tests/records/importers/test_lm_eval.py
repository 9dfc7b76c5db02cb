from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from imported import IMPORTED, SIZES_OF_ALL

import harness
from harness.errors import DataError
from harness.records.importers import import_results
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


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("lm_eval", "a.json", '{"results": {"arc": {"acc,no', "a.json: not JSON, or cut short, at line 1"),
        ("lm_eval", "a.json", "[1]", "a.json: foreign, has no 'results'; allowed is a results"),
        ("lm_eval", "a.json", '{"results": {}}', "a.json: holds no score"),
        ("lm_eval", "a.json", '{"results": [1]}', "a.json: foreign, its 'results'"),
        ("lm_eval", "a.json", b"\xff\xfe\x00", "a.json: not JSON"),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()
