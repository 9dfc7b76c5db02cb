"""Planted benchmarks: items of their own difficulty, answered by runs of a ladder. No link is their truth.

The share of right answers is the mean over items of chance + (1 - chance) sigmoid((difficulty - loss) / slope), with
difficulties that lie skewed about where the benchmark becomes solvable, some items mislabelled, and every answer drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit


@dataclass(frozen=True)
class Ladder:
    """Which runs are seen and which are forecast.

    Attributes:
        sizes: parameters; tokens_per_parameter: of each size.
        targets: (parameters, tokens) of the runs to forecast.
        n_tasks: benchmarks.
        items: fewest and most items of a benchmark.
        late: share of benchmarks that become solvable late, perhaps beyond all runs.
    """

    sizes: tuple[float, ...]
    tokens_per_parameter: tuple[float, ...]
    targets: tuple[tuple[float, float], ...]
    n_tasks: int
    items: tuple[int, int]
    late: float


#: 16 runs far below two targets, eight benchmarks that have mostly begun to rise.
EIGHT = Ladder(
    (190e6, 370e6, 760e6, 1.3e9), (20, 40, 100, 200), ((6.9e9, 3.9e12), (13.7e9, 5e12)), 8, (300, 3000), 0.15
)
#: 16 small runs, many benchmarks, most of them at chance.
MANY = Ladder((11e6, 79e6, 154e6, 411e6), (20, 80, 320, 1280), ((1.4e9, 9e11), (6.9e9, 1.38e11)), 46, (60, 3000), 0.6)


@dataclass(frozen=True)
class Planted:
    """Runs seen and held back: x of both; losses, shares and items, a column a benchmark; chance of each."""

    seen: pd.DataFrame
    held: pd.DataFrame
    loss: pd.DataFrame
    share: pd.DataFrame
    observed_loss: pd.DataFrame
    observed: pd.DataFrame
    items: dict[str, int]
    chance: dict[str, float]


def plant(ladder: Ladder, rng: np.random.Generator, loss_noise: float = 0.006, run_noise: float = 0.006) -> Planted:
    """One table."""
    n = np.repeat(ladder.sizes, len(ladder.tokens_per_parameter))
    d = n * np.tile(ladder.tokens_per_parameter, len(ladder.sizes))
    far_n, far_d = np.array(ladder.targets).T
    sizes = pd.DataFrame({"N": np.r_[n, far_n], "D": np.r_[d, far_d]})
    alpha, beta = rng.uniform(0.28, 0.45, 2)
    losses, shares, items, chances = {}, {}, {}, {}
    for i in range(ladder.n_tasks):
        floor, a, b = rng.uniform(0.2, 0.9), *rng.uniform(0.3, 1.2, 2)
        loss = floor + a * (sizes["N"].to_numpy() / 3e8) ** -alpha + b * (sizes["D"].to_numpy() / 1e10) ** -beta
        count = round(np.exp(rng.uniform(*np.log(ladder.items))))
        chance = float(rng.choice([0.0, 0.25, 0.25, 0.25, 0.33, 0.5]))
        name = f"task {i}"
        shares[name] = _answered(loss, len(n), count, chance, rng.random() < ladder.late, run_noise, rng)
        losses[name] = loss * np.exp(loss_noise * rng.standard_normal(len(loss)))
        items[name], chances[name] = count, chance
    tables = [pd.DataFrame(columns) for columns in (losses, shares)]
    (loss, observed_loss), (share, observed) = ((table[: len(n)], table[len(n) :]) for table in tables)
    return Planted(sizes[: len(n)], sizes[len(n) :], loss, share, observed_loss, observed, items, chances)


def _answered(
    loss: np.ndarray, n_seen: int, count: int, chance: float, late: bool, run_noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Shares of right answers at these losses, of which the first n_seen are seen."""
    span = loss[:n_seen].max() - loss[n_seen:].min()
    middle = loss.max() - rng.uniform(-0.3, 3.0 if late else 1.6) * span
    spread, skew = span * np.exp(rng.normal(-0.3, 0.6)), rng.standard_normal()
    difficulty = rng.standard_normal(count)
    if abs(skew) > 0.5:
        difficulty = np.sign(skew) * (rng.gamma(2, 1, count) - 2) / np.sqrt(2)
    difficulty = middle + spread * difficulty
    slope = 0.25 * spread * np.exp(rng.normal(0, 0.3))
    solvable = rng.random(count) >= abs(rng.normal(0, 0.06))
    right = chance + (1 - chance) * expit((difficulty - loss[:, None]) / slope) * solvable
    share = (rng.random(right.shape) < right).mean(axis=1)
    return np.clip(share + run_noise * rng.standard_normal(len(share)), 0, 1)
