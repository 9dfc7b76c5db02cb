"""Several curves on one pair of axes: laws, N*, names and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from legible import check_legible

from harness import datasets
from harness.analysis.emergence.find_jumps import find_jumps
from harness.analysis.fitting.estimator import PowerLaw
from harness.errors import DataError
from harness.report.axes import as_file
from harness.report.overlay_plots import plot_overlay
from harness.wording import interval


def together(**studies: pd.DataFrame) -> pd.DataFrame:
    named = [frame.assign(study=name, run_id=name + frame["run_id"].astype(str)) for name, frame in studies.items()]
    return pd.concat(named, ignore_index=True)


@pytest.fixture(scope="module")
def texts() -> pd.DataFrame:
    standard, mup = (datasets.make_text_study(random_state=seed) for seed in (0, 1))
    worse = standard["value"].where(standard["metric"] != "loss", 1.06 * standard["value"])
    return together(standard=standard.assign(value=worse), mup=mup)


@pytest.fixture(scope="module")
def parities() -> pd.DataFrame:
    width, depth = (datasets.make_parity_study(threshold_rung=at, random_state=0) for at in (2.0, 5.0))
    return together(width=width, depth=depth).assign(subtask="all")


def labels(axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def stars(axes) -> list[float]:
    return [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "*"]


def test_losses_have_their_laws_with_bands_and_exponents(texts: pd.DataFrame) -> None:
    axes = plot_overlay(texts)
    check_legible(axes)
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.get_ylabel() == "loss (nats)"
    first, second, points = labels(axes)
    assert first.startswith("standard: α 0.0866") and first.endswith("floor 1.22")
    assert second.startswith("mup: α 0.0") and points == "runs (seeds)"
    assert len(axes.collections) == 4, "a band and the intervals of the means of each curve"
    loss = texts[(texts["metric"] == "loss") & (texts["study"] == "mup")]
    law = PowerLaw(irreducible=False).fit(loss["params_total"], loss["value"])
    given = plot_overlay(texts, "loss", "params_total", laws={"mup": law})
    assert labels(given)[0] == "standard" and f"α {law.params_['alpha']:.4f}" in labels(given)[1]


def test_a_curve_that_jumps_has_its_threshold_and_one_that_does_not_has_none(parities: pd.DataFrame) -> None:
    axes = plot_overlay(parities, "accuracy")
    check_legible(axes)
    jumps = find_jumps(parities)
    assert stars(axes) == pytest.approx(jumps["threshold"].tolist())
    expected = [interval(*row) for row in jumps[["threshold", "threshold_low", "threshold_high"]].to_numpy()]
    assert labels(axes)[:2] == [f"width: N* {expected[0]}", f"depth: N* {expected[1]}"]
    assert labels(axes)[-1] == "N*, 95 % interval"
    smooth = plot_overlay(datasets.make_text_study(random_state=0), "accuracy")
    assert not stars(smooth) and not any("N*" in label for label in labels(smooth))


def test_a_loss_that_no_law_describes_is_joined_through_its_means(parities: pd.DataFrame) -> None:
    axes = plot_overlay(parities, "loss")
    check_legible(axes)
    assert not any("α" in label for label in labels(axes))
    loss = parities[(parities["metric"] == "loss") & (parities["study"] == "width")]
    joined = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    means = loss.groupby("params_non_embedding")["value"].mean()
    assert any(np.allclose(line.get_ydata(), means) for line in joined if len(line.get_ydata()) == len(means))


def test_ones_own_table_by_a_column_of_its_own() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"N": n, "corpus": corpus, "metric": "val_loss", "value": scale * n**-0.1 * np.exp(rng.normal(0, 0.003))}
        for corpus, scale in (("web", 8.0), ("books", 7.0))
        for n in np.geomspace(1e6, 1e9, 7)
    ]
    axes = plot_overlay(pd.DataFrame(rows), x="N", by="corpus")
    check_legible(axes)
    assert [label.split(":")[0] for label in labels(axes)] == ["web", "books", "runs (seeds)"]
    assert "α 0.0997" in labels(axes)[0] and axes.get_ylabel() == "val loss"


def test_one_seed_three_sizes_and_twelve_long_names_are_legible(texts: pd.DataFrame) -> None:
    few = texts[texts["seed"].eq(texts["seed"].min()) & texts["rung"].lt(3)]
    axes = plot_overlay(few)
    check_legible(axes)
    assert not any(segments.size for each in axes.collections for segments in getattr(each, "get_segments", list)())
    names = [f"transformer_emergence/two_layers_of_width (optimizer.lr=0.0{i:02})" for i in range(12)]
    many = together(**{name: datasets.make_text_study(1, random_state=i) for i, name in enumerate(names)})
    check_legible(plot_overlay(many, laws={}))


def test_what_cannot_be_drawn_says_why(texts: pd.DataFrame) -> None:
    many = pd.concat([texts.assign(study=f"{i}") for i in range(19)])
    two_steps = pd.concat([texts.assign(step=1), texts.assign(step=2)])
    two_tasks = pd.concat([texts, texts.assign(task="other")])
    for frame, metric, x, words in (
        (texts, "bleu", "params_total", "metric 'bleu' is not there; there are accuracy, loss"),
        (texts[texts["metric"] != "loss"].assign(metric=list("ab") * 21), None, "params_total", "one must be named"),
        (texts, "loss", "width", "column 'width' is missing"),
        (many, "loss", "params_total", "19 curves of loss: up to 18"),
        (two_steps, "loss", "params_total", "several steps"),
        (two_tasks, "loss", "params_total", "mup holds several tasks, text, other"),
        (texts.assign(params_total=0), "loss", "params_total", "allowed are finite numbers above 0"),
    ):
        with pytest.raises(DataError, match=words):
            plot_overlay(frame, metric, x)


def shares(value: float = 0.0) -> pd.DataFrame:
    """An accuracy of three seeds whose intervals reach beyond 1; the columns of a plain frame."""
    rows = [
        {"params": 10.0**i, "seed": seed, "metric": "acc", "value": min(1.0, 0.7 + 0.15 * seed) - value}
        for i in range(4)
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def test_a_dict_of_frames_has_a_curve_under_each_name() -> None:
    axes = plot_overlay({"cipher": shares(), "sort": shares(0.3)}, "acc", "params")
    assert labels(axes)[:2] == ["cipher", "sort"]
    two = pd.concat([shares().assign(study=name) for name in "ab"])
    for frames, words in (
        ({"cipher": [1]}, r"frame\['cipher'\]: found list"),
        ({}, "found an empty dict"),
        ({"c": two}, r"frame\['c'\] holds several studies, a, b"),
    ):
        with pytest.raises(DataError, match=words):
            plot_overlay(frames, "acc", "params")


def test_intervals_of_a_share_stay_within_0_and_1() -> None:
    axes = plot_overlay(shares(), "acc", "params")
    ends = np.concatenate([path.vertices[:, 1] for part in axes.collections for path in part.get_paths()])
    assert ends.max() == 1 and ends.min() >= 0


def test_names_are_drawn_as_written(recwarn: pytest.WarningsRecorder) -> None:
    size = plot_overlay(shares().rename(columns={"params": "p$x$"}), "acc", "p$x$")
    assert size.get_xlabel() == r"p\$x\$"
    axes = plot_overlay({"so$rt$": shares(), "\u6a21\u2028x\n": shares(0.3)}, "acc", "params")
    as_file(axes, "png")
    assert labels(axes)[:2] == [r"so\$rt\$", "\u6a21 x"]
    assert not [each for each in recwarn if "Glyph" in str(each.message)]


def test_a_colour_that_returns_has_another_line_style() -> None:
    axes = plot_overlay({f"s{i}": shares(0.04 * i) for i in range(8)}, "acc", "params")
    legend = axes.get_legend()
    assert legend is not None
    first, seventh = (legend.legend_handles[i] for i in (0, 6))
    assert first.get_color() == seventh.get_color() and first.get_linestyle() != seventh.get_linestyle()
    assert legend.handlelength > 3, "a dash shows beside the marker"
