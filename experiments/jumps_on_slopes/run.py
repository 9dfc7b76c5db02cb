"""Error rates, power, places and ranking of the model comparison on planted curves, on slopes and on the flat.

    python experiments/jumps_on_slopes/run.py [slopes | flat | pairs] [--curves 150] [--seed 0]

One core: slopes 10 seconds, flat a minute, pairs 5 seconds; all three where none is named. On slopes expect false
positives at most .05 at p < .05, and power of .75 to 1.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from examination import Examined, examine
from planted_slopes import TRENDS, draw_on_slope, draw_pairs_on_slope
from scipy.stats import false_discovery_control, mannwhitneyu

from harness.analysis.emergence.known_scores import breakthroughness, change_point_ratio, largest_step, linearity
from harness.datasets import JUMP_KINDS, SMOOTH_KINDS, PlantedCurves, draw_curves

ALPHA = 0.05
#: Sizes, seeds and spread of seeds of the cells on the flat.
FLAT_CELLS = ((5, 3, 0.04), (8, 3, 0.04), (8, 3, 0.08), (12, 3, 0.02), (8, 1, 0.04), (12, 10, 0.08))
PAIR_SPREADS = (0.0, 0.02, 0.04)
SCORES = {
    "breakthroughness": breakthroughness,
    "linearity": linearity,
    "largest step": largest_step,
    "change point": lambda means: -change_point_ratio(means),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("slopes", "flat", "pairs"))
    parser.add_argument("--curves", type=int, default=150, help="a cell")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name, measure in {"slopes": on_slopes, "flat": on_the_flat, "pairs": on_pairs}.items():
        if given.what in (None, name):
            print(f"\n{name}")
            print(measure(given.curves, given.seed).to_string(float_format="{:.3f}".format, header=False))


def on_slopes(n: int, seed: int) -> pd.DataFrame:
    """A column a trend: 8 and 12 sizes, 3 seeds, spread .02, 1,000 items."""
    columns = []
    for n_sizes in (8, 12):
        for kind in TRENDS:
            rng = np.random.default_rng([seed, n_sizes, *kind.encode()])
            smooth, jump, drop = (draw_on_slope(kind, step, rng, n, n_sizes, 3) for step in (0, 1, -1))
            of_smooth, of_jump, of_drop = (examine(planted) for planted in (smooth, jump, drop))
            columns.append(
                {"sizes": n_sizes, "trend": kind}
                | {"fp .05": np.mean(of_smooth.p < ALPHA), "fp .01": np.mean(of_smooth.p < 0.01)}
                | {"called smooth": np.mean(of_smooth.smooth())}
                | {f"jump {name}": value for name, value in _steps_found(jump, of_jump, up=True).items()}
                | {"AUC statistic": _area(of_smooth.statistic, of_jump.statistic)}
                | {f"AUC {name}": _area(*map(score, (_means(smooth), _means(jump)))) for name, score in SCORES.items()}
                | {f"drop {name}": value for name, value in _steps_found(drop, of_drop, up=False).items()}
            )
    return pd.DataFrame(columns).T


def on_the_flat(n: int, seed: int) -> pd.DataFrame:
    """P(p < .05) of the kinds of `harness.datasets`, a row a kind and a column a cell."""
    rates = {}
    for n_sizes, n_seeds, spread in FLAT_CELLS:
        cell = f"K={n_sizes} S={n_seeds} {spread}"
        for kind in SMOOTH_KINDS | JUMP_KINDS:
            rng = np.random.default_rng([seed, n_sizes, n_seeds, round(1000 * spread), *kind.encode()])
            found = examine(draw_curves(kind, n, n_sizes, n_seeds, spread, rng))
            rates[cell, kind] = np.mean(found.p < ALPHA)
    table = pd.Series(rates).unstack(level=0)[[f"K={k} S={s} {spread}" for k, s, spread in FLAT_CELLS]]
    return pd.concat([table.columns.to_frame().T, table.loc[[*SMOOTH_KINDS, *JUMP_KINDS]]])


def on_pairs(n: int, seed: int) -> pd.DataFrame:
    """A column for tokens that jump or not, and a spread: 8 sizes, 3 seeds, 1,000 answers of 5 tokens.

    P values are adjusted over the pair (Benjamini and Hochberg). `artefact` is exact match that jumps while the tokens,
    unadjusted, are called smooth.
    """
    columns = []
    for jumps in (True, False):
        for spread in PAIR_SPREADS:
            planted = draw_pairs_on_slope(jumps, np.random.default_rng([seed, jumps]), n, 8, 3, spread)
            alone = [examine(planted.exact_match), examine(planted.token_accuracy)]
            adjusted = false_discovery_control(np.stack([found.p for found in alone]), axis=0)
            exact, tokens = (replace(found, p=p) for found, p in zip(alone, adjusted, strict=True))
            columns.append(
                {
                    "tokens": "jump" if jumps else "smooth",
                    "spread": spread,
                    "both jump": np.mean(exact.jumps() & tokens.jumps()),
                    "tokens alone jump": np.mean(~exact.jumps() & tokens.jumps()),
                    "artefact": np.mean(exact.jumps() & alone[1].smooth()),
                    "both smooth": np.mean(exact.smooth() & tokens.smooth()),
                }
            )
    return pd.DataFrame(columns).T


def _steps_found(planted: PlantedCurves, found: Examined, up: bool) -> dict[str, float]:
    """Power in the right direction; coverage and width of the place, in steps, where found; share called smooth."""
    right = (found.p < ALPHA) & (found.comparison.jumps_up == up)
    at = np.flatnonzero(right & (found.statistic > 0))
    low, high = np.array([found.comparison.gap(int(i)) for i in at]).reshape(-1, 2).T
    return {
        "power": float(right.mean()),
        "covered": float(np.mean((low <= planted.midpoint[at]) & (planted.midpoint[at] <= high))),
        "width": float(np.mean(high - low)),
        "called smooth": float(np.mean(found.smooth())),
    }


def _means(planted: PlantedCurves) -> np.ndarray:
    return np.asarray(planted.values.mean(axis=2))


def _area(smooth: np.ndarray, jump: np.ndarray) -> float:
    """Area under the ROC curve, P(a jump's score exceeds a smooth curve's); undefined scores count as lowest."""
    smooth, jump = (np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf, posinf=np.inf) for scores in (smooth, jump))
    return float(mannwhitneyu(jump, smooth).statistic / (len(jump) * len(smooth)))


if __name__ == "__main__":
    main()
