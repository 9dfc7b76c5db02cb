"""Verdicts of `find_jumps` on pairs of metrics of the same outputs, each pair analysed alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from planted_examples import EXAMPLES, PAIR
from planted_slopes import plant_pairs

from harness import find_jumps
from harness.datasets import PlantedPairs, make_metric_pairs

#: Spreads of the tokens on a slope, and on the flat.
SLOPE_SPREADS, FLAT_SPREADS = (0.0, 0.02, 0.04), (0.0, 0.02, 0.04, 0.08)
SIZES, N_SEEDS = (8, 12), 3
VERDICTS = ("emergent", "metric artefact", "smooth", "inconclusive", "drop")


def pairs(n: int, seed: int) -> pd.DataFrame:
    """A row a pair: what was planted (where, whether tokens jump, spread), and the verdict."""
    parts = []
    for n_sizes, jump, spread in product(SIZES, (True, False), SLOPE_SPREADS):
        rng, t = np.random.default_rng([seed, n_sizes, round(1000 * spread), jump]), np.arange(float(n_sizes))
        parts.append(_judged(plant_pairs(jump, rng, n, t, N_SEEDS, spread), "slope", n_sizes, jump, spread))
    for jump, spread in product((True, False), FLAT_SPREADS):
        drawn = make_metric_pairs(n, jump=jump, n_sizes=8, n_seeds=N_SEEDS, noise=spread, random_state=seed)
        parts.append(_judged(drawn, "flat", 8, jump, spread))
    example = EXAMPLES[PAIR]
    for jump in (True, False):
        drawn = example.plant_pairs(int(jump), np.random.default_rng([seed, jump]), n)
        parts.append(_judged(drawn, PAIR, example.n_sizes, jump, 0.02))
    return pd.concat(parts)


def verdict_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Share of each verdict, and of the tokens' and the exact match's jumps, by what was planted."""
    shares = {verdict: table["verdict"] == verdict for verdict in VERDICTS}
    jumped = {"exact match jumps": table["state"] == "jump", "tokens jump": table["continuous_state"] == "jump"}
    by = ["where", "n_sizes", "tokens", "spread"]
    columns = [*shares, *jumped]
    return table.assign(**shares, **jumped).groupby(by, sort=False)[columns].mean().reset_index()


def _judged(planted: PlantedPairs, where: str, n_sizes: int, jump: bool, spread: float) -> pd.DataFrame:
    found = pd.concat([find_jumps(pair, x="params") for _, pair in planted.frame.groupby("study")])
    tokens = "jump" if jump else "smooth"
    kept = found[["verdict", "state", "continuous_state", "p_value", "continuous_p_value", "statistic"]]
    return kept.assign(where=where, n_sizes=n_sizes, tokens=tokens, spread=spread)
