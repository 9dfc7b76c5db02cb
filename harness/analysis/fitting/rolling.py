"""Rolling extrapolation: a law fitted to the smaller runs is judged on the larger ones that it did not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.analysis.fitting.estimator import ScalingLaw
from harness.errors import UserError

#: Shares of the places, the smallest first, that rolling extrapolation fits to; the rest is foretold.
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)


def rolling_cuts(places: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Each of `CUTS` that leaves other runs than the one before, of places (n, d): the cut, the runs (n,) that it sees,
    and how far the others reach beyond them, as a factor.

    Sizes are ordered by the product of the columns (with N and D: by compute); runs of about one size stay together.
    """
    size = np.log(places).sum(axis=1)
    label = np.round(size - size.min(), 1)
    rungs = np.unique(label)
    edges = {rungs[max(0, round(cut * len(rungs)) - 1)]: cut for cut in reversed(CUTS)}
    seen = [(cut, label <= edge) for edge, cut in sorted(edges.items()) if edge < rungs[-1]]
    return [(cut, some, np.exp(size[~some] - size[some].max())) for cut, some in seen]


def rolled(cut: float, reach: np.ndarray, observed: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """A row a run foretold: cut, reach, observed, predicted, error (predicted / observed - 1)."""
    columns = {"reach": reach, "observed": observed, "predicted": predicted, "error": predicted / observed - 1}
    return pd.DataFrame({"cut": cut} | columns)


def stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of `rolled` as one; its columns without rows where there are none."""
    return pd.concat(parts or [rolled(0.0, *np.empty((3, 0)))], ignore_index=True)


def rolling_extrapolation(
    x: ArrayLike | pd.DataFrame, y: ArrayLike, groups: ArrayLike | None = None, *, law: str, **settings: Any
) -> pd.DataFrame:
    """A law fitted to the smaller sizes, judged on the larger ones it did not see.

    Sizes are ordered by x, or by the product of x's columns (with N and D: by compute); see `CUTS`.

    Args:
        x, y, groups: as in `ScalingLaw.fit`.
        law, settings: of `ScalingLaw`.

    Returns:
        A row a run foretold: cut (share of the places that was fitted to), reach (its size over the largest one fitted
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
        parts.append(rolled(cut, reach, values[~seen], np.asarray(fit.predict(places[~seen]))))
    return stacked(parts)
