"""How likely is a curve under each of many rises: where its rise lies, how wide and how high it is, is it sharp.

A curve's means are a level plus a height times a shape that goes from 0 to 1, plus normal noise whose variance is known
with some degrees of freedom. Level (any) and height (half normal, of scale `scale`) are integrated out in closed form,
so that all shapes of a grid cost one matrix product, and thousands of curves go at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, logsumexp

from harness.analysis.emergence.smooth_null import LOGISTIC_WIDTH, LONG_ANSWER, SMOOTH_STEPS, logistic

#: Widest rise, from 10 to 90 % in ladder steps, that is a jump.
JUMP_STEPS = 1.0
#: Widths of the grid, from a step between two sizes to what a usual ladder hardly tells from a straight line; ladders
#: of more steps have wider ones, up to twice their length.
WIDTHS = np.array([0.02, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0])
PLACE_GAP = 0.1
#: How far off the ladder rises are sought, in steps, the mean one where that is longer than the median.
BEYOND = 2.0
#: No rise is exactly logistic: a size may be off it by this share of the range of the means.
MISFIT = 0.02
#: A level counts as much as this share of all smooth rises.
_LEVEL = 0.3
#: Rates, a step, at which an error falls.
_RATES = (0.55, 0.2, 0.1, 0.02)


@dataclass(frozen=True)
class SmoothLaw:
    """A smooth rise: a logistic to a power (the length of an answer whose tokens all must be right), or, with power 0,
    an error that falls as a power of the size.

    Attributes:
        power: 0 or more.
        place, width: of the logistic, in steps from 10 to 90 %; of a power law, where it starts and the same width.
        level, height: what the shape from 0 to 1 is scaled to.
    """

    power: int
    place: float
    width: float
    level: float = 0.0
    height: float = 1.0

    def shape(self, t: np.ndarray) -> np.ndarray:
        """Rise from 0 to 1 at `t`, in steps."""
        if self.power == 0:
            return -np.expm1(-np.log(9) / self.width * (t - self.place))
        return np.asarray(logistic(t, self.place, self.width) ** self.power)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Values at `t`, in steps."""
        return self.level + self.height * self.shape(t)

    @property
    def name(self) -> str:
        if self.power == 0:
            return "power law in the error"
        return "logistic" if self.power == 1 else f"logistic to the power {self.power}"


@dataclass(frozen=True)
class Grid:
    """Shapes on one ladder.

    Attributes:
        t: (K,) places of the sizes.
        shapes: (G, K) logistic rises from 0 to 1, off the ladder too.
        widths: (W,) that there are.
        place, width, log_prior: (G,) of each; places uniform, widths uniform in their logarithm.
        laws: smooth rises: logistic, all-or-nothing scores of logistic tokens, power laws in the error.
        of_laws: (H, K) their shapes.
    """

    t: np.ndarray
    shapes: np.ndarray
    widths: np.ndarray
    place: np.ndarray
    width: np.ndarray
    log_prior: np.ndarray
    laws: tuple[SmoothLaw, ...]
    of_laws: np.ndarray


def build_grid(t: np.ndarray) -> Grid:
    """The grid of a ladder with sizes at `t` (K,), in steps."""
    beyond = BEYOND * max(1.0, (t[-1] - t[0]) / (len(t) - 1))
    places = np.arange(t[0] - beyond, t[-1] + beyond + 1e-9, PLACE_GAP)
    wider = WIDTHS[-1] * 1.5 ** np.arange(1, 20)
    widths = np.concatenate([WIDTHS, wider[wider <= 2 * (t[-1] - t[0])]]) if t[-1] - t[0] > WIDTHS[-1] else WIDTHS
    place, width = (each.ravel() for each in np.meshgrid(places, widths, indexing="ij"))
    breadth = np.log(np.maximum(widths, 0.15))
    log_prior = np.log(np.interp(np.log(np.maximum(width, 0.15)), breadth, np.gradient(breadth)))
    smooth = [(at, wide) for wide in widths[widths >= SMOOTH_STEPS] for at in places[::5]]
    laws = [SmoothLaw(power, at, wide) for power in (1, 4, LONG_ANSWER) for at, wide in smooth]
    laws += [SmoothLaw(0, float(t[0]), float(np.log(9) / rate)) for rate in _RATES]
    of_laws = np.stack([law.shape(t) for law in laws])
    seen = np.ptp(of_laws, axis=1) > 1e-3
    return Grid(
        t,
        logistic(t, place[:, None], width[:, None]),
        widths,
        place,
        width,
        log_prior,
        tuple(law for law, kept in zip(laws, seen, strict=True) if kept),
        of_laws[seen],
    )


@dataclass(frozen=True)
class Posterior:
    """What the means of n curves say of their rises.

    Attributes:
        log_bayes_factor: (n,) ln P(means | a jump) - ln P(means | a smooth rise or none).
        weight: (n, G) posterior probability of each rise of the grid, given that there is one.
        height: (n, G) its most likely height, in units of the means.
        smooth_laws: n best smooth laws, scaled to the means.
    """

    grid: Grid
    log_bayes_factor: np.ndarray
    weight: np.ndarray
    height: np.ndarray
    smooth_laws: tuple[SmoothLaw, ...]

    def place_quantiles(self, curve: int, fraction: float, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's place, in steps, where rises reach `fraction` of their height."""
        place = self.grid.place + self.grid.width / LOGISTIC_WIDTH * np.log(fraction / (1 - fraction))
        return _quantiles(place, self.weight[curve], levels) + PLACE_GAP * (np.asarray(levels) - 0.5)

    def width_quantiles(self, curve: int, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's width from 10 to 90 %, in steps; resolved to the widths of the grid."""
        widths = self.grid.widths
        reached = np.cumsum(self.weight[curve].reshape(-1, len(widths)).sum(axis=0))
        return widths[np.argmax(reached[:, None] >= np.minimum(levels, 1 - 1e-9), axis=0)]

    def height_quantiles(self, curve: int, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's height over rises; what noise adds to it at a given rise is left out."""
        return _quantiles(self.height[curve], self.weight[curve], levels)

    def sharp(self, curve: int) -> float:
        """Probability that a curve's rise is no wider than `JUMP_STEPS`."""
        return float(self.weight[curve, self.grid.width <= JUMP_STEPS].sum())

    def best(self, curve: int, chosen: np.ndarray | None = None) -> tuple[float, float, float]:
        """Place, width and height of the likeliest rise of a curve, of the `chosen` (G,) ones only."""
        weight = self.weight[curve] if chosen is None else np.where(chosen, self.weight[curve], -1.0)
        top = int(np.argmax(weight))
        return float(self.grid.place[top]), float(self.grid.width[top]), float(self.height[curve, top])


def posterior(grid: Grid, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray) -> Posterior:
    """Weigh the rises of a grid.

    Args:
        means, variance: (n, K) means at each size and their variances.
        freedom: (n,) degrees of freedom of the variances; inf where they are known.
        scale: (n,) of heights, in units of the means.
    """
    variance = np.maximum(variance, 1e-12) + (MISFIT * np.ptp(means, axis=1)[:, None]) ** 2
    freedom = np.minimum(freedom, 1e6)[:, None]
    log_rise, height = _log_marginal(grid.shapes, means, variance, freedom, scale)
    log_law, law_height = _log_marginal(grid.of_laws, means, variance, freedom, scale)
    log_level = _log_marginal(np.zeros((1, means.shape[1])), means, variance, freedom, scale)[0][:, 0]
    # A jump off the ladder is no jump on it.
    sharp = (grid.width <= JUMP_STEPS) & (grid.place > grid.t[0]) & (grid.place < grid.t[-1])
    log_weight = log_rise + grid.log_prior
    jump = logsumexp(log_weight[:, sharp], axis=1) - logsumexp(grid.log_prior[sharp])
    smooth = logsumexp(log_law, axis=1) - np.log(len(grid.laws))
    smooth_or_level = np.logaddexp(smooth, log_level + np.log(_LEVEL))
    weight = np.exp(log_weight - logsumexp(log_weight, axis=1, keepdims=True))
    best = np.argmax(log_law, axis=1)
    laws = tuple(
        _scaled(grid.laws[law], grid.of_laws[law], law_height[i, law], means[i], variance[i])
        for i, law in enumerate(best)
    )
    return Posterior(grid, jump - smooth_or_level, weight, height, laws)


def _scaled(law: SmoothLaw, shape: np.ndarray, height: float, means: np.ndarray, variance: np.ndarray) -> SmoothLaw:
    level = np.sum((means - height * shape) / variance) / np.sum(1 / variance)
    return replace(law, level=float(level), height=float(height))


def _log_marginal(
    shapes: np.ndarray, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, G) log likelihoods, level and height integrated out, and heights."""
    precision = 1 / variance
    total = precision.sum(axis=1, keepdims=True)
    deviation = means - np.sum(precision * means, axis=1, keepdims=True) / total
    along = (precision * deviation) @ shapes.T
    information = precision @ (shapes**2).T - (precision @ shapes.T) ** 2 / total
    prior = 1 / scale[:, None] ** 2
    known = information + prior
    rest = np.maximum(0.0, np.sum(precision * deviation**2, axis=1, keepdims=True) - along**2 / known)
    log_likelihood = -(freedom + means.shape[1] - 1) / 2 * np.log1p(rest / freedom)
    # Half of a normal prior: twice its density, above 0 only.
    log_occam = 0.5 * np.log(prior / known) + np.log(2) + log_ndtr(along / np.sqrt(known))
    return log_likelihood + log_occam, np.maximum(0.0, along / known)


def _quantiles(values: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Weighted quantiles of `values` (G,)."""
    order = np.argsort(values, kind="stable")
    sorted_weight = weight[order]
    return np.interp(levels, np.cumsum(sorted_weight) - sorted_weight / 2, values[order])
