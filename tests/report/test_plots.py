from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, drawn
from matplotlib.figure import Figure
from synthetic import make_results

from harness.analysis.emergence.comparison import compare_thresholds
from harness.analysis.fitting.estimator import PowerLaw
from harness.errors import DataError
from harness.records.store import load
from harness.report import plots


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return load(make_results(tmp_path_factory.mktemp("results"), n_subtasks=6, max_seeds=3))


def jump(
    study: str, subtask: str = "all", metric: str = "accuracy", verdict: str = "emergent", **changes: float
) -> dict:
    row = {"study": study, "task": study, "subtask": subtask, "metric": metric, "verdict": verdict}
    row |= {"continuous_metric": "token_accuracy" if metric == "exact_match" else "loss"}
    return row | {"threshold": 1000.0, "threshold_low": 800.0, "threshold_high": 1300.0} | changes


def parity_jumps(n: int) -> pd.DataFrame:
    return pd.DataFrame([jump("parity", f"subtask {i + 1:02}", threshold=500.0 * (i + 1)) for i in range(n)])


@pytest.mark.parametrize("study", ["text", "digits", "induction", "parity"])
@pytest.mark.parametrize("x", ["params_total", "flops"])
def test_scaling_with_law_band_and_residuals(frame: pd.DataFrame, study: str, x: str) -> None:
    part = frame[frame["study"] == study]
    loss = part[(part["metric"] == "loss") & (part["subtask"] == "all")]
    law = PowerLaw(irreducible=study == "digits", n_bootstrap=100).fit(loss[x], loss["value"], loss["seed"])
    axes = plots.plot_scaling(part, law, x)
    check_legible(axes)
    main, below = axes.figure.axes
    assert main is axes and main.get_xscale() == main.get_yscale() == below.get_xscale() == "log"
    assert main.get_xlim() == below.get_xlim()
    residuals = below.lines[1].get_ydata()
    assert np.allclose(residuals, 100 * np.expm1(law.residuals_))
    assert below.get_xlabel() in ("total parameters", "training FLOPs") and "nats" in main.get_ylabel()


@pytest.mark.parametrize(
    ("stated", "label"), [({}, "loss (nats)"), ({"kind": "contrastive"}, "loss (nats)"), ({"kind": "mse"}, "loss")]
)
def test_a_loss_has_the_unit_of_what_training_minimised(stated: dict[str, str], label: str) -> None:
    runs = pd.DataFrame({"config": [json.dumps({"version": 1, "loss": stated}), '{"version": 1}']})
    assert plots.value_label("loss", runs[:1]) == label
    assert plots.value_label("loss", pd.DataFrame({"value": [1.0]})) == "loss (nats)"
    if label == "loss":
        assert plots.value_label("loss", runs) == "loss"


def test_no_line_joins_models_of_several_families() -> None:
    ladder = np.geomspace(1e8, 1e11, 8)
    sizes = np.concatenate([ladder, 1.03 * ladder, 0.96 * ladder])
    runs = pd.DataFrame({"params": sizes, "value": np.linspace(0.2, 0.9, 24), "chance": 0.25})
    for rows, lines in ((runs, ["runs (seeds)", "chance"]), (runs.head(8), ["mean", "runs (seeds)", "chance"])):
        ax = Figure().add_subplot(xscale="log")
        plots.draw_runs(ax, rows, "params")
        assert ax.get_legend_handles_labels()[1] == lines


def test_scaling_without_a_law_and_in_ones_own_grid(frame: pd.DataFrame) -> None:
    part = frame[frame["study"] == "text"]
    check_legible(plots.plot_scaling(part, None))
    left, right = Figure(figsize=(7, 3)).subplots(1, 2)
    loss = part[part["metric"] == "loss"]
    law = PowerLaw(irreducible=False, n_bootstrap=100).fit(loss["params_total"], loss["value"])
    assert plots.plot_scaling(part, law, ax=left) is left
    assert len(left.figure.axes) == 3 and right.get_position().y0 < left.get_position().y0


def test_jump_shows_threshold_and_interval(frame: pd.DataFrame) -> None:
    axes = plots.plot_jump(frame, jump("parity", "subtask 02"))
    check_legible(axes)
    legend = axes.get_legend()
    assert legend is not None
    assert "N* 1,000 (800 to 1,300)" in [text.get_text() for text in legend.get_texts()]
    assert axes.get_ylim() == (-0.05, 1.05)
    check_legible(plots.plot_jump(frame, jump("parity", threshold_low=0.0, threshold_high=np.inf)))
    none = plots.plot_jump(frame, jump("text", verdict="smooth", threshold=np.nan))
    assert not [line for line in none.lines if str(line.get_label()).startswith("N*")]


def test_a_study_or_subtask_whose_name_is_a_number_is_found(frame: pd.DataFrame) -> None:
    numbered = frame[frame["study"] == "parity"].assign(study=3)
    subtask = numbered["subtask"].where(numbered["subtask"] == "all", numbered["subtask"].str[-2:])
    numbered = numbered[subtask != "all"].assign(subtask=subtask[subtask != "all"].astype(int))
    row = jump("3", "2")
    assert len(plots.plot_jump(numbered, row).lines) and len(plots.plot_subtasks(numbered, pd.DataFrame([row]))) == 1


def test_subtasks_share_one_scale(frame: pd.DataFrame) -> None:
    axes = plots.plot_subtasks(frame, parity_jumps(5))
    assert len(axes) == 5 and len({ax.get_ylim() for ax in axes}) == 1
    figure = drawn(axes[0])
    assert figure.get_figwidth() == 7 and sum(not ax.axison for ax in figure.axes) == 1
    assert axes[2].get_title(loc="left") == "subtask 03: emergent"
    labelled = [any(label.get_visible() and label.get_text() for label in ax.get_xticklabels()) for ax in axes]
    assert labelled == [False, False, True, True, True], "the lowest of each column"


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (2, 2), (4, 4), (6, 3)])
def test_a_grid_of_subtasks_has_no_holes_that_fewer_columns_would_fill(
    frame: pd.DataFrame, n: int, columns: int
) -> None:
    figure = plots.plot_subtasks(frame, parity_jumps(n))[0].get_figure()
    assert figure is not None and len({round(ax.get_position().x0, 3) for ax in figure.axes}) == columns
    assert all(ax.axison for ax in figure.axes)


def test_on_a_phone_subtasks_stand_in_two_columns(frame: pd.DataFrame) -> None:
    axes = plots.plot_subtasks(frame, parity_jumps(6), width_in=3.4)
    assert drawn(axes[0]).get_figwidth() == 3.4
    assert len({round(ax.get_position().x0, 3) for ax in axes}) == 2


def test_forest_of_many_thresholds_is_ordered_and_legible() -> None:
    rows = [*parity_jumps(32).to_dict("records"), jump("lookup", verdict="metric artefact", threshold=750.0)]
    axes = plots.plot_thresholds(pd.DataFrame([*rows, jump("text", threshold=np.nan)]))
    check_legible(axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 33 and names[:3] == ["parity: subtask 01", "lookup", "parity: subtask 02"]
    rows = [jump("text", threshold_high=np.inf), jump("lookup", threshold_low=0.0)]
    half_open = plots.plot_thresholds(pd.DataFrame(rows))
    check_legible(half_open)
    (low, high), lines = half_open.get_xlim(), half_open.lines
    arrows = {line.get_marker(): line.get_xdata() for line in lines if len(line.get_xdata())}
    assert arrows["<"] == pytest.approx([low]) and arrows[">"] == pytest.approx([high]), (
        "open ends point off the ladder"
    )
    with pytest.raises(DataError, match="none of the curves"):
        plots.plot_thresholds(pd.DataFrame([jump("text", threshold=np.nan)]))


def test_forest_of_a_comparison_has_intervals_of_all_together(frame: pd.DataFrame) -> None:
    compared = compare_thresholds(frame[frame["study"].isin(("parity", "lookup"))])
    axes = plots.plot_thresholds(compared.table)
    check_legible(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == compared.table["curve"].tolist()
    legend = axes.get_legend()
    assert legend is not None
    *verdicts, own_name, together_name = [text.get_text() for text in legend.get_texts()]
    assert (own_name, together_name) == ("own interval", "simultaneous interval")
    assert set(verdicts) == set(compared.table["verdict"])
    spans = [collection.get_segments() for collection in axes.collections]
    for together, own in zip(spans[::2], spans[1::2], strict=True):  # of each verdict
        assert all(a[0][0] <= b[0][0] and a[1][0] >= b[1][0] for a, b in zip(together, own, strict=True))


def test_nothing_to_draw_is_an_error(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no bleu of subtask all"):
        plots.plot_curve(frame, "bleu")
