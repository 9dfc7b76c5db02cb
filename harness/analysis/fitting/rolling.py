"""Rolling extrapolation: a law fitted to the smaller runs is judged on the larger ones that it did not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.laws import Law
from harness.errors import UserError

#: Shares of the sizes, the smallest first, that rolling extrapolation fits to; the rest is predicted. Below half, laws
#: of four and five parameters have too few sizes in most tables.
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
#: Decimals to which ln size is rounded, so that runs of one budget, which differ by some percent, mostly stay together.
_DECIMALS = 1


def rolling_cuts(places: np.ndarray, labels: np.ndarray | None = None) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Cuts of the runs at places (n, d) into smaller and larger ones, one for each of `CUTS` that differs from the
    last.

    Sizes are ordered by the product of the columns (with N and D: by compute), to one decimal of the logarithm. Runs of
    one label (n,) 0, 1, ..., checkpoints of one training run, say, are all of the size of the largest, so that no cut
    parts them.

    Returns:
        For each cut: its share, the smaller runs (n,) bool, and the size of each of the others over the largest of
        those.
    """
    size = np.log(places).sum(axis=1)
    if labels is not None:
        largest = np.full(labels.max() + 1, -np.inf)
        np.maximum.at(largest, labels, size)
        size = largest[labels]
    label = np.round(size - size.min(), _DECIMALS)
    sizes = np.unique(label)
    edges = {sizes[max(0, round(cut * len(sizes)) - 1)]: cut for cut in reversed(CUTS)}
    seen = [(cut, label <= edge) for edge, cut in sorted(edges.items()) if edge < sizes[-1]]
    return [(cut, some, np.exp(size[~some] - size[some].max())) for cut, some in seen]


def prediction_rows(cut: float, reach: np.ndarray, observed: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """A row a run predicted: cut, reach, observed, predicted, error (predicted / observed - 1)."""
    columns = {"reach": reach, "observed": observed, "predicted": predicted, "error": predicted / observed - 1}
    return pd.DataFrame({"cut": cut} | columns)


def stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of `prediction_rows` as one; its columns without rows where there are none."""
    return pd.concat(parts or [prediction_rows(0.0, *np.empty((3, 0)))], ignore_index=True)


def rolling_extrapolation(
    x: ArrayLike | pd.DataFrame, y: ArrayLike, groups: ArrayLike | None = None, *, law: str | Law, **settings: Any
) -> pd.DataFrame:
    """A law fitted to the smaller sizes, judged on the larger ones it did not see.

    Sizes are ordered by x, or by the product of x's columns (with N and D: by compute); see `CUTS`.

    Args:
        x, y, groups: as in `ScalingLaw.fit`.
        law, settings: of `ScalingLaw`.

    Returns:
        A row a run predicted: cut (share of the sizes that was fitted to), reach (its size over the largest one fitted
        to), observed, predicted, error (predicted / observed - 1). No rows where no cut leaves enough sizes.
    """
    places, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    places = places[:, None] if places.ndim == 1 else places
    given = None if groups is None else np.asarray(groups)
    parts: list[pd.DataFrame] = []
    for cut, seen, reach in rolling_cuts(places):
        try:
            fit = ScalingLaw(law=law, objective="squares", interval="delta", **settings).fit(
                places[seen], values[seen], None if given is None else given[seen]
            )
        except UserError:
            continue
        parts.append(prediction_rows(cut, reach, values[~seen], np.asarray(fit.predict(places[~seen]))))
    return stacked(parts)
