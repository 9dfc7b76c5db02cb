"""Intervals of whatever follows from a fit: profile likelihood, delta method, bootstrap; batched over quantities.

A quantity is any function of theta: a parameter, the curve at a place, the optimal N for a budget. Its interval is the
set of values it takes while the cost stays within `drop` of its least (profile), the same with the cost taken as a
parabola and the quantity as linear (delta), or the percentiles of refits to resampled runs (bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.analysis.fitting.solver import Extra, Problem, Solution, minimise

#: A number that follows from theta: theta (b, p) and the indices (b,) of these fits in the batch -> value (b,) and
#: gradient (b, p).
Quantity = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

#: Strength of the pull on a quantity, in units of the cost's own curvature along it (see `profile`): strong enough to
#: pass stretches where the profile is concave, weak enough that the penalised cost is well conditioned.
_PULL = 10.0
#: Pulls at most, and Newton steps of each. Three pulls place most ends.
_ROUNDS, _PULL_ITERATIONS = 8, 40
#: An end is placed when the root of the cost's rise there is within this of the root of what is allowed.
_PLACED = 0.02
#: Advance, in units of a standard half-width, below which a quantity counts as stuck at a bound.
_STUCK = 1e-4
#: Share of the rise of a value outside that the way inside leads to, below which that value is tried once more.
_DOUBTFUL = 0.4
#: Least and greatest factor by which the next pull reaches further while the rise is too small; and, where it is below
#: half, the factor on the last target: pulled further than it went, or a bound would look like an open end.
_FURTHER, _FURTHER_PULLED, _LOW_RISE = (1.1, 4.0), 1.5, 0.5
#: Relative step of the differences that give a quantity its gradient, of a coordinate and 1e-2.
_DIFFERENCE = 1e-6
#: Reciprocal condition of the curvature below which a direction counts as very long rather than infinite; and share of
#: the largest curvature below which nothing depends on a coordinate.
_FLAT, _NO_EFFECT = 1e-10, 1e-20
#: Share of the estimate and the interval's width by which an end may miss the estimate through rounding alone.
_ROUNDING = 1e-9
#: Share of an interval's width within which an end is at the estimate.
_ONE_SIDED = 1e-6
#: Share of the cost below which a promised gain ends a refit of the bootstrap: nine digits of the cost leave its
#: parameters far more exact than their spread.
_REFIT_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Interval:
    """Ends (b,) of a quantity's interval; an open end is -inf or inf: the data do not bound the quantity there."""

    low: np.ndarray
    high: np.ndarray


# ------------------------------------------------------------------------------------------------ estimate and interval


def hold_estimate(value: np.ndarray, interval: Interval) -> tuple[Interval, np.ndarray]:
    """The interval, widened where needed to hold its estimate; and (b,) where that took more than rounding.

    An end on the wrong side of its estimate is that of a solver that failed, or of a bootstrap whose refits lie to one
    side of the fit. Whoever shows such an interval says so: the fit's status is then 'interval failed'.
    """
    with np.errstate(invalid="ignore"):
        width = interval.high - interval.low
        slack = _ROUNDING * (np.abs(value) + np.where(np.isfinite(width), np.abs(width), 0.0))
        failed = ~((interval.low <= value + slack) & (interval.high >= value - slack))
    return Interval(np.minimum(interval.low, value), np.maximum(interval.high, value)), failed


def one_sided(value: np.ndarray, interval: Interval) -> np.ndarray:
    """(b,) whether one end, and not the other, is the estimate: no interval of a quantity that no bound holds back."""
    with np.errstate(invalid="ignore"):
        near = _ONE_SIDED * np.maximum(interval.high - interval.low, 0.0)
        low, high = value - interval.low <= near, interval.high - value <= near
    return np.asarray(np.isfinite(value) & (low ^ high))


def failure_message(names: Sequence[str]) -> str:
    """What to say of the named quantities, whose intervals did not hold their estimates; '' of none."""
    if not names:
        return ""
    return f"{', '.join(names)}: the interval found does not hold its estimate, and was widened to it; do not quote it"


# ---------------------------------------------------------------------------------------------------------- quantities


def by_differences(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Quantity:
    """A quantity from its value alone: theta (b, p), rows (b,) -> (b,)."""

    def quantity(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        b, p = theta.shape
        step = _DIFFERENCE * (1e-2 + np.abs(theta))
        moves = np.eye(p) * step[:, None, :]  # (b, p, p): one coordinate each
        here = theta[:, None, :]
        everywhere = np.concatenate([here, here + moves, here - moves], axis=1)
        found = function(everywhere.reshape(-1, p), np.repeat(rows, 2 * p + 1)).reshape(b, 2 * p + 1)
        return found[:, 0], (found[:, 1 : p + 1] - found[:, p + 1 :]) / (2 * step)

    return quantity


def prediction(law: Law, t: np.ndarray) -> Quantity:
    """The law's value at t (d, b), one place a fit."""

    def quantity(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slopes = law.gradient(t[:, rows].T[:, :, None], theta)
        return value[:, 0], slopes[:, :, 0]

    return quantity


# -------------------------------------------------------------------------------------------------------- delta method


def direction(problem: Problem, theta: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the optimum moves as a quantity is pulled, bounds aside.

    Args:
        slope: (b, p) gradient of the quantity at the optimum theta (b, p).

    Returns:
        Inverse curvature times `slope` (b, p), and the variance (b,) of the quantity in units of the noise: the
        reciprocal of the cost's curvature along it. A flat direction counts as very long, a coordinate that nothing
        depends on as fixed.
    """
    _, matrix, scale = problem.derivatives(theta, np.zeros(len(theta)))
    free = scale > _NO_EFFECT * scale.max(axis=1, keepdims=True)
    root = np.where(free, 1 / np.sqrt(np.where(free, scale, 1.0)), 0.0)
    matrix = np.where(free[:, :, None] & free[:, None, :], matrix * root[:, :, None] * root[:, None, :], 0.0)
    matrix += np.eye(theta.shape[1]) * ~free[:, None, :]
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix))
    values = np.maximum(values, _FLAT)
    push = np.where(free, slope * root, 0.0)
    along = np.einsum("bpk,bp->bk", vectors, push) / values
    moved = root * np.einsum("bpk,bk->bp", vectors, along) * free
    return moved, np.maximum(np.einsum("bp,bp->b", moved, slope), 0.0)


def delta(problem: Problem, theta: np.ndarray, quantity: Quantity, drop: np.ndarray) -> Interval:
    """The quantity plus and minus sqrt(2 drop variance): the cost as a parabola, the quantity as linear.

    Arguments as `profile`.
    """
    value, slope = quantity(theta, np.arange(len(theta)))
    _, variance = direction(problem, theta, slope)
    half = np.sqrt(2 * drop * variance)
    return Interval(value - half, value + half)


# -------------------------------------------------------------------------------------------------- profile likelihood


@np.errstate(over="ignore", invalid="ignore")
def profile(problem: Problem, theta: np.ndarray, cost: np.ndarray, quantity: Quantity, drop: np.ndarray) -> Interval:
    """Profile likelihood: the values a quantity takes while the cost, all else refitted, stays within `drop`.

    Venzon and Moolgavkar 1988. The profile is traced by pulling: minimising cost + pull/2 (quantity - target)^2 ends on
    it whatever the pull, and a strong enough one passes stretches where the profile is concave. Where the cost has
    risen by too little or too much, the next target follows from the root of the rise, which is nearly linear in the
    quantity.

    Args:
        theta: (b, p) where the cost is least; `cost` (b,) is its value there.
        quantity: of theta; monotone transforms give the same interval, so take one that is nearly linear.
        drop: (b,) increase of the cost up to which a value is in the interval, e.g. t^2 s^2 / 2 for `Squares`.

    Returns:
        The interval; an end is open where the cost stays within `drop` however far the quantity is pulled. Where theta
        runs into its bounds, the end is the quantity's value there.
    """
    trace = _Trace.begin(problem, theta, cost, quantity, drop)
    for _ in range(_ROUNDS):
        if not len(trace.active):
            break
        trace.pull()
    end = trace.ends()
    return Interval(end[: len(theta)], end[len(theta) :])


def pulled_towards(quantity: Quantity, which: np.ndarray, target: np.ndarray, pull: np.ndarray) -> Extra:
    """pull/2 (quantity - target)^2 as a term of theta; which, target, pull (b,) are those of each fit of a batch."""

    def extra(at: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        value, along = quantity(at, which[rows])
        off, force = value - target[rows], pull[rows]
        outer = along[:, :, None] * along[:, None, :]
        return force * off**2 / 2, (force * off)[:, None] * along, force[:, None, None] * outer

    return extra


@dataclass
class _Trace:
    """The state of 2 b ends while they are sought: the low ends of all quantities, then the high ones.

    Attributes:
        problem, quantity, which: the fits, twice, and the quantity (b,) that each belongs to.
        sign: -1 for low ends, 1 for high ones.
        start, start_cost: the quantity's estimate, and the cost there.
        allowed: rise of the cost within the interval.
        variance: of the quantity (see `direction`); unit: the half-width that follows from it.
        known: whether no parameter moves the quantity, so that its value is certain.
        here: theta on the profile; reach: how far from the estimate the next pull aims.
        inside, inside_rise: the furthest value within the interval, and the root of the rise there, 1 being allowed.
        outside, outside_rise: the last value beyond it, NaN and inf before there is one.
        stuck: whether the quantity advances no further, for theta has run into its bounds.
        safe: theta at the furthest value within the interval; doubted: whether an outside was tried once more from it.
        active: ends that are not placed yet.
    """

    problem: Problem
    quantity: Quantity
    which: np.ndarray
    sign: np.ndarray
    start: np.ndarray
    start_cost: np.ndarray
    allowed: np.ndarray
    variance: np.ndarray
    unit: np.ndarray
    known: np.ndarray
    here: np.ndarray
    reach: np.ndarray
    inside: np.ndarray = field(init=False)
    inside_rise: np.ndarray = field(init=False)
    outside: np.ndarray = field(init=False)
    outside_rise: np.ndarray = field(init=False)
    stuck: np.ndarray = field(init=False)
    safe: np.ndarray = field(init=False)
    doubted: np.ndarray = field(init=False)
    active: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.start)
        self.inside, self.inside_rise = self.start.copy(), np.zeros(n)
        self.outside, self.outside_rise = np.full(n, np.nan), np.full(n, np.inf)
        self.stuck, self.doubted = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.active = np.flatnonzero(np.isfinite(self.unit) & (self.unit > 1e-100))

    @classmethod
    def begin(
        cls, problem: Problem, theta: np.ndarray, cost: np.ndarray, quantity: Quantity, drop: np.ndarray
    ) -> _Trace:
        """Each end where the delta method would have it."""
        b = len(theta)
        value, slope = quantity(theta, np.arange(b))
        moved, variance = direction(problem, theta, slope)
        which, sign = np.tile(np.arange(b), 2), np.repeat([-1.0, 1.0], b)
        twice, allowed = problem.rows(which), drop[which]
        variance = np.maximum(variance, 1e-300)[which]
        unit = np.sqrt(2 * allowed * variance)
        step = (sign * np.sqrt(2 * allowed / variance))[:, None] * moved[which]
        here = np.clip(theta[which] + step, twice.low, twice.high)
        known = ~np.any(slope != 0, axis=1)[which]
        trace = cls(
            twice, quantity, which, sign, value[which], cost[which], allowed, variance, unit, known, here, sign * unit
        )
        trace.safe = theta[which].copy()
        return trace

    def pull(self) -> None:
        """Pull every active end towards its reach, and decide where to pull next."""
        active, part = self.active, self.problem.rows(self.active)
        target = self.start[active] + (1 + 1 / _PULL) * self.reach[active]
        pulled = pulled_towards(self.quantity, self.which[active], target, _PULL / self.variance[active])
        found = minimise(part, self.here[active], pulled, max_iterations=_PULL_ITERATIONS, exact=True)
        self.here[active] = found.theta
        reached, _ = self.quantity(found.theta, self.which[active])
        risen = np.maximum(part.cost(found.theta) - self.start_cost[active], 0.0)
        rise = np.sqrt(risen / self.allowed[active])
        self._record(active, reached, rise)
        self._aim(active, reached, rise)
        again = self._doubt(active)
        self.active = active[((np.abs(rise - 1) > _PLACED) & ~self.stuck[active]) | again]

    def _record(self, active: np.ndarray, reached: np.ndarray, rise: np.ndarray) -> None:
        within, ahead = rise < 1, self.sign[active] * (reached - self.inside[active])
        self.stuck[active] = within & ~(ahead > _STUCK * self.unit[active])
        further = within & (ahead > 0)
        self.inside[active] = np.where(further, reached, self.inside[active])
        self.inside_rise[active] = np.where(further, rise, self.inside_rise[active])
        self.safe[active] = np.where(further[:, None], self.here[active], self.safe[active])
        self.outside[active] = np.where(within, self.outside[active], reached)
        self.outside_rise[active] = np.where(within, self.outside_rise[active], rise)

    def _doubt(self, active: np.ndarray) -> np.ndarray:
        """Which outsides (active,) are tried once more: those whose rise the way inside does not lead to.

        Near a bound a pull can end in another valley, far above the profile. The root of the rise is nearly linear, so
        such an outside stands much higher than what was found inside; it is pulled to again, from the furthest theta
        inside.
        """
        inside, outside = self.inside[active] - self.start[active], self.outside[active] - self.start[active]
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = self.inside_rise[active] * outside / inside
            expected = np.where(self.inside_rise[active] > _PLACED, expected, 1.0)
            doubtful = np.isfinite(outside) & (expected < _DOUBTFUL * self.outside_rise[active])
        again = doubtful & ~self.doubted[active]
        chosen = active[again]
        self.reach[chosen] = outside[again] / (1 + 1 / _PULL)
        self.here[chosen], self.doubted[chosen] = self.safe[chosen], True
        self.outside[chosen], self.outside_rise[chosen] = np.nan, np.inf
        self.stuck[chosen] = False
        return again

    def _aim(self, active: np.ndarray, reached: np.ndarray, rise: np.ndarray) -> None:
        """The next reach: between values inside and outside, or further out while there is none outside."""
        advance = (reached - self.start[active]) * np.clip(1 / np.maximum(rise, 1e-3), *_FURTHER)
        least = _FURTHER_PULLED * np.abs(self.reach[active]) * (rise < _LOW_RISE)
        further = self.sign[active] * np.maximum(np.abs(advance), least)
        bracketed = np.isfinite(self.outside_rise[active])
        self.reach[active] = np.where(bracketed, self._between(active) - self.start[active], further)

    def _between(self, rows: np.ndarray | slice) -> np.ndarray:
        """Where the root of the rise is 1, taken as linear between the values inside and outside."""
        inside, low = self.inside[rows], self.inside_rise[rows]
        outside, high = self.outside[rows], self.outside_rise[rows]
        with np.errstate(invalid="ignore"):
            return inside + (outside - inside) * (1 - low) / np.maximum(high - low, 1e-12)

    def ends(self) -> np.ndarray:
        """(2 b,) the ends as placed; open where no value outside was found and nothing is stuck."""
        bracketed = np.isfinite(self.outside_rise)
        end = np.where(bracketed, self._between(slice(None)), self.inside)
        unbounded = ~bracketed & ~self.stuck & (self.inside_rise < 1 - _PLACED)
        end = np.where(unbounded | ~np.isfinite(self.unit), self.sign * np.inf, end)
        return np.where(self.known, self.start, end)


# ----------------------------------------------------------------------------------------------------------- bootstrap


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
    times = drawn[:, member]
    # A draw misses a third of the points; each refit works on its own.
    points = np.argsort(times == 0, axis=1, kind="stable")[:, : np.count_nonzero(times, axis=1).max()]
    again = problem.rows(np.zeros(n_draws, dtype=int)).points(points)
    again = replace(again, weight=again.weight * np.take_along_axis(times, points, axis=1))
    start = np.broadcast_to(theta, (n_draws, len(theta)))
    return minimise(again, start, exact=True, tolerance=_REFIT_TOLERANCE)


def percentile_interval(draws: np.ndarray, level: float) -> Interval:
    """Percentiles over the first axis of draws (n, b), NaN draws left out."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(low, high)
