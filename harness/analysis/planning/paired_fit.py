"""Two recipes' runs fitted jointly, each with its own noise, and with what runs of one design have in common.

Where a run of one recipe has its counterpart of the other (same size, same data, same seed), the two err together, and
their difference is known better than either. With standard deviations s_A, s_B and correlation r, residuals divided by
their standard deviation are made independent by (z_A - r z_B) / sqrt(1 - r^2). Zellner 1962, "An efficient method of
estimating seemingly unrelated regressions".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import fdtrc, stdtr, stdtrit

from harness.analysis.fitting import intervals
from harness.analysis.fitting.clusters import ClusteredNoise, Linearised
from harness.analysis.fitting.estimator import ScalingLaw
from harness.analysis.fitting.intervals import Interval, Quantity
from harness.analysis.fitting.laws import Law
from harness.analysis.fitting.objectives import Squares
from harness.analysis.fitting.shared_law import SharedLaw
from harness.analysis.fitting.solver import Problem, minimise
from harness.errors import UserError

#: Largest correlation of counterparts: beyond, what is left of their difference is rounding.
MOST_CORRELATED = 0.999
#: Least standard deviation of ln y: losses are written to six digits or so.
LEAST_NOISE = 1e-6
#: Pull on a quantity towards 0, over the cost's curvature along it; pulls at most; share of the way that may be left;
#: and share of the cost below which a promised gain ends a pull.
_PULL, _ROUNDS, _REACHED, _PULLED_TOLERANCE = 10.0, 8, 1e-3, 1e-9
#: Decimals of ln x within which runs of two recipes are of one design.
_DECIMALS = 6


@dataclass(frozen=True)
class Recipe:
    """One recipe's runs and their fit.

    Attributes:
        name: its label.
        places: (n, d) x of each run; y: (n,) its loss.
        counterpart: (n,) what beside x tells which run of another recipe is its counterpart (a seed); '' if nothing.
        fit: of its law by squares, a row a run.
    """

    name: str
    places: np.ndarray
    y: np.ndarray
    counterpart: np.ndarray
    fit: ScalingLaw


def counterparts(a: Recipe, b: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(m,) index of the runs of `a` that have one counterpart in `b`, and (m,) of that one."""
    found = []
    for recipe in (a, b):
        logs = np.round(np.log(recipe.places), _DECIMALS)
        keys = [(*place, label) for place, label in zip(logs.tolist(), recipe.counterpart.tolist(), strict=True)]
        found.append({key: i for i, key in enumerate(keys) if keys.count(key) == 1})
    both = [key for key in found[0] if key in found[1]]
    return np.array([found[0][k] for k in both], dtype=int), np.array([found[1][k] for k in both], dtype=int)


class _Independent(Law):
    """A law's values in standard deviations, those of counterparts made independent; data are treated alike."""

    def __init__(self, law: Law, deviation: np.ndarray, first: np.ndarray, second: np.ndarray, r: float) -> None:
        self.law, self._deviation, self._first, self._second = law, deviation, first, second
        self._r, self._left = r, np.sqrt(1 - r**2)
        self.name, self.formula, self.parameters = law.name, law.formula, law.parameters

    def apart(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n) in standard deviations, independent."""
        z = values / self._deviation
        z[..., self._second] = (z[..., self._second] - self._r * z[..., self._first]) / self._left
        return z

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self.apart(self.law.value(t, theta))

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slopes = self.law.gradient(t, theta)
        return self.apart(value), self.apart(slopes)

    def curvature(self, t: np.ndarray, theta: np.ndarray, weight: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        back = weight.copy()  # the transpose of `apart`
        back[..., self._second] = weight[..., self._second] / self._left
        back[..., self._first] -= self._r * back[..., self._second]
        own, slopes_of_law = back / self._deviation, self.law.gradient(t, theta)[1]
        matrix = self.law.curvature(t, theta, own, slopes_of_law)
        if self.law.curves_as_y:
            matrix = matrix - (slopes_of_law * own[:, None]) @ np.swapaxes(slopes_of_law, 1, 2)
        return matrix


@dataclass(frozen=True)
class PairedFit:
    """The joint fit of two recipes.

    Attributes:
        problem: of one fit, in units of the noise: its cost rises by t^2 / 2 within t standard errors.
        theta, cost: (1, p) where it is least, and the cost there.
        joint: the unpaired fit, for `public` and the names of parameters.
        recipes: both.
        n_pairs, correlation: of counterparts.
        clusters: of runs that err together, where either recipe's residuals tell of them.
    """

    problem: Problem
    theta: np.ndarray
    cost: float
    joint: ScalingLaw
    recipes: tuple[Recipe, Recipe]
    n_pairs: int
    correlation: float
    clusters: ClusteredNoise | None

    @classmethod
    def of(cls, a: Recipe, b: Recipe, shared: Sequence[str] = ()) -> PairedFit:
        """With these parameters in common.

        Raises:
            UserError: the joint fit did not converge.
        """
        member = a.fit.law_
        places = np.concatenate([a.places, b.places])
        number = np.repeat([1.0, 2.0], [len(a.y), len(b.y)])
        law = SharedLaw(member, (a.name, b.name), shared, "recipe")
        noise = [max(np.sqrt(recipe.fit.noise.scale), LEAST_NOISE) for recipe in (a, b)]
        deviation = np.repeat(noise, [len(a.y), len(b.y)])
        joint = ScalingLaw(law=law, objective="squares", interval="delta").fit(
            np.column_stack([places, number]), np.concatenate([a.y, b.y]), weights=deviation**-2.0
        )
        first, second = counterparts(a, b)
        correlation = _correlation(a.fit.residuals_[first], b.fit.residuals_[second])
        independent = _Independent(law, deviation, first, second + len(a.y), correlation)
        y = independent.apart(joint.problem.y)
        problem = replace(joint.problem, law=independent, objective=Squares(), y=y, weight=np.ones_like(y))
        found = minimise(problem, joint.theta_, exact=True)
        if not found.converged[0]:
            raise UserError(f"{a.name} and {b.name}: their joint fit did not converge")
        labels = _clusters_of(a, b, first, second)
        place = np.unique(places, axis=0, return_inverse=True)[1].ravel()
        clusters = None if labels is None else ClusteredNoise(Linearised.of(problem, found.theta), labels, place)
        return cls(problem, found.theta, float(found.cost[0]), joint, (a, b), len(first), correlation, clusters)

    def public(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parameters (..., P) of both recipes at theta (..., p)."""
        law = self.joint.law_
        assert isinstance(law, SharedLaw)
        everything = self.joint.public(theta)
        return everything[..., law.coordinates_of(0)], everything[..., law.coordinates_of(1)]

    def _noise(self, slope: np.ndarray) -> tuple[float, float]:
        """What the variance of a quantity of this slope (1, p) is measured in, 1 where runs err by themselves, and its
        degrees of freedom, after Satterthwaite 1946.

        The noise of each recipe has its own. Of a difference of counterparts there are no more than one recipe has.
        """
        if self.clusters is not None:
            scale, clustered = self.clusters.along(slope)
            return float(scale[0]), float(clustered[0])
        own = [recipe.fit.noise.freedom for recipe in self.recipes]
        if self.n_pairs:
            return 1.0, min(own)
        moved, variance = intervals.direction(self.problem, self.theta, slope)
        shares = self._shares(moved, slope)
        total = sum(share**2 / freedom for share, freedom in zip(shares, own, strict=True))
        return 1.0, float(variance[0] ** 2 / total)

    def _shares(self, moved: np.ndarray, slope: np.ndarray) -> tuple[float, float]:
        """How much of a quantity's variance is due to the runs of each recipe."""
        _, along = self.problem.law.gradient(self.problem.t, self.theta)
        influence = np.einsum("p,pn->n", moved[0], along[0]) ** 2
        n = len(self.recipes[0].y)
        return float(influence[:n].sum()), float(influence[n:].sum())

    def interval(self, quantity: Quantity, level: float) -> Interval:
        """The profile interval (1,) of a quantity."""
        scale, freedom = self._noise(quantity(self.theta, np.zeros(1, dtype=int))[1])
        drop = np.array([stdtrit(freedom, (1 + level) / 2) ** 2 * scale / 2])
        return intervals.profile(self.problem, self.theta, np.array([self.cost]), quantity, drop)

    def p_zero(self, quantity: Quantity) -> float:
        """p of a quantity being 0, from the cost's rise where it is pulled there."""
        one = np.zeros(1, dtype=int)
        first, slope = quantity(self.theta, one)
        pull = _PULL / np.maximum(intervals.direction(self.problem, self.theta, slope)[1], 1e-300)
        theta, reached, target = self.theta, first, -first / _PULL
        for _ in range(_ROUNDS):
            pulled = intervals.pulled_towards(quantity, one, target, pull)
            theta = minimise(self.problem, theta, pulled, exact=True, tolerance=_PULLED_TOLERANCE).theta
            reached, _ = quantity(theta, one)
            if abs(reached[0]) <= _REACHED * abs(first[0]):
                break
            target = target - reached
        rise = max(0.0, float(self.problem.cost(theta)[0]) - self.cost)
        t = np.sqrt(2 * rise) * abs(first[0]) / np.maximum(abs(first[0] - reached[0]), 1e-300)
        scale, freedom = self._noise(slope)
        return float(2 * stdtr(freedom, -t / np.sqrt(scale)))

    def p_of(self, tied: PairedFit, differences: Sequence[Quantity]) -> tuple[float, float, float, float]:
        """F, its degrees of freedom and p of a fit with some parameters in common being as good.

        Args:
            differences: of these parameters; where runs err together, F is corrected by what this adds to the variance
                of these on average (Rao and Scott 1981).
        """
        first, own = self.theta.shape[1] - tied.theta.shape[1], [r.fit.noise.freedom for r in self.recipes]
        scale, second = 1.0, min(own) if self.n_pairs else sum(own)
        if self.clusters is not None:
            slopes = np.concatenate([each(self.theta, np.zeros(1, dtype=int))[1] for each in differences])
            scale, second = (float(np.mean(each)) for each in self.clusters.along(slopes))
        ratio = max(0.0, tied.cost - self.cost) / (first * scale / 2)
        return ratio, float(first), float(second), float(fdtrc(first, second, ratio))


def _clusters_of(a: Recipe, b: Recipe, first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """(n,) clusters of the runs of both, those of counterparts being one; None where no residuals tell of any."""
    told = [recipe.fit.shared_errors_ for recipe in (a, b)]
    if told == [None, None]:
        return None
    alone = [
        np.arange(len(recipe.y)) if each is None else each.labels for recipe, each in zip((a, b), told, strict=True)
    ]
    labels = np.concatenate([alone[0], alone[1] + alone[0].max() + 1])
    ours, theirs = labels[first], labels[second + len(a.y)]
    size = int(labels.max()) + 1
    together = connected_components(
        coo_array((np.ones(len(ours)), (ours, theirs)), shape=(size, size)), directed=False
    )[1]
    return np.unique(together[labels], return_inverse=True)[1].ravel()


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of residuals of counterparts, whose mean is 0; 0 of none."""
    size = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.clip(np.sum(a * b) / size, -MOST_CORRELATED, MOST_CORRELATED)) if size > 0 else 0.0
