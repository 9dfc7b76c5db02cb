"""A curve that falls with the amount of data, turned around: which amount has a given loss, or a given gain."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

#: Floors that are tried, as shares of the least loss, for the scale on which losses are interpolated.
FLOORS = np.array([0.0, 0.2, 0.4, 0.55, 0.67, 0.76, 0.83, 0.88, 0.92, 0.95, 0.97])

#: By what the error of an interpolation falls where its amounts lie half as far apart: that of a straight line.
HALVING = 4.0
#: Steps between two amounts in which a curve is turned around.
STEPS = 50


def amounts_of(losses: np.ndarray, logs: np.ndarray, curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(b, k) ln of the amount at which each of several curves has each of its losses.

    A curve is the isotonic fit, which falls. Between its amounts, ln(loss - E) is Fritsch and Carlson's monotone cubic
    of ln amount, E being the floor of `FLOORS` that makes this scale straightest: on that of a power law with a floor
    there is hardly anything left to interpolate. A curve is not followed beyond its ends: a loss below its least has
    inf, one above its greatest -inf.

    Args:
        losses: (b, k) ln loss.
        logs: (m,) ln amounts, rising, m >= 2.
        curve: (b, m) mean ln loss at each.
        weight: (m,) runs at each.
    """
    level = np.array([_falling(each, weight) for each in curve])
    floor = _straightest(level, logs)
    grid = np.unique(np.concatenate([np.linspace(*ends, STEPS + 1) for ends in pairwise(logs)]))
    z = PchipInterpolator(logs, np.log(np.exp(level) - floor[:, None]), axis=1)(grid)
    least, most = level[:, -1:], level[:, :1]
    with np.errstate(invalid="ignore"):
        at = np.log(np.exp(np.clip(losses, least, most)) - floor[:, None])
    found = np.array([np.interp(a, each[::-1], grid[::-1]) for a, each in zip(at, z, strict=True)])
    return np.where(losses < least, np.inf, np.where(losses > most, -np.inf, found))


def _falling(curve: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(m,) the isotonic fit."""
    if (np.diff(curve) < 0).all():
        return curve
    return np.asarray(isotonic_regression(curve, weights=weight, increasing=False).x)


def _straightest(level: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """(b,) the floor E of each curve (b, m) of which ln(loss - E) is nearest to a straight line; 0 of two amounts."""
    if len(logs) == 2:
        return np.zeros(len(level))
    floors = FLOORS * np.exp(level[:, -1:])
    z = np.log(np.exp(level)[:, None, :] - floors[..., None])
    z, x = z - z.mean(axis=-1, keepdims=True), logs - logs.mean()
    correlation = (z @ x) / np.sqrt(np.maximum((z**2).sum(axis=-1), 1e-300))
    return np.asarray(floors[np.arange(len(level)), np.argmin(correlation, axis=1)])  # the most negative


def interpolation_error(logs: np.ndarray, curve: np.ndarray, weight: np.ndarray) -> float:
    """By about how much `amounts_of` may err between the amounts of one curve, in ln amount; m >= 3.

    Each inner amount is left out and read off the others, which lie twice as far apart there; the error of an
    interpolation falls with the square of their distance or faster. The largest counts.

    Args:
        logs, curve, weight: (m,) as in `amounts_of`.
    """
    missed = []
    for i in range(1, len(logs) - 1):
        kept = np.arange(len(logs)) != i
        read = amounts_of(curve[None, [i]], logs[kept], curve[None, kept], weight[kept])[0, 0]
        missed.append(abs(np.clip(read, logs[i - 1], logs[i + 1]) - logs[i]))
    return float(max(missed) / HALVING)
