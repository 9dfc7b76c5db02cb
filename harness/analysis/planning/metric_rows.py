"""A metric as its link takes it: shares in [0, 1] of which more is better, each with the precision of its items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr

from harness.analysis.planning.link_posterior import LinkRows
from harness.analysis.planning.link_prior import CHANCE_SD, FLOOR_SD, NOISE, LinkPrior
from harness.analysis.robust import rank_correlation
from harness.analysis.runs import row_means
from harness.errors import DataError

#: Least noise of items that a prior expects, as a share: with ever more items something else remains.
_LEAST_NOISE = 0.004
#: Share of the rows, those of the greatest losses, whose mean the floor is expected near.
_LOWEST = 0.15


@dataclass(frozen=True)
class MetricRows:
    """The metric of one task.

    Attributes:
        name: of the task.
        bounds: least and greatest value of the metric.
        rises: whether more is better; as stated, or as the metric goes with the loss.
        association: Spearman's correlation of the metric with minus the loss, by cluster means, positive where the
            metric improves as the loss falls; and its one-sided p that it does the opposite.
        items_noise: standard deviation that the items of a row explain, as a share; None where they are not known.
        link_rows: what the link is fitted to.
        prior: of the link, before other tasks are looked at.
        n, n_missing: rows with a number, and without.
    """

    name: str
    bounds: tuple[float, float]
    rises: bool
    association: tuple[float, float]
    items_noise: float | None
    link_rows: LinkRows
    prior: LinkPrior
    n: int
    n_missing: int

    def natural(self, shares: np.ndarray) -> np.ndarray:
        """Values (3, ...) of the metric: middle, low and high of shares in this order."""
        return np.asarray(self._value(shares) if self.rises else self._value(shares)[[0, 2, 1]])

    def width_of(self, shares: np.ndarray) -> np.ndarray:
        """A difference of shares in units of the metric."""
        return np.asarray(shares * (self.bounds[1] - self.bounds[0]))

    def _value(self, shares: np.ndarray) -> np.ndarray:
        low, high = self.bounds
        return low + (high - low) * (shares if self.rises else 1 - shares)


def by_task(given: ArrayLike | pd.DataFrame, what: str, alone: str) -> dict[str, np.ndarray]:
    """Columns (n,) of tasks, as floats; a single column is called `alone`.

    Raises:
        DataError: an array of more than one dimension without names, no column, or one that is there twice.
    """
    if isinstance(given, pd.DataFrame):
        names = [str(name) for name in given.columns]
        if not names or len(set(names)) < len(names):
            raise DataError(f"{what} has the columns {', '.join(names) or '(none)'}: one for each task is wanted")
        return {name: given.iloc[:, i].to_numpy(dtype=float) for i, name in enumerate(names)}
    values = np.asarray(given, dtype=float)
    if values.ndim != 1:
        raise DataError(f"{what} has the shape {values.shape}: several tasks are wanted as a frame, a column each")
    return {alone: values}


def metric_rows(
    loss: np.ndarray,
    values: np.ndarray,
    bounds: tuple[float, float],
    *,
    name: str,
    clusters: ArrayLike | None,
    chance: float | None,
    higher_is_better: bool | None,
    n_eval: np.ndarray | None,
    stderr: np.ndarray | None,
    groups: np.ndarray | None,
) -> MetricRows:
    """One task's metric at losses (n,), NaN where it was not measured; the rest as `Chain.fit` takes it.

    Args:
        groups: (n,) the run of each row, whose rows are averaged.

    Raises:
        DataError: columns of unequal length, or a value outside the bounds.
    """
    labels = None if clusters is None else pd.factorize(np.asarray(clusters).astype(str))[0]
    _check_lengths(len(loss), {name: values, "clusters": labels, "n_eval": n_eval, "stderr": stderr})
    low, high = bounds
    outside = np.isfinite(values) & ((values < low) | (values > high))
    if outside.any() or np.isinf(values).any():
        row = int(np.argmax(outside | np.isinf(values)))
        raise DataError(f"{values[row]:g}: allowed are numbers from {low:g} to {high:g}", column=name, row=row)
    there = np.isfinite(values) & np.isfinite(loss)
    variance = _variance_of_items((values[there] - low) / (high - low), n_eval, stderr, there, high - low)
    columns = {"loss": loss[there], "share": (values[there] - low) / (high - low), "variance": variance}
    if labels is not None:
        labels = labels[there]
    if groups is not None and there.any():
        of_row = np.unique(groups[there], return_inverse=True)[1]
        columns = {key: row_means(column, of_row) for key, column in columns.items()}
        columns["variance"] = columns["variance"] / np.bincount(of_row)
        labels = None if labels is None else labels[np.unique(of_row, return_index=True)[1]]
    share = columns["share"]
    rank, reversed_p = _association(columns["loss"], share, labels)
    rises = (not rank < 0) if higher_is_better is None else higher_is_better
    share, rank = (share, rank) if rises else (1 - share, -rank)
    if higher_is_better is not None and not rises:
        reversed_p = 1 - reversed_p
    known = bool(len(variance)) and bool(np.isfinite(columns["variance"]).all())
    precision = 1 / columns["variance"] if known else np.ones(len(share))
    items = float(precision.mean() ** -0.5) if known else None
    lowest, level = (_at_greatest_loss(columns["loss"], share), float(share.mean())) if len(share) else (0.0, 0.0)
    floor, floor_sd = (lowest, FLOOR_SD) if chance is None else (_share(chance, bounds, rises, name), CHANCE_SD)
    return MetricRows(
        name=name,
        bounds=bounds,
        rises=rises,
        association=(rank, 0.5 if higher_is_better is None else reversed_p),
        items_noise=items,
        link_rows=LinkRows(
            columns["loss"], share, precision / max(float(precision.sum()), 1e-300) * len(share), _members(labels)
        ),
        prior=LinkPrior(floor, floor_sd, level, NOISE if items is None else max(items, _LEAST_NOISE)),
        n=len(share),
        n_missing=int((~there).sum()),
    )


def _check_lengths(n: int, columns: dict[str, np.ndarray | None]) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise DataError(f"{name} has {len(column)} rows where loss has {n}")


def _variance_of_items(
    share: np.ndarray, n_eval: np.ndarray | None, stderr: np.ndarray | None, there: np.ndarray, span: float
) -> np.ndarray:
    """(m,) of each share: its squared standard error, or that of a share of n items, smoothed so that 0 and 1 have one;
    NaN where neither is known.

    Raises:
        DataError: a standard error that is missing, below 0 or wider than the bounds; a number of items that is missing
            or below 1.
    """
    if stderr is not None:
        _check_within("stderr", stderr, there, 0.0, span)
        found = (stderr[there] / span) ** 2
        # A share of 0 or 1 has a standard error of 0, as evaluations state it, and is no surer than the surest other.
        return np.where(found > 0, found, found[found > 0].min() if (found > 0).any() else np.nan)
    if n_eval is not None:
        _check_within("n_eval", n_eval, there, 1.0, np.inf)
        count = n_eval[there]
        smoothed = (share * count + 1) / (count + 2)
        return np.asarray(smoothed * (1 - smoothed) / count)
    return np.full(len(share), np.nan)


def _check_within(name: str, values: np.ndarray, there: np.ndarray, low: float, high: float) -> None:
    """Raise DataError for a row that counts and has no finite number within these limits."""
    wrong = there & ~(np.isfinite(values) & (values >= low) & (values <= high))
    if wrong.any():
        row = int(np.argmax(wrong))
        most = f" to {high:g}" if np.isfinite(high) else ""
        raise DataError(f"{values[row]:g}: allowed are finite numbers from {low:g}{most}", column=name, row=row)


def _share(value: float, bounds: tuple[float, float], rises: bool, name: str) -> float:
    """Chance as a share of which more is better.

    Raises:
        DataError: it lies outside the bounds.
    """
    low, high = bounds
    if not low <= value <= high:
        raise DataError(f"chance {value:g} of {name}: allowed are numbers from {low:g} to {high:g}")
    share = (value - low) / (high - low)
    return share if rises else 1 - share


def _at_greatest_loss(loss: np.ndarray, share: np.ndarray) -> float:
    """Mean share of the rows of greatest loss: near the lowest share, and no lower for their noise."""
    return float(share[loss >= np.quantile(loss, 1 - _LOWEST)].mean())


def _association(loss: np.ndarray, share: np.ndarray, labels: np.ndarray | None) -> tuple[float, float]:
    """Spearman's correlation of share and minus loss over clusters' means, and p that it is not negative."""
    if labels is not None:
        of_row = np.unique(labels, return_inverse=True)[1]
        loss, share = row_means(loss, of_row), row_means(share, of_row)
    if len(share) < 3 or np.ptp(share) == 0 or np.ptp(loss) == 0:
        return 0.0, 0.5
    correlation, freedom = rank_correlation(-loss, share), len(share) - 2
    with np.errstate(divide="ignore"):
        t = correlation * np.sqrt(np.divide(freedom, 1 - correlation**2))
    return correlation, float(stdtr(freedom, t))


def _members(labels: np.ndarray | None) -> np.ndarray | None:
    """(n, g) the rows of each cluster; None where no cluster has two."""
    if labels is None:
        return None
    found, of_row = np.unique(labels, return_inverse=True)
    return None if len(found) == len(labels) else np.eye(len(found))[of_row]
