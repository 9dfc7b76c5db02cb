"""How likely is a curve under a smooth rise, and under a sharp one: the likelihood of many rises on one ladder at once.

A run of size x scores v = F((ln x - mu - sigma z) / tau) + noise, where z ~ N(0, 1) is the run's own: each run is one
model that rises at its own place, so runs of a rung can be bimodal. F is logistic with floor 0 (which may creep up by
`CREEPS` along the ladder) and ceiling 1, or an exponential or power-law approach, or flat. Scores are binned, so that
a data set is a matrix of counts (rungs x bins) and its log likelihood under every rise of a grid is one product.

Widths are those from 10 to 90 % of the rise, in local ladder steps (the gap in ln x between the rungs about mu).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from scipy.special import expit, ndtr, ndtri

#: Width of a logistic rise from 10 to 90 %, in units of tau.
LOGISTIC_WIDTH = 2 * np.log(9)
BIN_EDGES = np.linspace(-0.2, 1.2, 29)
N_BINS = len(BIN_EDGES) - 1
LEVELS = np.linspace(-0.2, 1.2, 141)

#: No smooth law is exact: a rung may be off it by this share of the rise. Runs of a rung share that error, so with k of
#: them the noise of one run is taken to be at least sqrt(k) times this (up to MAX_LEAST_NOISE).
MISFIT = 0.05
MAX_LEAST_NOISE = 0.15
#: Real noise may be far below that allowance; null data are drawn with this much as well.
QUIET_NOISE = 0.03
#: Share of the rise within which runs count as at its floor or ceiling.
NEAR_END = 0.15
#: Noise of a run, in units of the least, with the share of runs that may score anything at all: few, or as many as
#: where models learn their task in part.
NOISES = ((1.0, 0.02), (1.7, 0.02), (3.0, 0.02), (1.0, 0.15))
#: Widths, as multiples of the resolution: those from 1 on are smooth, 0 is a step between rungs.
WIDTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.25, 3.5)
#: Widest rise, in ladder steps, that is as good as a step in a run that rises at its own place.
STEEP = 0.5
SPREADS = (0.0, 0.5, 1.0, 2.0)
CREEPS = (0.0, 0.2)
PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)
PLACES_OUTSIDE = (0.25, 0.75)
FLAT_LEVELS = (0.2, 0.35, 0.5, 0.65, 0.8)
N_QUANTILES = 21


@dataclass(frozen=True)
class Rises:
    """A grid of G rises on one ladder.

    Attributes:
        log_p: (R * N_BINS, G) float32, ln P(bin | rung, rise).
        counts: (R,) runs at each rung.
        width: (G,) in local ladder steps; NaN for rises that are not logistic.
        spread: (G,) standard deviation of the places of runs, in local ladder steps.
        outliers: (G,) share of runs that may score anything at all.
        smooth, sharp, flat: (G,) bool: in the null (flat included); a step, or as good as one; no rise at all.
        quiet_log_p: (G, R, N_BINS), the same with QUIET_NOISE.
    """

    log_p: np.ndarray
    counts: np.ndarray
    width: np.ndarray
    spread: np.ndarray
    outliers: np.ndarray
    smooth: np.ndarray
    sharp: np.ndarray
    flat: np.ndarray
    quiet_log_p: np.ndarray
    _null_draws: dict[tuple[int, int, bool], np.ndarray] = field(default_factory=dict, repr=False)

    def log_likelihood(self, scores: np.ndarray, rung: np.ndarray) -> np.ndarray:
        """(b, G) ln P of data sets `scores` (b, n), one a row, runs at `rung` (n,)."""
        b, n_rungs = len(scores), len(self.counts)
        bins = np.clip(np.searchsorted(BIN_EDGES, scores, side="right") - 1, 0, N_BINS - 1)
        flat_bins = np.arange(b)[:, None] * (n_rungs * N_BINS) + rung * N_BINS + bins
        counts = np.bincount(flat_bins.ravel(), minlength=b * n_rungs * N_BINS)
        return counts.reshape(b, -1).astype(np.float32) @ self.log_p

    def ratio(self, log_likelihood: np.ndarray) -> np.ndarray:
        """(b,) log likelihood ratio of the best rise over the best smooth one, >= 0."""
        return log_likelihood.max(axis=1) - log_likelihood[:, self.smooth].max(axis=1)

    def likely_nulls(self, log_likelihood: np.ndarray, within: float) -> list[int]:
        """The best smooth rise for each spread and share of outliers that is `within` log units of the best of all.

        They are the nuisances that the ratio's distribution depends on most, and few runs tell them badly. Best first.
        """
        best = [
            int(
                np.argmax(
                    np.where(self.smooth & (self.spread == spread) & (self.outliers == share), log_likelihood, -np.inf)
                )
            )
            for spread in np.unique(self.spread)
            for share in np.unique(self.outliers)
        ]
        best.sort(key=lambda rise: -log_likelihood[rise])
        return [rise for rise in best if log_likelihood[rise] >= log_likelihood[best[0]] - within]

    def null_ratios(self, rise: int, n_draws: int, seed: int, quiet: bool) -> np.ndarray:
        """(n_draws,) log likelihood ratios of data sets drawn from one rise, normalised as real ones are.

        Args:
            quiet: whether to draw with QUIET_NOISE in place of the rise's own.
        """
        key = (rise, n_draws, quiet)
        if key not in self._null_draws:
            log_p = self.quiet_log_p[rise] if quiet else self.log_p[:, rise].reshape(-1, N_BINS)
            cumulative = np.cumsum(np.exp(log_p.astype(float)), axis=1)
            rng = np.random.default_rng([seed, *key])
            rung = np.repeat(np.arange(len(self.counts)), self.counts)
            uniform = rng.random((n_draws, len(rung), 1))
            bins = np.sum(uniform > cumulative[rung, :-1] / cumulative[rung, -1:], axis=2)
            scores = BIN_EDGES[bins] + rng.random(bins.shape) * (BIN_EDGES[1] - BIN_EDGES[0])
            scores = normalise(scores, self.counts)
            chunks = np.array_split(scores, max(1, n_draws // 250))
            self._null_draws[key] = np.concatenate([self.ratio(self.log_likelihood(c, rung)) for c in chunks])
        return self._null_draws[key]


def normalise(oriented: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Scores (..., n), higher is better, to 0 at the worst and 1 at the best runs.

    Runs, not rungs, so that bimodal rungs keep both modes. The worst and best quarter of a rung's runs give a first
    scale; the medians of all runs within NEAR_END of its ends give the one that counts, for extremes are mostly noise.
    """
    ends = max(1, round(float(np.median(counts)) / 4))
    ordered = np.sort(oriented, axis=-1)
    first = _rescale(
        oriented, ordered[..., :ends].mean(-1, keepdims=True), ordered[..., -ends:].mean(-1, keepdims=True)
    )
    ordered = np.sort(first, axis=-1)
    at_floor = np.sum(first <= NEAR_END, axis=-1, keepdims=True)
    at_ceiling = np.sum(first >= 1 - NEAR_END, axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, at_floor // 2, axis=-1)
    high = np.take_along_axis(ordered, ordered.shape[-1] - 1 - at_ceiling // 2, axis=-1)
    return _rescale(first, low, high)


def _rescale(scores: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (scores - low) / np.maximum(high - low, 1e-12)


def build_rises(log_sizes: np.ndarray, counts: np.ndarray, resolution: float) -> Rises:
    """The grid for rungs at `log_sizes` (R,), rising, with `counts` (R,) runs each; `resolution` in ladder steps."""
    least = min(np.sqrt(np.median(counts)) * MISFIT, MAX_LEAST_NOISE)
    shapes = [*_logistic(log_sizes, resolution), *_approaches(log_sizes, resolution), *_flats(log_sizes)]
    histogram = np.stack([shape.histogram for shape in shapes])
    log_p = np.concatenate([_log_p_of_bins(histogram, least * noise, outliers) for noise, outliers in NOISES])
    return Rises(
        np.ascontiguousarray(log_p.reshape(len(log_p), -1).T, dtype=np.float32),
        counts,
        width=np.tile([shape.width for shape in shapes], len(NOISES)),
        spread=np.tile([shape.spread for shape in shapes], len(NOISES)),
        outliers=np.repeat([outliers for _, outliers in NOISES], len(shapes)),
        smooth=np.tile([shape.smooth for shape in shapes], len(NOISES)),
        sharp=np.tile([shape.sharp for shape in shapes], len(NOISES)),
        flat=np.tile([shape.flat for shape in shapes], len(NOISES)),
        quiet_log_p=np.concatenate([_log_p_of_bins(histogram, QUIET_NOISE, outliers) for _, outliers in NOISES]),
    )


def _log_p_of_bins(histogram: np.ndarray, noise: float, outliers: float) -> np.ndarray:
    """(S, R, N_BINS) from the distribution over LEVELS (S, R, levels) of noiseless scores."""
    edges = np.concatenate([[-np.inf], BIN_EDGES[1:-1], [np.inf]])
    kernel = np.diff(ndtr((edges - LEVELS[:, None]) / noise), axis=1)
    return np.log((1 - outliers) * (histogram @ kernel) + outliers / N_BINS)


@dataclass(frozen=True)
class _Shape:
    """One rise but for its noise; as in `Rises`, with the histogram (R, levels) of noiseless scores."""

    histogram: np.ndarray
    width: float = np.nan
    spread: float = 0.0
    smooth: bool = True
    sharp: bool = False
    flat: bool = False


def _logistic(t: np.ndarray, resolution: float) -> list[_Shape]:
    z_quantiles = ndtri((np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
    gaps = np.diff(t)
    inside = [(t[i] + place * gap, gap, True) for i, gap in enumerate(gaps) for place in PLACES]
    before = [(t[0] - place * gaps[0], gaps[0], False) for place in PLACES_OUTSIDE]
    after = [(t[-1] + place * gaps[-1], gaps[-1], False) for place in PLACES_OUTSIDE]
    ramp = (t - t[0]) / (t[-1] - t[0])
    shapes = []
    for (mu, step, is_inside), multiple, spread in product([*before, *inside, *after], WIDTHS, SPREADS):
        width = multiple * resolution
        tau = max(width * step / LOGISTIC_WIDTH, 1e-6 * step)
        z = z_quantiles if spread else np.zeros(1)
        rise = expit((t[:, None] - mu - spread * step * z) / tau)
        floor, ceiling = expit((t[0] - mu - spread * step) / tau), expit((t[-1] - mu + spread * step) / tau)
        rise = np.clip((rise - floor) / max(ceiling - floor, 0.2), -0.2, 1.2)
        for creep in CREEPS if spread <= 0.5 else CREEPS[:1]:
            low = creep * ramp[:, None]
            # Where runs rise each at its own place, a rung within a run's steep rise is chance, not the rise's width.
            is_sharp = is_inside and (multiple == 0 or (spread >= 0.5 and width <= STEEP))
            histogram = _histogram(low + (1 - low) * rise)
            shapes.append(_Shape(histogram, width, spread, multiple >= 1, is_sharp))
    return shapes


def _approaches(t: np.ndarray, resolution: float) -> list[_Shape]:
    """From first to last rung along 1 - x^-a, saturating (a > 0) to accelerating (a < 0), no faster than the null's
    logistic rise does in its tails."""
    fastest = LOGISTIC_WIDTH / resolution / np.diff(t)[[-1, 0]]
    shapes = []
    for share in np.linspace(-1, 1, 11):
        rate = share * fastest[int(share > 0)]
        u = t - t[0]
        rise = u / u[-1] if abs(rate) < 1e-9 else np.expm1(-rate * u) / np.expm1(-rate * u[-1])
        shapes.append(_Shape(_histogram(rise[:, None])))
    return shapes


def _flats(t: np.ndarray) -> list[_Shape]:
    return [_Shape(_histogram(np.full((len(t), 1), level)), flat=True) for level in FLAT_LEVELS]


def _histogram(scores: np.ndarray) -> np.ndarray:
    """(R, levels) distribution over LEVELS of equally likely noiseless scores (R, z)."""
    level = np.rint((scores - LEVELS[0]) / (LEVELS[1] - LEVELS[0])).astype(int).clip(0, len(LEVELS) - 1)
    rows = np.arange(len(scores))[:, None] * len(LEVELS)
    counts = np.bincount((rows + level).ravel(), minlength=len(scores) * len(LEVELS))
    return counts.reshape(len(scores), -1) / scores.shape[1]
