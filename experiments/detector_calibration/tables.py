"""What the grid of cells says, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ranking import areas
from rich.console import Console
from rich.table import Table

from harness.datasets import JUMP_KINDS, SMOOTH_KINDS

STRATUM = ["n_sizes", "n_seeds"]


def print_tables(table: pd.DataFrame, bounds: dict[tuple[int, int], float], console: Console) -> None:
    smooth, jumps = table[table["family"].isin(SMOOTH_KINDS)], table[table["family"].isin(JUMP_KINDS)]
    _show(
        console, "False positives: mean and worst cell (sizes x seeds x spread) of each family", false_positives(smooth)
    )
    _show(console, "Power at p < .05, and its bound for tests of means", power(jumps, bounds))
    _show(console, "Ranking: area under the curve, five parametric smooth families against jumps", ranking(table))
    _show(console, "N*: 95 % intervals of jumps with p < .05", intervals(jumps))
    _show(console, "Abstention: states at p < .05", states(table))


def _show(console: Console, title: str, frame: pd.DataFrame) -> None:
    shown = Table(title=title, title_justify="left")
    for column in frame.columns:
        shown.add_column(str(column), justify="left" if frame[column].dtype == object else "right")
    for row in frame.itertuples(index=False):
        shown.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    console.print(shown)


def false_positives(smooth: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for family in SMOOTH_KINDS:
        part = smooth[smooth["family"] == family]
        for several, seeds in (("1", part["n_seeds"] == 1), ("3 or more", part["n_seeds"] > 1)):
            cells = part[seeds].groupby([*STRATUM, "spread"])["p"]
            at5, at1 = (cells.apply(lambda p, a=alpha: np.mean(p < a)) for alpha in (0.05, 0.01))
            worst = at5.idxmax()
            rows.append(
                {
                    "family": family,
                    "seeds": several,
                    "at .05": at5.mean(),
                    "worst": at5.max(),
                    "cell": f"K={worst[0]} S={worst[1]} spread {worst[2]}",
                    "at .01": at1.mean(),
                    "worst at .01": at1.max(),
                }
            )
    return pd.DataFrame(rows)


def power(jumps: pd.DataFrame, bounds: dict[tuple[int, int], float]) -> pd.DataFrame:
    rows = []
    for (n_sizes, n_seeds), part in jumps.groupby(STRATUM):
        found = part.assign(found=part["p"] < 0.05)
        by_family = found.groupby("family")["found"].mean()
        high = found[(found["family"] == "jump") & (found["height"] >= 0.4)]["found"].mean()
        row = {"sizes": n_sizes, "seeds": n_seeds, "jump": by_family["jump"], "bound": bounds[n_sizes, n_seeds]}
        row["height >= .4"] = high
        rows.append(row | {family: by_family[family] for family in JUMP_KINDS if family != "jump"})
    return pd.DataFrame(rows)


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (n_sizes, n_seeds), part in table.groupby(STRATUM):
        rows.append({"sizes": n_sizes, "seeds": n_seeds} | areas(part))
    return pd.DataFrame(rows)


def intervals(jumps: pd.DataFrame) -> pd.DataFrame:
    found = jumps[(jumps["family"] == "jump") & (jumps["p"] < 0.05)]
    found = found.assign(
        covers=(found["low"] <= found["place"]) & (found["place"] <= found["high"]),
        width=np.minimum(found["high"], found["n_sizes"] - 1) - np.maximum(found["low"], 0),
    )
    by = found.groupby(STRATUM)
    worst = found.groupby([*STRATUM, "spread"])["covers"].mean().groupby(STRATUM)
    columns = {"coverage": by["covers"].mean(), "lowest": worst.min(), "highest": worst.max()}
    return pd.DataFrame(
        columns | {"mean width": by["width"].mean(), "median width": by["width"].median()}
    ).reset_index()


def states(table: pd.DataFrame) -> pd.DataFrame:
    """Of jumps by height and of smooth curves: called a jump, undecided, called smooth."""
    rows = []
    for (n_sizes, n_seeds), part in table.groupby(STRATUM):
        jump = part[part["family"] == "jump"]
        groups = {
            "jump < .2": jump[jump["height"] < 0.2],
            "jump .2 to .4": jump[jump["height"].between(0.2, 0.4)],
            "jump > .4": jump[jump["height"] > 0.4],
            "smooth": part[part["family"].isin(SMOOTH_KINDS)],
        }
        row: dict[str, float] = {"sizes": n_sizes, "seeds": n_seeds}
        for name, group in groups.items():
            row |= {f"{name}: jump": (group["state"] == "jump").mean()}
            row |= {f"{name}: undecided": group["state"].isin(("undetermined", "steep")).mean()}
        rows.append(row | {"jumps called smooth": jump["state"].isin(("smooth", "flat")).mean()})
    return pd.DataFrame(rows)
