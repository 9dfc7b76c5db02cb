"""Marginal likelihoods of every shape of a ladder, alone and with another, for many curves of the ladder at once.

A curve's K means are y = level + a u + b v + noise, with shapes u and v from a grid (`rise_shapes`): none, one or two
smooth rises or falls, a jump, or a jump with a smooth rise or fall. The level, the heights a and b, and the scale s of
the noise are integrated out in closed form:

    y | level, a, b, s  ~  N(level + a u + b v, s V),      V known and diagonal
    level  flat;   a, b | s  ~  half normal of scale sqrt(s) * scale; their signs belong to the model
    freedom / s  ~  chi squared with `freedom` degrees of freedom

The inner products <x, z> = x' P z, P = V^-1 - V^-1 1 1' V^-1 / 1' V^-1 1, remove the level. With
A = (<u, u>, <u, v>; <u, v>, <v, v>) + I / scale^2, c = (<u, y>, <v, y>), m = A^-1 c, rest = <y, y> - c' m, the marginal
likelihood is, up to a factor common to all models of the curve,

    (1 + rest / freedom)^(-(freedom + K - 1) / 2) * scale^-2 det(A)^(-1/2) * 4 P(quadrant),

where P(quadrant) is the probability that a bivariate Student's t with freedom + K - 1 degrees of freedom, location m
and scale matrix A^-1 (freedom + rest) / (freedom + K - 1) has the signs of the model. That t is the posterior of (a, b)
under a normal prior; the half normal prior is the normal one truncated to the quadrant, where it is four times as
dense. With one shape 4 becomes 2 and the quadrant a half line; with none both factors are 1.

Source of the conjugate algebra: O'Hagan and Forster 2004, *Bayesian Inference*, chapter 11. The tests compare the
result with numerical quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.emergence.orthants import quadrant_probabilities, student_cdf
from harness.analysis.emergence.rise_shapes import Shapes

#: Standard deviation of the true means about the grid of shapes, as a share of the range of the means.
MISFIT = 0.02
#: Prior scale of the heights over the range of the means.
HEIGHT_SCALE = 3.0
#: Pairs of shapes whose log marginal likelihood is further than this below the largest are left out.
NEGLIGIBLE = 10.0
#: The same for shapes that stand alone.
NEGLIGIBLE_ALONE = 30.0
#: Least standard deviation of a mean, of the prior scale of heights: means may all be equal.
LEAST_SD = 1e-9
#: Degrees of freedom that stand for a known variance.
MAX_FREEDOM = 1e6


def height_scale(means: np.ndarray, largest: np.ndarray | float = np.inf) -> np.ndarray:
    """(n,) prior scale of the heights: `HEIGHT_SCALE` times the range of the means, at most `largest`.

    Args:
        means: (n, K).
        largest: (n,) or a number, the largest height that the metric allows; 1 for a share.
    """
    return np.clip(HEIGHT_SCALE * np.ptp(means, axis=1), 1e-60, largest)


@dataclass(frozen=True)
class Marginals:
    """Log marginal likelihoods of every model of a ladder, each curve's up to a constant, and what heights follow from.

    Attributes:
        log: (n, M) of the models, in the order of `models.Models`: no shape; one shape, its height above 0; one shape,
            its height below 0; pairs of shapes with both heights above 0, the first only, the second only, neither.
        along, information: (n, S) <u, y> and <u, u> + 1 / scale^2 of every shape.
        cross: (n, P) <u, v> of every pair.
        square: (n, 1) <y, y>.
        freedom, known: (n, 1) degrees of freedom of the variances, and freedom + K - 1.
    """

    log: np.ndarray
    along: np.ndarray
    information: np.ndarray
    cross: np.ndarray
    square: np.ndarray
    freedom: np.ndarray
    known: np.ndarray

    def height(self, curve: int, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior location and scale of the height of each shape of `shape` (D,) alone, before truncation."""
        along, information = self.along[curve, shape], self.information[curve, shape]
        rest = np.maximum(0.0, self.square[curve] - along**2 / information)
        return along / information, np.sqrt((self.freedom[curve] + rest) / self.known[curve] / information)

    def heights(
        self, curve: np.ndarray | int, pair: np.ndarray, first: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Posterior of both heights of pairs of shapes, before truncation.

        Args:
            curve: the row of the curve, one or (D,).
            pair, first, second: (D,) indices of the pair and of its shapes.

        Returns:
            (2, D) locations, (2, D) scales, and (D,) correlation.
        """
        along = np.stack([self.along[curve, first], self.along[curve, second]])
        information = np.stack([self.information[curve, first], self.information[curve, second]])
        cross = self.cross[curve, pair]
        determinant = information[0] * information[1] - cross**2
        location = (information[::-1] * along - cross * along[::-1]) / determinant
        rest = np.maximum(0.0, self.square[curve, 0] - np.sum(along * location, axis=0))
        scale = np.sqrt((self.freedom[curve, 0] + rest) / self.known[curve, 0] / determinant * information[::-1])
        return location, scale, -cross / np.sqrt(information[0] * information[1])


def marginals(
    shapes: Shapes, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> Marginals:
    """The formulas at the head of this file.

    Args:
        means, variance: (n, K) means at each size, in any unit, and their estimated variances.
        freedom: (n,) degrees of freedom of the variances; inf where they are known.
        scale: (n,) prior scale of the heights, in the unit of the means (`height_scale`).
    """
    stacked, first, second = shapes.stacked, shapes.first, shapes.second
    freedom = np.minimum(freedom, MAX_FREEDOM)[:, None]
    known = freedom + means.shape[1] - 1
    prior = 1 / scale[:, None] ** 2

    misfit = (MISFIT * np.ptp(means, axis=1)[:, None]) ** 2
    precision = 1 / np.maximum(variance + misfit, (LEAST_SD * scale[:, None]) ** 2)
    share = precision / precision.sum(axis=1, keepdims=True)
    deviation = means - np.sum(share * means, axis=1, keepdims=True)
    square = np.sum(precision * deviation**2, axis=1, keepdims=True)
    along = (precision * deviation) @ stacked.T
    average = share @ stacked.T
    total = precision.sum(axis=1, keepdims=True)
    information = precision @ (stacked**2).T - total * average**2 + prior
    cross = precision @ shapes.products.T - total * average[:, first] * average[:, second]

    def log_likelihood(explained: np.ndarray | float) -> np.ndarray:
        return np.asarray(-known / 2 * np.log1p(np.maximum(0.0, square - explained) / freedom))

    log_one = log_likelihood(along**2 / information) + 0.5 * np.log(prior / information) + np.log(2)
    of_first, of_second, along_first, along_second = (
        values[:, shape] for values in (information, along) for shape in (first, second)
    )
    determinant = of_first * of_second - cross**2
    explained = of_second * along_first**2 - 2 * cross * along_first * along_second + of_first * along_second**2
    log_two = log_likelihood(explained / determinant) + np.log(prior) - 0.5 * np.log(determinant) + np.log(4)
    found = Marginals(np.zeros(0), along, information, cross, square, freedom, known)
    signed = (log_likelihood(0.0), *_by_sign(log_one, found), *_by_quadrant(log_two, found, shapes))
    return replace(found, log=np.concatenate(signed, axis=1))


def _by_sign(log_one: np.ndarray, found: Marginals) -> tuple[np.ndarray, np.ndarray]:
    """(n, S) and (n, S) marginal likelihoods of every shape with a height above 0, and with one below 0."""
    curve, shape = np.nonzero(log_one > log_one.max(axis=1, keepdims=True) - NEGLIGIBLE_ALONE)
    along, information = found.along[curve, shape], found.information[curve, shape]
    rest = np.maximum(0.0, found.square[curve, 0] - along**2 / information)
    known = found.known[curve, 0]
    standard = along / np.sqrt((found.freedom[curve, 0] + rest) / known * information)
    above, below = np.full((2, *log_one.shape), -np.inf)
    with np.errstate(divide="ignore"):
        for signed, sign in ((above, 1), (below, -1)):
            signed[curve, shape] = log_one[curve, shape] + np.log(student_cdf(known, sign * standard))
    return above, below


def _by_quadrant(log_two: np.ndarray, found: Marginals, shapes: Shapes) -> np.ndarray:
    """(4, n, P) marginal likelihoods of every pair: both heights above 0, the first only, the second only, neither.

    Only pairs within `NEGLIGIBLE` of the best of the smooth pairs, which come first, or of the best of the others need
    the probabilities of their quadrants, which cost most of the time.
    """
    n_smooth = shapes.n_smooth_pairs
    best = [log_two[:, :n_smooth].max(axis=1), log_two[:, n_smooth:].max(axis=1)]
    least = np.repeat(np.stack(best, axis=1) - NEGLIGIBLE, (n_smooth, log_two.shape[1] - n_smooth), axis=1)
    curve, pair = np.nonzero(log_two > least)
    location, scale, correlation = found.heights(curve, pair, shapes.first[pair], shapes.second[pair])
    standard = location / scale
    probabilities = quadrant_probabilities(standard[0], standard[1], correlation, found.known[curve, 0])
    quadrants = np.full((4, *log_two.shape), -np.inf)
    with np.errstate(divide="ignore"):
        for quadrant, probability in zip(quadrants, probabilities, strict=True):
            quadrant[curve, pair] = log_two[curve, pair] + np.log(probability)
    return quadrants
