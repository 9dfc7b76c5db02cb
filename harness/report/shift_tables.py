"""Shifts in words: values by size and split, lines of accuracy, what becomes of jumps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.analysis.shifts.lines import TaskLine, accuracy_lines
from harness.report.analyze import Analysis
from harness.report.names import curve_name, metric_name
from harness.wording import ABSENT, count, estimate, interval, p_value

#: Outcomes of which a reader wants to know first.
_ORDER = ("vanishes", "moves", "appears", "not decided", "survives", "no jump")


@dataclass(frozen=True)
class ShiftSection:
    """What the report says of shifts.

    Attributes:
        values: as `values_by_split`.
        lines: as `line_table`.
        without: why others have no line, a sentence each.
    """

    values: pd.DataFrame
    lines: pd.DataFrame
    without: tuple[str, ...]


def shift_section(analysis: Analysis) -> ShiftSection | None:
    """The tables of a report's section on shifts; None where no run was measured on any."""
    if analysis.shifted.empty:
        return None
    lines = accuracy_lines(analysis.shifted, level=analysis.level)
    without = tuple(f"{each.name}, {each.shift}: {each.problem}" for each in lines if each.line is None)
    return ShiftSection(values_by_split(analysis.shifted, analysis.x), line_table(lines), without)


def values_by_split(frame: pd.DataFrame, x: str) -> pd.DataFrame:
    """A row a study, metric and size: the mean over runs on each split, of tasks as a whole.

    Args:
        frame: measurements at each run's last step, of several splits (column split).
        x: column of sizes.
    """
    whole = frame[frame["subtask"].astype(str) == "all"]
    keys = ["study", "metric", x]
    means = whole.pivot_table(index=keys, columns="split", values="value", aggfunc="mean", sort=False)
    means = means.reset_index().sort_values(["study", "metric", x], kind="stable")
    splits = list(dict.fromkeys(whole["split"].astype(str)))
    words = pd.DataFrame({"study": means["study"], "metric": [metric_name(str(name)) for name in means["metric"]]})
    words[x.replace("_", " ")] = [count(size) for size in means[x]]
    for split in splits:
        words[split] = [f"{value:.4g}" if np.isfinite(value) else ABSENT for value in means[split]]
    return words.reset_index(drop=True)


def line_table(lines: Sequence[TaskLine]) -> pd.DataFrame:
    """A row a line that could be fitted."""
    rows = []
    for each in lines:
        if (line := each.line) is not None:
            other = "least squares" if line.corrected else "corrected"
            rows.append(
                {
                    "what": each.name,
                    "shift": each.shift,
                    "slope": estimate(line.slope_, line.slope_low_, line.slope_high_),
                    other: f"{line.slope_least_squares_ if line.corrected else line.slope_corrected_:.3g}",
                    "intercept": estimate(line.intercept_, line.intercept_low_, line.intercept_high_),
                    "R²": f"{line.r2_:.3f}",
                    "scatter": f"{line.scatter_:.3f}",
                    "runs": f"{line.n_runs_}",
                    "set apart": _apart(line.n_ceiling_, line.n_floor_),
                }
            )
    return pd.DataFrame(rows)


def _apart(ceiling: int, floor: int) -> str:
    parts = [f"{n} at the {where}" for n, where in ((ceiling, "ceiling"), (floor, "floor")) if n]
    return ", ".join(parts) or ABSENT


def departures_in_words(each: TaskLine, by: str, level: float) -> Iterator[str]:
    """A line for each group of runs that lies off the line of the others, and one that says how many do not."""
    assert each.line is not None
    table = each.line.departures(by)
    off = table[table["p_adjusted"] < 1 - level]
    for row in off.to_dict("records"):
        points, low, high = (100 * row[name] for name in ("effective_robustness", "low", "high"))
        side = "above" if points > 0 else "below"
        span = f"{abs(points):.1f} points {side} the line of the others ({low:.1f} to {high:.1f})"
        p = p_value(row["p_adjusted"])
        yield f"{each.name}, {each.shift}: {by.replace('_', ' ')} {_short(row['group'])} lies {span}, p adj. {p}"
    if len(table) > len(off):
        groups = "studies" if by == "study" else f"sizes ({by})"
        yield f"{each.name}, {each.shift}: {len(table) - len(off)} of {len(table)} {groups} on the line of the others"


def _short(group: object) -> str:
    try:
        return count(float(str(group)))
    except ValueError:
        return str(group)


def _height(height: float) -> str:
    return f"{height:.2g}" if np.isfinite(height) else ABSENT


def survival_table(survival: pd.DataFrame) -> pd.DataFrame:
    """A row a curve and shift, what changes first."""
    order = {name: i for i, name in enumerate(_ORDER)}
    rows = survival.assign(order=survival["outcome"].astype(str).map(order)).sort_values("order", kind="stable")
    words = [
        {
            "what": f"{curve_name(row)}, {metric_name(str(row['metric']))}",
            "shift": str(row["split"]),
            "verdict": str(row["verdict"]),
            "N*": interval(row["threshold"], row["threshold_low"], row["threshold_high"]),
            "there": str(row["shifted_verdict"]) or ABSENT,
            "N* there": interval(row["shifted_threshold"], row["shifted_low"], row["shifted_high"]),
            "height": f"{_height(row['height'])}, there {_height(row['shifted_height'])}",
            "ratio": interval(row["ratio"], row["ratio_low"], row["ratio_high"], 2, "x"),
            "jump": str(row["outcome"]),
        }
        for row in rows.to_dict("records")
    ]
    return pd.DataFrame(words)
