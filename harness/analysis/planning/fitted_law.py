"""One law fitted for forecasting: robustly, weighted by compute, with a weak prior on its exponents.

Runs of one cluster (checkpoints of one training run, say) err together: the fit's uncertainty is summed over clusters,
and degrees of freedom count them. Without clusters each run is one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.fitting.clusters import cluster_sums
from harness.analysis.fitting.inputs import TooFewDataError, refuse_design, unsolved
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.laws.powers import PowerSum
from harness.analysis.fitting.objectives import Huber
from harness.analysis.fitting.solver import Extra, Problem, optimum
from harness.errors import UserError
from harness.wording import counted

#: Huber's delta on ln y: a little above run-to-run noise, so that badly trained runs pull no more than others.
DELTA = 0.005
#: A run weighs as its compute to this power: the runs nearest to what is asked say most of it.
COMPUTE_WEIGHT = 0.2
#: The noise of a new run is that of runs like it: each counts as its compute to this power.
NOISE_WEIGHT = 0.3
#: A weak prior on the exponents of N and D, for tables that hardly determine them: ln exponent is normal about
#: ln `USUAL_EXPONENT` with standard deviation `SPREAD`. The fits of Hoffmann et al. 2022, of its replication and of
#: Gadre et al. 2024 lie within .24 to .50. One standard deviation costs as much as one run that is `NOISE` off in ln y.
USUAL_EXPONENT, SPREAD, NOISE = 0.35, 0.3, 0.01
#: Number of runs above which more of them say no more of a law's exponents, because they share what the law misses:
#: from here on the prior's weight grows in proportion to the runs.
INDEPENDENT_RUNS = 20
#: Fewest degrees of freedom, clusters less the parameters they determine, with which a law is weighed.
LEAST_FREEDOM = 0.5


@dataclass(frozen=True)
class FittedLaw:
    """One law fitted to ln y of runs.

    Attributes:
        problem, prior: what was minimised: the objective, and the prior on the exponents as a term of theta.
        theta: (1, p) the solution; centre, unit: of x and y there.
        labels: (n,) 0, 1, ...: the cluster of each run.
        noise: standard deviation of ln y of a run of another cluster, like the largest ones.
        freedom: degrees of freedom, see `_freedom`.
    """

    law: Law
    problem: Problem
    prior: Extra | None
    theta: np.ndarray
    centre: np.ndarray
    unit: float
    labels: np.ndarray
    noise: float
    freedom: float

    def ahead(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln y at places (m, d), and the errors of the fit there as a factor (q, m): its square is their covariance.

        That is the sandwich H^-1 (sum_g s_g s_g') H^-1 of Liang and Zeger 1986, s_g the sum of a cluster's scores
        w_i psi_i g_i (White 1980 where each run is a cluster), times clusters over degrees of freedom, with H the
        curvature of objective and prior, over the parameters that do not stand at a bound.
        """
        value, slopes = self.law.gradient(self.law.coordinates(places, self.centre), self.theta)
        here, along = self.law.gradient(self.problem.t, self.theta)
        first, _, _ = self.problem.objective.derivatives(here, self.problem.y)
        _, matrix, scale = self.problem.derivatives(self.theta, np.ones(1))
        if self.prior is not None:
            matrix = matrix + self.prior(self.theta, np.zeros(1, dtype=int))[2]
        free = _free(self.problem, self.theta)
        root = 1 / np.sqrt(np.maximum(scale[0], 1e-12 * scale[0].max()))[free]
        inverse = np.linalg.pinv(matrix[0][np.ix_(free, free)] * root[:, None] * root, rcond=1e-10, hermitian=True)
        scores = cluster_sums((along[0][free] * root[:, None] * (first * self.problem.weight)).T, self.labels)
        scores *= np.sqrt(len(scores) / self.freedom)
        return value[0] + np.log(self.unit), (
            np.linalg.qr(scores, mode="r") @ inverse @ (slopes[0][free] * root[:, None])
        )

    @property
    def residual(self) -> np.ndarray:
        """(n,) ln y of the runs less the law's."""
        return self.problem.y[0] - self.law.value(self.problem.t, self.theta)[0]


def fit_laws(
    laws: Mapping[str, Law], places: np.ndarray, values: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, FittedLaw], dict[str, UserError]]:
    """The laws that can be fitted to ln y, values (n,), at places (n, d) > 0; and why the others cannot.

    Args:
        labels: (n,) whole numbers >= 0: the cluster of each run.
    """
    fitted, refused = {}, {}
    labels = np.unique(labels, return_inverse=True)[1].ravel()
    for name, law in laws.items():
        try:
            fitted[name] = _fit(law, places, values, labels)
        except UserError as error:
            refused[name] = error
    return fitted, refused


def _fit(law: Law, places: np.ndarray, values: np.ndarray, labels: np.ndarray) -> FittedLaw:
    refuse_design(law, places)
    centre, level = law.centre(places), values.mean() if law.centred else 0.0
    size = np.log(places).sum(axis=1)
    weight = np.exp(COMPUTE_WEIGHT * (size - size.max()))
    weight /= weight.mean()
    t, y = law.coordinates(places, centre), (values - level)[None]
    problem = Problem.of(law, Huber(DELTA), t, y, weight[None])
    prior = _prior_on_exponents(law, len(values))
    found = optimum(problem, prior)
    if not found.converged[0]:
        raise unsolved(law, places, len(values))
    n_clusters, freedom = int(labels.max()) + 1, _freedom(problem, prior, found.theta, labels)
    if freedom < LEAST_FREEDOM:
        together = "" if n_clusters == len(values) else f" in {counted(n_clusters, 'cluster')}"
        raise TooFewDataError(f"{law.name} has {found.theta.shape[1]} parameters; got {len(values)} runs{together}")
    off = law.value(t, found.theta)[0] - y[0]
    near = np.exp(NOISE_WEIGHT * (size - size.max()))
    noise = float(np.sqrt(np.sum(near * off**2) / near.sum() * n_clusters / freedom))
    return FittedLaw(law, problem, prior, found.theta, centre, float(np.exp(level)), labels, noise, freedom)


def _freedom(problem: Problem, prior: Extra | None, theta: np.ndarray, labels: np.ndarray) -> float:
    """Degrees of freedom of the clusters' means about the law: tr Z'(I - P)Z, their unit vectors Z, P = J (H)^-1 J'.

    Where each run is a cluster, these are the runs less the parameters that they, and not the prior, determine, which
    are tr (H_data + H_prior)^-1 H_data (Moody 1992).
    """
    value, slopes = problem.law.gradient(problem.t, theta)
    _, _, safe = problem.objective.derivatives(value, problem.y)
    free = _free(problem, theta)
    design = slopes[0][free] * np.sqrt(np.broadcast_to(safe * problem.weight, problem.y.shape))
    whole = design @ design.T
    if prior is not None:
        whole = whole + prior(theta, np.zeros(1, dtype=int))[2][0][np.ix_(free, free)]
    counts = np.bincount(labels)
    means = cluster_sums(design.T, labels) / np.sqrt(counts)[:, None]
    return float(len(counts) - np.trace(means @ np.linalg.pinv(whole, hermitian=True) @ means.T))


def _free(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """(p,) which coordinates do not stand at a bound."""
    return (theta[0] > problem.low[0]) & (theta[0] < problem.high[0])


def _prior_on_exponents(law: Law, n_runs: int) -> Extra | None:
    """The weak prior on exponents, cost/2 sum ln(exponent / usual)^2, for sums of powers of N and D."""
    if not isinstance(law, PowerSum) or law.variables != ("N", "D"):
        return None
    first, cost = len(law.terms), (NOISE / SPREAD) ** 2 * max(1.0, n_runs / INDEPENDENT_RUNS)

    def prior(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        exponents = theta[:, first:]
        off = np.log(exponents / USUAL_EXPONENT)
        push, matrix = np.zeros_like(theta), np.zeros((*theta.shape, theta.shape[1]))
        push[:, first:] = cost * off / exponents
        for j in range(first, theta.shape[1]):
            matrix[:, j, j] = cost / theta[:, j] ** 2
        return cost * np.sum(off**2, axis=1) / 2, push, matrix

    return prior
