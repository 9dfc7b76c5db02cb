"""P values of the model comparison: how large its statistic is for smooth curves of the same signal-to-noise ratio.

The null is a set, the smooth curves, over which a Bayes factor has no single distribution. For a smooth curve its upper
tail depends mostly on one number, the range of the curve over the standard deviation of a mean: where noise hides what
distinguishes two models their Bayes factor is near 1, and where the data show a smooth curve it is far below 1. So

    p = P(statistic >= observed | smooth, range of the means / standard deviation of a mean as observed).

The statistic is drawn once a ladder, for smooth curves of many kinds and all signal-to-noise ratios, with noise that is
estimated from the draws as it is from data; an observed statistic is compared with the draws whose observed ratio is
nearest. Curves that fall are compared with the same draws upside down. The kinds are the hard ones, in three groups
whose statistics differ: rises near the narrowest that is smooth (`RISING`), power laws of the error down to straight
lines (`SLOWING`), humps and U-shapes (`TURNING`). The p value is the mean over the first two groups, as if a curve
were of either with equal probability; where the means both rise and fall by more than their noise, the last group's is
taken if it is larger. Within a group the level is measured, on other kinds and other noise
(experiments/detector_calibration), not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.emergence import disk_cache
from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.marginals import height_scale
from harness.analysis.emergence.model_comparison import compare_means
from harness.analysis.emergence.models import LOG_ODDS_OF_UP, Models, models_of
from harness.analysis.emergence.noise import Noise
from harness.analysis.emergence.null_draws import NullDraws
from harness.analysis.emergence.smooth_null import LONGEST_ANSWER, SMOOTH_STEPS, logistic

#: Smooth curves drawn for a ladder, and how many of a group, those of nearest ratio, a curve is compared with.
N_CURVES, NEIGHBOURS = 1600, 250
#: Range of the drawn curves over the standard deviation of a mean, log-uniform.
SIGNAL = (1.0, 120.0)
#: Kinds of smooth curves in three groups, and how many of every 20 draws are of each.
RISING = {"logistic": 3, "exact match": 2, "best of several": 2, "two logistics": 2}
SLOWING = {"power law": 5}
TURNING = {"hump": 4, "u-shape": 2}
#: A curve turns if it both rises and falls by more than this many standard deviations of a difference of two means.
TURNED = 2.0
#: Widest drawn rise, in units of the narrowest that is smooth.
WIDEST = 1.5
#: Smallest and largest rate of the exponential tail beyond the draws. Averaged over the prior of the smooth models, a
#: Bayes factor of b or more has a probability of at most 1 / b (Markov): its logarithm has a tail of rate 1 or more. Of
#: 15,000 planted smooth curves .0011 then have p < .001 and .00013 p < .0001; with a rate of 1, .0003 and .00007.
TAIL_RATES = (1.0, 2.0)
#: Smallest p value: beyond it nothing was measured.
SMALLEST_P = 1e-6
#: `tail_probability` counts where this many draws or more exceed what was observed.
MIN_EXCEEDANCES = 10
#: Most that one seed adds to the sum of log Bayes factors, so that a single outlying run is no jump.
MAX_SEED_LOG_BAYES = 6.0
#: The share of noise that is pooled is rounded to these, so that curves of many studies share a calibration.
POOLED_STEPS = 4
#: Bytes of calibrations that are kept between calls.
MAX_CALIBRATION_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Drawn:
    """Draws of the statistic of smooth curves, sorted by their observed signal-to-noise ratio.

    Attributes:
        log_signal: (D,) logarithms of `signal_to_noise`, ascending.
        upright, turned_over: (D,) `Comparison.statistic` of the curves, and of the same curves upside down.
    """

    log_signal: np.ndarray
    upright: np.ndarray
    turned_over: np.ndarray

    def nearest(self, signal: np.ndarray, falls: np.ndarray) -> np.ndarray:
        """(n, NEIGHBOURS) draws nearest to each signal-to-noise ratio (n,), upside down for curves that fall (n,)."""
        log = np.log(np.maximum(signal, 1e-9))
        start = np.searchsorted(self.log_signal, log) - NEIGHBOURS // 2
        start = np.clip(start, 0, max(0, len(self.log_signal) - NEIGHBOURS))
        near = start[:, None] + np.arange(min(NEIGHBOURS, len(self.log_signal)))
        return np.where(falls[:, None], self.turned_over[near], self.upright[near])


@dataclass(frozen=True)
class Calibration:
    """Draws of the statistic on one ladder.

    Attributes:
        rising, slowing, turning: for curves of the kinds `RISING`, `SLOWING` and `TURNING`.
    """

    rising: Drawn
    slowing: Drawn
    turning: Drawn

    def arrays(self) -> dict[str, np.ndarray]:
        """All draws, by "group.name"."""
        return {f"{group}.{name}": array for group, drawn in vars(self).items() for name, array in vars(drawn).items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Calibration:
        """That of which these are the `arrays`."""
        groups: dict[str, dict[str, np.ndarray]] = {}
        for label, array in arrays.items():
            group, _, name = label.partition(".")
            groups.setdefault(group, {})[name] = array
        return cls(**{group: Drawn(**drawn) for group, drawn in groups.items()})

    @property
    def nbytes(self) -> int:
        return sum(array_bytes(vars(drawn).values()) for drawn in (self.rising, self.slowing, self.turning))

    def p_values(self, statistic: np.ndarray, means: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """(n,) p values of statistics (n,), given the means and their variances (n, K)."""
        signal, falls, turned = signal_to_noise(means, variance), falling(means), turns(means, variance)
        p = np.mean([_tails(statistic, drawn.nearest(signal, falls)) for drawn in (self.rising, self.slowing)], axis=0)
        near = self.turning.nearest(signal[turned], falls[turned])
        p[turned] = np.maximum(p[turned], _tails(statistic[turned], near))
        return p

    def p_value_of_seeds(self, statistic: np.ndarray, means: np.ndarray, variance: np.ndarray) -> float:
        """P value of the sum of the statistics (S,) of seeds, given their curves and variances (S, K).

        Draws are sums too, each seed's at its own signal-to-noise ratio. All three groups count, turning or not, since
        deviations of a group from its kinds add up over seeds.
        """
        signal, total = signal_to_noise(means, variance), float(np.minimum(statistic, MAX_SEED_LOG_BAYES).sum())
        falls = np.broadcast_to(falling(means.mean(axis=0, keepdims=True)), len(means))
        p = []
        for drawn in (self.rising, self.slowing, self.turning):
            near = np.minimum(drawn.nearest(signal, falls), MAX_SEED_LOG_BAYES)
            picked = np.random.default_rng(0).integers(0, near.shape[1], (len(near), N_CURVES))
            p.append(tail_probability(total, np.take_along_axis(near, picked, axis=1).sum(axis=0)))
        return max(p)


def _tails(statistic: np.ndarray, draws: np.ndarray) -> np.ndarray:
    return np.array([tail_probability(float(one), each) for one, each in zip(statistic, draws, strict=True)])


def turns(means: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(n,) whether means (n, K) both rise and fall, between any two sizes, by more than `TURNED` deviations."""
    before, after = np.triu_indices(means.shape[1], 1)
    sd = np.sqrt(np.maximum(variance[:, before] + variance[:, after], 1e-300))
    change = (means[:, after] - means[:, before]) / sd
    return np.asarray(np.minimum(change.max(axis=1), -change.min(axis=1)) > TURNED)


def falling(means: np.ndarray) -> np.ndarray:
    """(n,) whether the deepest fall of means (n, K), from any size to a later one, exceeds their highest rise."""
    before, after = np.triu_indices(means.shape[1], 1)
    change = means[:, after] - means[:, before]
    return np.asarray(-change.min(axis=1) > change.max(axis=1))


def signal_to_noise(means: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(n,) range of the means (n, K) over the root of their mean variance."""
    return np.asarray(np.ptp(means, axis=1) / np.sqrt(np.maximum(variance.mean(axis=1), 1e-300)))


_KEPT: BoundedCache[Calibration] = BoundedCache(MAX_CALIBRATION_BYTES)


def calibration_of_means(draws: NullDraws, pooled: float = 0.0, with_powers: bool = True) -> Calibration:
    """Calibration for means over the runs of a ladder; kept between calls (at most `MAX_CALIBRATION_BYTES`).

    Args:
        draws: unit noise on the ladder.
        pooled: share of the degrees of freedom of the noise that comes from other curves (`Noise.pooled`), in [0, 1].
        with_powers: whether powers of smooth laws are smooth (`rise_shapes.shapes_of`).
    """
    share = round(POOLED_STEPS * pooled) / POOLED_STEPS
    return _kept((draws.design.key, share, with_powers), lambda: _of_means(draws, share, with_powers))


def calibration_of_seeds(draws: NullDraws, with_powers: bool = True) -> Calibration:
    """Calibration for the curves of single seeds, their noise estimated from the residuals of all seeds together."""
    return _kept((draws.design.key, "seeds", with_powers), lambda: _of_seeds(draws, with_powers))


def _kept(asked: Hashable, make: Callable[[], Calibration]) -> Calibration:
    """From memory, from a file, or made."""
    return _KEPT.get(asked, lambda: Calibration.of_arrays(disk_cache.kept(__name__, asked, lambda: make().arrays())))


def _of_means(draws: NullDraws, pooled: float, with_powers: bool) -> Calibration:
    design = draws.design
    unit = Noise(np.zeros(len(design.t)), 1.0, np.zeros(len(design.t)), 1.0, pooled)
    n = min(N_CURVES, len(draws.means))
    own = design.freedom or draws.expected_residual
    freedom = own / (1 - pooled) if pooled < 1 else np.inf
    variance = np.maximum(unit.drawn_variance(draws)[:n], 1e-9) / design.counts
    models, sd = models_of(design.t, with_powers), float(np.sqrt(np.mean(1 / design.counts)))
    return _calibrate(models, draws.means[:n], variance, freedom, sd, with_powers)


def _of_seeds(draws: NullDraws, with_powers: bool) -> Calibration:
    noise = np.random.default_rng(2).standard_normal((N_CURVES, len(draws.design.t)))
    expected = float(draws.seed_residuals.mean())
    ratios = np.resize(draws.seed_residuals / expected, N_CURVES)
    variance = np.broadcast_to(np.maximum(ratios, 1e-9)[:, None], noise.shape)
    return _calibrate(models_of(draws.design.t, with_powers), noise, variance, expected, 1.0, with_powers)


def _calibrate(
    models: Models, noise: np.ndarray, variance: np.ndarray, freedom: float, sd: float, with_powers: bool
) -> Calibration:
    """Draw smooth curves and add noise (n, K) of standard deviation `sd`, estimated at `variance` (n, K)."""
    rng, n = np.random.default_rng(1), len(noise)
    low, high = np.log(SIGNAL)
    signal = sd * np.exp(low + (high - low) * rng.permutation((np.arange(n) + 0.5) / n))
    means = signal[:, None] * smooth_curves(models.shapes.t, n, rng, with_powers) + noise
    compared = compare_means(models, means, variance, np.full(n, freedom), height_scale(means))
    turned_over = np.maximum(compared.log_bayes_down, compared.log_bayes_up - LOG_ODDS_OF_UP)
    observed = np.log(signal_to_noise(means, variance))
    order = np.argsort(observed)
    kinds = _kinds(n)[order]
    members = (np.isin(kinds, list(group)) for group in (RISING, SLOWING, TURNING))
    return Calibration(
        *(Drawn(*(each[order][chosen] for each in (observed, compared.statistic, turned_over))) for chosen in members)
    )


def _kinds(n: int) -> np.ndarray:
    """(n,) kinds of the drawn curves, in turn."""
    return np.resize([kind for kind, count in (RISING | SLOWING | TURNING).items() for _ in range(count)], n)


def smooth_curves(t: np.ndarray, n: int, rng: np.random.Generator, with_powers: bool = True) -> np.ndarray:
    """(n, K) smooth curves from 0, of range 1, the kinds of the three groups in turn.

    Args:
        with_powers: whether exact match is among them; plain logistics stand in its place where it is not.
    """
    first, last = t[0], t[-1]

    def width() -> np.ndarray:
        return np.asarray(SMOOTH_STEPS * rng.uniform(1.0, WIDEST, (n, 1)))

    def rise() -> np.ndarray:
        return logistic(t, rng.uniform(first - 2, last + 2, (n, 1)), width())

    exponent = np.exp(rng.uniform(np.log(2), np.log(LONGEST_ANSWER), (n, 1))) if with_powers else 1.0
    share = rng.uniform(0.2, 0.8, (n, 1))
    turn = rng.uniform(first + 0.25 * (last - first), first + 0.9 * (last - first), (n, 1))
    gap = rng.uniform(0.5, 3.0, (n, 1))
    before, after = logistic(t, turn - gap, width()), logistic(t, turn + gap, width())
    curves = {
        "logistic": rise(),
        "exact match": rise() ** exponent,
        "best of several": 1 - (1 - rise()) ** exponent,
        "two logistics": share * rise() + (1 - share) * rise(),
        # Of the error: at the smallest rates the score is a straight line.
        "power law": 1 - np.exp(-rng.uniform(0.02, np.log(9) / SMOOTH_STEPS, (n, 1)) * (t - first)),
        "hump": before - rng.uniform(0.3, 1.0, (n, 1)) * after,
        "u-shape": after - rng.uniform(0.2, 0.8, (n, 1)) * before,
    }
    mixed = np.stack([curves[kind][i] for i, kind in enumerate(_kinds(n))])
    # The least range keeps a rise that lies off the ladder a level on it.
    return np.asarray((mixed - mixed[:, :1]) / np.maximum(np.ptp(mixed, axis=1, keepdims=True), 0.05))


def tail_probability(observed: float, draws: np.ndarray) -> float:
    """P(draw >= observed) from B draws, in [`SMALLEST_P`, 1].

    (1 + exceedances) / (B + 1) where ten draws or more exceed. Beyond the tenth largest draw the tail is exponential,
    with the rate of the largest tenth of the draws (Knijnenburg et al. 2009, "Fewer permutations, more accurate P
    values", Bioinformatics 25), limited to `TAIL_RATES`.
    """
    n = len(draws)
    exceed = int(np.sum(draws >= observed))
    if exceed >= MIN_EXCEEDANCES or n < MIN_EXCEEDANCES:
        return (1 + exceed) / (n + 1)
    ordered = np.sort(draws)
    top = ordered[-max(n // 10, MIN_EXCEEDANCES) :]
    rate = float(np.clip(1 / max(float(np.mean(top - top[0])), 1e-9), *TAIL_RATES))
    beyond = max(0.0, observed - float(ordered[-MIN_EXCEEDANCES]))
    return float(max((1 + MIN_EXCEEDANCES) / (n + 1) * np.exp(-rate * beyond), SMALLEST_P))
