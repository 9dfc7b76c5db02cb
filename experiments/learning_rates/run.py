"""Do the intervals of the best learning rate hold the planted one?

python experiments/learning_rates/run.py [--draws N] [--seed S]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pandas as pd

from harness.analysis.planning.learning_rates import RateStatus, best_rates

CURVATURE = 0.16
BEST = 0.01
#: Runs of a higher loss are left out, as runs that diverge are.
DIVERGED = 20.0


def parabola(t: np.ndarray) -> np.ndarray:
    return CURVATURE / 2 * t**2


def skewed(t: np.ndarray) -> np.ndarray:
    """A loss that rises faster beyond the best rate: its third derivative there is its second."""
    return CURVATURE * (np.exp(t) - 1 - t)


def steeper(t: np.ndarray) -> np.ndarray:
    """Twice the skew that the intervals allow for."""
    return CURVATURE * (np.exp(2 * t) - 1 - 2 * t) / 4


SHAPES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (parabola, skewed, steeper)
STEPS, SEEDS, NOISES = (2**0.5, 2.0, 10**0.5), (1, 2, 3, 8), (0.003, 0.02)


def runs(
    shape: Callable[[np.ndarray], np.ndarray],
    best: float,
    step: float,
    n_seeds: int,
    noise: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Losses of one width at nine rates: a level of each seed, and noise of each run."""
    rate = BEST * step ** np.arange(-4.0, 5)
    level = rng.normal(0, 0.01, n_seeds)
    rise = np.minimum(shape(np.log(rate / best)), np.log(DIVERGED))  # a loss that has diverged needs no number
    y = 1 + rise[:, None] + level + rng.normal(0, noise, (len(rate), n_seeds))
    about = {
        "width": 64,
        "metric": "loss",
        "lr": np.repeat(rate, n_seeds),
        "seed": np.tile(np.arange(n_seeds), len(rate)),
    }
    drawn = pd.DataFrame(about | {"value": np.exp(y).ravel()})
    return drawn[drawn["value"] < DIVERGED]


def rows(draws: int, seed: int) -> Iterator[dict[str, object]]:
    for shape, step, noise, n_seeds in product(SHAPES, STEPS, NOISES, SEEDS):
        rng = np.random.default_rng(
            [seed, *(ord(c) for c in shape.__name__), round(step * 100), n_seeds, round(noise * 1e4)]
        )
        held, open_ends, lengths, claimed = 0, 0, [], 0
        for _ in range(draws):
            best = BEST * step ** rng.uniform(-0.5, 0.5)
            row = best_rates(runs(shape, best, step, n_seeds, noise, rng)).table.iloc[0]
            if row["status"] != RateStatus.INTERIOR or np.isnan(row["high"]):
                continue
            claimed += 1
            held += row["low"] <= best <= row["high"]
            ends = np.isfinite([np.log(row["low"]) if row["low"] > 0 else -np.inf, row["high"]])
            if ends.all():
                lengths.append(row["high"] / row["low"])
            else:
                open_ends += 1
        yield {
            "loss": shape.__name__,
            "factor between rates": round(step, 2),
            "noise": noise,
            "seeds": n_seeds,
            "with an interval": claimed / draws,
            "held": held / claimed if claimed else np.nan,
            "open": open_ends / claimed if claimed else np.nan,
            "high / low (median)": np.median(lengths) if lengths else np.nan,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100, help="planted data sets a cell")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    table = pd.DataFrame(rows(asked.draws, asked.seed))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(table.groupby("loss")["held"].agg(["min", "median", "max"]).round(3).to_string())


if __name__ == "__main__":
    main()
