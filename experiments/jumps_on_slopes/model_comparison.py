"""Is a curve smooth, or smooth plus a jump? Marginal likelihoods of both, for many curves of one ladder at once.

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

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from orthants import quadrant_probabilities
from rise_shapes import Shapes
from scipy.special import logsumexp, stdtr

#: Prior probabilities of the smooth models in the comparison with a jump up; for a jump down rises and falls swap.
SMOOTH_WEIGHTS = {"level": 0.1, "rise": 0.2, "fall": 0.02, "two rises": 0.45, "rise and fall": 0.2, "two falls": 0.03}
#: Prior probabilities of the models with a jump up; for a jump down rises and falls swap.
JUMP_WEIGHTS = {"jump": 0.1, "jump on a rise": 0.7, "jump on a fall": 0.2}
#: Prior log odds of a jump up against a jump down.
LOG_ODDS_OF_UP = float(np.log(2))
#: Standard deviation of the true means about the grid of shapes, as a share of the range of the means.
MISFIT = 0.02
#: Prior scale of the heights over the range of the means.
HEIGHT_SCALE = 1.5
#: Pairs of shapes whose log marginal likelihood is further than this below the largest are left out.
_NEGLIGIBLE = 10.0
#: Smallest variance of a mean, for values that are equal in every run.
MIN_VARIANCE = 1e-12
#: Curves that are compared at once, so that all arrays stay below about 100 MB.
_CHUNK = 128


def height_scale(means: np.ndarray, largest: np.ndarray | float = np.inf) -> np.ndarray:
    """(n,) prior scale of the heights: `HEIGHT_SCALE` times the range of the means, at most `largest`.

    Args:
        means: (n, K).
        largest: (n,) or a number, the largest height that the metric allows; 1 for a share.
    """
    return np.clip(HEIGHT_SCALE * np.ptp(means, axis=1), 1e-12, largest)


@dataclass(frozen=True)
class Comparison:
    """Log marginal likelihoods of n curves, each curve's up to a constant.

    Attributes:
        shapes: of the ladder.
        level, rise, fall, two_rises, rise_and_fall, two_falls: (n,) smooth models, averaged over their shapes.
        jump_up, jump_down: (n, J) each jump alone.
        rise_up, fall_up, rise_down, fall_down: (n, J) each jump, up or down, on a smooth rise or fall.
        edge_up, edge_down: (n,) jumps in the first or last gap, alone and on a rise or fall.
    """

    shapes: Shapes
    level: np.ndarray
    rise: np.ndarray
    fall: np.ndarray
    two_rises: np.ndarray
    rise_and_fall: np.ndarray
    two_falls: np.ndarray
    jump_up: np.ndarray
    jump_down: np.ndarray
    rise_up: np.ndarray
    fall_up: np.ndarray
    rise_down: np.ndarray
    fall_down: np.ndarray
    edge_up: np.ndarray
    edge_down: np.ndarray

    @cached_property
    def smooth_up(self) -> np.ndarray:
        """(n,) the smooth models together, in the comparison with a jump up."""
        return _weighed(
            SMOOTH_WEIGHTS, self.level, self.rise, self.fall, self.two_rises, self.rise_and_fall, self.two_falls
        )

    @cached_property
    def smooth_down(self) -> np.ndarray:
        """(n,) the smooth models together, in the comparison with a jump down."""
        return _weighed(
            SMOOTH_WEIGHTS, self.level, self.fall, self.rise, self.two_falls, self.rise_and_fall, self.two_rises
        )

    @cached_property
    def places_up(self) -> np.ndarray:
        """(n, J) each jump up, averaged over what it stands on."""
        return _weighed(JUMP_WEIGHTS, self.jump_up, self.rise_up, self.fall_up)

    @cached_property
    def places_down(self) -> np.ndarray:
        """(n, J) each jump down, averaged over what it stands on."""
        return _weighed(JUMP_WEIGHTS, self.jump_down, self.fall_down, self.rise_down)

    @cached_property
    def log_bayes_up(self) -> np.ndarray:
        """(n,) ln P(means | smooth plus a jump up) - ln P(means | smooth)."""
        return _average(self.places_up) - self.smooth_up

    @cached_property
    def log_bayes_down(self) -> np.ndarray:
        """(n,) ln P(means | smooth plus a jump down) - ln P(means | smooth)."""
        return _average(self.places_down) - self.smooth_down

    @cached_property
    def statistic(self) -> np.ndarray:
        """(n,) max(log_bayes_up, log_bayes_down - `LOG_ODDS_OF_UP`), finite for any finite means."""
        return np.maximum(self.log_bayes_up, self.log_bayes_down - LOG_ODDS_OF_UP)

    @cached_property
    def jumps_up(self) -> np.ndarray:
        """(n,) whether a jump up is more likely than a jump down."""
        return self.log_bayes_up >= self.log_bayes_down - LOG_ODDS_OF_UP

    def places(self, curve: int) -> np.ndarray:
        """(J,) posterior probabilities of the jumps, given that the curve has one, in its more likely direction."""
        log = (self.places_up if self.jumps_up[curve] else self.places_down)[curve]
        return np.asarray(np.exp(log - logsumexp(log)))

    def gap(self, curve: int, level: float = 0.95) -> tuple[float, float]:
        """Credible interval of the place of a curve's jump, in steps: the hull of its `level` highest-posterior set.

        Nothing between two sizes was measured, so the interval is at least the gap in which the jump lies, or half of
        either gap where a size lies in the course of the jump.
        """
        weight, t = self.places(curve), self.shapes.t
        order = np.argsort(-weight)
        held = order[: int(np.searchsorted(np.cumsum(weight[order]), level)) + 1]
        low, high = float(self.shapes.jump_low[held].min()), float(self.shapes.jump_high[held].max())
        size = int(np.argmin(np.abs(t - (low + high) / 2)))
        if low < t[size] < high and 0 < size < len(t) - 1:
            low, high = min(low, (t[size - 1] + t[size]) / 2), max(high, (t[size] + t[size + 1]) / 2)
        return low, high


def compare(
    shapes: Shapes, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> Comparison:
    """Compare the models of n curves.

    Args:
        means, variance: (n, K) means at each size, in any unit, and their estimated variances.
        freedom: (n,) degrees of freedom of the variances; inf where they are known.
        scale: (n,) prior scale of the heights, in the unit of the means (`height_scale`).
    """
    parts = [
        _compare(shapes, *(each[start : start + _CHUNK] for each in (means, variance, freedom, scale)))
        for start in range(0, max(len(means), 1), _CHUNK)
    ]
    return Comparison(shapes, **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


@dataclass(frozen=True)
class Marginals:
    """Log marginal likelihoods of every shape and pair of shapes, and posteriors of their heights.

    The M shapes are in this order: combined ones (A), jumps (J), edge jumps (2), single ones (F).

    Attributes:
        level: (n,) no shape.
        above, below: (n, M) one shape, its height above or below 0.
        first, second: (P,) indices of the shapes of each pair.
        quadrants: (4, n, P) pairs of shapes with both heights above 0, the first only, the second only, neither.
        smooth_pairs: number of pairs of two smooth shapes, which come first. In the others `first` is a smooth shape
            and `second` a jump, `second` changing faster.
        height, height_sd: (n, M) posterior location and scale of the height of one shape, before truncation.
        pair_heights, pair_sds: (2, n, P) the same of both heights of a pair.
        pair_correlation: (n, P) of both heights.
    """

    level: np.ndarray
    above: np.ndarray
    below: np.ndarray
    first: np.ndarray
    second: np.ndarray
    quadrants: np.ndarray
    smooth_pairs: int
    height: np.ndarray
    height_sd: np.ndarray
    pair_heights: np.ndarray
    pair_sds: np.ndarray
    pair_correlation: np.ndarray


def marginals(
    shapes: Shapes, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> Marginals:
    """The formulas at the head of this file, with arguments as `compare` takes them."""
    stacked = np.concatenate([shapes.of_combined, shapes.jumps, shapes.edge_jumps, shapes.of_single])
    n_smooth, n_pairable = len(shapes.of_combined), len(stacked) - len(shapes.of_single)
    first, second = _pairs(n_smooth, n_pairable)
    smooth_pairs = n_smooth * (n_smooth - 1) // 2
    freedom = np.minimum(freedom, 1e6)[:, None]
    known = freedom + means.shape[1] - 1
    prior = 1 / scale[:, None] ** 2

    misfit = (MISFIT * np.ptp(means, axis=1)[:, None]) ** 2
    precision = 1 / (np.maximum(variance, MIN_VARIANCE) + misfit)
    share = precision / precision.sum(axis=1, keepdims=True)
    deviation = means - np.sum(share * means, axis=1, keepdims=True)
    square = np.sum(precision * deviation**2, axis=1, keepdims=True)
    along = (precision * deviation) @ stacked.T
    average = share @ stacked.T
    total = precision.sum(axis=1, keepdims=True)
    information = precision @ (stacked**2).T - total * average**2 + prior

    def log_likelihood(rest: np.ndarray) -> np.ndarray:
        return np.asarray(-known / 2 * np.log1p(np.maximum(0.0, rest) / freedom))

    rest = np.maximum(0.0, square - along**2 / information)
    sd = np.sqrt((freedom + rest) / known / information)
    height = along / information
    log_one = log_likelihood(rest) + 0.5 * np.log(prior / information) + np.log(2)
    with np.errstate(divide="ignore"):
        above, below = (log_one + np.log(stdtr(known, sign * height / sd)) for sign in (1, -1))

    cross = precision @ (stacked[first] * stacked[second]).T - total * average[:, first] * average[:, second]
    of_first, of_second = information[:, first], information[:, second]
    determinant = of_first * of_second - cross**2
    heights = np.stack(
        [
            (of_second * along[:, first] - cross * along[:, second]) / determinant,
            (of_first * along[:, second] - cross * along[:, first]) / determinant,
        ]
    )
    rest = np.maximum(0.0, square - along[:, first] * heights[0] - along[:, second] * heights[1])
    log_two = log_likelihood(rest) + np.log(prior) - 0.5 * np.log(determinant) + np.log(4)
    sds = np.sqrt((freedom + rest) / known / determinant * np.stack([of_second, of_first]))
    correlation = -cross / np.sqrt(of_first * of_second)
    smooth, with_jump = log_two[:, :smooth_pairs], log_two[:, smooth_pairs:]
    least = np.repeat(
        np.stack([smooth.max(axis=1), with_jump.max(axis=1)], axis=1) - _NEGLIGIBLE,
        (smooth_pairs, len(first) - smooth_pairs),
        axis=1,
    )
    at = np.nonzero(log_two > least)
    standard = heights[:, at[0], at[1]] / sds[:, at[0], at[1]]
    probabilities = quadrant_probabilities(standard[0], standard[1], correlation[at], known[at[0], 0])
    quadrants = np.full((4, *log_two.shape), -np.inf)
    with np.errstate(divide="ignore"):
        for quadrant, probability in zip(quadrants, probabilities, strict=True):
            quadrant[at] = log_two[at] + np.log(probability)
    return Marginals(
        log_likelihood(square)[:, 0],
        above,
        below,
        first,
        second,
        quadrants,
        smooth_pairs,
        height,
        sd,
        heights,
        sds,
        correlation,
    )


def _pairs(n_smooth: int, n_all: int) -> tuple[np.ndarray, np.ndarray]:
    """(P,) and (P,): every two different smooth shapes; then each smooth shape with each jump."""
    one, other = np.triu_indices(n_smooth, 1)
    smooth, jump = np.meshgrid(np.arange(n_smooth), np.arange(n_smooth, n_all), indexing="ij")
    return np.concatenate([one, smooth.ravel()]), np.concatenate([other, jump.ravel()])


def _compare(
    shapes: Shapes, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> dict[str, np.ndarray]:
    found = marginals(shapes, means, variance, freedom, scale)
    n, n_jumps, n_smooth = len(means), len(shapes.jumps), len(shapes.of_combined)
    jumps, edges = slice(n_smooth, n_smooth + n_jumps), slice(n_smooth + n_jumps, n_smooth + n_jumps + 2)
    singles = slice(n_smooth + n_jumps + 2, None)
    single_prior = np.log(shapes.single_prior)
    both, first_only, second_only, neither = found.quadrants[:, :, : found.smooth_pairs]
    # (n, J + 2) each jump, averaged over the smooth shapes it stands on; the last two are edge jumps.
    on = found.quadrants[:, :, found.smooth_pairs :].reshape(4, n, n_smooth, n_jumps + 2)
    rise_up, rise_down, fall_up, fall_down = logsumexp(on + np.log(shapes.combined_prior)[:, None], axis=2)
    edge = slice(n_jumps, None)
    return {
        "level": found.level,
        "rise": logsumexp(found.above[:, singles] + single_prior, axis=1),
        "fall": logsumexp(found.below[:, singles] + single_prior, axis=1),
        "two_rises": _average(both),
        "rise_and_fall": _average(np.concatenate([first_only, second_only], axis=1)),
        "two_falls": _average(neither),
        "jump_up": found.above[:, jumps],
        "jump_down": found.below[:, jumps],
        "rise_up": rise_up[:, :n_jumps],
        "fall_up": fall_up[:, :n_jumps],
        "rise_down": rise_down[:, :n_jumps],
        "fall_down": fall_down[:, :n_jumps],
        "edge_up": _average(_weighed(JUMP_WEIGHTS, found.above[:, edges], rise_up[:, edge], fall_up[:, edge])),
        "edge_down": _average(_weighed(JUMP_WEIGHTS, found.below[:, edges], fall_down[:, edge], rise_down[:, edge])),
    }


def _average(log: np.ndarray) -> np.ndarray:
    """(...) logarithm of the mean of exp(log) over the last axis."""
    return np.asarray(logsumexp(log, axis=-1) - np.log(log.shape[-1]))


def _weighed(weights: dict[str, float], *logs: np.ndarray) -> np.ndarray:
    """Logarithm of the weighted sum of exp(logs), in the order of `weights`."""
    return np.asarray(
        logsumexp(np.stack([np.log(weight) + log for weight, log in zip(weights.values(), logs, strict=True)]), axis=0)
    )
