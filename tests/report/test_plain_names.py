"""Names are drawn as they are: matplotlib would take dollars for mathematics, and fail where it is none."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.analysis.emergence.find_jumps import find_jumps
from harness.report.emergence_plots import plot_mirage
from harness.report.example_plots import plot_features, plot_images, plot_sounds, plot_texts
from harness.report.link_plots import plot_link

NAME = r"$\foo$"


def figures() -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    losses = np.linspace(2.0, 3.0, 9)
    points = pd.DataFrame({"loss": losses, "metric": 3.5 - losses})
    band = points.rename(columns={"metric": "predicted"}).assign(low=0.1, high=0.9)
    yield plot_link(points, band, band[:0], loss_name=NAME, metric_name=NAME).figure  # type: ignore[misc]
    yield plot_images(rng.random((2, 1, 4, 4)), [NAME, NAME])
    yield plot_sounds([rng.standard_normal(800)], 8000, [NAME])
    yield plot_texts([NAME], [NAME])
    yield plot_features(rng.random((9, 1)), [NAME], np.arange(9) % 2, [NAME, f"{NAME} 2"])
    for paired in (True, False):
        places, seed = (axis.ravel() for axis in np.indices((9, 4)))
        token = 0.1 + 0.88 / (1 + 9 ** (-(places - 2.5) / 2.1)) + 0.004 * rng.standard_normal(len(places))
        runs = pd.DataFrame({"params": 100 * 2.0**places, "seed": seed, "study": NAME, "subtask": NAME})
        token = np.clip(token, 0, 1)
        whole = runs.assign(metric=f"{NAME} exact", value=token**16, paired_metric=NAME)
        both = pd.concat([whole, runs.assign(metric=NAME, value=token, paired_metric="")])
        row = next(row for row in find_jumps(both, x="params").to_dict("records") if row["metric"] != NAME)
        drawn = both if paired else whole
        yield plot_mirage(drawn, row, x="params")[0].get_figure(root=True)  # type: ignore[misc]


def test_a_name_with_dollars_is_drawn() -> None:
    for figure in figures():
        figure.savefig(io.BytesIO(), format="svg")
