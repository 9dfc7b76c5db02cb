"""How far forecasts miss, by the evidence of rolling extrapolation.

The errors e (m,) of ln y that forecasts from the smaller runs made of the m larger ones are taken as normal, with
covariance

    c^2 S + delta^2 a a',    S = F'F + noise^2 I,    a = ln reach

where S is what fits, laws' disagreement and noise account for, c a factor by which that is too little or too much, and
delta the drift of all laws alike: no law is exact, and what it misses grows beyond the runs. Both have priors, so that
a table whose larger runs are few gets the drift that other tables have had; the evidence moves them. The likelihood of
a cut takes three numbers, by the formula of Sherman and Morrison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Drift of ln y at reach e: median and standard deviation of ln drift in its prior, and the drifts compared.
USUAL_DRIFT, SPREAD_OF_DRIFTS = 0.005, 1.0
_DRIFTS = np.geomspace(1e-4, 0.1, 40)
#: Standard deviation of ln c in its prior, about c = 1; and the factors compared.
SPREAD_OF_FACTORS = 0.2
_FACTORS = np.geomspace(0.5, 5.0, 24)
#: Share of its log likelihood that a cut adds: the runs that cuts hold back overlap.
SHARE_OF_A_CUT = 0.7
#: Runs of a cut whose errors, beyond what S and the drift have in common, count as independent evidence of c at most.
INDEPENDENT_ERRORS = 10


@dataclass(frozen=True)
class CutEvidence:
    """What the errors of one cut say of c and delta.

    Attributes:
        of_drift: a'S^-1 a.
        along_drift: a'S^-1 e.
        squares: e'S^-1 e.
        n_runs: m.
    """

    of_drift: float
    along_drift: float
    squares: float
    n_runs: int

    @classmethod
    def of(cls, errors: np.ndarray, factor: np.ndarray, noise: float, log_reach: np.ndarray) -> CutEvidence:
        """Of errors (m,) with S = F'F + noise I, where F (q, m) is the `factor`, and a = log_reach (m,)."""
        root = np.linalg.cholesky(factor.T @ factor + noise * np.eye(len(errors)))
        a, e = np.linalg.solve(root, np.stack([log_reach, errors], axis=1)).T
        return cls(float(a @ a), float(a @ e), float(e @ e), len(errors))

    def log_likelihood(self, factor: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """Of c (f, 1) and delta (1, k), up to a constant: (f, k)."""
        ratio = (drift / factor) ** 2
        shared = -np.log1p(ratio * self.of_drift) / 2
        shared += ratio / (1 + ratio * self.of_drift) * self.along_drift**2 / factor**2 / 2
        own = -self.n_runs * np.log(factor) - self.squares / factor**2 / 2
        return shared + min(1.0, INDEPENDENT_ERRORS / self.n_runs) * own


def judge_misses(cuts: Sequence[CutEvidence]) -> tuple[float, float]:
    """c and delta: the roots of their posterior mean squares; those of the prior where there are no cuts."""
    factor, drift = _FACTORS[:, None], _DRIFTS[None]
    log = -((np.log(factor) / SPREAD_OF_FACTORS) ** 2 + (np.log(drift / USUAL_DRIFT) / SPREAD_OF_DRIFTS) ** 2) / 2
    for cut in cuts:
        log = log + SHARE_OF_A_CUT * cut.log_likelihood(factor, drift)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    return float(np.sqrt(np.sum(weight * factor**2))), float(np.sqrt(np.sum(weight * drift**2)))
