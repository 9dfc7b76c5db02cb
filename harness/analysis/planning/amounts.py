"""What the runs of each amount say by themselves: whether amounts move the threshold, and where it lies at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from harness.analysis.planning.threshold_law import (
    LEAST_TOP,
    NARROWEST,
    OFF,
    SLIP,
    WIDEST,
    AmountRows,
    LawDraws,
    risen,
)

#: Dispersion of scores before the runs are seen, and the runs it counts as.
USUAL_DISPERSION, PRIOR_RUNS = 0.3, 3.0
#: Places of the threshold that are compared.
_PLACES = 241
#: Starts of a fit: the best of a grid.
_STARTS = 3
#: Draws of width and top that places are averaged over.
_SHAPES = 100


@dataclass(frozen=True)
class Trend:
    """How ln N* changes with ln D among fine-tuned runs, as a straight line.

    Attributes:
        slope: d ln N* / d ln D; below 0 where amounts move the threshold towards smaller models.
        p_value: one-sided, that it is not below 0.
        dispersion: of the scores about it.
    """

    slope: float
    p_value: float
    dispersion: float


def trend(rows: AmountRows, top: float | None) -> Trend:
    """The line, its test, and the dispersion that the runs show about it (of runs fine-tuned on at least one example).

    The test is that of the likelihood ratio, its deviance over the dispersion; the dispersion is the mean squared
    residual over the variance of one item, or that of sums over the runs of a parent, whichever is larger.
    """
    middle = float(np.log(rows.amount).mean())
    best, gone = _fit(rows, middle, top, moves=True), _fit(rows, middle, top, moves=False)
    place, slope, width, height = best[1]
    along = np.log(rows.amount) - middle
    expected = risen(rows.log_size, place + slope * along, np.exp(width), height)
    dispersion = _dispersion(rows, expected)
    statistic = max(0.0, 2 * (best[0] - gone[0]) / dispersion)
    signed = np.sqrt(statistic) if slope < 0 else -np.sqrt(statistic)
    return Trend(float(slope), float(ndtr(-signed)), dispersion)


def _fit(rows: AmountRows, middle: float, top: float | None, moves: bool) -> tuple[float, np.ndarray]:
    """Greatest ln likelihood, and place (at ln D = `middle`), slope, ln width and top there."""
    low, high, span = rows.log_size.min(), rows.log_size.max(), rows.span
    cells = rows.cells
    along = np.log(cells.amount) - middle
    bounds = [
        (low - OFF * span, high + OFF * span),
        (-4.0, 4.0) if moves else (0.0, 0.0),
        (np.log(NARROWEST * rows.step), np.log(WIDEST * span)),
        (LEAST_TOP, 1.0) if top is None else (top, top),
    ]

    def lost(theta: np.ndarray) -> float:
        expected = risen(cells.log_size, theta[0] + theta[1] * along, np.exp(theta[2]), theta[3])
        return -float(cells.log_likelihood(expected))

    slopes = np.linspace(-1.0, 1.0, 9) if moves else np.zeros(1)
    widths = np.log(rows.step * np.array([0.3, 1.0]))
    sides = np.meshgrid(np.linspace(low, high, 9), slopes, widths, bounds[3][1:], indexing="ij")
    grid = np.stack([side.ravel() for side in sides], axis=1)
    order = np.argsort([lost(theta) for theta in grid])[:_STARTS]
    found = [minimize(lost, start, bounds=bounds, method="L-BFGS-B") for start in grid[order]]
    best = min(found, key=lambda each: float(each.fun))
    return -float(best.fun), np.asarray(best.x)


def _dispersion(rows: AmountRows, expected: np.ndarray) -> float:
    """Mean squared residual over the variance of one item, with a prior that counts as `PRIOR_RUNS`.

    Rows far from the rise have next to no variance to tell of, and count by what they have.
    """
    variance = expected * (1 - expected)
    residual = np.clip(rows.score, SLIP, 1 - SLIP) - expected
    count = variance.sum() ** 2 / (variance**2).sum()
    of_parents = np.bincount(rows.parent, residual)
    seen = max(float(np.sum(residual**2)), float(np.sum(of_parents**2))) / variance.sum()
    # Four parameters were fitted, of which at least the place and the width took up residuals.
    spent = min(4.0, count / 2)
    seen *= count / (count - spent)
    return float((PRIOR_RUNS * USUAL_DISPERSION + count * seen) / (PRIOR_RUNS + count))


@dataclass(frozen=True)
class Place:
    """N* at one amount, by the runs of that amount: quantiles in ln N, -inf and inf off the ladder.

    Attributes:
        amount: D.
        middle, low, high: median and ends.
        mean, sd: of ln N* within the range of places.
        on_ladder: probability that it lies between the first size and the last; reached: that it is at most the last.
    """

    amount: float
    middle: float
    low: float
    high: float
    mean: float
    sd: float
    on_ladder: float
    reached: float


def places(rows: AmountRows, law: LawDraws, dispersion: float, level: float) -> list[Place]:
    """N* at each amount by its own runs, given the widths and tops of the posterior of all; every ln N is as likely."""
    first, last, span = rows.log_size.min(), rows.log_size.max(), rows.span
    grid = np.linspace(first - OFF * span, last + OFF * span, _PLACES)
    width, top = law.width[:_SHAPES, None, None], law.top[:_SHAPES, None, None]
    found = []
    for amount in np.unique(rows.amount):
        own = rows.part(rows.amount == amount).cells
        expected = risen(own.log_size, grid[:, None], width, top)
        log = own.log_likelihood(expected) / dispersion
        density = np.exp(log - log.max(axis=1, keepdims=True))
        density = (density / density.sum(axis=1, keepdims=True)).mean(axis=0)
        reached = np.cumsum(density) - density / 2
        quantiles = np.interp([0.5, (1 - level) / 2, (1 + level) / 2], reached, grid)
        mean = float(density @ grid)
        sd = float(np.sqrt(density @ (grid - mean) ** 2))
        reached_last = float(density[grid <= last].sum())
        on_ladder = reached_last - float(density[grid < first].sum())
        middle, low, high = (_open(float(end), first, last) for end in quantiles)
        found.append(Place(float(amount), middle, low, high, mean, sd, on_ladder, reached_last))
    return found


def _open(end: float, first: float, last: float) -> float:
    return -np.inf if end < first else np.inf if end > last else end
