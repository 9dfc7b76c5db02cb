"""A curve that falls with the amount of data, turned around: which amount has a given loss, or a given gain."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

#: Floors that are tried, as shares of the least loss, for the scale on which losses are interpolated.
FLOORS = np.array([0.0, 0.2, 0.4, 0.55, 0.67, 0.76, 0.83, 0.88, 0.92, 0.95, 0.97])

#: By what the error of an interpolation falls where its amounts lie half as far apart: that of a straight line.
HALVING = 4.0


def amounts_of(losses: np.ndarray, logs: np.ndarray, curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(k,) ln of the amount at which the curve has each of the losses.

    The curve is the isotonic fit, which falls. Between its steps it is Fritsch and Carlson's monotone cubic of ln
    amount over ln(loss - E), E being the floor of `FLOORS` that makes this scale straightest: on that of a power law
    with a floor there is hardly anything left to interpolate. It is not followed beyond its ends: a loss below its
    least has inf, one above its greatest -inf.

    Args:
        losses: (k,) ln loss.
        logs: (m,) ln amounts, rising, m >= 2.
        curve: (m,) mean ln loss at each.
        weight: (m,) runs at each.
    """
    fitted = isotonic_regression(curve, weights=weight, increasing=False)
    first = np.asarray(fitted.blocks)[:-1]
    level = fitted.x[first]
    # Amounts that share a step stand at their middle.
    middle = np.add.reduceat(logs * weight, first) / np.add.reduceat(weight, first)
    found = np.where(losses < level[-1], np.inf, np.where(losses > level[0], -np.inf, np.nan))
    inside = np.isnan(found)
    if len(level) == 1:
        return np.where(inside, middle[0], found)
    if inside.any():
        floor = _straightest(level, middle)
        knots, at = (np.log(np.exp(each) - floor) for each in (level, losses[inside]))
        found[inside] = PchipInterpolator(knots[::-1], middle[::-1])(at)
    return found


def _straightest(level: np.ndarray, middle: np.ndarray) -> float:
    """The floor E of which ln amount is nearest to a straight line in ln(loss - E); 0 of two amounts."""
    if len(level) == 2:
        return 0.0
    floors = FLOORS * np.exp(level[-1])
    z = np.log(np.exp(level) - floors[:, None])
    z = z - z.mean(axis=1, keepdims=True)
    y = middle - middle.mean()
    correlation = (z @ y) / np.sqrt((z**2).sum(axis=1))
    return float(floors[np.argmin(correlation)])  # the most negative


def interpolation_error(losses: np.ndarray, logs: np.ndarray, curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(k,) by about how much `amounts_of` may err between the amounts of the curve, in ln amount; m >= 3.

    Each inner amount is left out and read off the others, which lie twice as far apart; the error of an interpolation
    falls with the square of their distance or faster. Of the two amounts around a loss the larger error counts.
    """
    inner = np.arange(1, len(logs) - 1)
    missed = np.zeros(len(logs))
    for i in inner:
        kept = np.arange(len(logs)) != i
        read = amounts_of(curve[[i]], logs[kept], curve[kept], weight[kept])[0]
        missed[i] = abs(np.clip(read, logs[i - 1], logs[i + 1]) - logs[i])
    after = np.clip(np.searchsorted(-curve, -losses), 1, len(logs) - 1)
    return np.asarray(np.maximum(missed[after - 1], missed[after]) / HALVING)
