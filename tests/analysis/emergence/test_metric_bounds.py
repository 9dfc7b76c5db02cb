"""What a metric can be, by its name, its values and its direction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import label_runs, make_curves
from harness.analysis.emergence.metric_bounds import bounds_of

INF = np.inf


@pytest.mark.parametrize(
    ("metric", "values", "about", "bounds"),
    [
        ("accuracy", (0.1, 0.9), {}, (0, 1)),
        ("exact_match", (0.0, 1.0), {}, (0, 1)),
        ("token_accuracy", (0.1, 0.9), {}, (0, 1)),
        ("prob_correct", (0.1, 0.9), {"discontinuous": False, "higher_is_better": True}, (0, 1)),
        ("bleu", (0.1, 0.9), {"discontinuous": True, "higher_is_better": True}, (0, 1)),
        ("bleu", (10.0, 40.0), {"discontinuous": True, "higher_is_better": True}, (-INF, INF)),
        ("score", (0.1, 0.9), {"discontinuous": False, "higher_is_better": True}, (-INF, INF)),
        ("accuracy", (-0.1, 0.9), {}, (-INF, INF)),
        ("loss", (0.5, 3.0), {}, (-INF, 0)),
        ("loss", (0.1, 0.9), {}, (-INF, 0)),
        ("loss", (-0.5, 3.0), {}, (-INF, INF)),
        ("error_rate", (0.1, 0.9), {"discontinuous": True, "higher_is_better": False}, (-1, 0)),
    ],
)
def test_bounds(metric: str, values: tuple[float, float], about: dict[str, bool], bounds: tuple[float, float]) -> None:
    value = np.linspace(*values, 5)
    frame = pd.DataFrame({"size": 2.0 ** np.arange(5), "metric": metric, "value": value} | about)
    (curve,) = make_curves(label_runs(frame), "size")
    low, high = bounds_of(curve)
    assert (low, high) == bounds
    assert np.all((curve.oriented >= low) & (curve.oriented <= high))
