"""Sizes and numbers of runs that curves share, and the noise that would be found on them, drawn once."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from harness.analysis.emergence.smooth_null import SmoothNull, logistic

N_DRAWS = 1999
#: Rises that stand for any when a curve's own roughness is sought: widths and how finely their places lie, in steps.
_ROUGH = ((0.0, 0.5), (1.0, 0.25), (2.0, 0.5), (4.0, 0.5), (8.0, 0.5))
#: Steep and slow rises that are fitted to tell how much of the noise such a fit takes up.
_TYPICAL = ((0.0, 4.0), (0.0, 6.0), (-1.3, 4.0), (1.3, 8.0), (None, 6.0))
#: Heights of those rises in standard deviations: of a single curve, of which the fit takes up the most, and of seeds.
_LOW, _TALL = 8.0, 20.0
#: Sizes with several runs from which can be told how the noise goes along the ladder.
_FEWEST_FOR_PROFILE = 6
#: Part of the expected variance that is added to a size's scatter before its logarithm is taken: scatter may be 0.
_SOFTENED = 0.1
#: How many times what chance gives a profile, its trend apart, must be to count.
_REST_MARGIN = 1.3
#: Falls that fewer than this share of level curves show are taken for real.
FALSE_FALLS = 0.03
#: Share of curves without own curves of their seeds for which these are tested one by one all the same, at most.
FALSELY_APART = 0.03


class Layout:
    """One ladder with its runs.

    Args:
        t: (K,) places of the sizes in ladder steps.
        rung: (n,) index of the size of each run.
        seed: (n,) index of the seed of each run; runs of one seed at every size can be tested as curves of their own.

    Attributes:
        counts: (K,) runs at each size.
        freedom: degrees of freedom of the scatter within sizes.
        along: (K,) from -0.5 at the first size to 0.5 at the last.
    """

    def __init__(self, t: np.ndarray, rung: np.ndarray, seed: np.ndarray) -> None:
        self.t, self.rung, self.seed = t, rung, seed
        self.counts = np.bincount(rung, minlength=len(t))
        self.freedom = int(np.sum(self.counts - 1))
        self.along = np.linspace(-0.5, 0.5, len(t))
        self._member = (rung[:, None] == np.arange(len(t))).astype(float)
        self._several = self.counts > 1
        self.has_profiles = int(self._several.sum()) >= _FEWEST_FOR_PROFILE

    # ------------------------------------------------------------------------------------------------ what data tell

    def means(self, values: np.ndarray) -> np.ndarray:
        """(..., K) means of runs (..., n) at each size."""
        return values @ self._member / self.counts

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """(..., K) sums of squares of runs (..., n) about their size's mean."""
        return np.maximum(0.0, values**2 @ self._member - self.counts * self.means(values) ** 2)

    def profile(self, ratio: np.ndarray) -> np.ndarray:
        """(..., K) logarithms of how noise goes along the ladder, from scatters (..., K) over what one run would give.

        A trend and the rest, each shortened by what chance gives (positive part James and Stein), so that noise that is
        the same everywhere stays so. Sizes with one run follow the trend.
        """
        raw = np.where(self._several, np.log(ratio / np.maximum(self.counts - 1, 1) + _SOFTENED), 0.0)
        return self.shrunk(raw - self._chance_profile)

    def shrunk(self, profile: np.ndarray) -> np.ndarray:
        """A raw profile (..., K), shortened."""
        trend, rest = self._parts(profile)
        of_trend, of_rest = self._chance_lengths
        trend = trend * np.maximum(0.0, 1 - of_trend / np.maximum(trend**2, 1e-300))
        length = np.sum(rest**2, axis=-1, keepdims=True)
        return trend * self.along + rest * np.maximum(0.0, 1 - _REST_MARGIN * of_rest / np.maximum(length, 1e-300))

    def _parts(self, profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope (..., 1) along the ladder, and what is left of a profile about its mean at sizes with several runs."""
        known = self._several
        profile = np.where(known, profile - profile[..., known].mean(axis=-1, keepdims=True), 0.0)
        along = np.where(known, self.along - self.along[known].mean(), 0.0)
        trend = (profile @ along / np.sum(along**2))[..., None]
        return trend, profile - trend * along

    def left_over(self, values: np.ndarray) -> np.ndarray:
        """(...) sum of squares of curves (..., K) about their best rise of any place and width, or level."""
        deviation = values - values.mean(axis=-1, keepdims=True)
        taken = np.maximum(0.0, deviation @ self._rough.T)
        return np.maximum(0.0, np.sum(deviation**2, axis=-1) - np.max(taken, axis=-1) ** 2)

    @cached_property
    def by_seed(self) -> np.ndarray | None:
        """(S, K) runs of each seed that was trained at every size; None with fewer than two such seeds."""
        position = np.full((int(self.seed.max()) + 1, len(self.t)), -1)
        position[self.seed, self.rung] = np.arange(len(self.rung))
        whole = position[(position >= 0).all(axis=1)]
        return whole if len(whole) > 1 and len(whole) * len(self.t) == len(self.rung) else None

    # ------------------------------------------------------------------------------------------------------- the null

    @cached_property
    def null(self) -> SmoothNull:
        return SmoothNull(self.t, self.counts)

    @cached_property
    def face_null(self) -> SmoothNull:
        """Smooth curves of a metric taken at face value: without those of an all-or-nothing score."""
        return SmoothNull(self.t, self.counts, all_or_nothing=False)

    # ------------------------------------------------------------------------------------- what noise alone would give

    @cached_property
    def runs(self) -> np.ndarray:
        """(D, n) standard normal runs."""
        return np.random.default_rng(0).standard_normal((N_DRAWS, len(self.rung)))

    @cached_property
    def mean_draws(self) -> np.ndarray:
        """(D, K) means of standard normal runs."""
        return self.means(self.runs)

    @cached_property
    def scatters(self) -> np.ndarray:
        """(D, K) scatter of standard normal runs over its expectation; 0 where a size has one run."""
        return self.scatter(self.runs) / np.maximum(self.counts - 1, 1)

    @cached_property
    def raw_profiles(self) -> np.ndarray:
        """(D, K) raw profiles of the same noise everywhere."""
        raw = np.log(self.scatters + _SOFTENED)
        return np.where(self._several, raw - self._chance_profile, 0.0)

    @cached_property
    def _chance_profile(self) -> np.ndarray:
        """(K,) mean raw profile of the same noise everywhere: logarithms of few degrees of freedom lie low."""
        return np.where(self._several, np.log(self.scatters + _SOFTENED).mean(axis=0), 0.0)

    @cached_property
    def _chance_lengths(self) -> tuple[float, float]:
        """Mean squares of the trend, and of the rest, of raw profiles of the same noise everywhere."""
        trend, rest = self._parts(self.raw_profiles)
        return float(np.mean(trend**2)), float(np.mean(np.sum(rest**2, axis=1)))

    @cached_property
    def expected_residual(self) -> float:
        """Sum of squares that `left_over` leaves of unit noise about a rise that stands out of it."""
        return float(self._residuals_of(self.mean_draws * np.sqrt(self.counts)).mean())

    @cached_property
    def residuals(self) -> np.ndarray:
        """(D,) what `left_over` finds in unit noise about a rise, over its expectation."""
        return self._residuals_of(self.mean_draws * np.sqrt(self.counts)) / self.expected_residual

    @cached_property
    def seed_residuals(self) -> np.ndarray:
        """(D,) the same, summed over the seeds of `by_seed`, in units of the noise's variance."""
        return _one_of_each(self._seed_residuals[1:])

    @cached_property
    def keeps_to_itself(self) -> float:
        """Scatter within sizes over that about seeds' own curves, which few draws exceed, whatever the curves are."""
        scatter = self.scatter(self.runs).sum(axis=1)
        return float(max(np.quantile(scatter / left, 1 - FALSELY_APART) for left in self._seed_residuals))

    @cached_property
    def false_fall(self) -> float:
        """Most significant fall, in standard deviations, that few level curves show."""
        variance = np.broadcast_to(1 / self.counts, self.mean_draws.shape)
        return float(np.quantile(falls(self.mean_draws, variance)[1], 1 - FALSE_FALLS))

    @cached_property
    def _seed_residuals(self) -> list[np.ndarray]:
        """(D,) sums over seeds of what `left_over` finds, about a level and about rises that stand for any."""
        assert self.by_seed is not None
        curves = self.runs[:, self.by_seed]
        return [self.left_over(_TALL * shape + curves).sum(axis=1) for shape in (0 * self.t, *self._typical())]

    def _residuals_of(self, noise: np.ndarray) -> np.ndarray:
        return _one_of_each([self.left_over(_LOW * rise + noise) for rise in self._typical()])

    def _typical(self) -> list[np.ndarray]:
        middle, end = self.t.mean(), self.t[-1]
        return [logistic(self.t, end if place is None else middle + place, width) for place, width in _TYPICAL]

    @cached_property
    def _rough(self) -> np.ndarray:
        """(G, K) unit vectors of rises about their mean."""
        rises = []
        for width, gap in _ROUGH:
            margin = 0.0 if width <= 1 else width / 2
            places = np.arange(self.t[0] - margin + gap / 2, self.t[-1] + margin, gap)
            rises.append(logistic(self.t, places[:, None], width))
        stacked = np.concatenate(rises)
        stacked = stacked - stacked.mean(axis=1, keepdims=True)
        norm = np.sqrt(np.sum(stacked**2, axis=1, keepdims=True))
        return stacked[norm[:, 0] > 1e-3] / norm[norm[:, 0] > 1e-3]


def _one_of_each(draws: list[np.ndarray]) -> np.ndarray:
    """(D,) draw d of the sequence whose turn it is."""
    stacked = np.stack(draws)
    turn = np.arange(stacked.shape[1])
    return stacked[turn % len(stacked), turn]


def falls(means: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b,) deepest fall from one size to a later one, and the most significant in standard deviations, of (b, K)."""
    before, after = np.triu_indices(means.shape[1], 1)
    fall = means[:, before] - means[:, after]
    return fall.max(axis=1), (fall / np.sqrt(variance[:, before] + variance[:, after])).max(axis=1)
