r"""The posterior over rises: how likely each place, width and height is, and whether a jump is likelier than none.

**Model.** The means y at the K sizes of a ladder are

    y = a 1 + h g + e,    e ~ N(0, tau V),    V = diag(v),

with a shape g that goes from 0 to 1, a level a and a height h >= 0. The variances v are estimates with nu degrees of
freedom, correct up to a common factor tau. The priors are

    a flat,    tau ~ nu / chi^2_nu,    h | tau half-normal of scale s sqrt(tau):  2 N(h; 0, s^2 tau) for h >= 0.

That of tau is what an estimate with nu degrees of freedom says of the variance, from the prior 1 / tau. The height's
scale carries sqrt(tau), as the noise does: the conjugate (normal-inverse-gamma) choice, which makes every integral
exact. Marginally, h is half-Student's-t with nu degrees of freedom and scale s; for nu = inf it is half-normal.

**Marginal likelihood.** Let g~ and y~ be the deviations from means weighted by 1 / v, and

    A = g~' V^-1 y~,    I = g~' V^-1 g~,    P = 1 / s^2,    m = nu + K - 1,    R = y~' V^-1 y~ - A^2 / (I + P).

Given tau, integrating out a and h leaves, up to a factor that all shapes share,

    tau^(-(K - 1) / 2) sqrt(P / (I + P)) exp(-R / (2 tau)) 2 Phi(A / sqrt(tau (I + P))),

the last factor because a normal density is integrated above 0 only. Integrating over tau turns exp into the power that
Student's t has, and Phi, averaged over the posterior of tau, into its distribution function T_m with m degrees of
freedom:

    p(y | g) = 2 sqrt(P / (I + P)) (1 + R / nu)^(-m / 2) T_m( A / sqrt(I + P) sqrt(m / (nu + R)) ).

For g = 0, a level, this is (1 + y~' V^-1 y~ / nu)^(-m / 2), since the height then integrates to 1. A and I of all
shapes are matrix products, so that a grid of thousands of shapes costs little.

**Hypotheses.** A *jump* is a logistic of at most `JUMP_STEPS` whose place is on the ladder. *No jump* is a mixture: a
level with prior probability `LEVEL_ODDS` / (1 + `LEVEL_ODDS`), else a smooth law, all of the grid equally likely. The
prior weights of each side sum to 1, so that `log_bayes_factor` is ln p(y | jump) - ln p(y | no jump). Posterior odds
are the Bayes factor times prior odds (`evidence.Finding.log_odds` states those that verdicts take).

Sources: Gelman et al. 2013, *Bayesian Data Analysis*, section 3.3 (the conjugate prior); Kass and Raftery 1995, "Bayes
factors", Journal of the American Statistical Association 90.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, logsumexp, stdtr

from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.smooth_null import LOGISTIC_WIDTH, LONGEST_ANSWER, SMOOTH_STEPS, logistic

#: Widest rise, from 10 to 90 % in steps, that is a jump: one that a ladder sees between two sizes.
JUMP_STEPS = 1.0
#: Widths of the grid, in steps: from a step between two sizes to what a usual ladder cannot tell from a straight line.
WIDTHS = (0.02, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0)
#: Ladders longer than the widest of these have wider rises too, each by this factor, up to `MAX_WIDTH_RATIO` of the
#: ladder's length: without, intervals of N* on refined ladders were too narrow.
WIDTH_FACTOR, MAX_WIDTH_RATIO = 1.5, 2.0
#: Widths below this are alike to the prior, which is uniform in ln(width): no ladder can distinguish them.
MIN_PRIOR_WIDTH = 0.15
#: Distance of neighbouring places on the grid, in steps: the resolution of N*.
PLACE_GAP = 0.1
#: How far off the ladder places go, in steps (in mean steps where these are longer than the median).
PLACES_BEYOND = 2.0
#: Standard deviation by which a size may be off any rise of the grid, as a share of the range of the means: no rise is
#: exactly logistic.
MISFIT = 0.02
#: Prior odds of a level against a smooth law.
LEVEL_ODDS = 0.3
#: Powers of the logistic smooth laws: a plain one, and exact match of answers of 4 and of many tokens.
LAW_POWERS = (1, 4, LONGEST_ANSWER)
#: Distance of neighbouring places of smooth laws, in places of the grid.
LAW_PLACE_STRIDE = 5
#: Rates per step at which the error of a power law falls: from the steepest that is smooth, ln 9 / SMOOTH_STEPS, to
#: nearly a straight line.
ERROR_RATES = (0.55, 0.2, 0.1, 0.02)
#: Smooth laws of which less than this share of the height lies on the ladder are levels, and left out.
MIN_SHARE_OF_LAW = 1e-3
#: Degrees of freedom that stand for a known variance.
MAX_FREEDOM = 1e6
#: Bytes of grids that are kept between calls.
MAX_GRID_BYTES = 64 * 2**20


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
        widths: (W,) widths that there are.
        place, width, log_prior: (G,) of each shape; the prior is uniform in the place and in ln(width).
        laws: L smooth laws: logistics, their powers, power laws in the error.
        law_shapes: (L, K) their shapes.
    """

    t: np.ndarray
    shapes: np.ndarray
    widths: np.ndarray
    place: np.ndarray
    width: np.ndarray
    log_prior: np.ndarray
    laws: tuple[SmoothLaw, ...]
    law_shapes: np.ndarray

    @property
    def is_jump(self) -> np.ndarray:
        """(G,) whether a shape is a jump on the ladder; off it no jump can be seen."""
        return (self.width <= JUMP_STEPS) & (self.place > self.t[0]) & (self.place < self.t[-1])

    @property
    def nbytes(self) -> int:
        return array_bytes(vars(self).values())


_KEPT: BoundedCache[Grid] = BoundedCache(MAX_GRID_BYTES)


def grid_of(t: np.ndarray) -> Grid:
    """The grid of a ladder with sizes at `t` (K,), in steps; kept between calls (at most `MAX_GRID_BYTES`)."""
    return _KEPT.get(t.tobytes(), lambda: _build_grid(t))


def _build_grid(t: np.ndarray) -> Grid:
    length = t[-1] - t[0]
    beyond = PLACES_BEYOND * max(1.0, length / (len(t) - 1))
    places = np.arange(t[0] - beyond, t[-1] + beyond + 1e-9, PLACE_GAP)
    widths = _widths(length)
    place, width = (each.ravel() for each in np.meshgrid(places, widths, indexing="ij"))
    log_widths = np.log(np.maximum(widths, MIN_PRIOR_WIDTH))
    # Each width of the grid stands for the widths that are nearest to it: its prior is their length in ln(width).
    log_prior = np.log(np.interp(np.log(np.maximum(width, MIN_PRIOR_WIDTH)), log_widths, np.gradient(log_widths)))
    smooth = [(at, wide) for wide in widths[widths >= SMOOTH_STEPS] for at in places[::LAW_PLACE_STRIDE]]
    laws = [SmoothLaw(power, at, wide) for power in LAW_POWERS for at, wide in smooth]
    laws += [SmoothLaw(0, float(t[0]), float(np.log(9) / rate)) for rate in ERROR_RATES]
    law_shapes = np.stack([law.shape(t) for law in laws])
    seen = np.ptp(law_shapes, axis=1) > MIN_SHARE_OF_LAW
    kept = tuple(law for law, is_seen in zip(laws, seen, strict=True) if is_seen)
    shapes = logistic(t, place[:, None], width[:, None])
    return Grid(t, shapes, widths, place, width, log_prior, kept, law_shapes[seen])


def _widths(length: float) -> np.ndarray:
    """(W,) widths of the grid of a ladder of this length, in steps."""
    if length <= WIDTHS[-1]:
        return np.array(WIDTHS)
    wider = WIDTHS[-1] * WIDTH_FACTOR ** np.arange(1, 20)
    return np.concatenate([WIDTHS, wider[wider <= MAX_WIDTH_RATIO * length]])


@dataclass(frozen=True)
class Posterior:
    """What the means of n curves say of their rises.

    Attributes:
        grid: the shapes that were weighed.
        log_bayes_factor: (n,) ln p(means | jump) - ln p(means | no jump).
        weight: (n, G) posterior probability of each rise of the grid, given that there is one.
        height: (n, G) its most likely height, in the unit of the means.
        smooth_laws: n most likely smooth laws, scaled to the means.
    """

    grid: Grid
    log_bayes_factor: np.ndarray
    weight: np.ndarray
    height: np.ndarray
    smooth_laws: tuple[SmoothLaw, ...]

    def place_quantiles(self, curve: int, fraction: float, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's place, in steps, where rises reach `fraction` of their height."""
        place = self.grid.place + self.grid.width / LOGISTIC_WIDTH * np.log(fraction / (1 - fraction))
        # A place of the grid stands for the interval of length PLACE_GAP about it.
        return _quantiles(place, self.weight[curve], levels) + PLACE_GAP * (np.asarray(levels) - 0.5)

    def width_quantiles(self, curve: int, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's width from 10 to 90 %, in steps; resolved to the widths of the grid."""
        widths = self.grid.widths
        reached = np.cumsum(self.weight[curve].reshape(-1, len(widths)).sum(axis=0))
        return widths[np.argmax(reached[:, None] >= np.minimum(levels, 1 - 1e-9), axis=0)]

    def height_quantiles(self, curve: int, levels: np.ndarray) -> np.ndarray:
        """Quantiles of a curve's height over rises; what noise adds to it at a given rise is left out."""
        return _quantiles(self.height[curve], self.weight[curve], levels)

    def p_sharp(self, curve: int) -> float:
        """Probability that a curve's rise, if there is one, is no wider than `JUMP_STEPS`."""
        return float(self.weight[curve, self.grid.width <= JUMP_STEPS].sum())

    def likeliest(self, curve: int, among: np.ndarray) -> tuple[float, float, float]:
        """Place, width and height of the likeliest rise of a curve among some (G,) of the grid."""
        top = int(np.argmax(np.where(among, self.weight[curve], -1.0)))
        return float(self.grid.place[top]), float(self.grid.width[top]), float(self.height[curve, top])


def posterior(grid: Grid, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray) -> Posterior:
    """Weigh the rises of a grid.

    Args:
        means, variance: (n, K) means at each size and their variances.
        freedom: (n,) degrees of freedom of the variances; inf where they are known.
        scale: (n,) prior scale s of heights, in the unit of the means.
    """
    variance = np.maximum(variance, 1e-12) + (MISFIT * np.ptp(means, axis=1)[:, None]) ** 2
    log_rise, height = _log_marginal(grid.shapes, means, variance, freedom, scale)
    log_law, law_height = _log_marginal(grid.law_shapes, means, variance, freedom, scale)
    log_level = _log_marginal(np.zeros((1, means.shape[1])), means, variance, freedom, scale)[0][:, 0]
    log_weight = log_rise + grid.log_prior
    log_jump = logsumexp(log_weight[:, grid.is_jump], axis=1) - logsumexp(grid.log_prior[grid.is_jump])
    log_law_mean = logsumexp(log_law, axis=1) - np.log(len(grid.laws))
    log_no_jump = np.logaddexp(log_law_mean, log_level + np.log(LEVEL_ODDS)) - np.log1p(LEVEL_ODDS)
    weight = np.exp(log_weight - logsumexp(log_weight, axis=1, keepdims=True))
    laws = tuple(
        _scaled(grid.laws[law], grid.law_shapes[law], law_height[i, law], means[i], variance[i])
        for i, law in enumerate(np.argmax(log_law, axis=1))
    )
    return Posterior(grid, log_jump - log_no_jump, weight, height, laws)


def _scaled(law: SmoothLaw, shape: np.ndarray, height: float, means: np.ndarray, variance: np.ndarray) -> SmoothLaw:
    level = np.sum((means - height * shape) / variance) / np.sum(1 / variance)
    return replace(law, level=float(level), height=float(height))


def _log_marginal(
    shapes: np.ndarray, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, G) ln p(means | shape), with level, height and variance factor integrated out, and most likely heights.

    Exact but for a constant that a curve's shapes share; the formula stands at the top of this module.

    Args:
        shapes: (G, K).
        means, variance: (n, K).
        freedom, scale: (n,).
    """
    freedom = np.minimum(freedom, MAX_FREEDOM)[:, None]
    precision = 1 / variance
    total = precision.sum(axis=1, keepdims=True)
    deviation = means - np.sum(precision * means, axis=1, keepdims=True) / total
    along = (precision * deviation) @ shapes.T
    information = precision @ (shapes**2).T - (precision @ shapes.T) ** 2 / total
    prior = 1 / scale[:, None] ** 2
    known = information + prior
    rest = np.maximum(0.0, np.sum(precision * deviation**2, axis=1, keepdims=True) - along**2 / known)
    m = freedom + means.shape[1] - 1
    log_fit = 0.5 * np.log(prior / known) - m / 2 * np.log1p(rest / freedom)
    log_above_0 = _log_t_distribution(m, along / np.sqrt(known) * np.sqrt(m / (freedom + rest)))
    return np.log(2) + log_fit + log_above_0, np.maximum(0.0, along / known)


def _log_t_distribution(freedom: np.ndarray, x: np.ndarray) -> np.ndarray:
    """ln P(t <= x) of Student's t; beyond what floats can hold by the first two terms of its tail, to 2e-6."""
    p = stdtr(freedom, x)
    far = p < 1e-290
    if not far.any():
        return np.log(p)
    freedom, tail = np.broadcast_to(freedom, x.shape)[far], x[far] ** 2
    log_density = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi)
    log_density -= (freedom + 1) / 2 * np.log1p(tail / freedom)
    log_p = np.log(np.where(far, 1.0, p))
    log_p[far] = log_density + np.log1p(tail / freedom) - np.log(tail) / 2 + np.log1p(-freedom / ((freedom + 2) * tail))
    return log_p


def _quantiles(values: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Weighted quantiles of `values` (G,)."""
    order = np.argsort(values, kind="stable")
    sorted_weight = weight[order]
    return np.interp(levels, np.cumsum(sorted_weight) - sorted_weight / 2, values[order])
