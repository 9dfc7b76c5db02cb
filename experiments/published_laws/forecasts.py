"""6: what was held back is forecast from the rest, beside a plain curve_fit of the over-training law."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from data import chinchilla, marin, planted_surface
from scipy.optimize import OptimizeWarning, curve_fit

from harness import Forecaster, ScalingLaw
from harness.records.columns import number_column
from harness.records.expressions import select
from harness.records.table import read_rows


@dataclass(frozen=True)
class Split:
    """Runs fitted to and runs held back, each with N, D, loss."""

    group: str
    name: str
    seen: pd.DataFrame
    held: pd.DataFrame


def splits(folder: Path, surfaces: int = 60, seed: int = 0) -> Iterator[Split]:
    """Every extrapolation that the tables allow, and planted surfaces with run-to-run noise."""
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
    rng = np.random.default_rng(seed)
    for i in range(surfaces):
        flops = np.repeat(np.geomspace(1e18, 3e20, 6), 6)
        n = np.sqrt(flops / 120) * np.tile(np.geomspace(0.25, 4, 6), 6)
        far = np.array([[1e9, 6e10], [3e9, 1e11], [7e9, 1.4e11], [1.4e9, 9e11]])  # the last one over-trained
        d = flops / 6 / n
        surface = planted_surface(rng, n, d)
        noise = rng.choice([0.003, 0.01])
        seen = pd.DataFrame({"N": n, "D": d, "loss": surface.loss(n, d) * np.exp(noise * rng.standard_normal(36))})
        later = surface.loss(far[:, 0], far[:, 1]) * np.exp(noise * rng.standard_normal(4))
        yield Split("planted", f"surface {i}", seen, pd.DataFrame({"N": far[:, 0], "D": far[:, 1], "loss": later}))


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
    rows, errors = [], []
    for split in chosen:
        forecaster = Forecaster().fit(split.seen[["N", "D"]], split.seen["loss"])
        table = forecaster.predict(split.held[["N", "D"]])
        observed = split.held["loss"].to_numpy()
        ours = np.abs(table["predicted"].to_numpy() / observed - 1)
        theirs = np.abs(plain(split) / observed - 1)
        errors.append(pd.DataFrame({"group": split.group, "here": ours, "plain": theirs}))
        half = np.log(table["high"] / table["low"]) / 2
        rows.append(
            {
                "group": split.group,
                "split": split.name,
                "seen": len(split.seen),
                "held": len(observed),
                "error %": 100 * np.median(ours),
                "plain %": 100 * np.median(theirs),
                "scatter %": 100 * scatter(split),
                "covered": np.mean((table["low"] <= observed) & (observed <= table["high"])),
                "half-width %": 100 * float(np.median(half)),
                "gadre": forecaster.weights_.get("gadre", 0.0),
            }
        )
    table = pd.DataFrame(rows)
    print(table[table["group"] != "planted"].drop(columns="group").round(2).to_string(index=False))
    by_group = table.groupby("group", sort=False)
    pooled = pd.concat(errors).groupby("group", sort=False)[["here", "plain"]].median()
    summary = pd.DataFrame(
        {
            "splits": by_group.size(),
            "error %": 100 * pooled["here"],
            "plain %": 100 * pooled["plain"],
            "ratio": pooled["here"] / pooled["plain"],
            "scatter %": by_group["scatter %"].median(),
            "covered": by_group.apply(lambda part: np.average(part["covered"], weights=part["held"])),
        }
    )
    print("\nover all held-back runs of a group (medians; covered: share of runs inside the 95 % interval)")
    print(summary.round(3).to_string())
