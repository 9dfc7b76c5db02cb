"""Shares of right answers that scatter more than binomially, because each run has a success rate of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.analysis.fitting.objectives import BetaBinomial
from harness.analysis.fitting.solver import Problem, Solution, optimum

#: Correlation of the answers of one run that a fit begins with, and those among which it is sought.
FIRST_CORRELATION = 1e-3
_CORRELATIONS = np.geomspace(1e-6, 0.9, 200)
#: Fits and estimates of the correlation, in turn: a fixed number, for on a grid the two may alternate for ever.
_TURNS = 4


def with_correlation(problem: Problem, theta: np.ndarray) -> tuple[Problem, Solution, float]:
    """Fit the law and the correlation of the answers of one run in turn.

    The correlation rho is that which makes Pearson's statistic, sum n (y - p)^2 / (p (1 - p) (1 + (n - 1) rho)), equal
    to its degrees of freedom. Williams 1982, "Extra-binomial variation in logistic linear models".

    Args:
        problem: one fit (b = 1) by `BetaBinomial`.
        theta: (1, p) its solution with a correlation of `FIRST_CORRELATION`.

    Returns:
        The problem with the correlation found, its solution, and the correlation.
    """
    assert isinstance(problem.objective, BetaBinomial)
    n, y = problem.objective.n, problem.y[0]
    for _ in range(_TURNS):
        p = np.clip(problem.law.value(problem.t, theta)[0], 0.5 / n, 1 - 0.5 / n)
        pearson = n * (y - p) ** 2 / (p * (1 - p))
        freedom = max(len(y) - theta.shape[1], 1)
        excess = (pearson / (1 + (n - 1) * _CORRELATIONS[:, None])).sum(axis=1) - freedom
        rho = _CORRELATIONS[np.argmin(np.abs(excess))] if excess[0] > 0 else _CORRELATIONS[0]
        problem = replace(problem, objective=BetaBinomial(n, np.full((1, 1), rho)))
        found = optimum(problem)
        theta = found.theta
    return problem, found, float(rho)
