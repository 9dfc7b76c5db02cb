"""How a fit ended: converged, at a bound, not identifiable, too few data; and in words, what the data lack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import numpy as np

from harness.analysis.fitting.solver import Problem

#: Ratio of the ends of an exponent's interval above which it is not identified; and the least low end that counts, for
#: an interval that nearly touches 0 is wide by any ratio.
_WIDE, _LEAST_LOW = 5.0, 1e-3
#: A coordinate this near to its bound is at it.
AT_BOUND = 1e-6
#: Ratio of the least to the largest eigenvalue of the scaled curvature below which some direction of theta is free.
_SINGULAR = 1e-9
#: Step along a free direction, as a share of the coordinate that moves most; and the least relative change of a
#: parameter, as a share of the largest, that is named.
_FREE_STEP, _MOVES = 1e-4, 0.05


class FitStatus(StrEnum):
    """How a fit ended; only `CONVERGED` may be quoted without its message."""

    CONVERGED = "converged"
    AT_BOUND = "at a bound"
    NOT_IDENTIFIABLE = "not identifiable"
    TOO_FEW_DATA = "too few data"
    INTERVAL_FAILED = "interval failed"
    NOTHING_LEARNT = "nothing learnt"


def interval_status(failed: np.ndarray) -> list[str]:
    """The status of each row of a table of estimates, of which the intervals of some failed (see `hold_estimate`)."""
    return [str(FitStatus.INTERVAL_FAILED if bad else FitStatus.CONVERGED) for bad in failed]


def unidentified(value: np.ndarray | float, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """Whether an exponent's interval has an open end, or ends that differ by more than `_WIDE` times."""
    is_open = ~(np.isfinite(low) & np.isfinite(high))
    return is_open | ((np.asarray(value) > 0) & (high > _WIDE * np.maximum(low, _LEAST_LOW)))


def at_bounds(problem: Problem, theta: np.ndarray) -> list[str]:
    """What the bounds that theta (p,) stands at say of the data."""
    return [
        message
        for i in range(len(theta))
        for side, bound in (("low", problem.low[0, i]), ("high", problem.high[0, i]))
        if abs(theta[i] - bound) <= AT_BOUND and (message := problem.law.bound_message(i, side))  # type: ignore[arg-type]
    ]


def is_flat(problem: Problem, theta: np.ndarray) -> bool:
    """Whether the curvature at theta (1, p) is singular, so that some direction of theta is free."""
    values, _, _ = _scaled_curvature(problem, theta)
    return bool(values[0] < _SINGULAR * max(values[-1], 1e-300))


def _scaled_curvature(problem: Problem, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues (p,), rising, and eigenvectors of the curvature in each coordinate's own unit; these units (p,)."""
    _, matrix, scale = problem.derivatives(theta, np.zeros(1))
    root = 1 / np.sqrt(np.maximum(scale[0], 1e-300))
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix[0] * root[:, None] * root, posinf=0.0, neginf=0.0))
    return values, vectors, root


def free_directions(
    problem: Problem,
    theta: np.ndarray,
    public: Callable[[np.ndarray], np.ndarray],
    params: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
) -> str:
    """Which parameters trade off, and over what ranges they fit about equally well; '' where all are identified.

    Some direction is free where the curvature is singular at theta (1, p), or the interval of an exponent is wide.

    Args:
        public: theta (p,) -> parameters (P,).
        params, intervals: of the fit.
    """
    law = problem.law
    wide = [name for name in law.exponents if unidentified(params[name], *intervals[name])]
    wide += [name for name, most in law.widest.items() if not intervals[name][1] - intervals[name][0] < most]
    if not wide and not is_flat(problem, theta):
        return ""
    _, vectors, root = _scaled_curvature(problem, theta)
    step = _FREE_STEP * vectors[:, 0] * root / np.abs(vectors[:, 0] * root).max()
    moved = _moved(public(theta[0] - step), public(theta[0] + step))
    words = ", ".join(f"{law.parameters[i]} {side}" for i, side in moved)
    spans = _spans(wide or [law.parameters[i] for i, _ in moved], intervals)
    return (
        f"parameters trade off along {words}: {spans} fit about equally well; a wider range of "
        f"{' and '.join(law.measured)}, or more runs, would tell"
    )


def _moved(behind: np.ndarray, ahead: np.ndarray) -> list[tuple[int, str]]:
    """Index of each parameter that changes, the most changed first, and 'up' or 'down' as it moves with the first."""
    change = np.nan_to_num((ahead - behind) / np.maximum(np.abs(behind), 1e-12))
    order = [i for i in np.argsort(-np.abs(change)) if abs(change[i]) >= _MOVES * np.abs(change).max()]
    first = np.sign(change[order[0]])
    return [(int(i), "up" if change[i] * first > 0 else "down") for i in order]


def _spans(names: Sequence[str], intervals: Mapping[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {intervals[name][0]:.3g} to {intervals[name][1]:.3g}" for name in names)
