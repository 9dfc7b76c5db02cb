"""The shapes that a curve is compared with on one ladder: smooth rises, and jumps inside the ladder.

Every shape goes from 0 at the first size to 1 at the last. Its height is then the rise on the ladder, which data
determine, rather than that of an asymptote off the ladder, which they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.analysis.emergence.bounded_cache import BoundedCache, array_bytes
from harness.analysis.emergence.smooth_null import LONGEST_ANSWER, logistic

#: How far beyond the ladder the midpoint of a smooth rise may lie, and how far curves are extrapolated: in steps, or in
#: mean gaps between sizes where these are wider.
BEYOND = 2.0
#: Smooth rises that stand alone: exponent of the logistic, width from 10 to 90 % in steps, and spacing of the midpoints
#: in steps. An exponent of L is the exact match of L tokens, one of -L the chance that one of L attempts is right.
_SINGLE = (
    *((1, width, gap) for width, gap in ((4.0, 0.5), (6.0, 0.75), (9.0, 1.0), (14.0, 2.0), (24.0, 4.0))),
    *(
        (power, width, gap)
        for power in (4, LONGEST_ANSWER, -4, -LONGEST_ANSWER)
        for width, gap in ((4.0, 0.5), (8.0, 1.0))
    ),
)
#: Smooth rises that are combined with another, or with a jump. The grid is coarser, since two free heights interpolate
#: between shapes.
_COMBINED = ((1, 4.0, 1.0), (1, 8.0, 2.0), (LONGEST_ANSWER, 4.0, 1.0), (-LONGEST_ANSWER, 4.0, 1.0))
#: Exponents r of an error that falls as exp(-r t), a power of size, for single and for combined rises; per step.
_SINGLE_RATES, _COMBINED_RATES = (0.55, 0.35, 0.2, 0.1), (0.55, 0.22)
#: Midpoints of each kind, at most: on long ladders, and on uneven ones, whose median step is short, they lie further
#: apart, since time grows with the square of their number. Ladders of up to 13 even sizes are not affected.
MOST_SINGLE, MOST_COMBINED = 48, 17
#: Sizes from which jumps in the course of which a size lies are taken at half of their height alone.
MANY_SIZES = 20
#: Exponent of an error that is a straight line in ln size on any ladder.
STRAIGHT_RATE = 0.003
#: Rises of which less than this share of the height lies on the ladder are left out.
_MIN_SHARE_ON_LADDER = 0.02
#: Rises that are neither smooth nor jumps: exponent of the logistic (as of smooth ones) -> its widths, in steps, so
#: that the rise takes 2 to 3 from 10 to 90 %; and the distance of their midpoints. A jump centred on a size takes up to
#: two.
STEEP_WIDTHS: dict[int, tuple[float, ...]] = {
    1: (2.0, 2.5, 3.0),
    LONGEST_ANSWER: (2.9, 3.6),
    -LONGEST_ANSWER: (2.9, 3.6),
}
STEEP_GAP = 0.5
#: Places a step on the grid on which mean curves are drawn; between them curves are interpolated.
FINE = 5
#: Places of that grid, at most: the median step of a ladder may be a millionth of it.
MOST_FINE = 601
#: Bytes of shapes that are kept between calls.
MAX_SHAPE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class SmoothShape:
    """A smooth rise from 0 at the first size to 1 at the last.

    Attributes:
        power: L > 0 for the logistic to the power L, -L for one minus the L-th power of one minus the logistic, 0 for
            an error that falls as a power of size.
        place: midpoint of the logistic, in steps; the first size for power laws.
        width: of the logistic before it is raised to the power, from 10 to 90 % in steps; of the power law, the steps
            in which the error falls to a ninth.
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

    @property
    def on_ladder(self) -> float:
        """Share of the height of its whole rise that lies on the ladder."""
        start, end = self._raw(np.array([self.first, self.last]))
        return float(end - start)

    def _raw(self, t: np.ndarray) -> np.ndarray:
        if self.power == 0:
            # Far before the first size an error without bounds is a large number, and no more.
            return np.asarray(-np.exp(np.minimum(-np.log(9) / self.width * (t - self.place), 30.0)))
        if self.power < 0:
            return np.asarray(1 - logistic(-t, -self.place, self.width) ** -self.power)
        return np.asarray(logistic(t, self.place, self.width) ** self.power)


@dataclass(frozen=True)
class Shapes:
    """Shapes of one ladder of K sizes.

    The S shapes that a curve is weighed against are stacked in this order: combined ones (A), jumps (J), edge jumps
        (2),
    single ones (F).

    Attributes:
        t: (K,) places of the sizes, in steps.
        single, combined: F smooth rises that stand alone, and A that are combined with another shape.
        jumps: (J, K) jumps with two sizes or more on either side.
        edge_jumps: (2, K) jumps in the first and in the last gap, which data cannot distinguish from a rise that
            continues off the ladder.
        jump_low, jump_high: (J + 2,) interval in which each jump has its midpoint, in steps; edge jumps last.
        fine: (T,) grid of places on the ladder and `BEYOND` it, in steps.
    """

    t: np.ndarray
    single: tuple[SmoothShape, ...]
    combined: tuple[SmoothShape, ...]
    jumps: np.ndarray
    edge_jumps: np.ndarray
    jump_low: np.ndarray
    jump_high: np.ndarray
    fine: np.ndarray

    @property
    def n_smooth_pairs(self) -> int:
        """How many pairs are of two smooth rises; these come first."""
        return len(self.combined) * (len(self.combined) - 1) // 2

    @cached_property
    def stacked(self) -> np.ndarray:
        """(S, K) every shape at the sizes."""
        smooth = [np.stack([shape(self.t) for shape in rises]) for rises in (self.combined, self.single)]
        return np.concatenate([smooth[0], self.jumps, self.edge_jumps, smooth[1]])

    @cached_property
    def fine_stacked(self) -> np.ndarray:
        """(S + 1, T) `smooth_at` on the fine grid."""
        return self.smooth_at(self.fine)

    @cached_property
    def stacked_and_none(self) -> np.ndarray:
        """(S + 1, K) every shape at the sizes, and a row of 0 for none."""
        return np.concatenate([self.stacked, np.zeros((1, len(self.t)))])

    def smooth_at(self, t: np.ndarray) -> np.ndarray:
        """(S + 1, m) every smooth rise at `t` (m,), in steps; rows of 0 for the jumps, and at the end for no shape."""
        combined, single = (np.stack([shape(t) for shape in rises]) for rises in (self.combined, self.single))
        no_rises = np.zeros((len(self.jump_low), len(t)))
        return np.concatenate([combined, no_rises, single, no_rises[:1]])

    @cached_property
    def first(self) -> np.ndarray:
        """(P,) index of the first shape of each pair: a smooth rise."""
        return self._pairs[0]

    @cached_property
    def second(self) -> np.ndarray:
        """(P,) index of the second shape of each pair: another smooth rise, later a jump, which changes faster."""
        return self._pairs[1]

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        n_smooth = len(self.combined)
        one, other = np.triu_indices(n_smooth, 1)
        jumps = np.arange(n_smooth, n_smooth + len(self.jump_low))
        smooth, jump = np.meshgrid(np.arange(n_smooth), jumps, indexing="ij")
        return np.concatenate([one, smooth.ravel()]), np.concatenate([other, jump.ravel()])

    @cached_property
    def products(self) -> np.ndarray:
        """(P, K) products of the two shapes of each pair."""
        return self.stacked[self.first] * self.stacked[self.second]

    @property
    def nbytes(self) -> int:
        return array_bytes((self.stacked, self.fine_stacked, self.first, self.second, self.products))


_KEPT: BoundedCache[Shapes] = BoundedCache(MAX_SHAPE_BYTES)


def shapes_of(t: np.ndarray, with_powers: bool = True, steep: bool = False) -> Shapes:
    """Shapes of a ladder, kept between calls (at most `MAX_SHAPE_BYTES`).

    Args:
        t: (K,) places of the sizes in steps, rising; K is 4 or more.
        with_powers: whether powers of smooth laws are smooth: the exact match of an answer whose tokens each improve by
            a smooth law.
        steep: whether rises of `STEEP_WIDTHS`, too wide for a jump and too narrow to be smooth, stand in place of
        jumps.
    """
    return _KEPT.get((t.tobytes(), with_powers, steep), lambda: _build_shapes(t, with_powers, steep))


def _build_shapes(t: np.ndarray, with_powers: bool, steep: bool) -> Shapes:
    beyond = BEYOND * max(1.0, (t[-1] - t[0]) / (len(t) - 1))
    single, combined = ([rise for rise in rises if with_powers or rise[0] == 1] for rises in (_SINGLE, _COMBINED))
    index = np.arange(len(t))
    jumps, low, high = (_steep_rises if steep else _jumps)(t)
    return Shapes(
        t,
        _smooth_shapes(t, beyond, single, _SINGLE_RATES, MOST_SINGLE),
        _smooth_shapes(t, beyond, combined, _COMBINED_RATES, MOST_COMBINED),
        jumps,
        np.stack([(index > 0), (index > len(t) - 2)]).astype(float),
        np.concatenate([low, t[[0, -2]]]),
        np.concatenate([high, t[[1, -1]]]),
        _fine_places(t[0] - beyond, t[-1] + beyond),
    )


def _fine_places(first: float, last: float) -> np.ndarray:
    return np.linspace(first, last, min(MOST_FINE, round(FINE * (last - first)) + 1))


def _smooth_shapes(
    t: np.ndarray,
    beyond: float,
    logistics: Sequence[tuple[int, float, float]],
    rates: tuple[float, ...],
    most_places: int,
) -> tuple[SmoothShape, ...]:
    first, last = float(t[0]), float(t[-1])
    shapes = []
    for power, width, gap in logistics:
        apart = max(gap, (last - first + 2 * beyond) / (most_places - 1))
        for place in np.arange(first - beyond, last + beyond + 1e-9, apart):
            shape = SmoothShape(power, float(place), width, first, last)
            if shape.on_ladder > _MIN_SHARE_ON_LADDER:
                shapes.append(shape)
    shapes += [SmoothShape(0, first, float(np.log(9) / rate), first, last) for rate in (*rates, STRAIGHT_RATE)]
    return tuple(shapes)


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
            if len(t) >= MANY_SIZES and share != 0.5:
                continue
            # Midpoints in the first or last gap have only one size on one side.
            if (size == 1 and share > 0.5) or (size == len(t) - 2 and share < 0.5):
                continue
            rows.append((np.where(index == size, share, (index > size).astype(float)), *interval))
    shapes, low, high = zip(*rows, strict=True)
    return np.stack(shapes), np.array(low), np.array(high)


def _steep_rises(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(J, K) logistic rises with two sizes or more on either side of their midpoint, (J,) and (J,) that midpoint."""
    apart = max(STEEP_GAP, (t[-2] - t[1]) / MOST_SINGLE)
    first, last = float(t[0]), float(t[-1])
    rises = [
        SmoothShape(power, float(place), width, first, last)
        for power, widths in STEEP_WIDTHS.items()
        for width in widths
        for place in np.arange(t[1] + _shift(power, width), t[-2] + _shift(power, width) + 1e-9, apart)
    ]
    middles = np.array([rise.place - _shift(rise.power, rise.width) for rise in rises])
    return np.stack([rise(t) for rise in rises]), middles, middles


def _shift(power: int, width: float) -> float:
    """How many steps before its midpoint a logistic raised to a power is half-way; below 0 where it is after it."""
    share = 0.5 ** (1 / abs(power))
    return -float(np.sign(power) * np.log(share / (1 - share)) * width / (2 * np.log(9)))
