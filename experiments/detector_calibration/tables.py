"""What the rows of planted curves say, as tables.

Rows are those of `cells`: a row a curve, its step (1 up, -1 down, 0 none), and what the library found in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from examination import ALPHA
from ranking import SCORES, area_under_curve, areas

from harness.datasets import JUMP_KINDS

STRATUM = ["n_sizes", "n_seeds"]
#: States that a report words as 'inconclusive', and those that it words as 'smooth'.
UNDECIDED, SMOOTH = ("undetermined", "steep"), ("smooth", "flat")
#: Edges of the heights of steps, in units of the score and of the whole rise.
HEIGHT_EDGES, SHARE_EDGES = (0.1, 0.2, 0.3, 0.4), (0.0, 0.3, 0.45, 0.6, np.inf)


def as_text(frame: pd.DataFrame) -> str:
    """The frame as a Markdown table; shares without the zero before their point."""
    cells = [list(map(str, frame.columns))] + [list(map(_number, row)) for row in frame.itertuples(index=False)]
    widths = [max(len(row[i]) for row in cells) for i in range(frame.shape[1])]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _number(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if np.isnan(value):
        return "–"
    return f"{value:.3f}".removeprefix("0") if abs(value) < 0.9995 else f"{value:.2f}"


def smooth_curves(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Of curves without a step: flagged at .05 and .01, called a jump or drop, smooth (also if flat), inconclusive."""
    smooth = table[table["step"] == 0]
    return _shares(
        smooth.assign(
            **{
                "p < .05": smooth["p"] < 0.05,
                "p < .01": smooth["p"] < 0.01,
                "called jump": smooth["state"].isin(("jump", "drop")),
                "called smooth": smooth["state"].isin(SMOOTH),
                "flat": smooth["state"] == "flat",
                "inconclusive": smooth["state"].isin(UNDECIDED),
            }
        ),
        by,
        ("p < .05", "p < .01", "called jump", "called smooth", "flat", "inconclusive"),
    )


def steps_found(table: pd.DataFrame, by: Sequence[str], up: bool = True) -> pd.DataFrame:
    """Of curves with a step up, or down: power, what they are called, and their N*, where it is called so.

    Power is p < .05 in the right direction. Flat curves are called smooth too. Widths are in steps.
    """
    called = "jump" if up else "drop"
    part = table[table["step"] == (1 if up else -1)]
    right = part["state"] == called
    part = part.assign(
        power=(part["p"] < ALPHA) & (part["up"] == up),
        **{
            f"called {called}": right,
            "called smooth": part["state"].isin(SMOOTH),
            "flat": part["state"] == "flat",
            "inconclusive": part["state"].isin(UNDECIDED),
            "covered": ((part["low"] <= part["place"]) & (part["place"] <= part["high"])).where(right),
            "width": np.subtract(*_on_ladder(part)).where(right),
        },
    )
    columns = ("power", f"called {called}", "called smooth", "flat", "inconclusive", "covered", "width")
    shares = _shares(part, by, columns)
    return shares.merge(part.groupby([*by], sort=False)["width"].median().rename("median width").reset_index())


def _on_ladder(part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """High and low ends of N*, those that are open at the end of an even ladder."""
    return np.minimum(part["high"], part["n_sizes"] - 1), np.maximum(part["low"], 0)


def by_height(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Power on steps up, by their height and by their share of the whole rise."""
    part = table[(table["step"] == 1) & (table["height"] > 0)]
    found = part.assign(power=(part["p"] < ALPHA) & part["up"])
    pivots = []
    for column, edges in (("height", HEIGHT_EDGES), ("share", SHARE_EDGES)):
        labels = [f"{column} {_range(*ends)}" for ends in pairwise(edges)]
        bins = pd.cut(found[column], edges, labels=labels).astype(str)
        pivot = found.groupby([*by, bins], sort=False)["power"].mean().unstack()
        pivots.append(pivot[[label for label in labels if label in pivot]])
    return pd.concat(pivots, axis=1).reset_index()


def _range(low: float, high: float) -> str:
    return f"{low:g} to {high:g}".replace("0.", ".") if np.isfinite(high) else f"{low:g} or more".replace("0.", ".")


def ranking(table: pd.DataFrame, by: Sequence[str], tall: bool) -> pd.DataFrame:
    """Area under the curve of each score, steps up against none, and the score that has the largest.

    Args:
        tall: against trends that are as high as trend and step; else against the trend that the step stands on, where
            height alone tells many steps.
    """
    rows = []
    for key, part in table.groupby([*by], sort=False):
        smooth, jump = part[(part["step"] == 0) & (part["tall"] == tall)], part[part["step"] == 1]
        found = {score: area_under_curve(smooth[score], jump[score]) for score in SCORES}
        rows.append(dict(zip(by, key, strict=True)) | found | {"best": max(found, key=lambda score: found[score])})
    return pd.DataFrame(rows)


def highest_power(table: pd.DataFrame) -> pd.DataFrame:
    """Means of `frontier.on_slopes`, and against two shapes for low and high steps."""
    low, by = table["height"] < HEIGHT_EDGES[1], ["n_sizes", "spread", "family"]
    columns = {
        "two shapes": table["two shapes"],
        "two shapes, steps below .2": table["two shapes"].where(low),
        "two shapes, steps of .2 or more": table["two shapes"].where(~low),
        "cone": table["cone"],
    }
    return table[by].assign(**columns).groupby(by, sort=False).mean().reset_index()


def false_positives(table: pd.DataFrame) -> pd.DataFrame:
    """Of each family of curves without a step: mean over cells, and the worst.

    A cell is sizes x seeds x spread, a ladder sizes x seeds. The worst of many cells is high by chance alone.
    """
    rows = []
    for family, own in table[table["step"] == 0].groupby("family", sort=False):
        cells = own.groupby([*STRATUM, "spread"])["p"]
        at5, at1 = (cells.apply(lambda p, alpha=alpha: float(np.mean(p < alpha))) for alpha in (0.05, 0.01))
        ladders = own.groupby(STRATUM)["p"].apply(lambda p: float(np.mean(p < ALPHA)))
        worst = at5.idxmax()
        rows.append(
            {
                "family": family,
                "p < .05": at5.mean(),
                "worst ladder": ladders.max(),
                "worst cell": at5.max(),
                "which": f"K={worst[0]} S={worst[1]} spread {worst[2]}",
                "p < .01": at1.mean(),
                "worst at .01": at1.max(),
                "called smooth": own["state"].isin(SMOOTH).mean(),
            }
        )
    return pd.DataFrame(rows)


def grid_power(table: pd.DataFrame, bounds: dict[tuple[int, int], float]) -> pd.DataFrame:
    """Power at p < .05 on the kinds of jumps of the grid, and the bound for jumps of tests of the whole cone."""
    rows = []
    found = table[table["step"] == 1].assign(found=table["p"] < ALPHA)
    for (n_sizes, n_seeds), part in found.groupby(STRATUM):
        family = part.groupby("family")["found"].mean()
        row = {"n_sizes": n_sizes, "n_seeds": n_seeds, "jump": family["jump"], "bound": bounds[n_sizes, n_seeds]}
        row["jump of .4 or more"] = part[(part["family"] == "jump") & (part["height"] >= 0.4)]["found"].mean()
        rows.append(row | {kind: family[kind] for kind in JUMP_KINDS if kind != "jump"})
    return pd.DataFrame(rows)


def grid_ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Area under the curve of each score: five parametric smooth families of the grid against jumps."""
    groups = table.groupby(STRATUM)
    return pd.DataFrame([dict(zip(STRATUM, key, strict=True)) | areas(part) for key, part in groups])


def _shares(part: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    means = part.groupby([*by], sort=False)[list(columns)].agg(lambda each: float(np.mean(each.dropna().astype(float))))
    return means.reset_index()
