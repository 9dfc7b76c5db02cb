"""The one solver: Newton's method within bounds, for a batch of fits at once.

Everything that is fitted goes through `minimise`: the starts of a fit, the data sets of a table of curves, the refits
of a bootstrap, and the constrained refits behind a profile are rows of one batch, and each iteration is a few
operations on arrays. `optimum` chooses starts and returns the best end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.objectives import BetaBinomial, Objective, Squares

#: Values of y that are worked on together: few enough for a core's cache.
_CHUNK = 24_000

#: Iterations of a fit at most, and of a start before the starts are compared.
_MAX_ITERATIONS, _HEAT_ITERATIONS = 200, 8
#: Starts that set out for each that is followed to its end: the cost of a start says less of its valley than the cost
#: after a few steps does.
_HEATS = 6
#: Points on which starts are sought and compared at most: as good for finding valleys, and far quicker.
_THINNED = 500

#: Share of the cost below which the gain that a step promises ends a fit; and the share that does after `_PATIENCE`
#: iterations, for in a valley that is all but flat steps gain ever less, and whoever fits judges identifiability.
_TOLERANCE, _PATIENCE, _LATE_TOLERANCE = 1e-13, 60, 1e-8
#: Largest relative step that counts as standing still.
_STILL = 1e-10
#: Levenberg's damping: first value, factors after a step that failed and one that succeeded, least value, and the value
#: at which a fit is given up.
_DAMPING, _DAMPING_UP, _DAMPING_DOWN, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 6.0, 8.0, 1e-13, 1e12
#: Least pivot, where coordinates are scaled to a curvature of about 1, of a matrix that counts as positive definite.
_LEAST_PIVOT = 1e-9
#: Share of Gauss and Newton's curvature in the mixture with the exact one: first value of a fit that begins near its
#: end, factors after a step that failed (from the least such value on) and one that succeeded, and the share that is 0.
_TRUST_NEAR, _TRUST_UP, _TRUST_FAILED, _TRUST_DOWN, _NO_TRUST = 0.1, 3.0, 0.02, 0.25, 5e-3

#: A term of theta alone, added to what is minimised: theta (b, p) and the indices (b,) of these fits in the batch ->
#: value (b,), gradient (b, p), curvature (b, p, p).
Extra = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """A batch of b fits of one law.

    Attributes:
        law: what is fitted.
        objective: what is minimised.
        t: (d, n) the same for all, or (b, d, n).
        y: (b, n) on the law's scale.
        weight: (b, n) >= 0.
        low, high: (p,) or (b, p) bounds; equal ones hold a coordinate.
    """

    law: Law
    objective: Objective
    t: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, law: Law, objective: Objective, t: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Problem:
        """With the law's own bounds."""
        low, high = (np.broadcast_to(limit, (len(y), limit.shape[-1])) for limit in law.limits(t, y))
        return cls(law, objective, t, y, weight, low, high)

    def rows(self, chosen: np.ndarray | slice) -> Problem:
        """The fits at `chosen`, which may repeat."""
        t = self.t if self.t.ndim == 2 else self.t[chosen]
        return Problem(
            self.law,
            self.objective.rows(chosen),
            t,
            self.y[chosen],
            self.weight[chosen],
            self.low[chosen],
            self.high[chosen],
        )

    def points(self, chosen: np.ndarray) -> Problem:
        """The same fits, each to the points (b, m) that are chosen for it."""
        t = (
            self.t[:, chosen].swapaxes(0, 1)
            if self.t.ndim == 2
            else np.take_along_axis(self.t, chosen[:, None], axis=2)
        )
        y, weight = (np.take_along_axis(values, chosen, axis=1) for values in (self.y, self.weight))
        return replace(self, objective=self.objective.points(chosen), t=t, y=y, weight=weight)

    def cost(self, theta: np.ndarray) -> np.ndarray:
        """(b,) what is minimised, at theta (b, p)."""
        parts = [
            np.einsum("bn,bn->b", part.objective.rho(part.law.value(part.t, theta[rows]), part.y), part.weight)
            for rows, part in self._chunks()
        ]
        return np.concatenate(parts)

    def derivatives(self, theta: np.ndarray, trust: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradient (b, p), curvature (b, p, p), and the scale (b, p) of each coordinate's curvature.

        Args:
            trust: (b,) from 0, the exact curvature, to 1, that of a Gauss-Newton step, which is never negative.
        """
        parts = []
        for rows, part in self._chunks():
            value, slopes = part.law.gradient(part.t, theta[rows])
            first, exact, safe = part.objective.derivatives(value, part.y)
            mixed = trust[rows, None]
            push = first * part.weight
            along = (exact + mixed * (safe - exact)) * part.weight
            if part.law.curves_as_y:
                along = along - (1 - mixed) * push
            matrix = (slopes * along[:, None]) @ np.swapaxes(slopes, 1, 2)
            if (mixed < 1).any():
                matrix += part.law.curvature(part.t, theta[rows], (1 - mixed) * push, slopes)
            scale = (slopes * slopes) @ np.broadcast_to(safe * part.weight, part.y.shape)[..., None]
            parts.append(((slopes @ push[..., None])[..., 0], matrix, scale[..., 0]))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]

    def _chunks(self) -> list[tuple[slice, Problem]]:
        size = max(1, _CHUNK // self.y.shape[1])
        starts = range(0, len(self.y), size)
        return [(chunk, self.rows(chunk)) for chunk in (slice(i, i + size) for i in starts)]


@dataclass(frozen=True)
class Solution:
    """Where the fits of a batch ended: theta (b, p), cost (b,), converged (b,) bool."""

    theta: np.ndarray
    cost: np.ndarray
    converged: np.ndarray


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a step too far is taken back
def minimise(
    problem: Problem,
    start: np.ndarray,
    extra: Extra | None = None,
    max_iterations: int = _MAX_ITERATIONS,
    exact: bool = False,
    tolerance: float = _TOLERANCE,
) -> Solution:
    """Minimise each fit of a batch from its start.

    Newton's method with Levenberg's damping in the metric of Marquardt (1963), projected on the bounds. The curvature
    begins as that of Gauss and Newton (for Huber's objective: of reweighted least squares), whose steps lead downhill
    from anywhere, and turns into the exact one as steps succeed, which converges quadratically even where residuals
    stay large.

    Args:
        start: (b, p).
        extra: a term of theta alone.
        exact: whether to begin with the exact curvature, for starts that are near their end.
        tolerance: share of the cost below which the gain that a step promises ends a fit.

    Returns:
        Where each ended; not converged if after `max_iterations` it still moved, or its cost is not finite.
    """
    theta = np.clip(start, problem.low, problem.high)
    everyone = np.arange(len(theta))
    cost = problem.cost(theta) + (extra(theta, everyone)[0] if extra else 0.0)
    damping, trust = np.full(len(theta), _DAMPING), np.full(len(theta), _TRUST_NEAR if exact else 1.0)
    # Second derivatives by differences cost more than they save where Gauss and Newton's steps do as well.
    plain = isinstance(problem.objective, Squares) and type(problem.law).curvature is Law.curvature
    converged, active = np.zeros(len(theta), dtype=bool), everyone
    for iteration in range(max_iterations):
        part, here = problem if len(active) == len(theta) else problem.rows(active), theta[active]
        slope, matrix, scale = _local_model(part, here, trust[active], extra, active)
        held = ((here <= part.low) & (slope > 0)) | ((here >= part.high) & (slope < 0)) | (part.low >= part.high)
        step = _step(np.where(held, 0.0, slope), matrix, scale, held, damping[active])
        there = np.clip(here + step, part.low, part.high)
        moved = there - here
        now = part.cost(there) + (extra(there, active)[0] if extra else 0.0)
        before = cost[active]
        better = now <= before
        promised = np.abs(np.einsum("bp,bp->b", np.where(held, 0.0, slope), moved))
        still = np.max(np.abs(moved) / (np.abs(here) + 1e-3), axis=1) < _STILL
        least = tolerance if iteration < _PATIENCE else _LATE_TOLERANCE
        done = still | (promised <= least * np.abs(before) + 1e-300)
        taken = active[better]
        theta[taken], cost[taken] = there[better], now[better]
        damping[active], trust[active] = _adapted(damping[active], trust[active], better)
        if plain:
            trust[:] = 1.0
        converged[active[done]] = True
        active = active[~done & (damping[active] < _MOST_DAMPING)]
        if not len(active):
            break
    return Solution(theta, cost, converged & np.isfinite(cost))


def _local_model(
    problem: Problem, theta: np.ndarray, trust: np.ndarray, extra: Extra | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`Problem.derivatives` with those of the extra term added."""
    slope, matrix, scale = problem.derivatives(theta, trust)
    if extra is None:
        return slope, matrix, scale
    _, more_slope, more_matrix = extra(theta, rows)
    return slope + more_slope, matrix + more_matrix, scale + np.abs(np.einsum("bpp->bp", more_matrix))


def _adapted(damping: np.ndarray, trust: np.ndarray, better: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Damping and trust (b,) of the next step: bolder after one that succeeded, more careful after one that failed."""
    damping = np.where(better, np.maximum(damping / _DAMPING_DOWN, _LEAST_DAMPING), damping * _DAMPING_UP)
    failed = np.minimum(np.maximum(trust, _TRUST_FAILED) * _TRUST_UP, 1.0)
    trust = np.where(better, trust * _TRUST_DOWN, failed)
    return damping, np.where(trust < _NO_TRUST, 0.0, trust)


def _step(
    slope: np.ndarray, matrix: np.ndarray, scale: np.ndarray, held: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Damped Newton steps (b, p), in which negative curvature counts by its size, so that steps lead downhill."""
    root = 1 / np.sqrt(np.maximum(scale, 1e-14 * scale.max(axis=1, keepdims=True) + 1e-300))
    free, one, damping = ~held, np.eye(held.shape[1]), damping[:, None] + 1e-14
    matrix = np.where(free[:, :, None] & free[:, None, :], matrix * root[:, :, None] * root[:, None, :], one)
    slope = slope * root
    _, definite = _eliminate(matrix, slope)
    step, _ = _eliminate(matrix + damping[..., None] * one, slope)
    if len(bent := np.flatnonzero(~definite)):
        values, vectors = np.linalg.eigh(np.nan_to_num(matrix[bent], posinf=1e150, neginf=-1e150))
        along = np.einsum("bpk,bp->bk", vectors, slope[bent])
        step[bent] = np.einsum("bpk,bk->bp", vectors, along / (np.abs(values) + damping[bent]))
    return -root * step * free


def _eliminate(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solutions (b, p) of symmetric systems (b, p, p), and (b,) whether each is surely positive definite.

    Gauss's elimination, each operation on all systems at once: for systems this small much faster than LAPACK, which
    takes them one by one. A positive definite matrix has positive pivots in any order, and needs no other.
    """
    rows, right = np.moveaxis(matrix, 0, -1).copy(), right.T.copy()
    p, definite = len(right), np.ones(len(matrix), dtype=bool)
    for k in range(p):
        definite &= rows[k, k] > _LEAST_PIVOT
        factor = rows[k + 1 :, k] / rows[k, k]
        rows[k + 1 :] -= factor[:, None] * rows[k]
        right[k + 1 :] -= factor * right[k]
    for k in reversed(range(p)):
        right[k] = (right[k] - (rows[k, k + 1 :] * right[k + 1 :]).sum(axis=0)) / rows[k, k]
    return right.T, definite


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # in starts that are far off, and are dropped
def optimum(problem: Problem, extra: Extra | None = None) -> Solution:
    """The best end of many starts.

    The law proposes starts (`Law.starts`); after a few iterations the best `Law.n_starts` of them go on to their end.

    Returns:
        The end of lowest cost of each fit, among those that converged; not converged where none did.
    """
    keep, few = problem.law.n_starts, _thinned(problem)
    starts = few.law.starts(few.t, few.y, few.weight, _HEATS * keep)
    if starts.shape[1] > keep:
        heats = _from_starts(few, starts, extra, _HEAT_ITERATIONS)
        order = np.argsort(np.nan_to_num(heats.cost, nan=np.inf), axis=1, kind="stable")[:, :keep]
        starts = np.take_along_axis(heats.theta, order[..., None], axis=1)
    ends = _from_starts(problem, starts, extra, _MAX_ITERATIONS)
    chosen = np.argmin(np.where(ends.converged, ends.cost, np.inf), axis=1)
    rows = np.arange(len(starts)), chosen
    return Solution(problem.law.canonical(ends.theta[rows]), ends.cost[rows], ends.converged[rows])


def valley(problem: Problem, rise: float) -> np.ndarray:
    """(m, p) how far the ends of many starts of one fit (b = 1) lie apart, of those within `rise` of the least cost.

    The ends at which some coordinate is least or largest: where the curvature is singular, any of a whole valley is the
    optimum, and what follows from one of its points alone does not reach the others.
    """
    starts = problem.law.starts(problem.t, problem.y, problem.weight, _HEATS * problem.law.n_starts)
    ends = _from_starts(problem, starts, None, _MAX_ITERATIONS)
    good = ends.converged[0] & (ends.cost[0] <= np.min(ends.cost[0], where=ends.converged[0], initial=np.inf) + rise)
    theta = problem.law.canonical(ends.theta[0][good])
    return theta[np.unique([theta.argmin(axis=0), theta.argmax(axis=0)])]


def _thinned(problem: Problem) -> Problem:
    """The same problem on at most `_THINNED` points, spread over the data."""
    n = problem.y.shape[1]
    if n <= _THINNED or problem.t.ndim > 2 or isinstance(problem.objective, BetaBinomial):
        return problem
    order = np.argsort(problem.t.sum(axis=0), kind="stable")
    kept = order[np.linspace(0, n - 1, _THINNED).astype(int)]
    return replace(problem, t=problem.t[:, kept], y=problem.y[:, kept], weight=problem.weight[:, kept])


def _from_starts(problem: Problem, starts: np.ndarray, extra: Extra | None, max_iterations: int) -> Solution:
    """Solutions (b, s, ...) from starts (b, s, p)."""
    b, s, p = starts.shape
    repeated = np.repeat(np.arange(b), s)
    folded = None if extra is None else (lambda theta, rows: extra(theta, repeated[rows]))
    found = minimise(problem.rows(repeated), starts.reshape(b * s, p), folded, max_iterations)
    return Solution(found.theta.reshape(b, s, p), found.cost.reshape(b, s), found.converged.reshape(b, s))
