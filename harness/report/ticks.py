"""Ticks of an axis: as many round numbers as have room for their labels, none touching another or cut off."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from harness.wording import short

#: Width of a character and height of a line of a tick's label, and the least gap between two labels, in inches.
_CHARACTER_IN, _LINE_IN, _GAP_IN = 0.066, 0.11, 0.08
#: How far a label may stand out beyond the end of its axis, in inches: margins and neighbours are no nearer.
_OVERHANG_IN = 0.135
#: Labelled ticks at most, and the fewest that 1, 2 and 5 of each decade must give, or even steps are taken.
_MOST, _FEWEST = 7, 3
#: Up to where even steps can be counted in floating point.
_LARGEST_EVEN = 1e300
#: Digits of sizes at most.
_DIGITS = 6


def round_ticks(axis: Axis, low: float, high: float, write: Callable[[float], str]) -> None:
    """Round numbers on a logarithmic axis from low to high; low and high themselves where fewer than two fit."""
    if isinstance(axis, XAxis):
        axis.axes.set_xlim(low, high)
    else:
        axis.axes.set_ylim(low, high)
    for numbers in _round_numbers(low, high):
        ticks = _uncut(axis, numbers, write)
        if 2 <= len(ticks) <= _MOST and _are_apart(axis, ticks, write):
            break
    else:
        ticks = np.array([low, high])
    _label(axis, ticks, write)
    decades = 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    axis.set_minor_locator(FixedLocator(decades.tolist()))


def given_ticks(axis: Axis, ticks: np.ndarray, invert: bool = False) -> None:
    """A tick at each of these sizes on a logarithmic axis, whose limits are set; the ends and what fits are labelled.

    Args:
        ticks: (n,) ascending.
        invert: whether labels are of 1 / tick.
    """

    def writer(digits: int) -> Callable[[float], str]:
        return lambda value: short(1 / value if invert else value, digits)

    kept: list[float] = [ticks[0]]
    for digits in range(2, _DIGITS + 1):
        write, kept = writer(digits), [ticks[0]]
        for tick in ticks[1:-1]:
            if _are_apart(axis, np.array([kept[-1], tick, ticks[-1]]), write):
                kept.append(tick)
        kept += [ticks[-1]] if len(ticks) > 1 else []
        if len({write(tick) for tick in kept}) == len(kept):
            break
    _label(axis, np.array(kept), write)
    axis.set_minor_locator(FixedLocator(ticks.tolist()))


def write_size(value: float) -> str:
    """A round size in full: 105M, 1.25G, 3e20."""
    return short(value, _DIGITS)


def _label(axis: Axis, ticks: np.ndarray, write: Callable[[float], str]) -> None:
    axis.set_major_locator(FixedLocator(ticks.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_formatter(NullFormatter())


def _round_numbers(low: float, high: float) -> Iterator[np.ndarray]:
    """Sets of round numbers from low to high, the densest first."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    decades = 10.0 ** np.arange(first, min(last, sys.float_info.max_10_exp) + 1)
    with np.errstate(over="ignore"):  # a loss may be recorded as 1e308
        fine, coarse = (_within(np.outer(decades, digits).ravel(), low, high) for digits in ((1, 2, 5), (1, 3)))
    if len(fine) < _FEWEST and high < _LARGEST_EVEN:
        for n in range(_MOST - 1, 1, -1):
            yield _within(np.array(MaxNLocator(n, steps=[1, 2, 5, 10]).tick_values(low, high)), low, high)
        return
    yield fine
    yield coarse
    for every in range(1, len(decades)):
        yield _within(decades[-first % every :: every], low, high)


def _within(ticks: np.ndarray, low: float, high: float) -> np.ndarray:
    return ticks[(ticks >= low * (1 - 1e-9)) & (ticks * (1 - 1e-9) <= high) & (ticks > 0) & np.isfinite(ticks)]


def _uncut(axis: Axis, ticks: np.ndarray, write: Callable[[float], str]) -> np.ndarray:
    """The ticks whose labels do not stand out too far beyond the axis."""
    first, last = _extents_in(axis, ticks, write)
    return ticks[(first > -_OVERHANG_IN) & (last < _length_in(axis) + _OVERHANG_IN)]


def _are_apart(axis: Axis, ticks: np.ndarray, write: Callable[[float], str]) -> bool:
    """Whether no two labels touch."""
    first, last = _extents_in(axis, ticks, write)
    return bool((first[1:] - last[:-1] >= _GAP_IN).all())


def _extents_in(axis: Axis, ticks: np.ndarray, write: Callable[[float], str]) -> tuple[np.ndarray, np.ndarray]:
    """Where each label begins and ends along the axis, in inches from its beginning."""
    low, high = sorted(axis.get_view_interval())
    place = (np.log(ticks) - np.log(low)) / (np.log(high) - np.log(low)) * _length_in(axis)
    half = np.full(len(ticks), _LINE_IN / 2)
    if isinstance(axis, XAxis):
        half = np.array([len(write(tick)) for tick in ticks]) * _CHARACTER_IN / 2
    return place - half, place + half


def _length_in(axis: Axis) -> float:
    figure, box = axis.axes.get_figure(root=True), axis.axes.bbox
    assert figure is not None
    return float(box.width if isinstance(axis, XAxis) else box.height) / figure.dpi
