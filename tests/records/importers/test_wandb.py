from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from imported import IMPORTED, REAL, SIZES, SIZES_OF_ALL, needs_real_data, values

from harness.errors import DataError, UserError
from harness.records.importers import import_results
from harness.records.store import load, load_runs


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


def test_a_loss_beside_an_accuracy_is_no_pair_unless_stated(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("Step,eval/loss,eval/accuracy\n1,2.0,0.5\n")
    for pairs, wanted in ((None, ""), ({"accuracy": "loss"}, "loss")):
        report = import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL, pairs=pairs)
        frame = load(tmp_path / "out").set_index("metric")
        assert frame.loc["accuracy", "paired_metric"] == wanted and pd.isna(frame.loc["loss", "paired_metric"])
        assert any("no continuous metric is known" in note for note in report.notes) == (wanted == "")
    with pytest.raises(UserError, match="pair of acuracy: no file holds such a metric; did you mean 'accuracy'"):
        import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL, pairs={"acuracy": "loss"})


def test_a_metric_that_ends_early_is_reported(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("Step,eval/loss,eval/accuracy,loss\n1,2.0,0.5,NaN\n2,1.5,,1.0\n3,,,Infinity\n")
    report = import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL)
    assert [problem.removeprefix(f"{tmp_path / 'h.csv'} (h): ") for problem in report.problems] == [
        "train loss of all is nan at step 1 (2 such values); left out",
        "eval accuracy of all ends at step 1, other metrics at 2; only load(..., steps='all') shows it",
    ]


def test_ranges_are_passed_over_and_any_column_is_the_x_axis_of_a_chart(tmp_path: Path) -> None:
    chart = (IMPORTED / "wandb/chart.csv").read_text()
    (tmp_path / "chart.csv").write_text(chart.replace('"Step"', '"ray/num_steps_sampled"'))
    report = import_results("wandb", [tmp_path / "chart.csv"], tmp_path / "out", SIZES)
    import_results("wandb", [IMPORTED / "wandb/chart.csv"], tmp_path / "wanted", SIZES)
    assert values(tmp_path / "out") == values(tmp_path / "wanted")
    assert report.problems == (
        f"{tmp_path / 'chart.csv'}: 4 columns __MIN and __MAX are passed over",
        f"{tmp_path / 'chart.csv'}: steps are those of its x axis, ray/num_steps_sampled",
    )


def test_an_x_axis_of_tokens_gives_the_tokens_too(tmp_path: Path) -> None:
    (tmp_path / "chart.csv").write_text("throughput/total_tokens,r - eval/loss\n1000,2.0\n4000,1.5\n")
    import_results("wandb", [tmp_path / "chart.csv"], tmp_path / "out", SIZES_OF_ALL)
    assert load(tmp_path / "out", steps="all")["tokens"].to_list() == [1000, 4000]
    assert load_runs(tmp_path / "out")["tokens"].to_list() == [4000]


@needs_real_data
def test_the_export_with_benchmarks(tmp_path: Path) -> None:
    report = import_results("wandb", [REAL / "made_wandb_export.csv"], tmp_path, {"params": "60M", "family": "olmo"})
    assert report.read == "2 runs, 1 task, 1 file"
    frame = load(tmp_path, steps="all")
    about = ["study", "task", "subtask", "metric", "chance", "paired_metric", "split"]
    assert frame[about].drop_duplicates().to_numpy().tolist() == [
        ["olmo/arc_easy_val_rc", "arc_easy_val_rc", "5-shot", "len_norm", 0.25, "", "eval"]
    ]
    assert values(tmp_path) == {
        ("ladder-190M", 1000, "len_norm"): 0.302,
        ("ladder-190M", 4000, "len_norm"): 0.389,
        ("ladder-60M", 1000, "len_norm"): 0.281,
        ("ladder-60M", 2000, "len_norm"): 0.305,
        ("ladder-60M", 4000, "len_norm"): 0.331,
    }


def test_benchmarks_of_one_run_are_judged_by_metrics_of_the_same_answers(tmp_path: Path) -> None:
    names = "eval/loss,eval/downstream/piqa_val_rc_5shot_acc,eval/downstream_bpb/piqa_val_rc_5shot_bpb_bpb"
    (tmp_path / "h.csv").write_text(f"Step,{names}\n1,2.0,0.5,1.25\n")
    import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL)
    frame = load(tmp_path / "out").set_index(["study", "metric"])
    assert set(frame.index) == {("main", "loss"), ("piqa_val_rc", "acc"), ("piqa_val_rc", "bpb")}
    assert frame.loc[("piqa_val_rc", "acc"), ["paired_metric", "chance", "subtask"]].to_list() == ["bpb", 0.5, "5-shot"]


def test_histories_below_each_other_are_told_apart_by_run_name(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("run_name,_step,eval/loss\na,1,3.0\na,2,2.5\nb,1,2.8\nb,2,2.2\n")
    import_results("wandb", [tmp_path / "h.csv"], tmp_path / "out", SIZES_OF_ALL)
    assert values(tmp_path / "out") == {
        ("a", 1, "loss"): 3.0,
        ("a", 2, "loss"): 2.5,
        ("b", 1, "loss"): 2.8,
        ("b", 2, "loss"): 2.2,
    }
    (tmp_path / "last.csv").write_text("run_name,_step,eval/loss,n_params\na,2,2.5,100\nb,2,2.2,1K\n")
    import_results("wandb", [tmp_path / "last.csv"], tmp_path / "last")
    assert load_runs(tmp_path / "last").set_index("member")["params_total"].to_dict() == {"a": 100, "b": 1000}


def test_runs_of_a_chart_that_share_a_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "chart.csv").write_text("Step,r - eval/loss,r - eval/loss\n1,2.0,3.0\n")
    report = import_results("wandb", [tmp_path / "chart.csv"], tmp_path / "out", SIZES_OF_ALL)
    assert values(tmp_path / "out") == {("r", 1, "loss"): 2.0, ("r (2)", 1, "loss"): 3.0}
    assert report.problems == (f"{tmp_path / 'chart.csv'}: runs share the name r: one of them is called r (2) here",)


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("wandb", "a.csv", "", "a.csv: empty or not CSV"),
        ("wandb", "a.csv", "x,y,r - loss\n1,2,3\n", "a.csv: no column Step .columns x, y, r - loss"),
        ("wandb", "a.csv", "time,r - loss\n0.5,3\n", "a.csv: time in line 2 is '0.5'; allowed are whole"),
        ("wandb", "a.csv", "Step,r - colour\n1,2\n", "a.csv: no metric among its columns"),
        ("wandb", "a.csv", "Step,r - loss\n1.5,2\n", "a.csv: Step in line 2 is '1.5'; allowed are whole"),
        ("wandb", "a.csv", "Step,loss,loss\n1,2,3\n", "a.csv: column loss is there twice"),
        ("wandb", "a.csv", "Name,params_total,loss\nr,many,2\n", r"a.csv \(r\): params_total=many: allowed is a whole"),
        ("wandb", "a.csv", 'Step,"r - loss\n1,2\n', "a.csv: "),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()


def test_a_cell_of_text_among_numbers_is_said(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("Step,run - loss\n1,3.0\n2,abc\n3,2.5\n4,2.4\n")
    report = import_results("wandb", [path], tmp_path / "out", SIZES_OF_ALL)
    assert any("column run - loss: 1 cell left out" in note and "(line 3: abc)" in note for note in report.problems)


def test_cells_of_metrics_that_are_no_numbers_are_counted_however_many(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text('Step,eval/loss,note\n1,"1,9",a\n2,N/A,b\n3,-,c\n4,1_5,d\n5,1.5,e\n5,1.25,f\n')
    report = import_results("wandb", [path], tmp_path / "out", SIZES_OF_ALL)
    assert set(values(tmp_path / "out").values()) == {1.25}
    assert report.problems == (
        f"{path}: column eval/loss: 4 cells left out that no number stands in (line 2: 1,9)",
        f"{path} (history): 1 value is left out because a later one of the same step counts (the first: eval loss of "
        "all at step 5, 1.5)",
    )
    path.write_text('Step,eval/loss\n1,"1,9"\n')
    with pytest.raises(DataError, match=r"eval/loss: 1 cell left out .*line 2: 1,9\); no metric among its columns"):
        import_results("wandb", [path], tmp_path / "out", SIZES_OF_ALL)
