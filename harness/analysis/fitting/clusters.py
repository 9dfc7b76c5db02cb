"""Runs that err together: how uncertain a fit is whose errors are shared by clusters of runs.

Near its optimum a fit is one by least squares: of residuals u (n,) on a design J (n, p), each point scaled by the root
of its information. A quantity moves by c'u with c = J (J'J)^-1 times its slope, and of clusters g its variance is

    V = f sum_g (c_g' A_g u_g)^2,    A_g = (I - P_gg)^-1/2,    P = J (J'J)^-1 J'

the sandwich of Liang and Zeger 1986 with the correction of Bell and McCaffrey 2002 for residuals that are smaller than
errors. Errors of one cluster are taken to have a part in common (a random effect, its variance by moments): that gives
the factor f by which V is unbiased, and Satterthwaite's degrees of freedom for Student's t (Imbens and Kolesar 2016).
Only these two rest on that picture: a run that drifts is seen by the sum itself. A profile's allowed rise is scaled by
V over c'c (Stafford 1996; Chandler and Bate 2007).

Where each cluster lies at one place, its mean is all that the law sees of it, and V is that of the random effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from harness.analysis.fitting.objectives import Huber
from harness.analysis.fitting.solver import Problem

#: Share of a direction's variance below which it is rounding: of the design's singular values, and of what is left of a
#: cluster's residuals where the law follows the cluster whatever it does.
_ROUNDING = 1e-8
#: Share of V that is left of it where the law follows the clusters: below, they say nothing of the quantity, whose
#: interval is open.
_LEAST_SEEN = 0.02
#: Fewest degrees of freedom with which Student's t means anything.
_LEAST_FREEDOM = 0.5
#: Clusters above which their pairs are left out of the degrees of freedom.
_MANY = 300


@dataclass(frozen=True)
class Linearised:
    """A fit as one by least squares, near its optimum.

    Attributes:
        basis: (n, k) orthonormal columns that span the design.
        to_basis: (k, p): a quantity of slope s (p,) moves by basis @ to_basis @ s times the residuals.
        residual: (n,) in units in which a quantity's variance is the objective's noise (`Noise.scale`) times the square
            of that.
        off: (n,) observed less fitted, on the law's scale.
    """

    basis: np.ndarray
    to_basis: np.ndarray
    residual: np.ndarray
    off: np.ndarray

    @classmethod
    def of(cls, problem: Problem, theta: np.ndarray) -> Linearised:
        """Of one fit (b = 1) at its solution theta (1, p)."""
        value, slopes = problem.law.gradient(problem.t, theta)
        first, exact, safe = problem.objective.derivatives(value, problem.y)
        # Of Huber's objective the mean curvature, for that of one run is 0 or 1 as its noise has it.
        is_huber = isinstance(problem.objective, Huber)
        inform = np.full_like(exact, max(float(np.mean(exact)), 1 / exact.size)) if is_huber else safe
        root = np.sqrt(np.broadcast_to(inform * problem.weight, problem.y.shape)[0])
        used = np.maximum(root, 1e-300)
        design = np.nan_to_num(slopes[0].T * root[:, None])
        size = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
        left, values, right = np.linalg.svd(design / size, full_matrices=False)
        kept = values > _ROUNDING * values.max()
        to_basis = right[kept] / values[kept, None] / size
        residual = np.broadcast_to(-first * problem.weight, problem.y.shape)[0] / used
        return cls(left[:, kept], to_basis, residual, problem.y[0] - value[0])


class ClusteredNoise:
    """What a fit's intervals rest on where clusters of runs err together.

    Attributes:
        n_clusters: how many there are.
        correlation: of the errors of two runs of one cluster.
        of_a_run: standard deviation of a run of another cluster about the law, on the law's scale.
        run_freedom: its degrees of freedom.
    """

    def __init__(self, fit: Linearised, labels: np.ndarray, place: np.ndarray) -> None:
        """Of the clusters labels (n,) 0, 1, ... of the runs, at the place (n,) 0, 1, ... of each."""
        n, k = fit.basis.shape
        self.n_clusters = g = int(labels.max()) + 1
        self._to_basis = fit.to_basis
        self._at_one_place = len(np.unique(np.stack([labels, place]), axis=1).T) == g
        counts = np.bincount(labels, minlength=g).astype(float)
        outer = np.zeros((g, k, k))
        np.add.at(outer, labels, fit.basis[:, :, None] * fit.basis[:, None, :])
        self._sums = cluster_sums(fit.basis, labels)
        scores = cluster_sums(fit.basis * fit.residual[:, None], labels)
        self._own, self._shared, self.run_freedom = _variances(fit.residual, labels, counts, self._sums, n - k)
        own, shared, _ = _variances(fit.off, labels, counts, self._sums, n - k)
        self.of_a_run = float(np.sqrt(own + shared))
        self.correlation = shared / max(own + shared, 1e-300)
        values, vectors = np.linalg.eigh(outer)
        remain = 1 - values
        correct = np.where(remain > _ROUNDING, 1 / np.sqrt(np.maximum(remain, _ROUNDING)), 0.0)
        self._adjust = np.einsum("gij,gj,gkj->gik", vectors, correct, vectors)
        self._outer, self._scores = outer, scores

    def along(self, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of quantities of slopes (q, p): variance over that in units of the noise (q,), and degrees of freedom (q,).

        inf and the fewest where the law follows the clusters along the quantity, so that nothing tells.
        """
        b = np.nan_to_num(slopes) @ self._to_basis.T
        unit = np.maximum(np.einsum("qk,qk->q", b, b), 1e-300)
        of_clusters = np.einsum("gk,qk->qg", self._sums, b)
        expected = self._own * unit + self._shared * np.einsum("qg,qg->q", of_clusters, of_clusters)
        if self._at_one_place:
            return expected / unit, np.full(len(b), self.run_freedom)
        v = np.einsum("gij,qj->qgi", self._adjust, b)
        seen = np.einsum("gi,qgi->qg", self._scores, v)
        found, trace, square = np.sum(seen**2, axis=1), *self._moments(v)
        share = trace / np.maximum(expected, 1e-300)
        freedom = trace**2 / np.maximum(square, 1e-300)
        blind = (share < _LEAST_SEEN) | (freedom < _LEAST_FREEDOM)
        scale = np.where(blind, np.inf, found / np.maximum(share, _LEAST_SEEN) / unit)
        return scale, np.maximum(freedom, _LEAST_FREEDOM)

    def _moments(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Trace and squared norm (q,) of the covariance of what the clusters v (q, g, k) contribute.

        Of more than `_MANY` clusters the norm is that of the diagonal: each is correlated with the others by about
        1 / g, and a matrix of all pairs would not fit into memory.
        """
        moved = np.einsum("gij,qgj->qgi", self._outer, v)
        if self.n_clusters > _MANY:
            spread = self._sums.T @ self._sums
            here, there = (np.einsum("gi,qgi->qg", self._sums, part) for part in (v, moved))
            own = np.einsum("qgi,qgi->qg", v, moved) - np.sum(moved**2, axis=-1)
            shared = here**2 - 2 * here * there + np.einsum("qgi,ij,qgj->qg", moved, spread, moved)
            each = self._own * own + self._shared * shared
            return each.sum(axis=1), np.sum(each**2, axis=1)
        own = -np.einsum("qgi,qhi->qgh", moved, moved)
        diagonal = np.arange(self.n_clusters)
        own[:, diagonal, diagonal] += np.einsum("qgi,qgi->qg", v, moved)
        sums = -np.einsum("hi,qgi->qgh", self._sums, moved)
        sums[:, diagonal, diagonal] += np.einsum("gi,qgi->qg", self._sums, v)
        covariance = self._own * own + self._shared * np.einsum("qgk,qhk->qgh", sums, sums)
        return np.einsum("qgg->q", covariance), np.sum(covariance**2, axis=(1, 2))


def cluster_sums(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(g, k) sums of rows (n, k) over the clusters of labels (n,) 0, 1, ..."""
    return np.stack([np.bincount(labels, column) for column in rows.T], axis=1)


def _variances(
    residual: np.ndarray, labels: np.ndarray, counts: np.ndarray, sums: np.ndarray, freedom: int
) -> tuple[float, float, float]:
    """Variance of errors of a run's own, of what its cluster has in common, and degrees of freedom of the latter.

    By the moments of two sums of squares: of residuals, and of the clusters' means, each as often as it has runs. What
    the law leaves of a part that each cluster has in common is L = Z'(I - P)Z = diag(counts) - sums sums', with Z the
    clusters' indicators; L^2 is diagonal but for a matrix of twice the rank of the sums, so that no matrix of all pairs
    of clusters is made.

    Args:
        sums: (g, k) of the basis over the clusters.
    """
    root = 1 / np.sqrt(counts)
    of_means = float(np.sum((root * np.bincount(labels, residual, minlength=len(counts))) ** 2))
    total, left = float(residual @ residual), counts - np.sum(sums**2, axis=1)
    k = sums.shape[1]
    # diag(counts)^-1/2 L^2 diag(counts)^-1/2 = diag(counts) + U W U'
    u = np.column_stack([sums * root[:, None], sums / root[:, None]])
    w = np.block([[sums.T @ sums, -np.eye(k)], [-np.eye(k), np.zeros((k, k))]])
    low = np.einsum("gi,ij,gj->g", u, w, u)
    turned = w @ (u.T @ u)
    between, square = (
        float(np.sum(counts + low)),
        float(np.sum(counts**2 + 2 * counts * low) + np.sum(turned * turned.T)),
    )
    moments = np.array([[freedom, left.sum()], [np.sum(root**2 * left), between]])
    own, shared = np.linalg.lstsq(moments, np.array([total, of_means]), rcond=None)[0]
    if shared <= 0:
        own, shared = total / max(freedom, 1), 0.0
    elif own <= 0:
        own, shared = 0.0, of_means / max(between, 1e-300)
    return float(own), float(shared), between**2 / max(square, 1e-300)


def student(level: float, freedom: np.ndarray | float) -> np.ndarray:
    """Quantiles of Student's t for two-sided intervals."""
    return np.asarray(stdtrit(freedom, (1 + level) / 2))
