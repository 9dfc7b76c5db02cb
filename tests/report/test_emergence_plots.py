from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from legible import check_legible, drawn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from synthetic import make_results

from harness.analysis.emergence.find_jumps import find_jumps
from harness.datasets import make_metric_pairs
from harness.errors import DataError
from harness.records.store import load
from harness.report.emergence_plots import plot_mirage, plot_mirages

SMOOTH, JUMP = "smooth models", "smooth plus a jump"


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return load(make_results(tmp_path_factory.mktemp("results"), n_subtasks=3, max_seeds=3))


@pytest.fixture(scope="module")
def jumps(frame: pd.DataFrame) -> pd.DataFrame:
    return find_jumps(frame)


def row_of(jumps: pd.DataFrame, study: str, subtask: str = "all") -> dict:
    return jumps[(jumps["study"] == study) & (jumps["subtask"] == subtask)].to_dict("records")[0]


def lines(axes: Axes) -> dict[str, np.ndarray]:
    """Label -> y of every line."""
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in axes.lines}


def legend_of(axes: Axes) -> list[str]:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def at_sizes(axes: Axes, label: str) -> np.ndarray:
    """A line, read off at the sizes of the means."""
    (line,), (mean,) = ([line for line in axes.lines if line.get_label() == name] for name in (label, "mean"))
    return np.interp(np.log(mean.get_xdata()), np.log(line.get_xdata()), line.get_ydata())


@pytest.mark.parametrize("study", ["lookup", "induction", "text", "digits", "parity"])
def test_both_metrics_with_the_models_of_their_means(frame: pd.DataFrame, jumps: pd.DataFrame, study: str) -> None:
    row = row_of(jumps, study)
    left, right = plot_mirage(frame, row)
    check_legible(left)
    assert left.get_xlim() == right.get_xlim() and left.get_xscale() == right.get_xscale() == "log"
    assert left.get_ylabel() == row["metric"].replace("_", " ")
    assert right.get_ylabel() in ("token accuracy", "loss (nats)")
    for axes, state in ((left, row["state"]), (right, row["continuous_state"])):
        drawn = lines(axes)
        assert {"runs (seeds)", "mean", SMOOTH} <= set(drawn)
        assert (JUMP in drawn) == (state in ("jump", "drop")), "a jump is drawn where there is one"
        # The models describe the curve: they keep to its side, lower where lower is better.
        rise = np.sign(drawn["mean"][-1] - drawn["mean"][0])
        assert all(np.sign(drawn[name][-1] - drawn[name][0]) == rise for name in {SMOOTH, JUMP} & set(drawn))
    figure = left.get_figure(root=True)
    assert figure is not None and figure.get_figwidth() == 7
    assert figure.get_suptitle() == f"{study} – {row['verdict']}"
    assert len(set(legend_of(left))) == len(legend_of(left)), "each entry once"
    assert legend_of(left)[:3] == ["runs (seeds)", "mean", SMOOTH]


def test_smooth_models_follow_a_smooth_rise_and_not_a_jump_which_needs_one_of_its_own(
    frame: pd.DataFrame, jumps: pd.DataFrame
) -> None:
    def off(label: str, study: str, subtask: str = "all") -> float:
        axes = plot_mirage(frame, row_of(jumps, study, subtask))[1]
        means = lines(axes)["mean"]
        return float(np.abs(means - at_sizes(axes, label)).max() / np.ptp(means))

    assert off(SMOOTH, "text") < 0.04 < 0.1 < off(SMOOTH, "parity", "subtask 03")
    assert off(JUMP, "parity", "subtask 03") < 0.05
    # Induction leaps across a gap of 2.2 steps, which a smooth curve nearly does too.
    assert off(JUMP, "induction") < 0.04


@pytest.mark.parametrize(("kind", "sign"), [("jump", 1), ("drop", -1)])
def test_a_jump_and_a_drop_on_a_slope(kind: str, sign: int) -> None:
    """The jump lies anywhere between the fifth and the sixth size: its posterior mean is a ramp across that gap."""
    size, seed = (axis.ravel() for axis in np.indices((9, 4)))
    rng = np.random.default_rng(0)
    value = 0.5 + sign * (0.02 * size + 0.2 * (size > 4.5)) - 0.1 * sign + 0.01 * rng.standard_normal(len(size))
    frame = pd.DataFrame({"params": 100 * 2.0**size, "seed": seed, "metric": "accuracy", "value": value})
    (row,) = find_jumps(frame, x="params").to_dict("records")
    assert (row["verdict"], row["state"]) == ("candidate" if kind == "jump" else "drop", kind)
    left, _ = plot_mirage(frame, row, x="params")
    check_legible(left)
    np.testing.assert_allclose(at_sizes(left, JUMP), lines(left)["mean"], atol=0.02)
    (line,) = (line for line in left.lines if line.get_label() == JUMP)
    middle = np.interp(np.log(100 * 2**4.5), np.log(line.get_xdata()), line.get_ydata())
    assert middle == pytest.approx(at_sizes(left, JUMP)[4:6].mean(), abs=0.03)


def test_an_artefact_is_drawn_as_the_power_that_it_is(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    """Tokens improve over 4.2 steps; all sixteen of an answer are right."""
    size, seed = (axis.ravel() for axis in np.indices((9, 4)))
    rng = np.random.default_rng(0)
    token = np.clip(0.1 + 0.88 / (1 + 9 ** (-(size - 2.5) / 2.1)) + 0.005 * rng.standard_normal(len(size)), 0, 1)
    runs = pd.DataFrame({"params": 100 * 2.0**size, "seed": seed})
    metrics = {"exact_match": token**16, "token_accuracy": token}
    both = pd.concat([runs.assign(metric=name, value=value) for name, value in metrics.items()])
    both["paired_metric"] = both["metric"].map({"exact_match": "token_accuracy"})
    (row,) = find_jumps(both, x="params").to_dict("records")
    assert row["verdict"] == "metric artefact"
    left, right = plot_mirage(both, row, x="params")
    check_legible(left)
    drawn = lines(left)
    (power,) = (y for label, y in drawn.items() if label.startswith("(token accuracy)"))
    np.testing.assert_allclose(power, drawn["mean"], atol=0.03)
    assert JUMP not in legend_of(left) and right.axison
    assert not any(label.startswith("(loss)") for label in lines(plot_mirage(frame, row_of(jumps, "text"))[0]))


def test_threshold_is_marked_in_both_panels(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    row = row_of(jumps, "induction")
    for axes in plot_mirage(frame, row):
        (marked,) = (line for line in axes.lines if str(line.get_label()).startswith("N* "))
        assert marked.get_xdata()[0] == pytest.approx(row["threshold"])
    none = row | {"threshold": np.nan, "threshold_low": np.nan, "threshold_high": np.nan}
    assert not any(label.startswith("N* ") for label in legend_of(plot_mirage(frame, none)[0]))


def test_an_interval_without_a_value_is_shaded_and_never_called_nan(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    row = row_of(jumps, "induction") | {"threshold": np.nan, "threshold_low": 0.0, "threshold_high": 960.0}
    left, _ = plot_mirage(frame, row)
    check_legible(left)
    assert "N* open below, to 960" in legend_of(left) and not any("nan" in label for label in legend_of(left))
    (shade,) = (patch for patch in left.patches if patch.get_label() == "N* open below, to 960")
    assert shade.get_extents().x1 == pytest.approx(left.transData.transform((960, 0))[0], abs=1)
    off = row | {"threshold_high": 0.0}
    assert not any(label.startswith("N*") for label in legend_of(plot_mirage(frame, off)[0]))


def test_the_onset_is_marked_where_it_is_not_within_the_interval_of_the_threshold(
    frame: pd.DataFrame, jumps: pd.DataFrame
) -> None:
    row = row_of(jumps, "induction") | {"onset": 800.0, "onset_low": 0.0, "onset_high": 1_200.0}
    assert "onset 800 (open below, to 1,200)" in legend_of(plot_mirage(frame, row)[0])
    for onset in (row["threshold"], np.nan):
        assert not any(label.startswith("onset") for label in legend_of(plot_mirage(frame, row | {"onset": onset})[0]))


@pytest.mark.parametrize("study", ["induction", "text", "lookup"])
def test_on_a_phone_the_pair_stands_below_and_the_legend_fits(
    frame: pd.DataFrame, jumps: pd.DataFrame, study: str
) -> None:
    above, below = plot_mirage(frame, row_of(jumps, study), stacked=True)
    check_legible(above)
    figure = drawn(above)
    assert above.get_position().y0 > below.get_position().y1 and figure.get_figwidth() == 3.4
    legend = figure.legends[0].get_window_extent()
    assert legend.x1 <= figure.bbox.x1 and legend.y0 >= above.get_window_extent().y1
    assert legend.y0 - above.get_window_extent().y1 < 0.4 * figure.dpi, "no hole between the legend and the panels"


def test_the_shaded_interval_has_a_legend_entry(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    left, _ = plot_mirage(frame, row_of(jumps, "induction"))
    assert "interval of N*" in legend_of(left)
    (shade,) = (patch for patch in left.patches if patch.get_label() == "interval of N*")
    assert shade.get_alpha() == pytest.approx(0.18)


def test_a_curve_without_a_pair_or_too_short_to_be_tested(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    alone = frame[frame["metric"] != "token_accuracy"]
    left, right = plot_mirage(alone, row_of(find_jumps(alone), "lookup"))
    assert not right.axison and "no token accuracy was measured" in right.texts[0].get_text()
    check_legible(left)
    short = frame[frame["rung"] < 3]
    left, right = plot_mirage(short, row_of(find_jumps(short), "text"))
    check_legible(left)
    assert "mean" in lines(left) and SMOOTH not in legend_of(left)
    with pytest.raises(DataError, match="no exact_match of lookup"):
        plot_mirage(frame[frame["study"] == "text"], row_of(jumps, "lookup"))


def test_seeds_that_were_tested_separately_are_lines() -> None:
    """Each seed jumps at a size of its own; their mean is smooth."""
    rng = np.random.default_rng(0)
    size, seed = (axis.ravel() for axis in np.indices((9, 12)))
    learnt = size > rng.uniform(1, 7, 12)[seed]
    columns = {"params": 100 * 2.0**size, "seed": seed, "metric": "accuracy"}
    frame = pd.DataFrame(columns | {"value": np.where(learnt, 0.95, 0.05) + 0.01 * rng.standard_normal(len(size))})
    (row,) = find_jumps(frame, x="params").to_dict("records")
    assert row["tested_by_seed"]
    left, _ = plot_mirage(frame, row, x="params")
    check_legible(left)
    assert "each seed (tested separately)" in legend_of(left) and JUMP not in legend_of(left)
    thin = [line for line in left.lines if line.get_linewidth() == 0.5]
    assert len(thin) == 12 and all(np.abs(np.diff(line.get_ydata())).max() > 0.8 for line in thin)


def test_names_that_are_numbers_are_found_in_a_table_read_from_csv(tmp_path: Path) -> None:
    make_metric_pairs(2, random_state=0).frame.to_csv(tmp_path / "own.csv")
    frame = pd.read_csv(tmp_path / "own.csv")
    assert frame["study"].dtype == int
    jumps = find_jumps(frame, x="params")
    jumps.to_csv(tmp_path / "jumps.csv")
    for row in (*jumps.to_dict("records"), *pd.read_csv(tmp_path / "jumps.csv").to_dict("records")):
        left, right = plot_mirage(frame, row, x="params")
        assert "mean" in lines(left) and right.axison


def test_several_rows_stand_above_each_other(frame: pd.DataFrame, jumps: pd.DataFrame) -> None:
    rows = [row_of(jumps, "parity", "subtask 02"), row_of(jumps, "text")]
    pairs = plot_mirages(frame, rows)
    root = pairs[0][0].get_figure(root=True)
    assert isinstance(root, Figure) and len(pairs) == 2 and len(root.subfigs) == 2
    assert pairs[0][0].get_window_extent().y0 > pairs[1][0].get_window_extent().y1
    assert [sub.get_suptitle() for sub in root.subfigs] == [
        f"parity: subtask 02 – {rows[0]['verdict']}",
        f"text – {rows[1]['verdict']}",
    ]
    with pytest.raises(DataError, match="no curve"):
        plot_mirages(frame, [])


def test_along_a_loss_the_axis_falls(frame: pd.DataFrame) -> None:
    """Sizes are drawn at 1 / loss, and everything is written in the loss."""
    named = frame[frame["study"] == "induction"].assign(loss=lambda table: 1e4 / table["params_non_embedding"])
    (row,) = find_jumps(named, x="loss").to_dict("records")
    left, right = plot_mirage(named, row, x="loss")
    check_legible(left)
    labels = [float(text.get_text()) for text in left.get_xticklabels()]
    assert labels == sorted(labels, reverse=True) and left.get_xlabel() == right.get_xlabel() == "loss, falling"
    (mark,) = [text for text in legend_of(left) if text.startswith("N* ")]
    assert float(mark.split()[1].replace(",", "")) == pytest.approx(row["threshold"], rel=0.01)
