"""Intervals of runs that err together: coverage with few clusters, and what clusters cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from harness import ScalingLaw
from harness.analysis.fitting.clusters import ClusteredNoise, Linearised
from harness.analysis.fitting.laws import LAWS
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.solver import Problem
from harness.datasets import LossSurface
from harness.errors import DataError

SURFACE = LossSurface()


def runs_over_d(n: int, checkpoints: int) -> tuple[np.ndarray, np.ndarray]:
    """Checkpoints of n runs at places of their own, and the run of each."""
    run = np.repeat(np.arange(n), checkpoints)
    return 10 ** (3 + 0.02 * run + 3 * np.tile(np.linspace(0, 1, checkpoints), n)), run


def trajectories(n: int, checkpoints: int) -> tuple[np.ndarray, np.ndarray]:
    """Checkpoints of n models of different N along D, and the model of each."""
    model = np.repeat(np.arange(n), checkpoints)
    size = np.geomspace(2e7, 3e9, n)[model]
    return np.stack([size, size * np.tile(np.geomspace(3, 300, checkpoints), n)], axis=1), model


def shared(rng: np.random.Generator, clusters: np.ndarray, own: float = 0.003, of_cluster: float = 0.01) -> np.ndarray:
    return np.exp(
        own * rng.standard_normal(len(clusters)) + of_cluster * rng.standard_normal(clusters.max() + 1)[clusters]
    )


@pytest.mark.parametrize("n_clusters", [6, 15])
def test_intervals_cover_with_few_clusters(n_clusters: int) -> None:
    """150 data sets at 95 %: standard error .018, so .88 is four of them off; without clusters they hold half."""
    x, run = runs_over_d(n_clusters, 10)
    exact, rng = 1.5 + 100 * x**-0.5, np.random.default_rng(n_clusters)
    middle, held = [3e4], {"together": [], "apart": []}
    for _ in range(150):
        y = exact * shared(rng, run)
        for name, clusters in (("together", run), ("apart", np.arange(len(x)))):
            fit = ScalingLaw("power_floor", interval="delta").fit(x, y, clusters=clusters)
            band = fit.predict(middle, level=0.95)
            held[name].append(band["low"][0] <= 1.5 + 100 * 3e4**-0.5 <= band["high"][0])
    assert np.mean(held["together"]) > 0.88
    assert np.mean(held["apart"]) < 0.75


def test_profile_intervals_of_a_surface_cover_where_models_err_together() -> None:
    """80 data sets: standard error .024, so .85 is four of them off; without clusters alpha is held in a third."""
    places, model = trajectories(10, 8)
    exact, rng = SURFACE.loss(*places.T), np.random.default_rng(0)
    held = []
    for _ in range(80):
        fit = ScalingLaw("hoffmann").fit(places, exact * shared(rng, model), clusters=model)
        held.append([low <= truth <= high for (low, high), truth in zip(
            (fit.intervals_["alpha"], fit.intervals_["beta"]), (SURFACE.alpha, SURFACE.beta), strict=True
        )])  # fmt: skip
    assert np.all(np.mean(held, axis=0) > 0.85)
    assert fit.n_clusters_ == 10 and fit.interval_ == "profile"


@pytest.mark.parametrize("objective", ["huber", "binomial", "beta_binomial"])
def test_clusters_widen_the_intervals_of_every_objective(objective: str) -> None:
    x, run = runs_over_d(10, 10)
    rng = np.random.default_rng(3)
    if objective == "huber":
        y, n_eval, law, name = (1.5 + 100 * x**-0.5) * shared(rng, run), None, "power_floor", "E"
    else:
        share = 0.1 + 0.8 / (1 + (x / 3e4) ** -1.5)
        odds = np.log(share / (1 - share)) + 0.4 * rng.standard_normal(10)[run]
        y, law, name = rng.binomial(2000, 1 / (1 + np.exp(-odds))) / 2000, "logistic", "floor"
        n_eval = np.full(len(x), 2000)
    widths = []
    for clusters in (np.arange(len(x)), run):
        fit = ScalingLaw(law, objective=objective, delta=0.01, interval="profile")
        fit.fit(x, y, clusters=clusters, n_eval=n_eval)
        band = fit.predict([3e4], level=0.95)
        widths.append([band["high"][0] - band["low"][0], np.ptp(fit.intervals_[name])])
    assert widths[1][0] > 1.5 * widths[0][0]


def test_clusters_of_one_run_change_nothing() -> None:
    x, run = runs_over_d(5, 6)
    y = (1.5 + 100 * x**-0.5) * shared(np.random.default_rng(0), run)
    alone = ScalingLaw("power_floor").fit(x, y, clusters=np.arange(30))
    assert alone.intervals_ == ScalingLaw("power_floor").fit(x, y).intervals_ and alone.n_clusters_ == 30


def linear(rng: np.random.Generator, x: np.ndarray, clusters: np.ndarray) -> ClusteredNoise:
    """Of ln y = a + b ln x: a power law, whose fit is one by least squares exactly."""
    y = 0.01 * rng.standard_normal(clusters.max() + 1)[clusters] + 0.001 * rng.standard_normal(len(x))
    law, t = LAWS["power"], np.log(x)[None]
    theta = np.array([[1.0, 0.0]])
    fit = Linearised.of(Problem.of(law, Squares(), t, y[None], np.ones((1, len(x)))), theta)
    residual = y - fit.basis @ (fit.basis.T @ y)
    return ClusteredNoise(
        Linearised(fit.basis, fit.to_basis, residual, residual), clusters, np.unique(x, return_inverse=True)[1]
    )


def test_seeds_of_a_size_are_as_many_runs_as_there_are_sizes() -> None:
    """With equal numbers of seeds the exact answer: the mean square of the means, with R - p degrees of freedom."""
    x, size = np.repeat(np.geomspace(1, 100, 6), 4), np.repeat(np.arange(6), 4)
    noise = linear(np.random.default_rng(1), x, size)
    scale, freedom = noise.along(np.array([[0.0, 1.0]]))
    assert freedom[0] == pytest.approx(4)
    assert scale[0] == pytest.approx(4 * 0.01**2, rel=1.5) and scale[0] > 4 * 0.001**2


def test_variances_are_found() -> None:
    """200 tables of 30 clusters: the mean of each variance within a tenth of the truth, standard error 2 %."""
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(30), 6)
    x = np.exp(rng.uniform(0, 5, len(clusters)))
    found = [linear(rng, x, clusters) for _ in range(200)]
    assert np.mean([noise.of_a_run**2 for noise in found]) == pytest.approx(0.01**2 + 0.001**2, rel=0.1)
    assert np.mean([noise.correlation for noise in found]) == pytest.approx(0.99, abs=0.01)


def test_what_the_law_follows_in_every_cluster_is_open() -> None:
    """Three models cannot tell by how much models differ from E + A N^-alpha, which goes through all of them."""
    places, model = trajectories(3, 12)
    y = SURFACE.loss(*places.T) * shared(np.random.default_rng(0), model)
    fit = ScalingLaw("hoffmann").fit(places, y, clusters=model)
    assert fit.n_clusters_ == 3 and "3 clusters for 5 parameters" in fit.message_
    low, high = fit.intervals_["alpha"]
    assert fit.status_ != "converged" and high / max(low, 1e-3) > 5


def test_clusters_that_cannot_be() -> None:
    x, run = runs_over_d(4, 6)
    y = 1.5 + 100 * x**-0.5
    with pytest.raises(DataError, match="all runs are in one cluster"):
        ScalingLaw("power_floor").fit(x, y, clusters=np.zeros(24))
    with pytest.raises(DataError, match="clusters has 23 rows where x has 24"):
        ScalingLaw("power_floor").fit(x, y, clusters=run[1:])
    twice, of_one_run = np.repeat(x, 2), np.zeros(48)
    with pytest.raises(DataError, match="clusters, row 0: rows of one run"):
        ScalingLaw("power_floor").fit(twice, np.repeat(y, 2), of_one_run, clusters=np.arange(48))
