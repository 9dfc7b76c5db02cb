"""Runs, verdicts and laws in words: as frames, for the page and for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.fitting.laws import NO_LAW
from harness.analysis.fitting.selection import REFUSED
from harness.records.schema import STATUSES
from harness.report.appearance import Appearance, appearance, place
from harness.report.names import curve_name, metric_name, size_name, verdict_name
from harness.wording import ABSENT, count, counted, duration, estimate, p_value, percent, rungs, short

#: verdict -> style in a terminal, in the order in which verdicts are listed.
VERDICT_STYLES = {
    "emergent": "bold red",
    "candidate": "yellow",
    "metric artefact": "magenta",
    "smooth": "blue",
    "drop": "cyan",
    "inconclusive": "dim",
    "too few sizes": "dim",
}

#: Name of the row that sums over studies.
ALL_STUDIES = "all studies"
#: Curves up to which each has a row of its own wherever verdicts are summed up.
MOST_ROWS = 40


def overview(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per study: what was asked for, how the runs ended, and what they cost; of several, their sum.

    Training time is summed over jobs, each of which trains one or more members together.
    """
    rows = []
    for study, part in runs.groupby("study", sort=False):
        # An imported run may state its parameters without embeddings alone.
        sizes = part["params_total"].where(part["params_total"] > 0, part["params_non_embedding"])
        low, high = sizes.min(), sizes.max()
        rows.append(
            {
                "study": study,
                "task": _joined(part["task"]),
                "family": _joined(part["family"]),
                "rungs": part["rung"].nunique(),
                "parameters": f"{count(low)} to {count(high)}" if low < high else count(low),
                "seeds": part["seed"].nunique(),
                **_ended_and_cost(part),
            }
        )
    if len(rows) > 1:
        rows.append(dict.fromkeys(rows[0], "") | {"study": ALL_STUDIES} | _ended_and_cost(runs))
    return pd.DataFrame(rows)


def _ended_and_cost(runs: pd.DataFrame) -> dict[str, Any]:
    jobs = runs.drop_duplicates(["study", "rung", "duration", "wall_s"])
    return {
        "runs": len(runs),
        **{status: int((runs["status"] == status).sum()) for status in STATUSES},
        "FLOPs": flops_in_words(runs),
        "training time": duration(jobs["wall_s"].sum()),
    }


def flops_in_words(runs: pd.DataFrame) -> str:
    """Training FLOPs of runs together, and what was spent on them where they share first steps, trained once."""
    paths, spent = runs["flops"].sum(), runs["spent_flops"].fillna(runs["flops"]).sum()
    return short(paths) if np.isclose(spent, paths) else f"{short(paths)}, {short(spent)} spent"


def failures(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each run that did not finish, with the reason."""
    lost = runs[runs["status"] != "finished"]
    columns = ["study", "width", "depth", "seed", "lr", "status", "error", "run_id"]
    return lost[columns].fillna("").reset_index(drop=True)


def verdict_table(jumps: pd.DataFrame, x: str) -> pd.DataFrame:
    """One row per curve along x, in words: subtask, metrics, p adjusted, verdict, N*, onset, width of the rise, why."""
    rows = [
        {
            "study": row["study"],
            "subtask": row["subtask"],
            "metric": metric_name(row["metric"]),
            "judged by": metric_name(row["continuous_metric"]) or ABSENT,
            "verdict": verdict_name(row["verdict"], x),
            "p adj.": p_value(row["p_adjusted"]),
            "N*": place(row, "threshold"),
            "onset": place(row, "onset"),
            "rise in rungs": _width(row),
            "why": _why(row),
        }
        for row in jumps.to_dict("records")
    ]
    columns = ["study", "subtask", "verdict", "N*", "onset", "metric", "judged by", "p adj.", "rise in rungs", "why"]
    return pd.DataFrame(rows, columns=columns)


def verdict_counts(jumps: pd.DataFrame, x: str) -> str:
    """How many curves along x have each verdict: 6 emergent, 1 metric artefact, 2 smooth."""
    counts = jumps["verdict"].value_counts()
    found = [verdict for verdict in VERDICT_STYLES if verdict in counts]
    return ", ".join(f"{counts[verdict]:,} {verdict_name(verdict, x)}" for verdict in found)


def verdict_summary(jumps: pd.DataFrame, x: str, most: int = MOST_ROWS) -> pd.DataFrame:
    """Verdicts of curves along x in few rows: one a curve where these are at most `most`.

    Where there are more, the subtasks of a study with the same verdict and metric share a row: the range of their N*
    and onsets, and how many of these are open or absent. The column curves says how many a row stands for.
    """
    shared = len(jumps) > most
    rows = []
    for (study, _), part in jumps.groupby(["study", "metric"], sort=False):
        whole, subtasks = part[part["subtask"] == "all"], part[part["subtask"] != "all"]
        for row in whole.to_dict("records"):
            name = f"{study}: all together" if len(subtasks) else curve_name(row)
            rows.append(_summary(name, [row], x))
        for verdict in VERDICT_STYLES:
            same = subtasks[subtasks["verdict"] == verdict].to_dict("records")
            if shared and len(same) > 1:
                rows.append(_summary(f"{study}: {len(same)} of {counted(len(subtasks), 'subtask')}", same, x))
            else:
                rows += [_summary(curve_name(row), [row], x) for row in same]
    columns = ["what", "curves", "verdict", "N*", "onset", "metric", "judged by", "p adj.", "why"]
    return pd.DataFrame(rows, columns=columns).drop(columns=[] if shared else "curves")


def law_table(laws: pd.DataFrame) -> pd.DataFrame:
    """One row per study of the laws that `exponents` returns: exponents, misfit, and what became of the other law.

    Misfit is the root mean square residual of ln loss, the largest over ways to count size; above NO_LAW no exponent
    is given.
    """
    conventions = list(laws["x"].unique())
    rows = []
    for study, part in laws.groupby("study", sort=False):
        row: dict[str, Any] = {"study": study}
        for law in part.to_dict("records"):
            row[size_name(law["x"])] = _exponent(law)
        misfit = part["scatter"].max()
        row["misfit"] = percent(misfit)
        row["choice of law"] = "no power law describes it" if misfit > NO_LAW else "; ".join(_choices(part)) or ABSENT
        rows.append(row)
    columns = ["study", *map(size_name, conventions), "misfit", "choice of law"]
    return pd.DataFrame(rows, columns=columns).fillna(ABSENT)


def _choices(part: pd.DataFrame) -> Iterator[str]:
    """For each chosen law its margin, and the ways to count size that chose it if not all did; or why there is none."""
    for (law, status), same in part.groupby(["law", "status"], sort=False):
        where = "" if len(same) == len(part) else f"{', '.join(map(size_name, same['x']))}: "
        margin = same["delta_aicc"].min()
        if not law or status != "converged":
            yield where + str(same["message"].iloc[0])
        elif np.isfinite(margin):
            other = "without a floor" if law == "power_floor" else "with a floor"
            doubt = "is ruled out" if margin > REFUSED else "is not ruled out"
            yield f"{where}a law {other} {doubt} (AICc higher by {margin:.1f})"


def _joined(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _summary(name: str, rows: Sequence[Mapping[Any, Any]], x: str) -> dict[str, Any]:
    """One row for curves of one study, metric and verdict."""
    first = rows[0]
    reasons = [_why(row) for row in rows]
    why = max(reasons, key=reasons.count)
    p = p_value(max((row["p_adjusted"] for row in rows), key=lambda value: (math.isfinite(value), value)))
    return {
        "what": name,
        "curves": len(rows),
        "verdict": verdict_name(first["verdict"], x),
        "N*": _span(rows, "threshold"),
        "onset": _span(rows, "onset"),
        "metric": metric_name(first["metric"]),
        "judged by": metric_name(first["continuous_metric"]) or ABSENT,
        "p adj.": p if len(rows) == 1 or p in (ABSENT, "< 0.001") else f"up to {p}",
        "why": why if len(set(reasons)) == 1 else f"{why} (most often)",
    }


def _span(rows: Sequence[Mapping[Any, Any]], name: str) -> str:
    """The smallest and largest place of several curves, and how many of these have an open interval or none."""
    if len(rows) == 1:
        return place(rows[0], name)
    placed = [row for row in rows if appearance(row) is Appearance.APPEARS and math.isfinite(row[name])]
    if not placed:
        words = {place(row, name) for row in rows}
        return words.pop() if len(words) == 1 else ABSENT
    low, high = (count(end(row[name] for row in placed)) for end in (min, max))
    numbers = {
        "open below": sum(row[f"{name}_low"] == 0 for row in placed),
        "open above": sum(row[f"{name}_high"] == math.inf for row in placed),
        "not placed": len(rows) - len(placed),
    }
    notes = [f"{number} {words}" for words, number in numbers.items() if number]
    return (low if low == high else f"{low} … {high}") + (f"; {', '.join(notes)}" if notes else "")


def _why(row: Mapping[Any, Any]) -> str:
    """The reason of a verdict, its metrics called what they are called elsewhere."""
    reason = str(row["reason"])
    for metric in sorted((str(row["metric"]), str(row["continuous_metric"])), key=len, reverse=True):
        reason = reason.replace(metric, metric_name(metric))
    return reason


def _width(row: Mapping[Any, Any]) -> str:
    """Width of a rise, 10 to 90 %, in rungs: 4.9 (3.1 to 8.0); what is longer than the ladder was not seen whole."""
    width, low, high = (row[f"rise_width{end}"] for end in ("", "_low", "_high"))
    ladder = row["ladder_steps"]
    if not math.isfinite(width):
        return ABSENT
    if width > ladder:
        return rungs(width, ladder) + (f" ({low:.2g} or more)" if low < ladder else "")
    return f"{width:.2g} ({low:.2g} {'or more' if high > ladder else f'to {high:.2g}'})"


def _exponent(law: dict) -> str:
    if not law["law"]:
        return str(law["status"])
    if law["scatter"] > NO_LAW:
        return ABSENT
    text = estimate(law["alpha"], law["alpha_low"], law["alpha_high"])
    if law["E"] > 0:
        text += f",\nfloor {law['E']:.3g}"
    return text if law["status"] == "converged" else f"{text}, {law['status']}"
