"""Whether residuals tell that runs err together: those of one N, of one budget of compute, of one label.

Of each grouping that the data show, an F test asks whether the groups' own levels, added to the law, take more from the
residuals than as many random directions would. Near the optimum, with independent normal errors, that test is exact for
any design. Its p is multiplied by the number of groupings tried (Bonferroni). What it sees is that residuals of a group
agree: because the runs share an error, or because the law misses all of them alike. Either way they are not
independent, and the intervals take the groups as clusters (`clusters`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from harness.analysis.fitting.clusters import ClusteredNoise, Linearised, cluster_sums
from harness.analysis.robust import robust_scatter
from harness.analysis.runs import Runs, labels_of_runs
from harness.errors import DataError
from harness.wording import p_equals

#: Error rate of the tests together: share of tables of independent runs whose groups are taken to err together.
ALPHA = 0.05
#: Fewest groups that can be clusters: two or three labels (corpora, say) are conditions, to be told apart, not a
#: sample.
LEAST_GROUPS = 4
#: Share of the runs that must have another in their group for a grouping to be tried.
_SHARING = 0.5
#: Ratio of values that count as one N: as recorded, they differ by rounding alone.
_SAME = 1.001
#: Greatest distance in ln C of a run from the next one of its budget, and from the first: 6 N D differs from the FLOPs
#: that were meant by some percent.
GAP, WIDEST = 0.12, 0.45
#: Multiple of the residuals' scatter at which they are clipped.
_CLIPPED = 3.0
#: Norm, of a direction of length 1, below which nothing of it is left within groups.
_NOTHING_LEFT = 1e-6


@dataclass(frozen=True)
class SharedErrors:
    """A grouping whose runs err together.

    Attributes:
        what: that they share, in words.
        labels: (n,) 0, 1, ... of each run.
        p_value: corrected for all groupings tried.
        correlation: of the residuals of two runs of one group.
    """

    what: str
    labels: np.ndarray
    p_value: float
    correlation: float

    def message(self) -> str:
        """What to say of them, and what became of the intervals."""
        agree = f"correlate by {self.correlation:.2f} ({p_equals(self.p_value)})"
        groups = self.labels.max() + 1
        return (
            f"residuals of runs that share {self.what} {agree}, for they share an error or the law misses them alike: "
            f"intervals rest on their {groups} groups, not on {len(self.labels)} runs; clusters that are stated are "
            "taken instead"
        )


def few_clusters(n_clusters: int, n_parameters: int) -> str:
    """What to say of clusters that are no more than the law's parameters; '' of more."""
    if n_clusters > n_parameters:
        return ""
    return (
        f"{n_clusters} clusters for {n_parameters} parameters: of what differs between clusters alone the intervals "
        "are wide or open"
    )


def clusters_of_runs(clusters: ArrayLike, of_row: np.ndarray) -> np.ndarray:
    """(n,) labels 0, 1, ... of the clusters (rows,) that a user states.

    Args:
        of_row: (rows,) the run that each row belongs to.

    Raises:
        DataError: another number of rows, a run whose rows have several labels, or all runs in one cluster.
    """
    given = np.asarray(clusters)
    if given.shape != of_row.shape:
        raise DataError(f"clusters has {given.size} rows where x has {len(of_row)}")
    labels, split = labels_of_runs(given, of_row)
    if split.size:
        raise DataError(f"clusters, row {split[0]}: rows of one run (one x, one group) are in more than one cluster")
    if labels.max() == 0:
        raise DataError("clusters: all runs are in one cluster, so nothing tells by how much clusters differ")
    return labels


def suspected(suspects: Mapping[str, ArrayLike], of_row: np.ndarray, n_parameters: int) -> dict[str, np.ndarray]:
    """Name -> labels (n,) of the runs, of columns (rows,) that do not vary within a run.

    Columns of no more labels than the law has parameters are left out: a step of training or a schedule is a condition
    whose levels a law can bend to, and intervals that rest on so few are no surer than those of independent runs.
    """
    found = {name: labels_of_runs(np.asarray(column), of_row) for name, column in suspects.items()}
    return {name: labels for name, (labels, split) in found.items() if not split.size and labels.max() >= n_parameters}


def near(logs: np.ndarray, gap: float, widest: float) -> np.ndarray:
    """(n,) labels 0, 1, ... of groups of logs (n,): each within `gap` of the next and `widest` of its group's least."""
    label, least, last, current = np.empty(len(logs), dtype=int), -np.inf, -np.inf, -1
    for run in np.argsort(logs, kind="stable"):
        if logs[run] > min(last + gap, least + widest):
            least, current = logs[run], current + 1
        label[run], last = current, logs[run]
    return label


def groupings_of(variables: Sequence[str], places: np.ndarray) -> dict[str, np.ndarray]:
    """Groupings that places (n, d) show, what is shared -> labels (n,): one variable, all but one, or compute."""
    if len(variables) < 2:
        return {}
    logs = np.log(places)
    same = [near(column, np.log(_SAME), np.log(_SAME)) for column in logs.T]
    found = dict(zip(variables, same, strict=True))
    if len(variables) > 2:
        found |= {
            " and ".join(name for j, name in enumerate(variables) if j != left_out): _together(
                [labels for j, labels in enumerate(same) if j != left_out]
            )
            for left_out in range(len(variables))
        }
    if tuple(variables) == ("N", "D"):
        found["a budget of compute"] = near(logs.sum(axis=1), GAP, WIDEST)
    return found


def _together(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].ravel()


def find_shared_errors(
    fit: Linearised, runs: Runs, groupings: Mapping[str, np.ndarray], by_places: bool
) -> SharedErrors | None:
    """The grouping that tells most plainly that its runs err together; None where none does at `ALPHA`.

    Args:
        groupings: what is shared -> labels (n,) of the runs.
        by_places: whether all runs of one place err together already, so that places, not runs, are to be told apart.
    """
    tried: dict[bytes, tuple[str, np.ndarray]] = {}
    for what, given in groupings.items():
        labels = np.unique(given, return_inverse=True)[1].ravel()
        counts = np.bincount(labels)
        if len(counts) >= LEAST_GROUPS and np.mean(counts[labels] > 1) >= _SHARING:
            first = np.unique(labels, return_index=True)[1]
            tried.setdefault(first[labels].tobytes(), (what, labels))
    fit, found = _clipped(fit), []
    for what, labels in tried.values():
        p = group_levels_p(*(_by_places(fit, runs, labels) if by_places else (fit.basis, fit.residual, labels)))
        if p * len(tried) < ALPHA and (correlation := ClusteredNoise(fit, labels, runs.rung).correlation) > 0:
            found.append(SharedErrors(what, labels, p * len(tried), correlation))
    return min(found, key=lambda each: each.p_value, default=None)


def _clipped(fit: Linearised) -> Linearised:
    """The fit with residuals clipped, so that runs which went wrong do not make a group of theirs."""
    scatter = robust_scatter(fit.residual)
    residual = np.clip(fit.residual, -_CLIPPED * scatter, _CLIPPED * scatter)
    residual = residual - fit.basis @ (fit.basis.T @ residual)
    return replace(fit, residual=residual, off=residual)


def _by_places(fit: Linearised, runs: Runs, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Basis, residual and labels of the means at each place, each as often as it has runs."""
    root = np.sqrt(runs.counts)
    columns = np.column_stack([fit.basis, fit.residual])
    means = cluster_sums(columns, runs.rung) / root[:, None]
    at = np.zeros(len(root), dtype=int)
    at[runs.rung] = labels
    return means[:, :-1], means[:, -1], at


def group_levels_p(basis: np.ndarray, residual: np.ndarray, labels: np.ndarray) -> float:
    """p of the F test of the groups' levels; 1 where the law leaves nothing to test by.

    Args:
        basis: (n, k) orthonormal columns of the design, to which residual (n,) is orthogonal.
        labels: (n,) 0, 1, ... of each run's group.
    """
    counts = np.bincount(labels)
    columns = np.column_stack([basis, residual])
    means = cluster_sums(columns, labels) / counts[:, None]
    within = columns - means[labels]
    left, values, _ = np.linalg.svd(within[:, :-1], full_matrices=False)
    left = left[:, values > _NOTHING_LEFT]
    gained = len(counts) + left.shape[1] - basis.shape[1]
    rest = len(residual) - len(counts) - left.shape[1]
    if gained < 1 or rest < 1:
        return 1.0
    of_groups = within[:, -1] - left @ (left.T @ within[:, -1])
    unexplained = float(of_groups @ of_groups)
    explained = float(residual @ residual) - unexplained
    return float(fdtrc(gained, rest, max(explained / gained, 0.0) / max(unexplained / rest, 1e-300)))
