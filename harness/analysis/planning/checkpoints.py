"""Rows that are checkpoints of one training run, though nothing says so: all but D is equal, and they err alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.robust import robust_scatter

#: Fewest values of D a run, on average, that look like checkpoints: grids of separate runs mostly have fewer.
LEAST_CHECKPOINTS = 5
#: Correlation of neighbours, in standard errors of independent ones, from which they err alike: .1 % of tables whose
#: rows are independent reach it.
ERR_ALIKE = 3.0
#: Residuals count up to this many standard deviations, by the median, so that no spoilt row decides.
_CLIP = 3.0


@dataclass(frozen=True)
class Checkpoints:
    """Rows taken to be of the same training runs.

    Attributes:
        labels: (n,) 0, 1, ... the run of each row.
        correlation: of the residuals of neighbours in D.
    """

    labels: np.ndarray
    correlation: float


def find_checkpoints(places: np.ndarray, residual: np.ndarray) -> Checkpoints | None:
    """Runs by equal x but for the last column, D, whose rows err alike; None where they do not, or hold few rows.

    Args:
        places: (n, d) with d > 1; residual: (n,) of a law fitted to them.
    """
    labels = np.unique(places[:, :-1], axis=0, return_inverse=True)[1].ravel()
    runs, scale = labels.max() + 1, robust_scatter(residual)
    if runs < 2 or len(labels) < LEAST_CHECKPOINTS * runs or not scale > 0:
        return None
    order = np.lexsort((places[:, -1], labels))
    one, other = np.stack([order[:-1], order[1:]])[:, labels[order][1:] == labels[order][:-1]]
    size = np.clip(residual / scale, -_CLIP, _CLIP)
    correlation = float(size[one] @ size[other] / (np.linalg.norm(size[one]) * np.linalg.norm(size[other])))
    return Checkpoints(labels, correlation) if correlation * np.sqrt(len(one)) > ERR_ALIKE else None
