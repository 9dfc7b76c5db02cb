"""What a fit minimises, put together: the law, the objective by its name, the runs and their weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.checks import positive_columns
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import BetaBinomial, Binomial, Huber, Objective, OneSided, Squares
from harness.analysis.fitting.overdispersion import FIRST_CORRELATION
from harness.analysis.fitting.solver import Problem
from harness.analysis.runs import Runs, row_means
from harness.errors import DataError, SettingError

OBJECTIVES = ("squares", "huber", "one_sided", "binomial", "beta_binomial")


def pose(
    law: Law,
    objective: str | None,
    t: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    n_eval: np.ndarray | None,
    *,
    delta: float,
    penalty: float,
) -> tuple[str, Problem]:
    """The objective's name and the problem of one fit (b = 1).

    Args:
        objective: of `OBJECTIVES`; None for the beta-binomial of shares whose answers are counted, else squares.
        t: (d, n); y, weight: (n,), y on the law's scale; n_eval: (n,) answers behind each share.
        delta, penalty: of Huber's and the one-sided objective.

    Raises:
        SettingError: a likelihood of answers without their number, or with weights beside it.
    """
    shares = n_eval is not None and law.scale == "linear"
    name = objective or ("beta_binomial" if shares else "squares")
    counts = name in ("binomial", "beta_binomial")
    if counts and n_eval is None:
        raise SettingError("objective", name, "squares where n_eval is not given")
    if counts and np.ptp(weight) > 0:
        raise SettingError("weights", "given", f"none with {name}, which weighs a run by its answers")
    minimised: Objective = Squares()
    if name == "huber":
        minimised = Huber(delta)
    elif name == "one_sided":
        minimised = OneSided(delta, penalty)
    elif name == "binomial":
        minimised, weight = Binomial(), np.asarray(n_eval, dtype=float)
    elif name == "beta_binomial":
        minimised = BetaBinomial(np.asarray(n_eval, dtype=float), np.full((1, 1), FIRST_CORRELATION))
    return name, Problem.of(law, minimised, t, y[None], weight[None])


def run_weights(weights: ArrayLike | None, runs: Runs, n_rows: int) -> np.ndarray:
    """(n,) weight of each run, of mean 1: the mean over its rows.

    Raises:
        DataError: weights that are not finite and positive, or not one a row.
    """
    if weights is None:
        return np.ones(len(runs.value))
    (given,) = positive_columns(weights=weights)
    if len(given) != n_rows:
        raise DataError(f"weights has {len(given)} rows where x has {n_rows}")
    of_runs = row_means(given, runs.of_row)
    return np.asarray(of_runs / of_runs.mean())
