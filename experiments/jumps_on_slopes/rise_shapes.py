"""The shapes that a curve is compared with on one ladder: smooth rises, and jumps inside the ladder.

Every shape goes from 0 at the first size to 1 at the last. Its height is then the rise on the ladder, which data
determine, rather than that of an asymptote off the ladder, which they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.emergence.smooth_null import LONGEST_ANSWER, SMOOTH_STEPS, logistic

#: How far beyond the ladder the midpoint of a smooth rise may lie, and how far curves are extrapolated: in steps, or in
#: mean gaps between sizes where these are wider.
BEYOND = 2.0
#: Smooth rises that stand alone: exponent L of the logistic (the exact match of L tokens), width from 10 to 90 % in
#: steps, and spacing of the midpoints in steps.
_SINGLE = (
    *((1, width, gap) for width, gap in ((4.0, 0.5), (6.0, 0.75), (9.0, 1.0), (14.0, 2.0), (24.0, 4.0))),
    *((power, width, gap) for power in (4, LONGEST_ANSWER) for width, gap in ((4.0, 0.5), (8.0, 1.0))),
)
#: Smooth rises that are combined with another, or with a jump. The grid is coarser, since two free heights interpolate
#: between shapes.
_COMBINED = ((1, 4.0, 1.0), (1, 8.0, 2.0), (LONGEST_ANSWER, 4.0, 1.0))
#: Exponents r of an error that falls as exp(-r t), a power of size, for single and for combined rises; per step.
_SINGLE_RATES, _COMBINED_RATES = (0.55, 0.35, 0.2, 0.1), (0.55, 0.22)
#: Rises of which less than this share of the height lies on the ladder are left out.
_MIN_SHARE_ON_LADDER = 0.02


@dataclass(frozen=True)
class SmoothShape:
    """A smooth rise from 0 at the first size to 1 at the last.

    Attributes:
        power: exponent of the logistic; 0 for an error that falls as a power of size, -1 for a line in ln size.
        place: midpoint of the logistic, in steps; the first size for the other shapes.
        width: of the logistic before it is raised to the power, from 10 to 90 % in steps; of the power law, the
            steps in which the error falls to a ninth.
        first, last: first and last size of the ladder, in steps.
    """

    power: int
    place: float
    width: float
    first: float
    last: float

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Values at `t`, in steps."""
        start, end = self._raw(np.array([self.first, self.last]))
        return np.asarray((self._raw(t) - start) / (end - start))

    def _raw(self, t: np.ndarray) -> np.ndarray:
        if self.power == -1:
            return np.asarray(t, dtype=float)
        if self.power == 0:
            return np.asarray(-np.exp(-np.log(9) / self.width * (t - self.place)))
        return np.asarray(logistic(t, self.place, self.width) ** self.power)


@dataclass(frozen=True)
class Shapes:
    """Shapes of one ladder of K sizes.

    Attributes:
        t: (K,) places of the sizes, in steps.
        single, combined: F smooth rises that stand alone, and A that are combined with another shape.
        of_single, of_combined: (F, K) and (A, K) their values at the sizes.
        single_prior, combined_prior: (F,) and (A,) prior probabilities: every kind of shape (power and width) is
            equally likely, and so are all midpoints of a kind; power laws of the error are one kind, the straight line
            is another.
        jumps: (J, K) jumps with two sizes or more on either side.
        jump_low, jump_high: (J,) interval in which each jump has its midpoint, in steps.
        edge_jumps: (2, K) jumps in the first and in the last gap, which data cannot distinguish from a rise that
            continues off the ladder.
        fine: (T,) grid of places on the ladder and `BEYOND` it, in steps.
        fine_single, fine_combined: (F, T) and (A, T) values of the smooth rises on that grid.
    """

    t: np.ndarray
    single: tuple[SmoothShape, ...]
    combined: tuple[SmoothShape, ...]
    of_single: np.ndarray
    of_combined: np.ndarray
    single_prior: np.ndarray
    combined_prior: np.ndarray
    jumps: np.ndarray
    jump_low: np.ndarray
    jump_high: np.ndarray
    edge_jumps: np.ndarray
    fine: np.ndarray
    fine_single: np.ndarray
    fine_combined: np.ndarray


def build_shapes(t: np.ndarray) -> Shapes:
    """Shapes of a ladder.

    Args:
        t: (K,) places of the sizes in steps, rising; K is 4 or more.
    """
    beyond = BEYOND * max(1.0, (t[-1] - t[0]) / (len(t) - 1))
    single = _smooth_shapes(t, beyond, _SINGLE, _SINGLE_RATES)
    combined = _smooth_shapes(t, beyond, _COMBINED, _COMBINED_RATES)
    jumps, low, high = _jumps(t)
    index = np.arange(len(t))
    fine = np.linspace(t[0] - beyond, t[-1] + beyond, round(10 * (t[-1] - t[0] + 2 * beyond)) + 1)
    return Shapes(
        t,
        single,
        combined,
        np.stack([shape(t) for shape in single]),
        np.stack([shape(t) for shape in combined]),
        _prior(single),
        _prior(combined),
        jumps,
        low,
        high,
        np.stack([(index > 0), (index > len(t) - 2)]).astype(float),
        fine,
        np.stack([shape(fine) for shape in single]),
        np.stack([shape(fine) for shape in combined]),
    )


def _smooth_shapes(
    t: np.ndarray, beyond: float, logistics: tuple[tuple[int, float, float], ...], rates: tuple[float, ...]
) -> tuple[SmoothShape, ...]:
    first, last = float(t[0]), float(t[-1])
    shapes = []
    for power, width, gap in logistics:
        for place in np.arange(first - beyond, last + beyond + 1e-9, gap):
            start, end = logistic(np.array([first, last]), place, width) ** power
            if end - start > _MIN_SHARE_ON_LADDER:
                shapes.append(SmoothShape(power, float(place), max(width, SMOOTH_STEPS), first, last))
    shapes += [SmoothShape(0, first, float(np.log(9) / rate), first, last) for rate in rates]
    return (*shapes, SmoothShape(-1, first, last - first, first, last))


def _prior(shapes: tuple[SmoothShape, ...]) -> np.ndarray:
    """(F,) every kind equally likely, and within a kind every shape."""
    kinds = [(shape.power, shape.width if shape.power > 0 else 0.0) for shape in shapes]
    members = np.array([kinds.count(kind) for kind in kinds])
    return np.asarray(1 / members / len(set(kinds)))


def _jumps(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(J, K) jumps between two sizes, then jumps in the course of which a size lies; and (J,), (J,) their intervals."""
    index, middle = np.arange(len(t)), (t[1:] + t[:-1]) / 2
    rows = [((index > gap).astype(float), t[gap], t[gap + 1]) for gap in range(1, len(t) - 2)]
    for size in range(1, len(t) - 1):
        # Share of the height that the size has reached, and where the midpoint of such a jump lies.
        intervals = {
            0.25: (t[size], t[size + 1]),
            0.5: ((t[size] + middle[size - 1]) / 2, (t[size] + middle[size]) / 2),
            0.75: (t[size - 1], t[size]),
        }
        for share, interval in intervals.items():
            # Midpoints in the first or last gap have only one size on one side.
            if (size == 1 and share > 0.5) or (size == len(t) - 2 and share < 0.5):
                continue
            rows.append((np.where(index == size, share, (index > size).astype(float)), *interval))
    shapes, low, high = zip(*rows, strict=True)
    return np.stack(shapes), np.array(low), np.array(high)
