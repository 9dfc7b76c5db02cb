"""What files do not say of their runs: settings, and sidecars with a row a file or run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from imported import IMPORTED

from harness.errors import UserError
from harness.records.importers import import_results
from harness.records.store import load, load_runs
from harness.records.table import read_rows


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
    report = import_results(
        "trainer", [IMPORTED / "trainer"], tmp_path / "out", read_rows(path, as_text=True), {"family": "any"}
    )
    assert report.problems == ("sidecar: file huge is none of the runs imported",)
    runs = load_runs(tmp_path / "out").set_index("member")
    assert runs["params_total"].to_dict() == {"large": 15_152, "small": 6_040}
    assert runs["family"].to_dict() == {"large": "any", "small": "gpt2"}


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
        (
            "trainer",
            ["trainer/small"],
            pd.DataFrame({"run": ["small"] * 2, "seed": [1, 2]}),
            "small.*2 rows of the sidecar are about it and state seed 1 and 2; allowed is one",
        ),
        ("trainer", ["trainer"], {"params": "1M", "params_total": 5}, "params_total is stated twice"),
        ("trainer", ["trainer"], {"params": "many"}, "params_total=many: allowed is a whole number"),
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


def test_names_that_look_like_numbers_are_names(tmp_path: Path) -> None:
    """A sidecar in CSV is read as text: run 007 is not run 7."""
    (tmp_path / "007.log").write_text("step 1: train loss 2.5, val loss 2.4")
    (tmp_path / "sizes.csv").write_text("run,params_total,family\n007,124_000_000,010\n7,1,x\n")
    about = read_rows(tmp_path / "sizes.csv", as_text=True)
    report = import_results("nanogpt", [tmp_path / "007.log"], tmp_path / "out", about)
    assert report.problems == ("sidecar: run 7 is none of the runs imported",)
    runs = load_runs(tmp_path / "out")
    assert runs[["params_total", "family"]].to_numpy().tolist() == [[124_000_000, "010"]]


@pytest.mark.parametrize(
    ("name", "value", "column", "wanted"),
    [
        ("params", "124M", "params_total", 124_000_000),
        ("n_params", "1.3e9", "params_total", 1_300_000_000),
        ("model_size", "1.3B", "params_total", 1_300_000_000),
        ("N", "6040", "params_total", 6_040),
        ("params_total", "6_040", "params_total", 6_040),
        ("params_non_embedding", "1760", "params_non_embedding", 1_760),
        ("non_embedding_params", "85.056M", "params_non_embedding", 85_056_000),
    ],
)
def test_any_one_number_of_parameters_is_enough(
    name: str, value: str, column: str, wanted: int, tmp_path: Path
) -> None:
    report = import_results("nanogpt", [IMPORTED / "nanogpt/small.log"], tmp_path / "out", {name: value})
    runs = load_runs(tmp_path / "out")
    other = ({"params_total", "params_non_embedding"} - {column}).pop()
    assert runs[[column, other, "rung"]].to_numpy().tolist() == [[wanted, 0, 0]]
    vague = name not in ("params_total", "params_non_embedding", "non_embedding_params")
    assert any(note.startswith(f"{name} is taken for params_total") for note in report.notes) == vague


def test_a_sidecar_with_a_row_a_checkpoint_states_totals_by_its_largest(tmp_path: Path) -> None:
    scores = {"results": {"piqa": {"acc": 0.5}}, "config": {"model_args": "pretrained=me/tiny"}}
    for step in (10, 20):
        (tmp_path / f"tiny_step{step}.json").write_text(json.dumps(scores))
    about = pd.DataFrame({"file": ["tiny_step10.json", "tiny_step20.json"], "params": [9, 9], "tokens": [100, 200]})
    import_results("lm_eval", [tmp_path], tmp_path / "out", about)
    frame = load(tmp_path / "out", steps="all")
    assert frame[["step", "tokens"]].to_numpy().tolist() == [[10, 100], [20, 200]]
