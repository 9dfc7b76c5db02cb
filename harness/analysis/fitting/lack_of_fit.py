"""The noise of runs about a law, and whether sizes scatter about it by more than their runs explain.

With n runs at R sizes and p parameters, the sum of squares about a law splits into that of the runs about the mean of
their size, with n - R degrees of freedom, and that of these means about the law, with R - p. Their mean squares have
one expectation where the law is exact. Where an F test says otherwise, the law holds only roughly, and what the runs of
one size have in common counts as noise: the uncertainty of the law is then that of R means, not of n runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, stdtrit

from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, Squares
from harness.analysis.robust import robust_scatter
from harness.analysis.runs import Runs
from harness.wording import counted

#: p of the lack-of-fit F test below which sizes are taken to scatter about the law by more than their runs explain. To
#: find lack of fit where there is none costs some width of the intervals; to miss it costs their coverage: so 10, not 1
#: %.
LACK_OF_FIT = 0.1
#: Least noise of a run, on the law's scale: what rounding leaves of runs that lie on the law exactly.
_LEAST_NOISE = 1e-12
#: Multiple of the runs' own scatter above which lack of fit is worth a message.
WORTH_SAYING = 3.0
#: Multiple of the others' scatter by which a run lies far off: of normal runs one of 500 million does.
FAR_OFF = 6.0
#: Fewest degrees of freedom with which the others' scatter is known well enough to say so.
_LEAST_TO_JUDGE = 8


@dataclass(frozen=True)
class Noise:
    """What scatters about a fit, on the law's scale.

    Attributes:
        of_a_run: standard deviation of one run about the law; NaN with as many parameters as runs.
        within: root mean square distance of runs from the mean of their size.
        misfit: standard deviation of sizes about the law beyond what their runs explain; 0 if F says none.
        freedom: degrees of freedom of `scale`; inf for a binomial likelihood.
        scale: what a rise of the objective is measured in: the variance of a run for squares, 1 for likelihoods.
    """

    of_a_run: float
    within: float
    misfit: float
    freedom: float
    scale: float

    def allowed_rise(self, level: float) -> float:
        """Rise of the objective within an interval of this level: t^2 scale / 2, with Student's t."""
        return float(stdtrit(self.freedom, (1 + level) / 2) ** 2 * self.scale / 2)


def judge_noise(
    runs: Runs, fitted: np.ndarray, n_parameters: int, objective: Objective, weight: np.ndarray | None = None
) -> Noise:
    """The noise of runs about a fit.

    For Huber's objective, one-sided or not, `scale` is that of an M-estimator, the mean square of the objective's slope
    over its mean curvature (Huber 1973). A fit by a small delta passes through about p runs, which are curved whatever
    the noise: the curvature that the slopes are compared with is without them.

    Args:
        fitted: (R,) the law at each size.
        weight: (n,) of each run, its variance being inverse to it, of mean 1: the noise is that of a run of weight 1.
    """
    p, n, n_sizes = n_parameters, len(runs.value), len(runs.sizes)
    weight = np.ones(n) if weight is None else weight
    residual = runs.value - fitted[runs.rung]
    of_a_run = float(np.sqrt(np.sum(weight * residual**2) / (n - p))) if n > p else float("nan")
    means = weighted_means(runs, weight)
    within = float(np.sqrt(np.mean(weight * (runs.value - means[runs.rung]) ** 2)))
    misfit, freedom, scale = 0.0, float(n - p), 1.0
    if isinstance(objective, Squares):
        misfit, scale = rung_misfit(runs, fitted, p, weight), of_a_run**2
        if misfit > 0:
            freedom = float(n_sizes - p)
            scale = float(np.sum(np.bincount(runs.rung, weight) * (means - fitted) ** 2) / freedom)
    elif isinstance(objective, Huber):
        first, exact, _ = objective.derivatives(-residual, np.zeros_like(residual))
        inside, curvature = int(np.sum(exact > 0)), max(float(np.mean(weight * exact)), 1 / n)
        honest = curvature * max(inside - p, 1) / max(inside, 1) * n / (n - p)
        scale = float(np.sum((weight * first) ** 2) / (n - p)) * curvature / honest**2
    elif isinstance(objective, Binomial):
        freedom = np.inf
    return Noise(of_a_run, within, misfit, freedom, max(scale, _LEAST_NOISE**2))


def runs_far_off(law: Law, places: np.ndarray, residual: np.ndarray, n_parameters: int) -> str:
    """What to say of a fit by squares that some runs pull, at places (n, d); '' where none is far off."""
    far = far_off(residual, n_parameters)
    if not len(far):
        return ""
    where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(law.variables, places[far[0]], strict=True))
    most = residual[far[0]]
    by = f"{100 * np.expm1(most):+.1f} %" if law.scale == "log" else f"{most:+.3g}"
    lie = "lies" if len(far) == 1 else "lie"
    return (
        f"{counted(len(far), 'run')} {lie} more than {FAR_OFF:g} times the others' scatter off the law, the furthest "
        f"by {by} at {where}: squares let them pull; leave them out if they went wrong, or take objective huber"
    )


def far_off(residual: np.ndarray, n_parameters: int) -> np.ndarray:
    """Indices of runs that lie further than `FAR_OFF` times the others' scatter off the law, the furthest first.

    The scatter is the median distance, which such runs do not move; with few degrees of freedom there is no claim.
    """
    freedom = len(residual) - n_parameters
    if freedom < _LEAST_TO_JUDGE:
        return np.empty(0, dtype=int)
    scatter = robust_scatter(residual) * np.sqrt(len(residual) / freedom)
    order = np.argsort(-np.abs(residual), kind="stable")
    return order[np.abs(residual[order]) > max(FAR_OFF * scatter, _LEAST_NOISE)]


def noise_of_shares(objective: Objective, weight: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Standard deviation of a new run's share of right answers about the law's value (m,).

    Binomial, with the median number of answers; larger by the correlation of the answers of one run, where it was
    fitted.
    """
    correlated = isinstance(objective, BetaBinomial)
    n = float(np.median(objective.n if correlated else weight))  # type: ignore[attr-defined]
    rho = objective.rho_seeds[0, 0] if correlated else 0.0  # type: ignore[attr-defined]
    p = np.clip(value, 0, 1)
    return np.asarray(np.sqrt(p * (1 - p) / n * (1 + (n - 1) * rho)))


def weighted_means(runs: Runs, weight: np.ndarray) -> np.ndarray:
    """(R,) means of the runs of each size, weighted by weight (n,)."""
    return np.bincount(runs.rung, weight * runs.value) / np.bincount(runs.rung, weight)


def rung_misfit(runs: Runs, fitted: np.ndarray, n_parameters: int, weight: np.ndarray | None = None) -> float:
    """Standard deviation with which sizes scatter about the curve beyond what their runs explain; 0 if F says none.

    The lack-of-fit F test at `LACK_OF_FIT`; 0 too where no size has two runs. Runs weigh as `judge_noise` has it.
    """
    n, n_sizes = len(runs.value), len(runs.sizes)
    if n == n_sizes:
        return 0.0
    weight = np.ones(n) if weight is None else weight
    means = weighted_means(runs, weight)
    between = np.sum(np.bincount(runs.rung, weight) * (means - fitted) ** 2) / (n_sizes - n_parameters)
    within = np.sum(weight * (runs.value - means[runs.rung]) ** 2) / (n - n_sizes)
    if not lacks_fit(between, within, n_sizes - n_parameters, n - n_sizes):
        return 0.0
    return float(np.sqrt(max(0.0, between - within) / runs.counts.mean()))


def lacks_fit(
    between: np.ndarray, within: np.ndarray, between_freedom: np.ndarray | int, within_freedom: np.ndarray | int
) -> np.ndarray:
    """Whether mean squares of sizes about the curve exceed those of their runs: the F test at `LACK_OF_FIT`."""
    return fdtrc(between_freedom, within_freedom, between / np.maximum(within, 1e-300)) < LACK_OF_FIT
