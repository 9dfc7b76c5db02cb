"""Do the intervals of compute-optimal sizes, and of what benchmarks tell at small size, hold what was planted?

    python experiments/planning_coverage/run.py [--only isoflop|recipes] [--data-sets 200]

1 core, about 8 minutes. Expect: see README.md beside this file.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import pandas as pd

from harness import IsoFlop, screen
from harness.datasets import LossSurface, make_recipes

SURFACES = {"symmetric": LossSurface(alpha=0.36, beta=0.36), "lopsided": LossSurface()}
#: Budgets, sizes at each, greatest ratio of a size to the optimum, standard deviation of ln loss.
DESIGNS = ((5, 9, 4.0, 0.003), (4, 6, 3.0, 0.002), (8, 7, 4.0, 0.001))
GRIDS = ("centred", "off alike", "the same")
BUDGETS = (1e18, 1e21)
BEYOND = 1e24
#: Recipes, signal-to-noise, correlation with the largest size, seeds, checkpoints.
RECIPES = ((8, 1.0, 1.0, 1, 5), (12, 3.0, 0.95, 2, 3), (20, 2.0, 0.9, 1, 5), (25, 1.5, 0.6, 3, 1), (10, 0.0, 1.0, 1, 5))


def sizes_about(truth: LossSurface, compute: float, n_sizes: int, span: float, grid: str, shift: float) -> np.ndarray:
    """Sizes of one budget on a grid; `shift`, in gaps, is by how much they miss."""
    best, gap = float(truth.optimal_size(compute)), 2 * np.log(span) / (n_sizes - 1)
    if grid == "the same":
        anywhere = np.exp(shift * gap + gap * np.arange(-200, 400)) * float(truth.optimal_size(BUDGETS[0]))
        return anywhere[np.abs(np.log(anywhere / best)) < np.log(span) + gap / 2]
    off = shift * gap if grid == "off alike" else 0.0
    return best * np.exp(off) * np.geomspace(1 / span, span, n_sizes)


def isoflop(n_sets: int) -> pd.DataFrame:
    """Shares of data sets whose intervals hold the exponent, N_opt within the budgets and beyond, and the minima."""
    rows = []
    kinds = product((2, 1), SURFACES.items(), DESIGNS, GRIDS)
    for kind, (approach, (surface, truth), design, grid) in enumerate(kinds):
        n_budgets, n_sizes, span, noise = design
        rng, held = np.random.default_rng([kind, n_sets]), []
        for seed in range(n_sets):
            shift = rng.uniform(-0.5, 0.5)
            parts = []
            for compute in np.geomspace(*BUDGETS, n_budgets):
                n = sizes_about(truth, compute, n_sizes, span, grid, shift)
                parts.append(pd.DataFrame({"N": n, "D": compute / 6 / n}))
            runs = pd.concat(parts)
            loss = truth.loss(runs["N"], runs["D"]) * np.exp(noise * rng.standard_normal(len(runs)))
            found = IsoFlop(approach, n_bootstrap=400, seed=seed).fit(runs["N"], runs["D"], loss)
            ahead, minima = found.predict([*BUDGETS, BEYOND]), found.minima_.dropna()
            within = ahead["N_low"].le(truth.optimal_size(ahead["compute"])) & ahead["N_high"].ge(
                truth.optimal_size(ahead["compute"])
            )
            low, high = found.exponent_interval_
            of_minima = minima["budget"].map(truth.optimal_size).between(minima["N_low"], minima["N_high"]).mean()
            held.append((low <= truth.size_exponent <= high, *within, of_minima))
        names = ("exponent", "least budget", "greatest", "beyond", "minima")
        shares = dict(zip(names, np.mean(held, axis=0).round(3).tolist(), strict=True))
        rows.append(
            {"by": ("", "envelope", "parabolas")[approach], "surface": surface, "design": design, "grid": grid} | shares
        )
    return pd.DataFrame(rows)


def recipes(n_sets: int) -> pd.DataFrame:
    """Shares of sizes whose intervals hold what was planted, and of tables with a benchmark called readable."""
    rows = []
    for n_recipes, snr, correlation, n_seeds, n_checkpoints in RECIPES:
        ratio, accuracy, readable = [], [], []
        for seed in range(n_sets):
            planted = make_recipes(
                n_recipes,
                n_tasks=2,
                snr=snr,
                correlation=correlation,
                n_seeds=n_seeds,
                n_checkpoints=n_checkpoints,
                random_state=seed,
            )
            frame = planted.frame.rename(columns={"recipe": "study"})
            single = n_checkpoints == 1
            found = screen(frame.drop(columns="step") if single else frame, "params", step=None if single else "step")
            smaller = found.sizes[found.sizes["params"] < found.target]
            ratio += (smaller["snr_low"].le(snr) & smaller["snr_high"].ge(snr)).tolist()
            truth = smaller["params"].map(planted.decision_accuracy)
            accuracy += truth.between(smaller["decision_accuracy_low"], smaller["decision_accuracy_high"]).tolist()
            readable.append(found.tasks["reading"].eq("readable").any())
        stated = {"recipes": n_recipes, "SNR": snr, "correlation": correlation, "seeds": n_seeds}
        shares = {"SNR held": np.mean(ratio), "accuracy held": np.mean(accuracy), "any readable": np.mean(readable)}
        rows.append(stated | {name: round(float(share), 3) for name, share in shares.items()})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("isoflop", "recipes"), help="one of the two")
    parser.add_argument("--data-sets", type=int, default=200, metavar="N", help="of each kind (200)")
    given = parser.parse_args()
    for name, measure in (("isoflop", isoflop), ("recipes", recipes)):
        if given.only in (None, name):
            print(measure(given.data_sets).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
