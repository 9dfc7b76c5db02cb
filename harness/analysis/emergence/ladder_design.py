"""The design of a ladder, its sizes and which run is of which size and seed, and what is estimated from runs on it.

Notation: K sizes, n runs, S seeds; y_ki is run i of size k, n_k of which there are, and ybar_k their mean.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import fdtrc

from harness.analysis.emergence.rise_shapes import shapes_of
from harness.analysis.emergence.smooth_null import SmoothNull, logistic

#: Rises that stand for any rise where the best fitting one is sought: (width, distance of their places), in steps. From
#: a step to what a usual ladder cannot tell from a straight line.
FITTED_RISES = ((0.0, 0.5), (1.0, 0.25), (2.0, 0.5), (4.0, 0.5), (8.0, 0.5))
#: Sizes with several runs that it takes to estimate how the variance changes along the ladder. With five or fewer the
#: estimate, shrunk as it is, is worse than none.
MIN_SIZES_FOR_PROFILE = 6
#: Sizes from which a run a size is enough to fit a smooth rise with a jump, which take up about five degrees of
#: freedom.
MIN_SIZES_FOR_PAIR = 7
#: Two shapes whose squared correlation is within this of 1 are one.
MIN_INDEPENDENCE = 1e-4


class LadderDesign:
    """Sizes and runs of a ladder.

    Args:
        t: (K,) places of the sizes in steps, rising.
        rung: (n,) index of the size of each run.
        seed: (n,) index of the seed of each run.

    Attributes:
        counts: (K,) runs at each size.
        freedom: degrees of freedom of the scatter within sizes, sum_k (n_k - 1).
        replicated: (K,) whether a size has several runs.
        has_profile: whether there are enough of these to estimate how the variance changes along the ladder.
        key: equal for equal designs.
    """

    def __init__(self, t: np.ndarray, rung: np.ndarray, seed: np.ndarray) -> None:
        self.t, self.rung, self.seed = t, rung, seed
        self.key = t.tobytes(), rung.tobytes(), seed.tobytes()
        self.counts = np.bincount(rung, minlength=len(t))
        self.freedom = int(np.sum(self.counts - 1))
        self.replicated = self.counts > 1
        self.has_profile = int(self.replicated.sum()) >= MIN_SIZES_FOR_PROFILE
        #: (K,) from -0.5 at the first size to 0.5 at the last; slopes are per length of the ladder.
        self.along = np.linspace(-0.5, 0.5, len(t))
        self._is_at_size = (rung[:, None] == np.arange(len(t))).astype(float)

    def means(self, values: np.ndarray) -> np.ndarray:
        """(..., K) means at each size of runs (..., n)."""
        return values @ self._is_at_size / self.counts

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """(..., K) within-size sums of squares, sum_i (y_ki - ybar_k)^2, of runs (..., n)."""
        return np.maximum(0.0, values**2 @ self._is_at_size - self.counts * self.means(values) ** 2)

    def ends_scatter_more(self, values: np.ndarray, evaluation: np.ndarray, level: float) -> bool:
        """Whether runs (n,) at the first or last size scatter more than those at all other sizes, by an F test.

        Args:
            evaluation: (K,) variance of a run from its finite evaluation set, the least that the others scatter.
            level: of the test.
        """
        scatter, freedom = self.scatter(values), self.counts - 1
        for end in (0, len(self.t) - 1):
            others = self.freedom - freedom[end]
            if freedom[end] > 0 and others > 0:
                # The least keeps ratios finite where all other runs are equal.
                least = max(1e-30 * float(scatter[end]), 1e-300)
                usual = max((scatter.sum() - scatter[end]) / others, float(evaluation.mean()), least)
                if fdtrc(freedom[end], others, scatter[end] / freedom[end] / usual) < level:
                    return True
        return False

    def trend_and_rest(self, profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least-squares line through a profile (..., K) at the replicated sizes, and what is left of it.

        Returns:
            Slope (..., 1) along the ladder, and residuals (..., K) about the line, 0 at sizes that have one run.
        """
        known = self.replicated
        profile = np.where(known, profile - profile[..., known].mean(axis=-1, keepdims=True), 0.0)
        along = np.where(known, self.along - self.along[known].mean(), 0.0)
        slope = (profile @ along / np.sum(along**2))[..., None]
        return slope, profile - slope * along

    def residual_sum_of_squares(self, curves: np.ndarray) -> np.ndarray:
        """(...) sum of squares of curves (..., K) about the best fitting of `FITTED_RISES` by least squares.

        Rises have any level and any height; one below 0 makes them falls.
        """
        deviation = curves - curves.mean(axis=-1, keepdims=True)
        explained = (deviation @ self._fitted_rises.T) ** 2
        return np.maximum(0.0, np.sum(deviation**2, axis=-1) - np.max(explained, axis=-1))

    def residual_of_means(self, means: np.ndarray) -> np.ndarray:
        """(n,) sum of squares of means (n, K) about the best fitting smooth rise or fall with a jump or drop.

        On a ladder of fewer than `MIN_SIZES_FOR_PAIR` sizes, about the best rise or fall alone.
        """
        if len(self.t) < MIN_SIZES_FOR_PAIR:
            return self.residual_sum_of_squares(means)
        deviation = means - means.mean(axis=1, keepdims=True)
        square = np.sum(deviation**2, axis=1)
        shapes, first, second, of_first, of_second, cross = self._fitted_pairs
        along = deviation @ shapes.T
        best = np.zeros(len(means))
        # Curve by curve: there are thousands of pairs.
        for i, (a, b) in enumerate(zip(along[:, first], along[:, second], strict=True)):
            best[i] = np.max(of_second * a**2 - 2 * cross * a * b + of_first * b**2)
        return np.maximum(0.0, square - best)

    @cached_property
    def runs_by_seed(self) -> np.ndarray | None:
        """(S, K) index of the run of each seed at each size; None unless two seeds or more have one run at every size.

        Such seeds can be tested as curves of their own.
        """
        position = np.full((int(self.seed.max()) + 1, len(self.t)), -1)
        position[self.seed, self.rung] = np.arange(len(self.rung))
        whole = position[(position >= 0).all(axis=1)]
        return whole if len(whole) > 1 and len(whole) * len(self.t) == len(self.rung) else None

    @cached_property
    def null(self) -> SmoothNull:
        """Every smooth curve."""
        return SmoothNull(self.t)

    @cached_property
    def _fitted_pairs(self) -> tuple[np.ndarray, ...]:
        """(S, K) shapes about their means; (P,) two of each pair; (P,) elements of the inverses of their products."""
        shapes = shapes_of(self.t)
        pairs = slice(shapes.n_smooth_pairs, None)
        first, second = shapes.first[pairs], shapes.second[pairs]
        centred = shapes.stacked - shapes.stacked.mean(axis=1, keepdims=True)
        products = centred @ centred.T
        of_first, of_second, cross = products[first, first], products[second, second], products[first, second]
        determinant = of_first * of_second - cross**2
        apart = determinant > MIN_INDEPENDENCE * of_first * of_second
        inverse = (values[apart] / determinant[apart] for values in (of_first, of_second, cross))
        return (centred, first[apart], second[apart], *inverse)

    @cached_property
    def _fitted_rises(self) -> np.ndarray:
        """(G, K) rises about their means, of unit length."""
        rises = []
        for width, gap in FITTED_RISES:
            margin = 0.0 if width <= 1 else width / 2
            places = np.arange(self.t[0] - margin + gap / 2, self.t[-1] + margin, gap)
            rises.append(logistic(self.t, places[:, None], width))
        stacked = np.concatenate(rises)
        stacked = stacked - stacked.mean(axis=1, keepdims=True)
        norm = np.sqrt(np.sum(stacked**2, axis=1, keepdims=True))
        return stacked[norm[:, 0] > 1e-3] / norm[norm[:, 0] > 1e-3]
