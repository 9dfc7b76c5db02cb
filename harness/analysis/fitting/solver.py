"""The one solver: bounded Newton steps for a batch of fits, in which every start, data set and refit moves at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.objectives import BetaBinomial, Objective, Squares

#: Numbers of a batch that are worked on together: small enough for a core's cache.
_CHUNK_NUMBERS = 24_000

#: Steps after which a gain too small to matter ends a fit.
_PATIENCE = 60

#: A term of theta alone, added to what is minimised: theta (b, p) and the rows of the batch that these are ->
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
            weighted = slopes * ((exact + mixed * (safe - exact)) * part.weight)[:, None]
            matrix = weighted @ np.swapaxes(slopes, 1, 2)
            push = first * part.weight
            if (mixed < 1).any():
                bent = part.law.curvature(part.t, theta[rows], push, slopes)
                matrix += (1 - mixed)[..., None] * bent
            scale = (slopes * slopes) @ np.broadcast_to(safe * part.weight, part.y.shape)[..., None]
            parts.append(((slopes @ push[..., None])[..., 0], matrix, scale[..., 0]))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]

    def _chunks(self) -> list[tuple[slice, Problem]]:
        size = max(1, _CHUNK_NUMBERS // self.y.shape[1])
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
    max_iterations: int = 200,
    exact: bool = False,
    tolerance: float = 1e-13,
) -> Solution:
    """Minimise each fit of a batch from its start.

    Newton's method with Levenberg's damping in the metric of Marquardt, projected on the bounds. Curvature begins as
    that of Gauss and Newton (for Huber: of reweighted least squares), which leads downhill from anywhere, and turns
    into the exact one as steps succeed, which converges quadratically also where residuals stay large.

    Args:
        start: (b, p).
        extra: a term of theta alone.
        exact: whether to begin with the exact curvature, for starts that are near their end.
        tolerance: share of the cost below which what a step promises to gain ends a fit.

    Returns:
        Where each ended; not converged if after `max_iterations` it still moved, or its cost is not finite.
    """
    theta = np.clip(start, problem.low, problem.high)
    b, _ = theta.shape
    everyone = np.arange(b)
    cost = problem.cost(theta) + (extra(theta, everyone)[0] if extra else 0.0)
    damping, trust = np.full(b, 1e-3), np.full(b, 0.1 if exact else 1.0)
    # Second derivatives by differences cost more than they save where Gauss and Newton's steps do as well.
    plain = isinstance(problem.objective, Squares) and type(problem.law).curvature is Law.curvature
    converged, active = np.zeros(b, dtype=bool), everyone
    for iteration in range(max_iterations):
        part, here = problem.rows(active), theta[active]
        slope, matrix, scale = part.derivatives(here, trust[active])
        if extra:
            _, more_slope, more_matrix = extra(here, active)
            slope, matrix = slope + more_slope, matrix + more_matrix
            scale = scale + np.abs(np.einsum("bpp->bp", more_matrix))
        held = ((here <= part.low) & (slope > 0)) | ((here >= part.high) & (slope < 0)) | (part.low >= part.high)
        step = _step(np.where(held, 0.0, slope), matrix, scale, held, damping[active])
        there = np.clip(here + step, part.low, part.high)
        moved = there - here
        now = part.cost(there) + (extra(there, active)[0] if extra else 0.0)
        before = cost[active]
        better = now <= before
        promised = np.abs(np.einsum("bp,bp->b", np.where(held, 0.0, slope), moved))
        still = np.max(np.abs(moved) / (np.abs(here) + 1e-3), axis=1) < 1e-10
        # Along a valley that is all but flat steps gain ever less: whoever fits judges whether it is identified.
        least = tolerance if iteration < _PATIENCE else 1e-8
        done = still | (promised <= least * np.abs(before) + 1e-300)
        taken = active[better]
        theta[taken], cost[taken] = there[better], now[better]
        damping[active] = np.where(better, np.maximum(damping[active] / 8, 1e-13), damping[active] * 6)
        trust[active] = np.where(better, trust[active] * 0.25, np.minimum(np.maximum(trust[active], 0.02) * 3, 1.0))
        trust[trust < 5e-3] = 0.0
        if plain:
            trust[:] = 1.0
        converged[active[done]] = True
        active = active[~done & (damping[active] < 1e12)]
        if not len(active):
            break
    return Solution(theta, cost, converged & np.isfinite(cost))


def _step(
    slope: np.ndarray, matrix: np.ndarray, scale: np.ndarray, held: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Damped Newton steps (b, p); along directions of negative curvature its size counts, not its sign."""
    root = 1 / np.sqrt(np.maximum(scale, 1e-14 * scale.max(axis=1, keepdims=True) + 1e-300))
    free = ~held
    matrix = np.where(free[:, :, None] & free[:, None, :], matrix * root[:, :, None] * root[:, None, :], 0.0)
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix, posinf=1e150, neginf=-1e150))
    along = np.einsum("bpk,bp->bk", vectors, slope * root)
    sizes = np.abs(values) + damping[:, None] + 1e-14
    return -root * np.einsum("bpk,bk->bp", vectors, along / sizes) * free


#: Starts that set out for each that is followed to its end, and the steps after which they are compared.
_HEATS, _HEAT_STEPS = 6, 8
#: Points on which starts are sought and compared.
_ENOUGH = 500


def optimum(problem: Problem, extra: Extra | None = None) -> Solution:
    """The best of many starts, chosen by the law (`Law.starts`): `Law.n_starts` of a wider field go on to their end.

    Not converged where none did.
    """
    keep, few = problem.law.n_starts, _thinned(problem)
    starts = few.law.starts(few.t, few.y, few.weight, _HEATS * keep)
    if starts.shape[1] > keep:
        heats = _from_starts(few, starts, extra, _HEAT_STEPS)
        order = np.argsort(np.nan_to_num(heats.cost, nan=np.inf), axis=1, kind="stable")[:, :keep]
        starts = np.take_along_axis(heats.theta, order[..., None], axis=1)
    ends = _from_starts(problem, starts, extra, 200)
    chosen = np.argmin(np.where(ends.converged, ends.cost, np.inf), axis=1)
    rows = np.arange(len(starts)), chosen
    return Solution(problem.law.canonical(ends.theta[rows]), ends.cost[rows], ends.converged[rows])


def _thinned(problem: Problem) -> Problem:
    """The same with at most `_ENOUGH` points, spread over the data: as good for finding valleys, and far quicker."""
    n = problem.y.shape[1]
    if n <= _ENOUGH or problem.t.ndim > 2 or isinstance(problem.objective, BetaBinomial):
        return problem
    order = np.argsort(problem.t.sum(axis=0), kind="stable")
    kept = order[np.linspace(0, n - 1, _ENOUGH).astype(int)]
    return replace(problem, t=problem.t[:, kept], y=problem.y[:, kept], weight=problem.weight[:, kept])


def _from_starts(problem: Problem, starts: np.ndarray, extra: Extra | None, max_iterations: int) -> Solution:
    """Solutions (b, s, ...) from starts (b, s, p)."""
    b, s, p = starts.shape
    repeated = np.repeat(np.arange(b), s)
    folded = None if extra is None else (lambda theta, rows: extra(theta, repeated[rows]))
    found = minimise(problem.rows(repeated), starts.reshape(b * s, p), folded, max_iterations)
    return Solution(found.theta.reshape(b, s, p), found.cost.reshape(b, s), found.converged.reshape(b, s))
