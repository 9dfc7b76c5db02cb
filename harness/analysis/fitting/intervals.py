"""Intervals of whatever a fit says: profile likelihood, delta method, bootstrap; batched over fits and quantities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.solver import Problem, Solution, minimise

#: A number that follows from theta: theta (b, p) and the fits of the batch that these are -> value (b,) and
#: gradient (b, p).
Quantity = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

#: The pull on a quantity, in units of the cost's own curvature along it (see `profile`).
_PULL = 10.0
_ROUNDS = 8


@dataclass(frozen=True)
class Interval:
    """Ends (b,) of a quantity's interval; an open end is -inf or inf: the data do not bound the quantity there."""

    low: np.ndarray
    high: np.ndarray


def by_differences(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Quantity:
    """A quantity from its value alone: theta (b, p), rows (b,) -> (b,)."""

    def quantity(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = []
        for j in range(theta.shape[1]):
            step = np.zeros_like(theta)
            step[:, j] = 1e-6 * (1e-2 + np.abs(theta[:, j]))
            slopes.append((function(theta + step, rows) - function(theta - step, rows)) / (2 * step[:, j]))
        return function(theta, rows), np.stack(slopes, axis=1)

    return quantity


def prediction(law: Law, t: np.ndarray) -> Quantity:
    """The law's value at t (d, b), one place a fit."""

    def quantity(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slopes = law.gradient(t[:, rows].T[:, :, None], theta)
        return value[:, 0], slopes[:, :, 0]

    return quantity


def direction(problem: Problem, theta: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How theta moves, and how far, as a quantity is pulled, bounds apart: inverse curvature times `slope`, (b, p), and
    the curvature's reciprocal along it, (b,). A flat direction counts as very long, one that nothing feels as none."""
    _, matrix, scale = problem.derivatives(theta, np.zeros(len(theta)))
    free = scale > 1e-20 * scale.max(axis=1, keepdims=True)
    root = np.where(free, 1 / np.sqrt(np.where(free, scale, 1.0)), 0.0)
    matrix = np.where(free[:, :, None] & free[:, None, :], matrix * root[:, :, None] * root[:, None, :], 0.0)
    matrix += np.eye(theta.shape[1]) * ~free[:, None, :]
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix))
    values = np.maximum(values, 1e-10)
    push = np.where(free, slope * root, 0.0)
    along = np.einsum("bpk,bp->bk", vectors, push) / values
    moved = root * np.einsum("bpk,bk->bp", vectors, along) * free
    return moved, np.maximum(np.einsum("bp,bp->b", moved, slope), 0.0)


def delta(problem: Problem, theta: np.ndarray, quantity: Quantity, drop: np.ndarray) -> Interval:
    """theta's interval taken as an ellipsoid and the quantity as linear on it; arguments as `profile`."""
    value, slope = quantity(theta, np.arange(len(theta)))
    _, variance = direction(problem, theta, slope)
    half = np.sqrt(2 * drop * variance)
    return Interval(value - half, value + half)


@np.errstate(over="ignore", invalid="ignore")
def profile(problem: Problem, theta: np.ndarray, cost: np.ndarray, quantity: Quantity, drop: np.ndarray) -> Interval:
    """Profile likelihood: the values a quantity takes while the cost, all else refitted, stays within `drop`.

    Venzon and Moolgavkar 1988. The profile is traced by pulling: minimising cost + pull/2 (quantity - target)^2 ends on
    it whatever the pull, and a strong enough one passes stretches where the profile is concave.

    Args:
        theta: (b, p) where the cost is least; `cost` (b,) is its value there.
        quantity: of theta; monotone transforms give the same interval, so take one that is nearly linear.
        drop: (b,) increase of the cost up to which a value is in the interval, e.g. t^2 s^2 / 2 for `Squares`.

    Returns:
        The interval; an end is open where the cost stays within `drop` however far the quantity is pulled. Where theta
        runs into its bounds, the end is the quantity's value there.
    """
    b, _p = theta.shape
    value, slope = quantity(theta, np.arange(b))
    moved, variance = direction(problem, theta, slope)
    fits, sign = np.tile(np.arange(b), 2), np.repeat([-1.0, 1.0], b)
    twice = problem.rows(fits)
    allowed, start_cost, start = drop[fits], cost[fits], value[fits]
    variance = np.maximum(variance, 1e-300)[fits]
    unit = np.sqrt(2 * allowed * variance)
    step = (sign * np.sqrt(2 * allowed / variance))[:, None] * moved[fits]
    here = np.clip(theta[fits] + step, twice.low, twice.high)
    reach = sign * unit
    inside, inside_rise = start.copy(), np.zeros(2 * b)
    outside, outside_rise = np.full(2 * b, np.nan), np.full(2 * b, np.inf)
    stuck = np.zeros(2 * b, dtype=bool)
    active = np.flatnonzero(np.isfinite(unit) & (unit > 1e-100))
    for _ in range(_ROUNDS):
        if not len(active):
            break
        target = start[active] + (1 + 1 / _PULL) * reach[active]
        pull = _PULL / variance[active]

        def pulled(at: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            found, along = quantity(at, fits[active[rows]])  # noqa: B023
            off, force = found - target[rows], pull[rows]  # noqa: B023
            outer = along[:, :, None] * along[:, None, :]
            return force * off**2 / 2, (force * off)[:, None] * along, force[:, None, None] * outer

        part = twice.rows(active)
        found = minimise(part, here[active], pulled, max_iterations=40, exact=True)
        reached, _ = quantity(found.theta, fits[active])
        rise = np.sqrt(np.maximum(part.cost(found.theta) - start_cost[active], 0.0) / allowed[active])
        here[active] = found.theta
        within = rise < 1
        ahead = sign[active] * (reached - inside[active]) > 0
        stuck[active] = within & ~(sign[active] * (reached - inside[active]) > 1e-4 * unit[active])
        inside[active] = np.where(within & ahead, reached, inside[active])
        inside_rise[active] = np.where(within & ahead, rise, inside_rise[active])
        outside[active] = np.where(within, outside[active], reached)
        outside_rise[active] = np.where(within, outside_rise[active], rise)
        bracketed = np.isfinite(outside_rise[active])
        between = _between(inside[active], inside_rise[active], outside[active], outside_rise[active])
        further = (reached - start[active]) * np.clip(1 / np.maximum(rise, 1e-3), 1.1, 4.0)
        # Pulled further than it went: ask for more than the last target, or a bound would look like an open end.
        further = sign[active] * np.maximum(np.abs(further), 1.5 * np.abs(reach[active]) * (rise < 0.5))
        reach[active] = np.where(bracketed, between - start[active], further)
        active = active[(np.abs(rise - 1) > 0.02) & ~(stuck[active])]
    bracketed = np.isfinite(outside_rise)
    end = np.where(bracketed, _between(inside, inside_rise, outside, outside_rise), inside)
    unbounded = ~bracketed & ~stuck & (inside_rise < 0.98)
    end = np.where(unbounded | ~np.isfinite(unit), sign * np.inf, end)
    end = np.where(np.any(slope != 0, axis=1)[fits], end, start)  # what no parameter moves is known
    return Interval(end[:b], end[b:])


def _between(inside: np.ndarray, low: np.ndarray, outside: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where the root of the rise, linear in the quantity to good approximation, is 1."""
    with np.errstate(invalid="ignore"):
        return inside + (outside - inside) * (1 - low) / np.maximum(high - low, 1e-12)


def bootstrap(problem: Problem, theta: np.ndarray, clusters: np.ndarray, n_draws: int, seed: int) -> Solution:
    """Refits of one fit to resampled clusters of its points.

    Args:
        problem: of one fit (b = 1).
        theta: (p,) its solution, where every refit starts.
        clusters: (n,) label of each point; points of one label are drawn together.
        n_draws: refits.
    """
    labels, member = np.unique(clusters, return_inverse=True)
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(labels), size=(n_draws, len(labels))) + len(labels) * np.arange(n_draws)[:, None]
    drawn = np.bincount(chosen.ravel(), minlength=chosen.size).reshape(chosen.shape)
    again = problem.rows(np.zeros(n_draws, dtype=int))
    again = replace(again, weight=again.weight * drawn[:, member])
    # A cost to nine digits leaves a refit's parameters far more exact than their spread.
    return minimise(again, np.broadcast_to(theta, (n_draws, len(theta))), exact=True, tolerance=1e-9)


def percentile_interval(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Low and high percentiles over the first axis, NaN draws left out."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
