"""What the runs of each amount say by themselves: whether amounts move the threshold, and where it lies at each."""

from __future__ import annotations

from collections.abc import Sequence
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
    log_likelihood,
    risen,
)

#: Dispersion of scores before the runs are seen, and the runs it counts as.
USUAL_DISPERSION, PRIOR_RUNS = 0.3, 3.0
#: Places of the threshold that are compared.
_PLACES = 241
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
    log_amount = np.log(rows.amount)
    log_amount = log_amount - log_amount.mean()
    best, gone = _fit(rows, log_amount, top), _fit(rows, None, top)
    place, slope, width, height = best[1]
    expected = risen(rows.log_size, place + slope * log_amount, np.exp(width), height)
    dispersion = _dispersion(rows, expected)
    statistic = max(0.0, 2 * (best[0] - gone[0]) / dispersion)
    signed = np.sqrt(statistic) if slope < 0 else -np.sqrt(statistic)
    return Trend(float(slope), float(ndtr(-signed)), dispersion)


def _fit(rows: AmountRows, log_amount: np.ndarray | None, top: float | None) -> tuple[float, np.ndarray]:
    """Greatest ln likelihood, and place, slope, ln width and top there; without amounts the slope is 0."""
    low, high, span = rows.log_size.min(), rows.log_size.max(), rows.span
    free = log_amount is not None
    along = np.zeros(len(rows.amount)) if log_amount is None else log_amount
    bounds = [
        (low - OFF * span, high + OFF * span),
        (-4.0, 4.0) if free else (0.0, 0.0),
        (np.log(NARROWEST * rows.step), np.log(WIDEST * span)),
        (LEAST_TOP, 1.0) if top is None else (top, top),
    ]

    def lost(theta: np.ndarray) -> float:
        expected = risen(rows.log_size, theta[0] + theta[1] * along, np.exp(theta[2]), theta[3])
        return -float(log_likelihood(rows.score, expected).sum())

    starts = [
        np.array([place, slope, width, bounds[3][1]])
        for place in np.linspace(low, high, 4)
        for slope in ((-0.5, 0.0) if free else (0.0,))
        for width in (np.log(rows.step / 3), np.log(rows.step))
    ]
    found = [minimize(lost, start, bounds=bounds, method="L-BFGS-B") for start in starts]
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
        on_ladder: probability that it lies between the first size and the last.
    """

    amount: float
    middle: float
    low: float
    high: float
    mean: float
    sd: float
    on_ladder: float


def places(rows: AmountRows, law: LawDraws, dispersion: float, level: float) -> list[Place]:
    """N* at each amount by its own runs, given the widths and tops of the posterior of all; every ln N is as likely."""
    first, last, span = rows.log_size.min(), rows.log_size.max(), rows.span
    grid = np.linspace(first - OFF * span, last + OFF * span, _PLACES)
    width, top = law.width[:_SHAPES, None, None], law.top[:_SHAPES, None, None]
    found = []
    for amount in np.unique(rows.amount):
        own = rows.part(rows.amount == amount)
        expected = risen(own.log_size, grid[:, None], width, top)
        log = log_likelihood(own.score, expected).sum(axis=2) / dispersion
        density = np.exp(log - log.max(axis=1, keepdims=True))
        density = (density / density.sum(axis=1, keepdims=True)).mean(axis=0)
        reached = np.cumsum(density) - density / 2
        quantiles = np.interp([0.5, (1 - level) / 2, (1 + level) / 2], reached, grid)
        mean = float(density @ grid)
        sd = float(np.sqrt(density @ (grid - mean) ** 2))
        on_ladder = float(density[(grid >= first) & (grid <= last)].sum())
        middle, low, high = (_open(float(end), first, last) for end in quantiles)
        found.append(Place(float(amount), middle, low, high, mean, sd, on_ladder))
    return found


def _open(end: float, first: float, last: float) -> float:
    return -np.inf if end < first else np.inf if end > last else end


def crossing(found: Sequence[Place], sure: float) -> list[Place]:
    """Those of amounts > 0 whose N* lies on the ladder with this probability."""
    return [place for place in found if place.amount > 0 and place.on_ladder >= sure]
