"""Whether a table holds runs of two conditions: at each place two kinds of run, y the same factor apart at all of them.

At every place with several runs, these are parted where the gap between neighbours is widest. With d_i the distance of
the two parts' means at place i, T is the share of the scatter within places that one common distance explains. Runs
that differ by noise alone have a T too; how often one as high comes from normal noise on the same numbers of runs is
drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.runs import Runs

#: Error rate of the test: share of tables whose runs differ by noise alone and are taken for two conditions.
ALPHA = 1e-3
#: Draws of the null, and the seed, so that a table always has the same answer.
_DRAWS, _SEED = 5000, 0
#: T below which two kinds of run are not apart by three times their noise, and nothing is drawn.
_LEAST_EXPLAINED = 0.8
#: Fewest places with several runs, and least share of all places that they must be.
_LEAST_PLACES, _LEAST_SHARE = 5, 0.5
#: Share of the runs whose kind a column must tell to be named.
_TELLS = 0.95


@dataclass(frozen=True)
class Conditions:
    """Two kinds of run.

    Attributes:
        factor: of y, the upper kind's over the lower one's, > 1.
        n_places: places that have both.
        upper: (n,) whether each run is of the upper kind; where a place has one run only, NaN.
        p_value: of T.
    """

    factor: float
    n_places: int
    upper: np.ndarray
    p_value: float


def find_conditions(runs: Runs) -> Conditions | None:
    """The two conditions of runs whose value is ln y; None where T is not above what noise gives (`ALPHA`)."""
    order = np.lexsort((runs.value, runs.rung))
    counts = runs.counts
    chosen = counts > 1
    if chosen.sum() < max(_LEAST_PLACES, _LEAST_SHARE * len(counts)):
        return None
    values = [runs.value[order[runs.rung[order] == place]] for place in np.flatnonzero(chosen)]
    cuts, share, distance = _parted(values)
    if share < _LEAST_EXPLAINED:
        return None
    drawn = _null(counts[chosen], np.random.default_rng(_SEED))
    p = (1 + np.sum(drawn >= share)) / (1 + len(drawn))
    if not (p < ALPHA and distance > 0):
        return None
    upper = np.full(len(runs.value), np.nan)
    for place, cut in zip(np.flatnonzero(chosen), cuts, strict=True):
        at = order[runs.rung[order] == place]
        upper[at] = np.arange(len(at)) >= cut
    return Conditions(float(np.exp(distance)), int(chosen.sum()), upper, float(p))


def told_apart_by(conditions: Conditions, columns: Mapping[str, np.ndarray]) -> tuple[str, str, str] | None:
    """The column (n,) that tells the two kinds apart, with the label of most runs of the upper and of the lower one."""
    known = np.isfinite(conditions.upper)
    upper = conditions.upper[known].astype(int)
    best, found = _TELLS, None
    for name, column in columns.items():
        labels, which = np.unique(np.asarray(column)[known].astype(str), return_inverse=True)
        if not 2 <= len(labels) <= len(upper) / 2:
            continue
        table = np.zeros((len(labels), 2))
        np.add.at(table, (which, upper), 1)
        told = float(table.max(axis=1).sum() / len(upper))
        if told >= best and (table[:, 1] > table[:, 0]).any() and (table[:, 1] < table[:, 0]).any():
            best, found = told + 1e-12, (name, str(labels[table[:, 1].argmax()]), str(labels[table[:, 0].argmax()]))
    return found


def _parted(values: list[np.ndarray]) -> tuple[list[int], float, float]:
    """Where each place's sorted values are parted, T, and the common distance."""
    cuts = [int(np.argmax(np.diff(each))) + 1 for each in values]
    distance = np.array([each[cut:].mean() - each[:cut].mean() for each, cut in zip(values, cuts, strict=True)])
    weight = np.array([cut * (len(each) - cut) / len(each) for each, cut in zip(values, cuts, strict=True)])
    total = sum(float(np.sum((each - each.mean()) ** 2)) for each in values)
    common = float(np.sum(weight * distance) / weight.sum())
    return cuts, common**2 * weight.sum() / max(total, 1e-300), common


def _null(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """T (draws,) of normal noise."""
    pushed, weights, total = np.zeros((3, _DRAWS))
    for m in counts:
        values = np.sort(rng.standard_normal((_DRAWS, m)), axis=1)
        cut = np.diff(values, axis=1).argmax(axis=1) + 1
        sums = np.cumsum(values, axis=1)
        below = sums[np.arange(_DRAWS), cut - 1]
        distance = (sums[:, -1] - below) / (m - cut) - below / cut
        weight = cut * (m - cut) / m
        pushed += weight * distance
        weights += weight
        total += np.sum((values - values.mean(axis=1, keepdims=True)) ** 2, axis=1)
    return pushed**2 / weights / total
