"""Error rates and power of find_jumps, and coverage of thresholds, on planted truth.

    python experiments/calibration/run.py [--curves 300] [--only jumps|thresholds]

1 core, about 6 minutes. Expect: at most 5 % of smooth curves have p < .05.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from harness import find_jumps, thresholds
from harness.errors import UserError

SIZES = np.geomspace(1e3, 1e3 * 2 ** (7 / 2), 8)
UNEVEN = 12 * np.array([8, 12, 16, 24, 32, 48, 64, 96.0]) ** 2


@dataclass(frozen=True)
class Rise:
    """Curves of runs: a rise `width` ladder steps wide at a place of its own for each curve, `spread` for each run.

    With `seed_keeps` a seed keeps its deviation over all sizes, which neither the test nor the thresholds assume.
    """

    name: str
    width: float
    n_seeds: int = 3
    spread: float = 0.0
    noise: float = 0.02
    shape: Callable[[np.ndarray], np.ndarray] = lambda u: expit(4.394 * u)
    sizes: tuple[float, ...] = tuple(SIZES)
    smooth: bool = True
    seed_keeps: bool = False

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Values (n, R, k) and the true ln threshold (n,)."""
        t = np.log(self.sizes)
        # In the inner gaps, two rungs away from both ends.
        place = rng.uniform(2, len(t) - 3, n)
        low = place.astype(int)
        gap = np.diff(t)[low]
        mu = t[low] + (place - low) * gap
        own = rng.standard_normal((n, 1 if self.seed_keeps else len(t), self.n_seeds))
        steps = (t[:, None] - mu[:, None, None]) / gap[:, None, None] - self.spread * own
        u = steps / max(self.width, 1e-9)
        mean = np.clip(self.shape(u), 0, 1)
        return rng.binomial(300, mean) / 300 + self.noise * rng.standard_normal(mean.shape), mu


def _flat(u: np.ndarray) -> np.ndarray:
    return np.full_like(u, 0.5)


def _power(u: np.ndarray) -> np.ndarray:
    along = np.linspace(0, 1, u.shape[1])[:, None]
    return np.broadcast_to(0.9 * np.expm1(-2 * along) / np.expm1(-2), u.shape)


RISES = (
    Rise("smooth: 2 steps", 2),
    Rise("smooth: 2 steps, 8 seeds", 2, 8),
    Rise("smooth: 2 steps, 1 seed", 2, 1),
    Rise("smooth: 2 steps, seeds spread 1 step", 2, 3, 1.0),
    Rise("smooth: 2 steps, 8 seeds spread 1 step", 2, 8, 1.0),
    Rise("smooth: 2 steps, 8 seeds, each keeping its place", 2, 8, 1.0, seed_keeps=True),
    Rise("smooth: 2 steps, probit", 2, shape=lambda u: ndtr(2.563 * u)),
    Rise("smooth: 2 steps, uneven ladder", 2, sizes=tuple(UNEVEN)),
    Rise("smooth: 3 steps", 3),
    Rise("smooth: 3 steps, Gompertz", 3, shape=lambda u: np.exp(-np.log(2) * np.exp(-3.084 * u))),
    Rise("smooth: power law", 1, shape=_power),
    Rise("no rise", 1, shape=_flat),
    Rise("sharp: 1.5 steps", 1.5, smooth=False),
    Rise("sharp: 1 step", 1, smooth=False),
    Rise("sharp: half a step", 0.5, smooth=False),
    Rise("sharp: step, 1 seed", 0, 1, smooth=False),
    Rise("sharp: step", 0, smooth=False),
    Rise("sharp: step, uneven ladder", 0, sizes=tuple(UNEVEN), smooth=False),
    Rise("sharp: step, seeds spread 1 step", 0, 3, 1.0, smooth=False),
    Rise("sharp: step, 5 seeds spread 1 step", 0, 5, 1.0, smooth=False),
    Rise("sharp: step, 8 seeds spread 1 step", 0, 8, 1.0, smooth=False),
    Rise("sharp: half a step, 8 seeds spread 1 step", 0.5, 8, 1.0, smooth=False),
)


def frame_of(rise: Rise, values: np.ndarray) -> pd.DataFrame:
    """A table of one's own: both metrics hold the same numbers, so that verdicts follow from the rise alone."""
    curve, rung, seed = (axis.ravel() for axis in np.indices(values.shape))
    columns = {"subtask": curve.astype(str), "params_non_embedding": np.array(rise.sizes)[rung], "seed": seed}
    table = pd.DataFrame(columns | {"value": values.ravel()})
    return pd.concat(
        [
            table.assign(metric="accuracy", discontinuous=True, paired_metric="same"),
            table.assign(metric="same", discontinuous=False, paired_metric=""),
        ]
    )


def jump_rates(n: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for rise in RISES:
        values, _ = rise.draw(rng, n)
        jumps = find_jumps(frame_of(rise, values))
        verdicts = jumps["verdict"].value_counts(normalize=True)
        rates = {"p < .05": np.mean(jumps["p_value"] < 0.05), "p < .01": np.mean(jumps["p_value"] < 0.01)}
        rows.append(
            {"curve": rise.name}
            | rates
            | {name: verdicts.get(name, 0.0) for name in ("emergent", "smooth", "inconclusive")}
        )
    return pd.DataFrame(rows)


def threshold_coverage(n: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for rise in (r for r in RISES if r.width != 1 or not r.smooth):
        values, truth = rise.draw(rng, n)
        found = thresholds(frame_of(rise, values).query("metric == 'accuracy'"))
        low, high = found["threshold_low"].to_numpy(), found["threshold_high"].to_numpy()
        closed = (low > 0) & np.isfinite(high)
        width = np.log(high[closed] / low[closed]) / np.mean(np.diff(np.log(rise.sizes)))
        covered = np.mean((low <= np.exp(truth)) & (np.exp(truth) <= high))
        rows.append({"curve": rise.name, "covers": covered, "median width (steps)": np.median(width)})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=300, help="planted curves for each kind of rise")
    parser.add_argument("--only", choices=("jumps", "thresholds"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.curves < 1:
        raise UserError("--curves: at least 1")
    parts = {
        "jumps": ("find_jumps: share below the error rate, and verdicts", jump_rates, given.curves),
        "thresholds": ("95 % intervals of N*: share that cover", threshold_coverage, given.curves),
    }
    for name in [given.only] if given.only else parts:
        title, measure, n = parts[name]
        print(f"\n{title} ({n} a row)")
        print(measure(n, np.random.default_rng(given.seed)).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
