"""6: what was held back is forecast from the rest, beside a plain curve_fit of the over-training law."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from data import chinchilla, marin
from planted_runs_ahead import MISFITS, checkpoints, surface
from scipy.optimize import OptimizeWarning, curve_fit

from harness import Forecaster, ScalingLaw
from harness.records.columns import number_column
from harness.records.expressions import select
from harness.records.table import read_rows

#: Edges of the classes of reach.
REACHES = (1.0, 3.0, 10.0, 30.0, 100.0, np.inf)


@dataclass(frozen=True)
class Split:
    """Runs fitted to and runs held back, each with N, D, loss."""

    group: str
    name: str
    seen: pd.DataFrame
    held: pd.DataFrame


def splits(folder: Path, surfaces: int = 20, seed: int = 0) -> Iterator[Split]:
    """Every extrapolation that the tables allow, and planted surfaces of each kind."""
    for corpus, runs in marin(folder).items():
        budgets = np.unique(runs["C"])
        for k in (1, 2, 3):
            seen = runs["C"] < budgets[-k]
            yield Split("marin", f"{corpus}, largest {k} held back", runs[seen], runs[~seen])
    runs = chinchilla(folder)
    for column, cuts in (("C", (1e20, 3e20, 1e21)), ("N", (1e9, 3e9))):
        for cut in cuts:
            seen = runs[column] < cut
            yield Split("chinchilla", f"{column} < {cut:g}", runs[seen], runs[~seen])
    for number, kind in enumerate(("the law itself", "heavy tails", "shared by budgets", *MISFITS)):
        for i in range(surfaces):
            yield Split(f"planted: {kind}", f"surface {i}", *surface(np.random.default_rng([seed, number, i]), kind))


def own_splits(table: Path, x: str, y: str, where: str | None) -> Iterator[Split]:
    """A table of the user's own, the smaller half, 70 and 90 % of its compute seen."""
    rows = select(read_rows(table), where).kept
    n, d = (number_column(rows, name.strip()) for name in x.split(","))
    runs = pd.DataFrame({"N": n, "D": d, "loss": number_column(rows, y)})
    size = np.round(np.log(runs["N"] * runs["D"]), 1)
    rungs = np.unique(size)
    for share in (0.5, 0.7, 0.9):
        seen = size <= rungs[max(0, int(share * len(rungs)) - 1)]
        yield Split(table.name, f"smallest {share:.0%} of {len(rungs)} budgets seen", runs[seen], runs[~seen])


def plain(split: Split) -> np.ndarray:
    """scipy's curve_fit of E + (a M^eta + b M^-eta) C^-eta (Gadre et al. 2024), from a guess anyone might make."""

    def law(x: np.ndarray, floor: float, a: float, b: float, eta: float) -> np.ndarray:
        n, d = x
        ratio, flops = d / n, 6 * n * d
        return floor + (a * ratio**eta + b * ratio**-eta) * flops**-eta

    seen, held = (part[["N", "D"]].to_numpy(dtype=float).T for part in (split.seen, split.held))
    loss = split.seen["loss"].to_numpy()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        guess = (0.8 * loss.min(), 100.0, 100.0, 0.2)
        found, _ = curve_fit(law, seen, loss, p0=guess, maxfev=50_000)
    return law(held, *found)


def scatter(split: Split) -> float:
    """What no forecast can do without: the median distance of the held-back runs from a surface fitted to all runs."""
    everything = pd.concat([split.seen, split.held])
    fit = ScalingLaw("hoffmann", objective="huber", interval="delta").fit(everything[["N", "D"]], everything["loss"])
    off = fit.predict(split.held[["N", "D"]]) / split.held["loss"].to_numpy() - 1
    return float(np.median(np.abs(off)))


def honesty(chosen: Iterator[Split]) -> None:
    """Errors and coverage of each split, of each group, and by how far the runs lie beyond those seen."""
    parts = []
    for split in chosen:
        forecaster = Forecaster().fit(split.seen[["N", "D"]], split.seen["loss"])
        table = forecaster.predict(split.held[["N", "D"]])
        observed = split.held["loss"].to_numpy()
        flops = [part["N"] * part["D"] for part in (split.held, split.seen)]
        parts.append(
            pd.DataFrame(
                {
                    "group": split.group,
                    "split": split.name,
                    "seen": len(split.seen),
                    "error %": 100 * np.abs(table["predicted"].to_numpy() / observed - 1),
                    "plain %": 100 * np.abs(plain(split) / observed - 1),
                    "scatter %": 100 * scatter(split),
                    "covered": (table["low"].to_numpy() <= observed) & (observed <= table["high"].to_numpy()),
                    "half-width %": 50 * np.log(table["high"] / table["low"]).to_numpy(),
                    "reach": np.clip(flops[0].to_numpy() / flops[1].max(), 1, None),
                }
            )
        )
    runs = pd.concat(parts, ignore_index=True)
    single = runs[~runs["group"].str.startswith("planted")]
    if len(single):
        print(_summary(single, ["group", "split", "seen"]).round(2).to_string(index=False))
    print("\nover all held-back runs of a group (medians; covered: share of runs inside the 95 % interval)")
    summary = _summary(runs, ["group"])
    print(summary.assign(ratio=summary["error %"] / summary["plain %"]).round(3).to_string(index=False))
    beyond = pd.cut(
        runs["reach"], REACHES, labels=[f"to {reach:g}x" for reach in REACHES[1:-1]] + ["beyond"], include_lowest=True
    )
    print("\ncovered, by compute over the largest seen")
    print(runs.groupby(["group", beyond], sort=False, observed=True)["covered"].mean().unstack().round(3).to_string())


def _summary(runs: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    medians = ["error %", "plain %", "scatter %", "half-width %"]
    groups = runs.groupby(by, sort=False)
    table = groups[medians].median().assign(covered=groups["covered"].mean(), held=groups.size())
    return table.reset_index()


def checkpoint_coverage(tables: int = 40, seed: int = 0) -> None:
    """Coverage of forecasts from 770 checkpoints of 22 runs: named as clusters, found, and taken for 770 runs."""
    x, rows = ["width", "depth", "D"], []
    for i in range(tables):
        seen, held = checkpoints(np.random.default_rng([seed, i]))
        observed = held["loss"].to_numpy()
        for how, clusters in (("named", seen["run"]), ("found", None), ("as 770 runs", np.arange(len(seen)))):
            table = Forecaster().fit(seen[x], seen["loss"], clusters=clusters).predict(held[x])
            rows.append(
                pd.DataFrame(
                    {
                        "checkpoints": how,
                        "error %": 100 * np.abs(table["predicted"].to_numpy() / observed - 1),
                        "half-width %": 50 * np.log(table["high"] / table["low"]).to_numpy(),
                        "covered": (table["low"].to_numpy() <= observed) & (observed <= table["high"].to_numpy()),
                    }
                )
            )
    groups = pd.concat(rows).groupby("checkpoints", sort=False)
    print(groups[["error %", "half-width %"]].median().assign(covered=groups["covered"].mean()).round(3).to_string())
