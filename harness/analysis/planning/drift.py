"""How far forecasts miss, by the evidence of rolling extrapolation.

The errors e (m,) of ln y that forecasts from the smaller runs made of the m larger ones are taken as normal, with
covariance

    c^2 S + delta^2 a a',    S = F'F + noise^2 I,    a = ln reach

where S is what fits, laws' disagreement and noise account for, c a factor by which that is too little or too much, and
delta the drift of all laws alike: no law is exact, and what it misses grows beyond the runs. Both have priors, so that
a table whose larger runs are few gets the drift that other tables have had; the evidence moves them. The likelihood of
a cut takes three numbers: errors along a have variance c^2 + delta^2 a'S^-1 a, those across it c^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Drift of ln y at reach e: median and standard deviation of ln drift in its prior, and the drifts compared.
USUAL_DRIFT, SPREAD_OF_DRIFTS = 0.004, 1.0
_DRIFTS = np.geomspace(1e-4, 0.1, 40)
#: Median of c and standard deviation of ln c in its prior, and the factors compared: runs beyond those seen err more.
USUAL_FACTOR, SPREAD_OF_FACTORS = 1.2, 0.2
_FACTORS = np.geomspace(0.5, 5.0, 24)
#: Share of its log likelihood that a cut adds: the runs that cuts hold back overlap.
SHARE_OF_A_CUT = 0.7
#: Runs of a cut whose errors, beyond what S and the drift have in common, count as independent evidence of c at most.
INDEPENDENT_ERRORS = 10


@dataclass(frozen=True)
class CutEvidence:
    """What the errors of one cut say of c and delta.

    Attributes:
        drift_seen: a'S^-1 a: how much the cut can tell of the drift.
        along: squared error along a, (a'S^-1 e)^2 / a'S^-1 a.
        across: the other squared errors, e'S^-1 e less that.
        n_runs: m.
    """

    drift_seen: float
    along: float
    across: float
    n_runs: int

    @classmethod
    def of(cls, errors: np.ndarray, factor: np.ndarray, noise: float, log_reach: np.ndarray) -> CutEvidence:
        """Of errors (m,) with S = F'F + noise I, where F (q, m) is the `factor`, and a = log_reach (m,)."""
        root = np.linalg.cholesky(factor.T @ factor + noise * np.eye(len(errors)))
        a, e = np.linalg.solve(root, np.stack([log_reach, errors], axis=1)).T
        seen, squares = float(a @ a), float(e @ e)
        along = float(a @ e) ** 2 / seen if seen > 0 else 0.0
        return cls(seen, along, squares - along, len(errors))

    def log_likelihood(self, factor: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """Of c (f, 1) and delta (1, k), up to a constant: (f, k)."""
        variance = factor**2 + drift**2 * self.drift_seen
        of_drift = -(np.log(variance) + self.along / variance) / 2
        others = self.n_runs - 1
        of_factor = -(others * np.log(factor**2) + self.across / factor**2) / 2
        return of_drift + min(1.0, INDEPENDENT_ERRORS / max(others, 1)) * of_factor


def judge_misses(cuts: Sequence[CutEvidence]) -> tuple[float, float]:
    """c and delta: the roots of their posterior mean squares; those of the prior where there are no cuts."""
    factor, drift = _FACTORS[:, None], _DRIFTS[None]
    log = (
        -(
            (np.log(factor / USUAL_FACTOR) / SPREAD_OF_FACTORS) ** 2
            + (np.log(drift / USUAL_DRIFT) / SPREAD_OF_DRIFTS) ** 2
        )
        / 2
    )
    for cut in cuts:
        log = log + SHARE_OF_A_CUT * cut.log_likelihood(factor, drift)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return float(np.sqrt(np.sum(weight * factor**2))), float(np.sqrt(np.sum(weight * drift**2)))
