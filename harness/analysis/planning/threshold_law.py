"""The threshold of an ability as fine-tuning moves it: a law of amounts, and its posterior given runs.

A model of size N that was fine-tuned on D examples of a task scores, on the way from chance (0) to 1,

    y = top / (1 + exp(-(ln N - ln N*(D)) / width))

so that N* is where half of the rise between chance and top is made, and where a curve that jumps has its jump. More
examples move it towards smaller models, down to a size that no amount makes able:

    N*(D) = N*(D_max) (r + (1 - r) ((D_max + W) / (D + W))^k)

The pretrained family itself is D = 0: W, in examples of the task, is what its pretraining is worth, and N* flattens
where D is less than that. Snell et al. 2024 (arXiv:2411.16035) write the elbow of a ReLU along the pretraining loss as
C + k (ln D)^alpha; METHOD.md says what differs and why.

Runs scatter by seed, all or nothing for some tasks and little for others: the likelihood is that of shares of items
(binomial) to the power 1 / dispersion, with the dispersion that the runs show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.analysis.planning.population import effective, moved, shares

#: A share is never taken for surer than this: the tails of a rise are heavier than the logistic curve's.
SLIP = 0.02
#: Median of k in its prior, and standard deviation of its logarithm.
USUAL_EXPONENT, SPREAD_OF_EXPONENTS = 0.5, 1.0
#: Greatest share of N*(D_max) that no amount takes away.
MOST_FLOOR = 0.9
#: Least height of a rise, in that from chance to 1.
LEAST_TOP = 0.6
#: Widths of a rise that are possible: shares of a step of the ladder at least, ladders at most.
NARROWEST, WIDEST = 0.05, 1.0
#: Steps of a ladder at most: of more sizes, as losses of runs are, neighbours are no steps.
MOST_STEPS = 12
#: Ladders that N*(D_max) may lie off the ladder by, on either side.
OFF = 1.0
#: Points of each round, a power of two; rounds end when as many points count, in effect, or after so many.
_POINTS, _ENOUGH, _ROUNDS = 2048, 300.0, 20


@dataclass(frozen=True)
class Cells:
    """Sizes and amounts at which there are runs.

    Attributes:
        log_size, amount: (c,) ln N and D.
        score: (c,) mean y, within `SLIP` of 0 and 1 kept.
        count: (c,) runs.
    """

    log_size: np.ndarray
    amount: np.ndarray
    score: np.ndarray
    count: np.ndarray

    def log_likelihood(self, expected: np.ndarray) -> np.ndarray:
        """(...) of shares that are expected to be (..., c), for a dispersion of 1 and up to a constant."""
        return np.asarray(
            np.log(expected) @ (self.count * self.score) + np.log1p(-expected) @ (self.count * (1 - self.score))
        )


@dataclass(frozen=True)
class AmountRows:
    """Runs of one ability.

    Attributes:
        log_size: (n,) ln N, along which the ability appears.
        amount: (n,) examples D that a run was fine-tuned on, 0 for the pretrained family.
        score: (n,) y, 0 for a guesser and 1 for the best.
        parent: (n,) index of the pretrained run that each began from: runs of one parent err together.
    """

    log_size: np.ndarray
    amount: np.ndarray
    score: np.ndarray
    parent: np.ndarray

    def part(self, rows: np.ndarray) -> AmountRows:
        """Some of the rows (n,) bool."""
        return AmountRows(self.log_size[rows], self.amount[rows], self.score[rows], self.parent[rows])

    @property
    def cells(self) -> Cells:
        """The runs of each size and amount together: the likelihood is that of their mean."""
        places = np.stack([self.log_size, self.amount], axis=1)
        found, of_row = np.unique(places, axis=0, return_inverse=True)
        of_row = of_row.ravel()
        count = np.bincount(of_row)
        kept = np.clip(self.score, SLIP, 1 - SLIP)
        return Cells(found[:, 0], found[:, 1], np.bincount(of_row, kept) / count, count)

    @property
    def span(self) -> float:
        """Length of the ladder in ln N."""
        return float(np.ptp(self.log_size))

    @property
    def step(self) -> float:
        """The median distance of neighbouring sizes in ln N, but a share of the ladder where each run has a size of its
        own, as losses are."""
        return max(float(np.median(np.diff(np.unique(self.log_size)))), self.span / MOST_STEPS)

    @property
    def most(self) -> float:
        """D_max."""
        return float(self.amount.max())


@dataclass(frozen=True)
class LawDraws:
    """Draws (s,) of the posterior, equally likely.

    Attributes:
        log_threshold: ln N*(D_max).
        exponent, floor, worth: k, r and W.
        width: of the rise in ln N; top: its end.
        most: D_max.
    """

    log_threshold: np.ndarray
    exponent: np.ndarray
    floor: np.ndarray
    worth: np.ndarray
    width: np.ndarray
    top: np.ndarray
    most: float

    def at(self, amount: np.ndarray) -> np.ndarray:
        """(s, m) ln N* at amounts (m,)."""
        log_ratio = np.log((self.most + self.worth)[:, None] / (amount + self.worth[:, None]))
        exponent, floor = self.exponent[:, None], self.floor[:, None]
        moved_by = np.logaddexp(np.log(floor), np.log1p(-floor) + exponent * log_ratio)
        return np.asarray(self.log_threshold[:, None] + moved_by)

    def rows(self, chosen: np.ndarray) -> LawDraws:
        """The draws at `chosen`, which may repeat."""
        names = ("log_threshold", "exponent", "floor", "worth", "width", "top")
        return LawDraws(**{name: getattr(self, name)[chosen] for name in names}, most=self.most)


def risen(log_size: np.ndarray, log_threshold: np.ndarray, width: np.ndarray, top: np.ndarray) -> np.ndarray:
    """The score, within `SLIP` of 0 and 1 kept; arguments broadcast."""
    with np.errstate(over="ignore"):
        share = top * expit((log_size - log_threshold) / width)
    return np.asarray(SLIP + (1 - 2 * SLIP) * share)


def draw_law(
    rows: AmountRows,
    dispersion: float,
    worth: tuple[float, float],
    top: float | None,
    n_draws: int,
    rng: np.random.Generator,
) -> LawDraws:
    """Draws of the posterior, by population Monte Carlo.

    Args:
        dispersion: of the scores, 1 for one item a run.
        worth: least and greatest W, between which every ln W is as likely; two equal ones fix it.
        top: where the rise ends; None for anywhere from `LEAST_TOP` to 1.
    """
    from scipy.stats import qmc  # slow to load, and needed by this alone

    box, cells = _Box.of(rows, worth, top), rows.cells
    points = box.points(qmc.Sobol(box.free.sum(), seed=rng).random(_POINTS))
    proposed = np.zeros(len(points))
    weight = _log_posterior(box, points, cells, dispersion) - proposed
    for _ in range(_ROUNDS):
        if effective(weight) > _ENOUGH:
            break
        points, proposed = moved(points, weight, rng)
        weight = _log_posterior(box, points, cells, dispersion) - proposed
    drawn = box.law(points)
    return drawn.rows(rng.choice(len(points), size=n_draws, p=shares(weight)))


@dataclass(frozen=True)
class _Box:
    """The range (6, 2) of ln N*(D_max), ln k, r, ln W, ln width and top; those with two equal ends are fixed."""

    ends: np.ndarray
    most: float

    @classmethod
    def of(cls, rows: AmountRows, worth: tuple[float, float], top: float | None) -> _Box:
        low, high, span = rows.log_size.min(), rows.log_size.max(), rows.span
        middle = np.log(USUAL_EXPONENT)
        ends = [
            (low - OFF * span, high + OFF * span),
            (middle - 3 * SPREAD_OF_EXPONENTS, middle + 3 * SPREAD_OF_EXPONENTS),
            (1e-6, MOST_FLOOR),
            (np.log(worth[0]), np.log(worth[1])),
            (np.log(NARROWEST * rows.step), np.log(WIDEST * span)),
            (LEAST_TOP, 1.0) if top is None else (top, top),
        ]
        return cls(np.array(ends), rows.most)

    @property
    def free(self) -> np.ndarray:
        return np.asarray(np.diff(self.ends, axis=1)[:, 0] > 0)

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Of the free ones, from the unit cube."""
        low, high = self.ends[self.free].T
        return np.asarray(low + unit * (high - low))

    def whole(self, points: np.ndarray) -> np.ndarray:
        """(s, 6) with the fixed ones."""
        every = np.repeat(self.ends[None, :, 0], len(points), axis=0)
        every[:, self.free] = points
        return every

    def inside(self, points: np.ndarray) -> np.ndarray:
        low, high = self.ends[self.free].T
        return np.asarray(((points >= low) & (points <= high)).all(axis=1))

    def law(self, points: np.ndarray) -> LawDraws:
        place, exponent, floor, worth, width, top = self.whole(points).T
        return LawDraws(place, np.exp(exponent), floor, np.exp(worth), np.exp(width), top, self.most)


def _log_posterior(box: _Box, points: np.ndarray, cells: Cells, dispersion: float) -> np.ndarray:
    """Up to a constant; -inf off the box."""
    inside = box.inside(points)
    log = np.full(len(points), -np.inf)
    law = box.law(points[inside])
    amounts, of_cell = np.unique(cells.amount, return_inverse=True)
    expected = risen(cells.log_size, law.at(amounts)[:, of_cell], law.width[:, None], law.top[:, None])
    prior = -((np.log(law.exponent / USUAL_EXPONENT) / SPREAD_OF_EXPONENTS) ** 2) / 2
    log[inside] = prior + cells.log_likelihood(expected) / dispersion
    return log
