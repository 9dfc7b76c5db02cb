"""Runs, verdicts and laws in words: as frames for the page, and as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harness.analysis.fitting.laws import NO_LAW
from harness.analysis.fitting.selection import REFUSED
from harness.records.schema import STATUSES
from harness.report.names import curve_name, metric_name, size_name
from harness.wording import ABSENT, count, duration, estimate, interval, p_value, percent, short

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


def overview(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per study: what was asked for, how the runs ended, and what they cost.

    Training time is summed over jobs, each of which trains one or more members together.
    """
    rows = []
    for study, part in runs.groupby("study"):
        # An imported run may state its parameters without embeddings alone.
        sizes = part["params_total"].where(part["params_total"] > 0, part["params_non_embedding"])
        low, high = sizes.min(), sizes.max()
        jobs = part.drop_duplicates(["rung", "duration", "wall_s"])
        rows.append(
            {
                "study": study,
                "task": _joined(part["task"]),
                "family": _joined(part["family"]),
                "rungs": part["rung"].nunique(),
                "parameters": f"{count(low)} to {count(high)}" if low < high else count(low),
                "seeds": part["seed"].nunique(),
                "runs": len(part),
                **{status: int((part["status"] == status).sum()) for status in STATUSES},
                "FLOPs": short(part["flops"].sum()),
                "training time": duration(jobs["wall_s"].sum()),
            }
        )
    return pd.DataFrame(rows)


def failures(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each run that did not finish, with the reason."""
    lost = runs[runs["status"] != "finished"]
    columns = ["study", "width", "depth", "seed", "lr", "status", "error", "run_id"]
    return lost[columns].fillna("").reset_index(drop=True)


def verdict_table(jumps: pd.DataFrame) -> pd.DataFrame:
    """One row per curve, in words: subtask, metrics, adjusted p value, verdict, N*, onset, width of the rise, why."""
    rows = [
        {
            "study": row["study"],
            "subtask": row["subtask"],
            "metric": metric_name(row["metric"]),
            "judged by": metric_name(row["continuous_metric"]) or ABSENT,
            "verdict": row["verdict"],
            "p adj.": p_value(row["p_adjusted"]),
            "N*": _place(row, "threshold"),
            "onset": _place(row, "onset"),
            "rise in steps": _width(row),
            "why": row["reason"],
        }
        for row in jumps.to_dict("records")
    ]
    columns = ["study", "subtask", "verdict", "N*", "onset", "metric", "judged by", "p adj.", "rise in steps", "why"]
    return pd.DataFrame(rows, columns=columns)


def verdict_counts(jumps: pd.DataFrame) -> str:
    """How many curves have each verdict: 6 emergent, 1 metric artefact, 2 smooth."""
    counts = jumps["verdict"].value_counts()
    return ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICT_STYLES if verdict in counts)


def verdict_summary(jumps: pd.DataFrame) -> pd.DataFrame:
    """Verdicts in few rows: one for each whole task, and one for all subtasks of a study with the same verdict."""
    rows = []
    for (study, metric), part in jumps.groupby(["study", "metric"], sort=False):
        whole, subtasks = part[part["subtask"] == "all"], part[part["subtask"] != "all"]
        for row in whole.to_dict("records"):
            name = f"{study}: all together" if len(subtasks) else str(study)
            places = {"N*": _place(row, "threshold"), "onset": _place(row, "onset")}
            rows.append(_summary(name, metric, row, places, row["p_adjusted"], row["reason"]))
        for verdict in VERDICT_STYLES:
            same = subtasks[subtasks["verdict"] == verdict]
            if same.empty:
                continue
            first = same.to_dict("records")[0]
            name = f"{study}: {len(same)}/{len(subtasks)} subtasks" if len(part) > 1 else curve_name(first)
            why = (
                _joined(same["reason"]) if same["reason"].nunique() == 1 else same["reason"].mode()[0] + " (most often)"
            )
            places = {"N*": _span(same["threshold"]), "onset": _span(same["onset"])}
            rows.append(_summary(name, metric, first, places, same["p_adjusted"].max(), why))
    columns = ["what", "verdict", "N*", "onset", "metric", "judged by", "p adj.", "why"]
    return pd.DataFrame(rows, columns=columns)


def law_table(laws: pd.DataFrame) -> pd.DataFrame:
    """One row per study of the laws that `exponents` returns: exponents, misfit, and whether the other law is refused.

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
        row["choice of law"] = "no power law describes it" if misfit > NO_LAW else "; ".join(_choices(part))
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
            refused = "is refused" if margin > REFUSED else "is not excluded"
            yield f"{where}a law {other} {refused} (AICc higher by {margin:.1f})"


def as_rich(frame: pd.DataFrame, title: str, leave_out: tuple[str, ...] = ()) -> Table:
    """A frame of words as a table for a terminal, without the columns `leave_out`."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    shown = [str(name) for name in frame.columns if name not in leave_out]
    for name in shown:
        table.add_column(name, overflow="fold", no_wrap=name in ("what", "study", "verdict", "N*", "onset"))
    for row in frame.to_dict("records"):
        cells = [_escaped(row[name]) for name in shown]
        if "verdict" in shown:
            place = shown.index("verdict")
            style = VERDICT_STYLES.get(row["verdict"], "")
            cells[place] = f"[{style}]{cells[place]}[/]" if style else cells[place]
        table.add_row(*cells)
    return table


def _escaped(cell: object) -> str:
    return str(cell).replace("[", r"\[")


def _joined(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _summary(name: str, metric: object, row: dict, places: dict[str, str], p: float, why: str) -> dict[str, str]:
    return {
        "what": name,
        "metric": metric_name(str(metric)),
        "judged by": metric_name(row["continuous_metric"]) or ABSENT,
        "verdict": row["verdict"],
        **places,
        "p adj.": p_value(p),
        "why": why,
    }


def _place(row: dict, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _span(places: pd.Series) -> str:
    """The smallest and largest of several curves."""
    placed = places[np.isfinite(places)]
    if placed.empty:
        return ABSENT
    missing = f", {len(places) - len(placed)} not placed" if len(placed) < len(places) else ""
    low, high = count(placed.min()), count(placed.max())
    return (low if low == high else f"{low} … {high}") + missing


def _width(row: dict) -> str:
    if not np.isfinite(row["rise_width"]):
        return ABSENT
    return f"{row['rise_width']:.2g} ({row['rise_width_low']:.2g} to {row['rise_width_high']:.2g})"


def _exponent(law: dict) -> str:
    if not law["law"]:
        return str(law["status"])
    if law["scatter"] > NO_LAW:
        return ABSENT
    text = estimate(law["alpha"], law["alpha_low"], law["alpha_high"])
    if law["E"] > 0:
        text += f",\nfloor {law['E']:.3g}"
    return text if law["status"] == "converged" else f"{text}, {law['status']}"
