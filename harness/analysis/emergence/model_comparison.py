"""Is a curve smooth, or smooth plus a jump? The two sets of `models`, weighed against each other for many curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.emergence.marginals import Marginals, marginals
from harness.analysis.emergence.models import LOG_ODDS_OF_UP, Models

#: Bytes of the arrays of one chunk of curves.
CHUNK_BYTES = 24 * 2**20
#: Numbers that a curve takes for each pair of shapes.
NUMBERS_A_PAIR = 24


@dataclass(frozen=True)
class Comparison:
    """How probable n curves are under either set.

    Attributes:
        models: of the ladder.
        log_bayes_up: (n,) ln P(means | smooth plus a jump up) - ln P(means | smooth).
        log_bayes_down: (n,) ln P(means | smooth plus a jump down) - ln P(means | smooth).
        log_bayes_edge: (n,) ln P(means | smooth plus a jump in the first or last gap) - ln P(means | smooth), the
            larger of up and down; there a jump looks like a rise that continues off the ladder.
        places_up, places_down: (n, J) posterior probabilities of the jumps, given that the curve has one up or down.
    """

    models: Models
    log_bayes_up: np.ndarray
    log_bayes_down: np.ndarray
    log_bayes_edge: np.ndarray
    places_up: np.ndarray
    places_down: np.ndarray

    @cached_property
    def statistic(self) -> np.ndarray:
        """(n,) max(log_bayes_up, log_bayes_down - `LOG_ODDS_OF_UP`), finite for any finite means."""
        return np.maximum(self.log_bayes_up, self.log_bayes_down - LOG_ODDS_OF_UP)

    @cached_property
    def jumps_up(self) -> np.ndarray:
        """(n,) whether a jump up is more likely than a jump down."""
        return self.log_bayes_up >= self.log_bayes_down - LOG_ODDS_OF_UP

    def of(self, curve: int) -> Comparison:
        """The same of one curve."""
        at = slice(curve, curve + 1)
        each = (self.log_bayes_up, self.log_bayes_down, self.log_bayes_edge, self.places_up, self.places_down)
        return Comparison(self.models, *(values[at] for values in each))

    def places(self, curve: int) -> np.ndarray:
        """(J,) posterior probabilities of the jumps, given that the curve has one, in its more likely direction."""
        return np.asarray((self.places_up if self.jumps_up[curve] else self.places_down)[curve])

    def gap(self, curve: int, level: float = 0.95) -> tuple[float, float]:
        """Credible interval of the place of a curve's jump, in steps: the hull of its `level` highest-posterior set.

        Nothing between two sizes was measured, so the interval is at least the gap in which the jump lies, or half of
        either gap where a size lies in the course of the jump.
        """
        weight, t = self.places(curve), self.models.shapes.t
        order = np.argsort(-weight)
        held = order[: int(np.searchsorted(np.cumsum(weight[order]), level)) + 1]
        low, high = float(self.models.shapes.jump_low[held].min()), float(self.models.shapes.jump_high[held].max())
        size = int(np.argmin(np.abs(t - (low + high) / 2)))
        if low < t[size] < high and 0 < size < len(t) - 1:
            low, high = min(low, (t[size - 1] + t[size]) / 2), max(high, (t[size] + t[size + 1]) / 2)
        return low, high


def compare(models: Models, found: Marginals) -> Comparison:
    """Compare the two sets for the curves of some marginal likelihoods."""
    (smooth, smooth_prior), (jump, jump_prior), (edge, edge_prior) = models.smooth, models.by_place, models.edges
    of_smooth, of_jumps, of_edges = (found.log[:, index] for index in (smooth, jump, edge))
    # A likelihood that floats cannot hold is no likelihood, and no reason for -inf - -inf.
    tops = [np.maximum(log.max(axis=1, keepdims=True), -1e300) for log in (of_smooth, of_jumps, of_edges)]
    evidence = np.exp(of_smooth - tops[0]) @ smooth_prior
    places = (jump_prior @ np.exp(of_jumps - tops[1]).T).T.reshape(len(of_jumps), 2, -1)
    total = places.sum(axis=2)
    with np.errstate(divide="ignore"):
        log_smooth = (np.log(evidence) + tops[0]).max(axis=1, keepdims=True)
        log_bayes = np.log(total) + tops[1] - log_smooth
        at_edges = np.log(np.exp(of_edges - tops[2]) @ edge_prior) + tops[2] - log_smooth
    # A jump against the direction of all the data may be less likely than floats can hold: no place is likelier then.
    even = np.full_like(places, 1 / places.shape[2])
    shares = np.divide(places, total[..., None], out=even, where=total[..., None] > 0)
    return Comparison(models, log_bayes[:, 0], log_bayes[:, 1], at_edges.max(axis=1), shares[:, 0], shares[:, 1])


def compare_means(
    models: Models, means: np.ndarray, variance: np.ndarray, freedom: np.ndarray, scale: np.ndarray
) -> Comparison:
    """Compare the two sets for n curves; arguments as `marginals.marginals` takes them."""
    parts = [
        compare(models, marginals(models.shapes, means[at], variance[at], freedom[at], scale[at]))
        for at in chunks(models, len(means))
    ]
    names = ("log_bayes_up", "log_bayes_down", "log_bayes_edge", "places_up", "places_down")
    return Comparison(models, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def chunks(models: Models, n: int) -> Iterator[slice]:
    """Slices of n curves whose arrays take about `CHUNK_BYTES` each; at least one slice."""
    length = max(1, CHUNK_BYTES // (8 * NUMBERS_A_PAIR * len(models.shapes.first)))
    return (slice(start, start + length) for start in range(0, max(n, 1), length))
