"""How numbers and names are written for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: What the columns that can stand on an x axis are called; with units.
SIZE_NAMES = {
    "params_total": "total parameters",
    "params_non_embedding": "non-embedding parameters",
    "params_embedding": "embedding parameters",
    "tokens": "training tokens",
    "flops": "training FLOPs",
    "width": "width",
    "depth": "depth",
}

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def size_name(column: str) -> str:
    """The column's name in words."""
    return SIZE_NAMES.get(column, column.replace("_", " "))


def short(value: float, digits: int = 2) -> str:
    """A size in few characters: 800, 1.6k, 12M; for tick labels."""
    if not math.isfinite(value):
        return "–"
    for scale, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * scale:
            return f"{_significant(value / scale, digits)}{prefix}"
    return _significant(value, max(3, digits))


def count(value: float, digits: int = 3) -> str:
    """A size in full to three significant digits, 4,130; from a million on with a prefix, 4.13M."""
    if not math.isfinite(value):
        return "–"
    return short(value, digits) if abs(value) >= 1e6 else f"{float(f'{value:.{digits}g}'):,.12g}"


def interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """A size with its interval: 4,130 (3,300 to 5,210); an end that is open is 0 or ∞."""
    if not math.isfinite(value):
        return "–"
    upper = "∞" if high == math.inf else count(high, digits)
    return f"{count(value, digits)} ({count(low, digits)} to {upper})"


def plain(value: float) -> str:
    """A number as 20, 0.05 or, below a thousandth, 1e-4; for tick labels."""
    if not 0 < abs(value) < 1e-3:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def estimate(value: float, low: float, high: float) -> str:
    """A fitted number with its interval, to the decimals of its own third significant digit: 0.515 (0.443 to 0.590)."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 2
    return f"{value:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def percent(share: float) -> str:
    """A share as 0.6 % or 170 %."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def p_value(value: float) -> str:
    """A probability, never rounded to 0."""
    if not math.isfinite(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float) -> str:
    """Seconds as 42 s, 3.5 min or 2.1 h."""
    for scale, unit in ((3600, "h"), (60, "min")):
        if seconds >= scale:
            return f"{seconds / scale:.1f} {unit}"
    return f"{seconds:.0f} s"


def interval_kind(kind: str) -> str:
    """How the intervals of laws were made, in a word or two."""
    return {"profile": "by profile likelihood", "bootstrap": "by bootstrap", "delta": "by the delta method"}[kind]


def curve_name(row: Mapping[Any, Any]) -> str:
    """What a curve is called: its study (or task, or metric) and, where it is not the whole task, its subtask."""
    name = str(row["study"] or row.get("task") or metric_name(str(row["metric"])))
    return name if row["subtask"] == "all" else f"{name}: {row['subtask']}"


def metric_name(metric: str) -> str:
    """The metric's name in words."""
    return metric.replace("_", " ")


def _significant(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):.12g}"
